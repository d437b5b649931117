"""What a plant file would change in the plant, and how a file is applied without undoing people's work.

A plant is looked at as tables of keyed rows, so that a file, the database and the file that was
applied last can be compared row by row and field by field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from mes.kernel.ids import EquipmentId, MaterialId, PersonId, ToolId
from mes.resources.model import (
    Calendar,
    Equipment,
    MaintenanceRule,
    PersonPlacement,
    PlantDefinition,
    Policy,
    RateDraft,
    Reason,
    ReasonKind,
    SetupRule,
    Step,
    Tool,
)
from mes.resources.plantfile import place_of

Fields = dict[str, Any]
Rows = dict[Any, Fields]
Tables = dict[str, Rows]

RETIRED = frozenset({"equipment", "people"})
"""Tables whose rows go out of service when a file has them no more: orders, costs and genealogy speak of
them, so that they are never deleted."""
APPENDED = frozenset({"rates"})
"""Tables that only grow: what was once booked must be explained for ever."""
PLACE = ("level", "name", "parent", "cost_center", "skill", "calendar", "assigns_serial", "time_percent")


@dataclass(frozen=True, slots=True)
class Change:
    """One row that a file adds, changes, removes, or no longer has.

    Args:
        what: `retire`: the file has it no more; it is out of service, and its history stays.
        fields: Name, value now, value in the file; of a changed row.
    """

    what: Literal["add", "change", "remove", "retire"]
    table: str
    row: str
    fields: tuple[tuple[str, str, str], ...] = ()

    def __str__(self) -> str:
        told = ", ".join(f"{name} {now} -> {then}" for name, now, then in self.fields)
        return f"{self.what:6} {self.table} {self.row}".rstrip() + (f": {told}" if told else "")


def changes(now: PlantDefinition | None, wanted: PlantDefinition) -> list[Change]:
    """Return what differs between the plant as it is and as a file wants it."""
    there = tables_of(now) if now is not None else {}
    return [
        change
        for table, rows in tables_of(wanted).items()
        for change in _of_table(table, there.get(table, {}), rows)
    ]


def _of_table(table: str, now: Rows, wanted: Rows) -> Iterator[Change]:
    for key, row in wanted.items():
        if key not in now:
            if table not in APPENDED or not _holds_already(now, key, row):
                yield Change("add", table, _name(key))
        elif now[key] != row:
            differing = tuple(
                (name, _said(now[key][name]), _said(value))
                for name, value in row.items()
                if now[key][name] != value
            )
            yield Change("change", table, _name(key), differing)
    gone = [] if table in APPENDED else sorted(now.keys() - wanted.keys(), key=_name)
    for key in gone:
        yield Change("retire" if table in RETIRED else "remove", table, _name(key))


def _holds_already(now: Rows, key: tuple[Any, ...], row: Fields) -> bool:
    """Say whether the rate that holds at the date of a row is the same."""
    before = [other for other in now if other[:2] == key[:2] and other[2] <= key[2]]
    return bool(before) and now[max(before, key=_since)] == row


def _since(key: tuple[Any, ...]) -> Any:
    return key[2]


def _name(key: Any) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_said, value)) + "]"
    if hasattr(value, "__slots__") and hasattr(value, "__dataclass_fields__"):
        return "{" + ", ".join(f"{f.name} {_said(getattr(value, f.name))}" for f in fields(value)) + "}"
    return "none" if value is None or value == "" else str(value)


def merged(base: PlantDefinition | None, now: PlantDefinition, wanted: PlantDefinition) -> PlantDefinition:
    """Return the plant with what a file changed since it was applied last, and nothing that people changed.

    Args:
        base: The file as it was applied last; None when that is not known.
        now: The plant as it is.
        wanted: The file.
    """
    old = tables_of(base) if base is not None else {}
    here = tables_of(now)
    return plant_of(
        wanted.site,
        wanted.timezone,
        {
            table: _merge(table, old.get(table, {}), here[table], rows)
            for table, rows in tables_of(wanted).items()
        },
    )


def _merge(table: str, base: Rows, now: Rows, wanted: Rows) -> Rows:
    found: Rows = {}
    for key, row in wanted.items():
        if key in now:
            found[key] = {
                name: _pick(base.get(key, {}), now[key], name, value) for name, value in row.items()
            }
        elif base.get(key) != row:
            found[key] = row
    for key, row in now.items():
        dropped = key in base and base[key] == row and table not in RETIRED | APPENDED
        if key not in wanted and not dropped:
            found[key] = row
    return found


def _pick(base: Fields, now: Fields, name: str, wanted: Any) -> Any:
    if name not in base:
        return wanted if now[name] in {None, "", ()} else now[name]
    if name == "skills":
        gained = set(wanted) - set(base[name])
        lost = set(base[name]) - set(wanted)
        return tuple(sorted((set(now[name]) | gained) - lost))
    return now[name] if wanted == base[name] else wanted


def tables_of(plant: PlantDefinition) -> Tables:
    """Return a plant as tables of keyed rows."""
    return {
        "policy": {"": {field.name: getattr(plant.policy, field.name) for field in fields(Policy)}},
        "skills": {code: {} for code in plant.skills},
        "calendars": {one.code: {"shifts": one.shifts, "breaks": one.breaks} for one in plant.calendars},
        "equipment": {one.id: {name: getattr(one, name) for name in PLACE} for one in plant.equipment},
        "people": {
            one.id: {"crew": one.crew, "skills": tuple(sorted(one.skills)), "rate_class": one.rate_class}
            for one in plant.people
        },
        "families": {material: {"family": family} for material, family in plant.families.items()},
        "setups": {
            (one.work_center, one.from_family, one.to_family): {"seconds": one.seconds}
            for one in plant.setups
        },
        "reasons": {(one.kind.value, one.code): {"loss": one.loss} for one in plant.reasons},
        "rates": {
            (one.kind, one.code, one.valid_from): {"per_hour": one.per_hour, "currency": one.currency}
            for one in plant.rates
        },
        "tools": {one.id: {"name": one.name, "count": one.count} for one in plant.tools},
        "maintenance": {
            one.id: {name: getattr(one, name) for name in MaintenanceRule.__slots__ if name != "id"}
            for one in plant.maintenance
        },
        "steps": {
            (one.material, one.operation): {
                "tools": one.tools,
                "lag_min": one.lag_min,
                "most_min": one.most_min,
                "transfer": one.transfer,
                "resumable": one.resumable,
            }
            for one in plant.steps
        },
    }


def plant_of(site: str, timezone: str, tables: Mapping[str, Rows]) -> PlantDefinition:
    """Return the plant that tables of keyed rows are."""
    return PlantDefinition(
        site=site,
        timezone=timezone,
        policy=Policy(**tables["policy"][""]),
        skills=tuple(tables["skills"]),
        calendars=tuple(Calendar(code=code, **row) for code, row in tables["calendars"].items()),
        equipment=_equipment(tables["equipment"]),
        people=tuple(PersonPlacement(id=PersonId(key), **row) for key, row in tables["people"].items()),
        families={MaterialId(key): row["family"] for key, row in tables["families"].items()},
        setups=tuple(
            SetupRule(work_center=center, from_family=before, to_family=after, **row)
            for (center, before, after), row in tables["setups"].items()
        ),
        reasons=tuple(
            Reason(kind=ReasonKind(kind), code=code, **row) for (kind, code), row in tables["reasons"].items()
        ),
        rates=tuple(
            RateDraft(kind=kind, code=code, valid_from=since, **row)
            for (kind, code, since), row in tables["rates"].items()
        ),
        tools=tuple(Tool(id=ToolId(key), **row) for key, row in tables["tools"].items()),
        steps=tuple(
            Step(material=MaterialId(material), operation=operation, **row)
            for (material, operation), row in tables["steps"].items()
        ),
        maintenance=tuple(MaintenanceRule(id=key, **row) for key, row in tables["maintenance"].items()),
    )


def _equipment(rows: Rows) -> tuple[Equipment, ...]:
    known: dict[str, Equipment] = {}
    for position, (key, row) in enumerate(rows.items()):
        known[key] = place_of({"id": EquipmentId(key), **row}, known, position)
    return tuple(known.values())
