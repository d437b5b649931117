"""The plant file: what the MES itself owns of a plant, as TOML, read into a `PlantDefinition` and back."""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mes.kernel.ids import EquipmentId, MaterialId
from mes.resources.model import (
    AS_ROUTED,
    Calendar,
    Equipment,
    EquipmentLevel,
    MaintenanceRule,
    PersonPlacement,
    PlantDefinition,
    PlantFault,
    PlantFileNotValid,
    Policy,
    RateDraft,
    Reason,
    ReasonKind,
    SetupRule,
    Shift,
    Step,
    StepTool,
    Tool,
)
from mes.resources.plantcheck import faults_of

Row = Mapping[str, Any]
T = TypeVar("T")

DEMO_PLANT = "pump_plant.toml"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Rates of a plant file hold from here on where the file gives them no date."""

KEYS = {
    "file": {field.name for field in fields(PlantDefinition)},
    "policy": {field.name for field in fields(Policy)},
    "equipment": {field.name for field in fields(Equipment)} - {"scope", "work_center", "position"},
    "calendars": {field.name for field in fields(Calendar)},
    "people": {"crew", "skills", "ids", "rate_class"},
    "setups": {"work_center", "families", "seconds", "from_family", "to_family"},
    "rates": {field.name for field in fields(RateDraft)},
    "reasons": {"code", "loss"},
    "tools": {field.name for field in fields(Tool)},
    "steps": {field.name for field in fields(Step)},
    "maintenance": {field.name for field in fields(MaintenanceRule)},
}
"""What may stand in each table of the file."""

_POLICY = TypeAdapter(Policy)
_EQUIPMENT = TypeAdapter(Equipment)
_CALENDAR = TypeAdapter(Calendar)
_PERSON = TypeAdapter(PersonPlacement)
_RULE = TypeAdapter(SetupRule)
_REASON = TypeAdapter(Reason)
_RATE = TypeAdapter(RateDraft)
_TOOL = TypeAdapter(Tool)
_STEP = TypeAdapter(Step)
_UPKEEP = TypeAdapter(MaintenanceRule)
_SKILLS = TypeAdapter(tuple[str, ...])
_FAMILIES = TypeAdapter(dict[str, tuple[str, ...]])


def load_plant(path: Path | None = None) -> PlantDefinition:
    """Read a plant file; the demo's pump plant when no path is given.

    Raises:
        PlantFileNotValid: A key is missing, unknown in its place or out of its range, or rows
            contradict each other; names every row and how to mend it.
        OSError: The file cannot be read.
    """
    source = files("mes.resources").joinpath(DEMO_PLANT) if path is None else path
    return parse_plant(source.read_text("utf-8"))


def parse_plant(text: str) -> PlantDefinition:
    """Return the plant that `text` describes.

    Raises:
        PlantFileNotValid: As for `load_plant`.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fault = PlantFault("file", str(error), "Mend the TOML at that line")
        raise PlantFileNotValid(place=str(fault)) from error
    reader = _Reader(data)
    plant = reader.plant()
    faults = reader.faults or list(faults_of(plant))
    if faults:
        raise PlantFileNotValid(place="\n".join(map(str, faults)))
    return plant


