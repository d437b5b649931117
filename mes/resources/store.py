"""SQL of equipment, people, calendars, reasons, rates and the site's policy."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from mes.kernel.db import Params, Tx
from mes.kernel.ids import EquipmentId, MaterialId, PersonId
from mes.kernel.outbox import to_json
from mes.resources.model import (
    Break,
    Calendar,
    Equipment,
    EquipmentStatus,
    Person,
    PersonDraft,
    PersonPlacement,
    PlantDefinition,
    Policy,
    RateDraft,
    Reason,
    SetupRule,
    Shift,
)

_SHIFTS = TypeAdapter(tuple[Shift, ...])
_BREAKS = TypeAdapter(tuple[Break, ...])

_EQUIPMENT = """
    select id, level, name, scope, parent, work_center, cost_center, skill, calendar,
           assigns_serial, position
    from mes.equipment
"""

_PERSON = """
    select p.id, p.name, p.crew, p.rate_class, p.active,
           array(select s.skill from mes.person_skill s
                 where s.person = p.id and s.valid_from <= %(at)s and s.valid_to > %(at)s
                 order by s.skill) as skills
    from mes.person p
"""


async def find_equipment(tx: Tx, equipment: str) -> Equipment | None:
    """Return one node of the hierarchy."""
    return await tx.fetch_one(Equipment, f"{_EQUIPMENT} where id = %(id)s", {"id": equipment})


async def lock_equipment(tx: Tx, equipment: str) -> Equipment | None:
    """Return a unit and keep others from starting work on it until the transaction ends."""
    return await tx.fetch_one(
        Equipment, f"{_EQUIPMENT} where id = %(id)s for no key update", {"id": equipment}
    )


async def all_equipment(tx: Tx, level: str | None = None) -> list[Equipment]:
    """Return the site's hierarchy, or one level of it, in the plant's order."""
    return await tx.fetch_all(
        Equipment,
        f"""
        {_EQUIPMENT} where site = %(site)s and (%(level)s::text is null or level = %(level)s)
        order by position, id
        """,
        {"site": tx.site, "level": level},
    )


async def save_equipment(tx: Tx, one: Equipment) -> bool:
    """Insert or change a node; return whether anything differed."""
    return bool(
        await tx.execute(
            """
            insert into mes.equipment as e (id, site, scope, level, name, parent, work_center,
                cost_center, skill, calendar, assigns_serial, position)
            values (%(id)s, %(site)s, %(scope)s, %(level)s, %(name)s, %(parent)s, %(work_center)s,
                %(cost_center)s, %(skill)s, %(calendar)s, %(assigns_serial)s, %(position)s)
            on conflict (id) do update set scope = excluded.scope, level = excluded.level,
                name = excluded.name, parent = excluded.parent, work_center = excluded.work_center,
                cost_center = excluded.cost_center, skill = excluded.skill,
                calendar = excluded.calendar, assigns_serial = excluded.assigns_serial,
                position = excluded.position
            where (e.scope, e.level, e.name, e.parent, e.work_center, e.cost_center, e.skill,
                   e.calendar, e.assigns_serial, e.position)
               is distinct from (excluded.scope, excluded.level, excluded.name, excluded.parent,
                   excluded.work_center, excluded.cost_center, excluded.skill, excluded.calendar,
                   excluded.assigns_serial, excluded.position)
            """,
            {"site": tx.site, **{name: getattr(one, name) for name in one.__slots__}},
        )
    )


async def all_status(tx: Tx) -> list[EquipmentStatus]:
    """Return what each unit does, as far as it ever told."""
    return await tx.fetch_all(
        EquipmentStatus,
        "select equipment, state, since, reason from mes.equipment_status where site = %(site)s",
        {"site": tx.site},
    )


async def save_status(tx: Tx, equipment: Equipment, state: str, since: datetime, reason: str | None) -> None:
    """Remember the state of a unit, unless a later one is known."""
    await tx.execute(
        """
        insert into mes.equipment_status as s (equipment, site, scope, state, since, reason)
        values (%(equipment)s, %(site)s, %(scope)s, %(state)s, %(since)s, %(reason)s)
        on conflict (equipment) do update
        set state = excluded.state, since = excluded.since, reason = excluded.reason
        where s.since <= excluded.since
        """,
        {
            "equipment": equipment.id,
            "site": tx.site,
            "scope": equipment.scope,
            "state": state,
            "since": since,
            "reason": reason,
        },
    )


@dataclass(frozen=True, slots=True)
class _CalendarRow:
    code: str
    shifts: Any
    breaks: Any


async def calendars(tx: Tx) -> dict[str, Calendar]:
    """Return every calendar of the site by its code."""
    rows = await tx.fetch_all(
        _CalendarRow,
        "select code, shifts, breaks from mes.calendar where site = %(site)s",
        {"site": tx.site},
    )
    return {row.code: _calendar(row) for row in rows}


@dataclass(frozen=True, slots=True)
class UnitCalendar:
    """The calendar of a unit and the time zone that its shifts are in."""

    calendar: Calendar
    timezone: str


@dataclass(frozen=True, slots=True)
class _UnitCalendarRow:
    code: str
    shifts: Any
    breaks: Any
    timezone: str


async def calendar_of(tx: Tx, equipment: str) -> UnitCalendar | None:
    """Return the calendar of a unit, where it has one."""
    row = await tx.fetch_one(
        _UnitCalendarRow,
        """
        select c.code, c.shifts, c.breaks, p.timezone
        from mes.equipment e
        join mes.calendar c on c.site = e.site and c.code = e.calendar
        join mes.policy p on p.site = e.site
        where e.id = %(equipment)s
        """,
        {"equipment": equipment},
    )
    if row is None:
        return None
    return UnitCalendar(_calendar(row), row.timezone)


def _calendar(row: _CalendarRow | _UnitCalendarRow) -> Calendar:
    return Calendar(
        code=row.code,
        shifts=_SHIFTS.validate_python(row.shifts),
        breaks=_BREAKS.validate_python(row.breaks),
    )


async def save_calendars(tx: Tx, some: Iterable[Calendar]) -> None:
    """Insert or change calendars."""
    rows: list[Params] = [
        {
            "site": tx.site,
            "code": one.code,
            "shifts": Jsonb(to_json(list(one.shifts))),
            "breaks": Jsonb(to_json(list(one.breaks))),
        }
        for one in some
    ]
    await tx.execute_many(
        """
        insert into mes.calendar (site, code, shifts, breaks)
        values (%(site)s, %(code)s, %(shifts)s, %(breaks)s)
        on conflict (site, code) do update set shifts = excluded.shifts, breaks = excluded.breaks
        """,
        rows,
    )


async def save_person(tx: Tx, draft: PersonDraft) -> bool:
    """Insert or change what HR owns of a person; return whether anything differed."""
    return bool(
        await tx.execute(
            """
            insert into mes.person as p (id, site, name, active, erp_ref)
            values (%(id)s, %(site)s, %(name)s, %(active)s, %(erp_ref)s)
            on conflict (id) do update
            set name = excluded.name, active = excluded.active, erp_ref = excluded.erp_ref
            where (p.name, p.active, p.erp_ref)
               is distinct from (excluded.name, excluded.active, excluded.erp_ref)
            """,
            {
                "id": draft.id,
                "site": tx.site,
                "name": draft.name,
                "active": draft.active,
                "erp_ref": draft.erp_ref,
            },
        )
    )


async def placements(tx: Tx, at: datetime) -> list[PersonPlacement]:
    """Return everybody of the site whom the plant has placed, with the skills valid at `at`."""
    rows = await tx.fetch_all(
        Person, f"{_PERSON} where p.site = %(site)s order by p.crew, p.id", {"site": tx.site, "at": at}
    )
    return [
        PersonPlacement(id=one.id, crew=one.crew, skills=one.skills, rate_class=one.rate_class)
        for one in rows
        if one.crew is not None or one.skills
    ]


async def save_placements(tx: Tx, placements: Iterable[PersonPlacement]) -> None:
    """Insert or change what the plant owns of its people; a name unknown yet is the number.

    A skill that somebody has keeps its dates; one that is taken away ends at `tx.now`, and one that
    is added begins then. The first skills of a person have no beginning.
    """
    placed = list(placements)
    await tx.execute_many(
        """
        insert into mes.person (id, site, name, crew, rate_class)
        values (%(id)s, %(site)s, %(id)s, %(crew)s, %(rate_class)s)
        on conflict (id) do update set crew = excluded.crew, rate_class = excluded.rate_class
        """,
        [{"id": one.id, "site": tx.site, "crew": one.crew, "rate_class": one.rate_class} for one in placed],
    )
    skilled = await tx.value(
        "select array_agg(distinct person) from mes.person_skill where person = any(%(people)s)",
        {"people": [one.id for one in placed]},
    )
    skilled = set(skilled or ())
    await _end_skills(tx, placed)
    await tx.execute_many(
        """
        insert into mes.person_skill (person, skill, valid_from)
        select %(person)s, %(skill)s, %(since)s::timestamptz
        where not exists (select from mes.person_skill
                          where person = %(person)s and skill = %(skill)s
                            and valid_from <= %(at)s and valid_to > %(at)s)
        on conflict (person, skill, valid_from) do update set valid_to = 'infinity'
        """,
        [
            {
                "person": one.id,
                "skill": skill,
                "at": tx.now,
                "since": tx.now.isoformat() if one.id in skilled else "-infinity",
            }
            for one in placed
            for skill in one.skills
        ],
    )


async def _end_skills(tx: Tx, placed: list[PersonPlacement]) -> None:
    rows: list[Params] = [{"person": one.id, "skills": list(one.skills), "at": tx.now} for one in placed]
    await tx.execute_many(
        """
        delete from mes.person_skill
        where person = %(person)s and skill <> all(%(skills)s::text[]) and valid_from = %(at)s
        """,
        rows,
    )
    await tx.execute_many(
        """
        update mes.person_skill set valid_to = %(at)s
        where person = %(person)s and skill <> all(%(skills)s::text[])
          and valid_from < %(at)s and valid_to > %(at)s
        """,
        rows,
    )


async def find_person(tx: Tx, person: str, at: datetime) -> Person | None:
    """Return a person with the skills valid at `at`."""
    return await tx.fetch_one(Person, f"{_PERSON} where p.id = %(id)s", {"id": person, "at": at})


async def all_people(tx: Tx, at: datetime) -> list[Person]:
    """Return everybody of the site who is employed, with the skills valid at `at`."""
    return await tx.fetch_all(
        Person,
        f"{_PERSON} where p.site = %(site)s and p.active order by p.id",
        {"site": tx.site, "at": at},
    )


async def people_named(tx: Tx, people: Collection[str], at: datetime) -> list[Person]:
    """Return some people with the skills valid at `at`."""
    return await tx.fetch_all(
        Person, f"{_PERSON} where p.id = any(%(people)s)", {"people": list(people), "at": at}
    )


async def clocked_in(tx: Tx, person: str, at: datetime) -> bool:
    """Say whether a person was at work at `at`."""
    found = await tx.value(
        """
        select true from mes.attendance
        where person = %(person)s and in_at <= %(at)s and (out_at is null or out_at > %(at)s)
        """,
        {"person": person, "at": at},
    )
    return bool(found)


async def present(tx: Tx, at: datetime) -> set[PersonId]:
    """Return who was at work at `at`."""
    row = await tx.value(
        """
        select array_agg(distinct person) from mes.attendance
        where site = %(site)s and in_at <= %(at)s and (out_at is null or out_at > %(at)s)
        """,
        {"site": tx.site, "at": at},
    )
    return {PersonId(person) for person in row or ()}


async def open_attendance(tx: Tx, attendance: UUID, person: str) -> bool:
    """Clock a person in at `tx.now`; return False when that is so already."""
    return bool(
        await tx.execute(
            """
            insert into mes.attendance (id, site, person, in_at, simulated)
            values (%(id)s, %(site)s, %(person)s, %(at)s, %(simulated)s)
            on conflict (person, simulated) where out_at is null do nothing
            """,
            {
                "id": attendance,
                "site": tx.site,
                "person": person,
                "at": tx.now,
                "simulated": tx.cause.simulated,
            },
        )
    )


async def close_attendance(tx: Tx, person: str, reason: str | None) -> bool:
    """Clock a person out at `tx.now`; return False when nobody was clocked in."""
    return bool(
        await tx.execute(
            """
            update mes.attendance set out_at = greatest(in_at, %(at)s), reason = %(reason)s
            where person = %(person)s and simulated = %(simulated)s and out_at is null
            """,
            {"person": person, "at": tx.now, "reason": reason, "simulated": tx.cause.simulated},
        )
    )


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody went before the end of the shift."""

    person: str
    out_at: datetime


async def departures(tx: Tx, since: datetime) -> dict[str, datetime]:
    """Return who left with a reason since then, and is not back, with the time of leaving."""
    rows = await tx.fetch_all(
        Departure,
        """
        select person, max(out_at) as out_at from mes.attendance a
        where site = %(site)s and out_at >= %(since)s and reason is not null and not simulated
          and not exists (select 1 from mes.attendance b where b.person = a.person
                          and not b.simulated and b.in_at >= a.out_at)
        group by person
        """,
        {"site": tx.site, "since": since},
    )
    return {row.person: row.out_at for row in rows}


async def reasons(tx: Tx) -> list[Reason]:
    """Return every reason of the site in the plant's order."""
    return await tx.fetch_all(
        Reason,
        "select kind, code, loss from mes.reason where site = %(site)s order by kind, position, code",
        {"site": tx.site},
    )


async def has_reason(tx: Tx, kind: str, code: str) -> bool:
    """Say whether a reason may be given for this kind of thing."""
    found = await tx.value(
        "select true from mes.reason where site = %(site)s and kind = %(kind)s and code = %(code)s",
        {"site": tx.site, "kind": kind, "code": code},
    )
    return bool(found)


async def skills(tx: Tx) -> list[str]:
    """Return every skill of the site."""
    found = await tx.value(
        "select array_agg(code order by code) from mes.skill where site = %(site)s", {"site": tx.site}
    )
    return list(found or ())