class _Reader:
    """Reads a file table by table; what is wrong in a row is noted, and the next one is read."""

    def __init__(self, data: Row) -> None:
        self.faults: list[PlantFault] = []
        self._data = data
        self._unknown("file", "file", data)

    def plant(self) -> PlantDefinition:
        """Return what could be read; it is of use only where `faults` is empty."""
        rules = [rule for row in self._rows("setups") for rule in self._setups(row)]
        return PlantDefinition(
            site=self._text("site"),
            timezone=self._text("timezone"),
            policy=self._policy(),
            equipment=tuple(self._equipment()),
            calendars=tuple(self._each("calendars", "code", _CALENDAR)),
            skills=self._value("skills", _SKILLS, ()),
            people=tuple(self._people()),
            families={
                MaterialId(material): family for family, some in self._families().items() for material in some
            },
            setups=tuple(rules),
            reasons=tuple(self._reasons()),
            rates=tuple(self._each("rates", "code", _RATE, {"valid_from": EPOCH})),
            tools=tuple(self._each("tools", "id", _TOOL)),
            steps=tuple(self._each("steps", "material", _STEP)),
            maintenance=tuple(self._each("maintenance", "id", _UPKEEP)),
        )

    def _policy(self) -> Policy:
        row = self._data.get("policy", {})
        self._unknown("policy", "policy", row)
        return self._take("policy", partial(_POLICY.validate_python, row)) or Policy()

    def _families(self) -> dict[str, tuple[str, ...]]:
        return self._value("families", _FAMILIES, {})

    def _each(self, table: str, name: str, kind: TypeAdapter[T], more: Row | None = None) -> Iterator[T]:
        for row in self._rows(table):
            label = f"{table} {row.get(name, '?')}"
            self._unknown(table, label, row)
            found = self._take(label, partial(kind.validate_python, {**(more or {}), **row}))
            if found is not None:
                yield found

    def _equipment(self) -> Iterator[Equipment]:
        if "equipment" not in self._data:
            self._miss("file", "equipment")
        known: dict[str, Equipment] = {}
        for position, row in enumerate(self._rows("equipment")):
            label = f"equipment {row.get('id', '?')}"
            self._unknown("equipment", label, row)
            if "parent" in row and row["parent"] not in known:
                what = f"parent {row['parent']} comes later or is not there"
                self.faults.append(PlantFault(label, what, "Put the parent above it"))
                continue
            place = self._take(label, partial(place_of, row, known, position))
            if place is not None:
                known[place.id] = place
                yield place

    def _people(self) -> Iterator[PersonPlacement]:
        for number, group in enumerate(self._rows("people"), 1):
            label = f"people, group {number}"
            self._unknown("people", label, group)
            if "ids" not in group:
                self._miss(label, "ids")
            ids = self._take(label, partial(_SKILLS.validate_python, group.get("ids", ())))
            for person in ids or ():
                row = {"skills": (), "crew": None, **group, "id": person}
                row.pop("ids", None)
                placed = self._take(f"people {person}", partial(_PERSON.validate_python, row))
                if placed is not None:
                    yield placed

    def _setups(self, row: Row) -> Iterator[SetupRule]:
        label = f"setups {row.get('work_center', '?')}"
        self._unknown("setups", label, row)
        pairs = [(row.get("from_family"), row.get("to_family"))]
        if "families" in row:
            names = row["families"]
            pairs = [(before, after) for before in names for after in names if before != after]
        for before, after in pairs:
            rest = {name: row[name] for name in ("work_center", "seconds") if name in row}
            rule = {**rest, "from_family": before, "to_family": after}
            found = self._take(label, partial(_RULE.validate_python, rule))
            if found is not None:
                yield found

    def _reasons(self) -> Iterator[Reason]:
        kinds = self._data.get("reasons", {})
        for kind, rows in kinds.items() if isinstance(kinds, Mapping) else ():
            label = f"reasons {kind}"
            if kind not in set(ReasonKind):
                what = "there is no such kind of reason"
                self.faults.append(PlantFault(label, what, f"Take one of {', '.join(ReasonKind)}"))
                continue
            for row in rows:
                self._unknown("reasons", f"{label} {row.get('code', '?')}", row)
                found = self._take(label, partial(_REASON.validate_python, {"kind": kind, **row}))
                if found is not None:
                    yield found

    def _text(self, name: str) -> str:
        if name not in self._data:
            self._miss("file", name)
        return str(self._data.get(name, ""))

    def _value(self, name: str, kind: TypeAdapter[T], otherwise: T) -> T:
        found = self._take(name, partial(kind.validate_python, self._data.get(name, otherwise)))
        return otherwise if found is None else found

    def _rows(self, table: str) -> list[Row]:
        rows = self._data.get(table, [])
        if isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows):
            return rows
        self.faults.append(PlantFault(table, "is no list of tables", f"Begin each row with [[{table}]]"))
        return []

    def _unknown(self, table: str, label: str, row: object) -> None:
        if not isinstance(row, Mapping):
            self.faults.append(PlantFault(label, "is no table", "Write it as a table"))
            return
        for name in sorted(set(row) - KEYS[table]):
            remedy = f"Take one of {', '.join(sorted(KEYS[table]))}"
            self.faults.append(PlantFault(label, f"{name} is not known", remedy))

    def _miss(self, label: str, name: str) -> None:
        self.faults.append(PlantFault(label, f"{name} is missing", "Add it"))

    def _take(self, label: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except KeyError as error:
            self._miss(label, str(error.args[0]))
        except ValidationError as error:
            for item in error.errors():
                name = ".".join(map(str, item["loc"]))
                if item["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}:
                    self._miss(label, name)
                else:
                    self.faults.append(PlantFault(label, f"{name}: {item['msg']}", "Correct the value"))
        return None


def place_of(row: Row, known: Mapping[str, Equipment], position: int) -> Equipment:
    """Return the node of a row; a unit takes what it does not say from its work centre.

    Raises:
        KeyError: The row has no `id`, `level` or `name`.
        ValidationError: A value is of the wrong kind.
    """
    parent = known.get(row.get("parent") or "")
    level = row["level"]
    center = parent if level == EquipmentLevel.WORK_UNIT else None
    below_site = level not in {EquipmentLevel.ENTERPRISE, EquipmentLevel.SITE}
    above = parent.scope if parent is not None else ""
    return _EQUIPMENT.validate_python(
        {
            "cost_center": center.cost_center if center else "",
            "skill": center.skill if center else None,
            "calendar": center.calendar if center else None,
            **row,
            "name": row["name"],
            "id": EquipmentId(row["id"]),
            "scope": f"{above}/{row['id']}".strip("/") if below_site else "",
            "parent": None if parent is None else parent.id,
            "work_center": None if center is None else center.id,
            "position": position,
        }
    )


def plant_text(plant: PlantDefinition) -> str:
    """Return the plant as a file that `parse_plant` reads as the same plant."""
    return "\n".join(_lines(plant)) + "\n"


def _lines(plant: PlantDefinition) -> Iterator[str]:
    yield f"site = {_toml(plant.site)}"
    yield f"timezone = {_toml(plant.timezone)}"
    yield f"skills = {_toml(plant.skills)}"
    yield from _table("[policy]", {field.name: getattr(plant.policy, field.name) for field in fields(Policy)})
    known = {place.id: place for place in plant.equipment}
    for place in plant.equipment:
        yield from _table("[[equipment]]", _own(place, known))
    for calendar in plant.calendars:
        shifts = [{name: getattr(one, name) for name in Shift.__slots__} for one in calendar.shifts]
        pauses = [{"after_minutes": one.after_minutes, "minutes": one.minutes} for one in calendar.breaks]
        yield from _table("[[calendars]]", {"code": calendar.code, "shifts": shifts, "breaks": pauses})
    for (crew, skills, rate_class), ids in _groups(plant.people).items():
        group = {"crew": crew, "skills": skills, "rate_class": rate_class, "ids": ids}
        yield from _table("[[people]]", group)
    families: dict[str, list[str]] = {}
    for material, family in plant.families.items():
        families.setdefault(family, []).append(material)
    yield from _table("[families]", {_key(family): some for family, some in families.items()})
    for rule in plant.setups:
        yield from _table("[[setups]]", {name: getattr(rule, name) for name in SetupRule.__slots__})
    for rate in plant.rates:
        yield from _table("[[rates]]", {name: getattr(rate, name) for name in RateDraft.__slots__})
    for tool in plant.tools:
        yield from _table("[[tools]]", {name: getattr(tool, name) for name in Tool.__slots__})
    for step in plant.steps:
        yield from _table("[[steps]]", _step(step))
    for upkeep in plant.maintenance:
        row = {name: getattr(upkeep, name) for name in MaintenanceRule.__slots__}
        yield from _table("[[maintenance]]", row)
    kinds = {kind: [one for one in plant.reasons if one.kind is kind] for kind in ReasonKind}
    some = {kind: [_reason(one) for one in rows] for kind, rows in kinds.items() if rows}
    yield from _table("[reasons]", some)


def _own(place: Equipment, known: Mapping[EquipmentId, Equipment]) -> dict[str, Any]:
    """Return what a node says itself: not what it has from its work centre."""
    center = known.get(place.work_center) if place.work_center else None
    said: dict[str, Any] = {"id": place.id, "level": place.level.value, "name": place.name}
    if place.parent is not None:
        said["parent"] = place.parent
    for name in ("cost_center", "skill", "calendar"):
        value = getattr(place, name)
        if value and (center is None or value != getattr(center, name)):
            said[name] = value
    if place.assigns_serial:
        said["assigns_serial"] = True
    if place.time_percent != AS_ROUTED:
        said["time_percent"] = place.time_percent
    return said


def _step(step: Step) -> dict[str, Any]:
    tools = [{name: getattr(use, name) for name in StepTool.__slots__} for use in step.tools]
    said = {"material": step.material, "operation": step.operation, "tools": tools or None}
    between = {"lag_min": step.lag_min or None, "most_min": step.most_min, "transfer": step.transfer}
    return {**said, **between, "resumable": None if step.resumable else False}


def _groups(
    people: Sequence[PersonPlacement],
) -> dict[tuple[str | None, tuple[str, ...], str], list[str]]:
    groups: dict[tuple[str | None, tuple[str, ...], str], list[str]] = {}
    for one in people:
        groups.setdefault((one.crew, one.skills, one.rate_class), []).append(one.id)
    return groups


def _reason(one: Reason) -> dict[str, str]:
    return {"code": one.code, "loss": one.loss} if one.loss else {"code": one.code}


def _table(head: str, row: Mapping[Any, Any]) -> Iterator[str]:
    said = {name: value for name, value in row.items() if value is not None}
    if said:
        yield ""
        yield head
    for name, value in said.items():
        yield f"{name} = {_toml(value)}"


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    """Return a value as TOML writes it; a JSON text is a TOML text."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        if any(isinstance(one, Mapping) for one in value):
            return "[\n" + "".join(f"  {_toml(one)},\n" for one in value) + "]"
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return json.dumps(f"{value:f}")
    return str(value.isoformat())