async def save_lists(tx: Tx, plant: PlantDefinition) -> None:
    """Put skills, reasons, setup families and setup rules of the plant in; `drop_from_lists` ends it."""
    await tx.execute_many(
        "insert into mes.skill (site, code) values (%(site)s, %(code)s) on conflict do nothing",
        [{"site": tx.site, "code": code} for code in plant.skills],
    )
    await tx.execute_many(
        """
        insert into mes.reason (site, kind, code, loss, position)
        values (%(site)s, %(kind)s, %(code)s, %(loss)s, %(position)s)
        on conflict (site, kind, code) do update
        set loss = excluded.loss, position = excluded.position
        """,
        [
            {
                "site": tx.site,
                "kind": one.kind,
                "code": one.code,
                "loss": one.loss,
                "position": place,
            }
            for place, one in enumerate(plant.reasons)
        ],
    )
    await _save_setups(tx, plant.families, plant.setups)


async def drop_from_lists(tx: Tx, plant: PlantDefinition) -> None:
    """Delete what the plant has no more; a skill or calendar that a place or a person still has stays."""
    kept = {
        "site": tx.site,
        "skills": list(plant.skills),
        "reasons": [f"{one.kind} {one.code}" for one in plant.reasons],
        "materials": list(plant.families),
        "rules": [f"{one.work_center} {one.from_family} {one.to_family}" for one in plant.setups],
        "calendars": [one.code for one in plant.calendars],
        "at": tx.now,
    }
    for statement in (
        """
        delete from mes.skill k where site = %(site)s and code <> all(%(skills)s::text[])
          and not exists (select from mes.equipment e where e.site = k.site and e.skill = k.code)
          and not exists (select from mes.person_skill s join mes.person p on p.id = s.person
                          where p.site = k.site and s.skill = k.code and s.valid_to > %(at)s)
        """,
        "delete from mes.reason where site = %(site)s and kind || ' ' || code <> all(%(reasons)s::text[])",
        "delete from mes.setup_family where site = %(site)s and material <> all(%(materials)s::text[])",
        """
        delete from mes.setup_rule where site = %(site)s
          and work_center || ' ' || from_family || ' ' || to_family <> all(%(rules)s::text[])
        """,
        """
        delete from mes.calendar c where site = %(site)s and code <> all(%(calendars)s::text[])
          and not exists (select from mes.equipment e where e.site = c.site and e.calendar = c.code)
        """,
    ):
        await tx.execute(statement, kept)


async def families(tx: Tx) -> dict[MaterialId, str]:
    """Return the setup family of each material that has one."""
    rows = await tx.fetch_all(
        _FamilyRow,
        "select material, family from mes.setup_family where site = %(site)s order by family, material",
        {"site": tx.site},
    )
    return {MaterialId(row.material): row.family for row in rows}


@dataclass(frozen=True, slots=True)
class _FamilyRow:
    material: str
    family: str


async def rates(tx: Tx) -> list[RateDraft]:
    """Return every standard rate that ever held."""
    return await tx.fetch_all(
        RateDraft,
        """
        select kind, code, per_hour, currency, valid_from from mes.rate
        where site = %(site)s order by kind, code, valid_from
        """,
        {"site": tx.site},
    )


_PLANT = TypeAdapter(PlantDefinition)


async def applied_plant(tx: Tx) -> PlantDefinition | None:
    """Return the plant file that a start has applied last."""
    kept = await tx.value(
        "select definition from mes.plant_file where site = %(site)s for update", {"site": tx.site}
    )
    return None if kept is None else _PLANT.validate_python(kept)


async def remember_plant(tx: Tx, plant: PlantDefinition) -> None:
    """Keep a plant file as the one that was applied last."""
    await tx.execute(
        """
        insert into mes.plant_file (site, definition, applied_at, applied_by)
        values (%(site)s, %(definition)s, %(at)s, %(by)s)
        on conflict (site) do update set definition = excluded.definition,
            applied_at = excluded.applied_at, applied_by = excluded.applied_by
        """,
        {
            "site": tx.site,
            "definition": Jsonb(_PLANT.dump_python(plant, mode="json")),
            "at": tx.now,
            "by": tx.cause.actor,
        },
    )


async def other_site(tx: Tx) -> str | None:
    """Return another site whose plant this database holds."""
    found: str | None = await tx.value(
        "select site from mes.policy where site <> %(site)s order by site limit 1", {"site": tx.site}
    )
    return found


async def _save_setups(tx: Tx, families: dict[MaterialId, str], rules: tuple[SetupRule, ...]) -> None:
    await tx.execute_many(
        """
        insert into mes.setup_family (site, material, family)
        values (%(site)s, %(material)s, %(family)s)
        on conflict (site, material) do update set family = excluded.family
        """,
        [{"site": tx.site, "material": material, "family": family} for material, family in families.items()],
    )
    await tx.execute_many(
        """
        insert into mes.setup_rule (site, work_center, from_family, to_family, seconds)
        values (%(site)s, %(work_center)s, %(from_family)s, %(to_family)s, %(seconds)s)
        on conflict (work_center, from_family, to_family) do update
        set seconds = excluded.seconds
        """,
        [
            {
                "site": tx.site,
                "work_center": rule.work_center,
                "from_family": rule.from_family,
                "to_family": rule.to_family,
                "seconds": rule.seconds,
            }
            for rule in rules
        ],
    )


async def setups(tx: Tx) -> list[SetupRule]:
    """Return every setup rule of the site."""
    return await tx.fetch_all(
        SetupRule,
        """
        select work_center, from_family, to_family, seconds from mes.setup_rule
        where site = %(site)s order by work_center, from_family, to_family
        """,
        {"site": tx.site},
    )


async def save_rate(tx: Tx, draft: RateDraft) -> None:
    """Add a standard rate, unless the one valid then is the same."""
    await tx.execute(
        """
        insert into mes.rate (site, kind, code, valid_from, per_hour, currency)
        select %(site)s, %(kind)s, %(code)s, %(valid_from)s, %(per_hour)s, %(currency)s
        where not exists (
            select from (
                select per_hour, currency from mes.rate
                where site = %(site)s and kind = %(kind)s and code = %(code)s
                  and valid_from <= %(valid_from)s
                order by valid_from desc limit 1) valid
            where valid.per_hour = %(per_hour)s and valid.currency = %(currency)s)
        on conflict (site, kind, code, valid_from) do update
        set per_hour = excluded.per_hour, currency = excluded.currency
        """,
        {
            "site": tx.site,
            "kind": draft.kind,
            "code": draft.code,
            "valid_from": draft.valid_from,
            "per_hour": draft.per_hour,
            "currency": draft.currency,
        },
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """A standard rate per hour."""

    per_hour: Decimal
    currency: str


async def find_rate(tx: Tx, kind: str, code: str, at: datetime) -> Rate | None:
    """Return the rate valid at `at`; the first one holds for the time before it."""
    return await tx.fetch_one(
        Rate,
        """
        select per_hour, currency from mes.rate
        where site = %(site)s and kind = %(kind)s and code = %(code)s
        order by (valid_from <= %(at)s) desc,
                 case when valid_from <= %(at)s then valid_from end desc nulls last, valid_from
        limit 1
        """,
        {"site": tx.site, "kind": kind, "code": code, "at": at},
    )


@dataclass(frozen=True, slots=True)
class _PolicyRow:
    timezone: str
    auto_release: bool
    dispatch_horizon_min: int
    close_after_min: int
    serial_prefix: str


async def find_policy(tx: Tx) -> tuple[Policy, str] | None:
    """Return the site's policy and time zone."""
    row = await tx.fetch_one(
        _PolicyRow,
        """
        select timezone, auto_release, dispatch_horizon_min, close_after_min, serial_prefix
        from mes.policy where site = %(site)s
        """,
        {"site": tx.site},
    )
    if row is None:
        return None
    policy = Policy(
        auto_release=row.auto_release,
        dispatch_horizon_min=row.dispatch_horizon_min,
        close_after_min=row.close_after_min,
        serial_prefix=row.serial_prefix,
    )
    return policy, row.timezone


async def save_policy(tx: Tx, policy: Policy, timezone: str) -> None:
    """Insert or change the site's policy."""
    await tx.execute(
        """
        insert into mes.policy (site, timezone, auto_release, dispatch_horizon_min,
                                close_after_min, serial_prefix)
        values (%(site)s, %(timezone)s, %(auto_release)s, %(dispatch_horizon_min)s,
                %(close_after_min)s, %(serial_prefix)s)
        on conflict (site) do update set timezone = excluded.timezone,
            auto_release = excluded.auto_release,
            dispatch_horizon_min = excluded.dispatch_horizon_min,
            close_after_min = excluded.close_after_min, serial_prefix = excluded.serial_prefix
        """,
        {
            "site": tx.site,
            "timezone": timezone,
            "auto_release": policy.auto_release,
            "dispatch_horizon_min": policy.dispatch_horizon_min,
            "close_after_min": policy.close_after_min,
            "serial_prefix": policy.serial_prefix,
        },
    )


async def family_of(tx: Tx, material: str) -> str | None:
    """Return the setup family of a material."""
    found: str | None = await tx.value(
        "select family from mes.setup_family where site = %(site)s and material = %(material)s",
        {"site": tx.site, "material": material},
    )
    return found


async def unit_ids(tx: Tx, work_center: str) -> list[EquipmentId]:
    """Return the units of a work centre in the plant's order."""
    found = await tx.value(
        """
        select array_agg(id order by position, id) from mes.equipment
        where work_center = %(work_center)s and level = 'work_unit'
        """,
        {"work_center": work_center},
    )
    return [EquipmentId(one) for one in found or ()]
