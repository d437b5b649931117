"""Define the plant, clock people in and out, say who and what can work when."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mes.access import service as access
from mes.kernel.db import Tx
from mes.kernel.errors import found
from mes.kernel.ids import EquipmentId, PersonId, uuid7
from mes.kernel.outbox import append
from mes.kernel.quantity import Money
from mes.resources import calendar, plantchange, store
from mes.resources.events import (
    EquipmentDefined,
    EquipmentExpectedBack,
    EquipmentRetired,
    PersonClockedIn,
    PersonClockedOut,
    PersonDefined,
    PersonRetired,
)
from mes.resources.model import (
    BackInThePast,
    Calendar,
    Equipment,
    EquipmentLevel,
    EquipmentNotDown,
    EquipmentOutOfService,
    EquipmentStatus,
    EquipmentUnknown,
    MaintenanceRule,
    Person,
    PersonAvailability,
    PersonCard,
    PersonClockedInAlready,
    PersonDraft,
    PersonLacksSkill,
    PersonNotClockedIn,
    PersonNotInPlant,
    PersonUnknown,
    PlaceUnknown,
    PlantDefinition,
    PlantNotDefined,
    Policy,
    RateDraft,
    Reason,
    ReasonKind,
    ReasonMissing,
    ReasonUnknown,
    Roster,
    RosterEntry,
    SetupRule,
    ShiftNow,
    SiteDiffers,
    TimezoneDiffers,
    Window,
    is_down,
)
from mes.resources.plantfile import load_plant

__all__ = ["load_plant"]

LONGEST_SHIFT = timedelta(hours=24)
"""How far back the start of a running shift is looked for."""
SHORTEST_BREAK = timedelta(minutes=1)
PERSON = "person:"


async def put_plant(tx: Tx, plant: PlantDefinition) -> None:
    """Make what the MES owns of the plant what the definition says; again changes only what differs.

    Equipment and people that it has no more are out of service from `tx.now` on: in no list and in no plan,
    without terminal and badge. Their history stays, with the calendars that explain its figures. Whoever is
    in the definition again is in service again. `mes.execution.service.change_plant` sees to it that
    nothing runs there.
    Every unit gets its terminal, every new person a badge `EMP:<number>`.
    """
    listed = [placement.id for placement in plant.people]
    known = {person.id for person in await store.people.people_named(tx, listed, tx.now)}
    await store.plant.save_policy(tx, plant.policy, plant.timezone)
    await store.calendars.save_calendars(tx, plant.calendars)
    for place in plant.equipment:
        await put_equipment(tx, place)
    await store.lists.save_lists(tx, plant)
    await store.steps.save_steps(tx, plant)
    await store.rules.save_rules(tx, plant)
    await store.people.save_placements(tx, plant.people)
    await _retire(tx, plant)
    await store.lists.drop_from_lists(tx, plant)
    await _fit_badges(tx, listed)
    for placement in plant.people:
        if placement.id not in known:
            await access.issue_badge(tx, placement.id, f"EMP:{placement.id}")
    for rate in plant.rates:
        await put_rate(tx, rate)


async def _retire(tx: Tx, plant: PlantDefinition) -> None:
    for place in await store.places.retire_equipment(tx, [one.id for one in plant.equipment]):
        if place.level is EquipmentLevel.WORK_UNIT:
            await access.close_terminal(tx, place.id)
        await append(
            tx,
            EquipmentRetired(
                site=tx.site,
                scope=place.scope,
                equipment=place.id,
                level=place.level.value,
                work_center=place.work_center,
            ),
        )
    gone = await store.people.retire_people(tx, [one.id for one in plant.people])
    await access.rest_badges(tx, gone)
    for person in gone:
        if await store.attendance.close_attendance(tx, person, None):
            await append(tx, PersonClockedOut(site=tx.site, person=person, at=tx.now, reason=None))
        await append(tx, PersonRetired(site=tx.site, person=person))


async def keep_plant(tx: Tx, plant: PlantDefinition) -> None:
    """Define what is not there yet, or what the file changed since it was kept last.

    What people changed since then stays as they left it. A start takes nothing out of service.
    """
    base = await store.plant.applied_plant(tx)
    if base == plant:
        return
    now = await read_plant(tx, tx.now)
    await put_plant(tx, plant if now is None else plantchange.merged(base, now, plant))
    await store.plant.remember_plant(tx, plant)


async def read_plant(tx: Tx, at: datetime) -> PlantDefinition | None:
    """Return the plant as it is defined, with the skills of its people at `at`; None when none is."""
    known = await store.plant.find_policy(tx)
    if known is None:
        return None
    policy, timezone = known
    return PlantDefinition(
        site=tx.site,
        timezone=timezone,
        policy=policy,
        equipment=tuple(_from_the_top(await store.places.all_equipment(tx), None)),
        calendars=tuple((await store.calendars.calendars(tx, retired=False)).values()),
        skills=tuple(await store.lists.skills(tx)),
        people=tuple(await store.people.placements(tx, at)),
        families=await store.lists.families(tx),
        setups=tuple(await store.lists.setups(tx)),
        reasons=tuple(await store.lists.reasons(tx)),
        rates=tuple(await store.rates.rates(tx)),
        tools=tuple(await store.steps.tools(tx)),
        steps=tuple(await store.steps.steps(tx)),
        maintenance=tuple(await store.rules.rules(tx)),
    )


async def get_plant(tx: Tx) -> PlantDefinition:
    """Return the plant as it is defined now.

    Raises:
        PlantNotDefined: None is.
    """
    return found(await read_plant(tx, tx.now), PlantNotDefined, site=tx.site)


def _from_the_top(places: Sequence[Equipment], parent: EquipmentId | None) -> Iterator[Equipment]:
    for place in places:
        if place.parent == parent:
            yield place
            yield from _from_the_top(places, place.id)


async def check_site(tx: Tx, timezone: str) -> None:
    """Refuse settings that speak of another place than the plant in the database.

    Args:
        timezone: The site's time zone by the settings; the plant's own is only a copy of it.

    Raises:
        TimezoneDiffers: The plant was defined for another time zone.
        SiteDiffers: The database holds no plant of this site, but one of another.
    """
    known = await store.plant.find_policy(tx)
    if known is not None and known[1] != timezone:
        raise TimezoneDiffers(site=tx.site, plant=known[1], settings=timezone)
    other = None if known is not None else await store.plant.other_site(tx)
    if other is not None:
        raise SiteDiffers(plant=other, settings=tx.site)


async def put_equipment(tx: Tx, place: Equipment) -> None:
    """Add or change a node of the hierarchy; a unit gets its terminal."""
    if not await store.places.save_equipment(tx, place):
        return
    if place.level is EquipmentLevel.WORK_UNIT:
        await access.put_terminal(tx, place.id, place.scope)
    await append(
        tx,
        EquipmentDefined(
            site=tx.site,
            scope=place.scope,
            equipment=place.id,
            level=place.level.value,
            name=place.name,
            work_center=place.work_center,
            cost_center=place.cost_center,
        ),
    )


async def put_person(tx: Tx, draft: PersonDraft) -> None:
    """Add or change a person as HR sends it; crew and skills are the plant's and stay.

    Who is not employed any more leaves every terminal, and signs on nowhere.
    """
    if await store.people.save_person(tx, draft):
        await _fit_badges(tx, (draft.id,))
        await append(
            tx,
            PersonDefined(site=tx.site, person=draft.id, name=draft.name, active=draft.active),
        )


async def _fit_badges(tx: Tx, people: Collection[str]) -> None:
    """Let the badges of those who work here sign on, and those of the others rest."""
    known = await store.people.people_named(tx, people, tx.now)
    await access.wake_badges(tx, [one.id for one in known if one.active])
    await access.rest_badges(tx, [one.id for one in known if not one.active])


async def put_rate(tx: Tx, draft: RateDraft) -> None:
    """Add a standard rate; the same rate again adds nothing."""
    await store.rates.save_rate(tx, draft)


async def rate(tx: Tx, kind: str, code: str, at: datetime) -> Money | None:
    """Return the standard rate per hour valid at `at`, or None when there is none.

    Args:
        kind: `labour` (code is a rate class) or `machine` (code is a work centre).
    """
    standard = await store.rates.find_rate(tx, kind, code, at)
    return None if standard is None else Money(standard.per_hour, standard.currency)


async def clock_in(tx: Tx, person: PersonId) -> None:
    """Note that a person is at work from `tx.now` on.

    Raises:
        PersonUnknown: Nobody has that number.
        PersonNotInPlant: The person left.
        PersonClockedInAlready: The person is at work already.
    """
    if not (await get_person(tx, person)).active:
        raise PersonNotInPlant(person=person)
    if not await store.attendance.open_attendance(tx, uuid7(), person):
        raise PersonClockedInAlready(person=person)
    await append(tx, PersonClockedIn(site=tx.site, person=person, at=tx.now))


async def clock_out(tx: Tx, person: PersonId, reason: str | None = None) -> None:
    """Note that a person leaves at `tx.now`.

    `mes.execution.service.leave` ends the person's work too; use that one from outside.

    Args:
        reason: Given when the shift is not over; the person is out of the plan until it is.

    Raises:
        PersonUnknown: Nobody has that number.
        PersonNotClockedIn: The person is not at work.
        ReasonUnknown: No such reason of absence.
    """
    await get_person(tx, person)
    if reason is not None:
        await check_reason(tx, ReasonKind.ABSENCE, reason)
    if not await store.attendance.close_attendance(tx, person, reason):
        raise PersonNotClockedIn(person=person)
    await append(tx, PersonClockedOut(site=tx.site, person=person, at=tx.now, reason=reason))


async def check_can_work(tx: Tx, person: PersonId, skill: str | None) -> Person:
    """Return the person if at work now and skilled.

    Raises:
        PersonUnknown: Nobody has that number.
        PersonNotInPlant: The person left.
        PersonNotClockedIn: Not at work at `tx.now`.
        PersonLacksSkill: The skill is missing or out of date.
    """
    there = await get_person(tx, person)
    if not there.active:
        raise PersonNotInPlant(person=person)
    if not await store.attendance.clocked_in(tx, person, tx.now):
        raise PersonNotClockedIn(person=person)
    if skill is not None and skill not in there.skills:
        raise PersonLacksSkill(person=person, skill=skill)
    return there


def acting_person(tx: Tx) -> PersonId | None:
    """Return the person who acts in this transaction, if a person does."""
    actor = tx.cause.actor
    return PersonId(actor.removeprefix(PERSON)) if actor.startswith(PERSON) else None


async def get_person(tx: Tx, person: PersonId, at: datetime | None = None) -> Person:
    """Return a person with the skills valid at `at` (default `tx.now`).

    Raises:
        PersonUnknown: Nobody has that number.
    """
    return found(await store.people.find_person(tx, person, at or tx.now), PersonUnknown, person=person)


async def person_card(tx: Tx, person: PersonId, at: datetime) -> PersonCard:
    """Return what a terminal shows of a person.

    Raises:
        PersonUnknown: Nobody has that number.
    """
    known = await get_person(tx, person, at)
    return PersonCard(known.id, known.name, known.skills)


async def people_named(tx: Tx, people: Collection[PersonId], at: datetime) -> list[PersonCard]:
    """Return the cards of some people."""
    known = await store.people.people_named(tx, people, at) if people else []
    return [PersonCard(one.id, one.name, one.skills) for one in known]


async def get_equipment(tx: Tx, equipment: str) -> Equipment:
    """Return one node of the hierarchy.

    Raises:
        EquipmentUnknown: No such code.
    """
    return found(await store.places.find_equipment(tx, equipment), EquipmentUnknown, equipment=equipment)


async def retired_at(tx: Tx, equipment: str) -> datetime | None:
    """Return since when a place or machine is out of service; None while it is in service."""
    return await store.places.retired_at(tx, equipment)


async def lock_unit(tx: Tx, equipment: str) -> Equipment:
    """Return a work unit; nobody else starts work on it until the transaction ends.

    Raises:
        EquipmentUnknown: No such unit.
        EquipmentOutOfService: It is there no more.
    """
    place = await store.places.lock_equipment(tx, equipment)
    if place is None or place.level is not EquipmentLevel.WORK_UNIT:
        past = await get_equipment(tx, equipment)
        refusal = EquipmentUnknown if past.level is not EquipmentLevel.WORK_UNIT else EquipmentOutOfService
        raise refusal(equipment=equipment)
    return place


async def hierarchy(tx: Tx) -> list[Equipment]:
    """Return the site's equipment that is in service, from the top down."""
    return await store.places.all_equipment(tx)


async def check_place(tx: Tx, scope: str) -> None:
    """Refuse a path below the site that leads nowhere, once a plant is defined.

    Raises:
        PlaceUnknown: Nothing in service has that path.
    """
    there = {place.scope for place in await hierarchy(tx)}
    if there and scope not in there | {""}:
        raise PlaceUnknown(scope=scope)


async def work_centers(tx: Tx, *, retired: bool = False) -> list[Equipment]:
    """Return the site's work centres in the plant's order.

    Args:
        retired: Those too that are out of service.
    """
    return await store.places.all_equipment(tx, EquipmentLevel.WORK_CENTER, retired=retired)


async def units(tx: Tx) -> list[Equipment]:
    """Return the site's work units that are in service, in the plant's order."""
    return await store.places.all_equipment(tx, EquipmentLevel.WORK_UNIT)


async def set_equipment_state(
    tx: Tx, equipment: EquipmentId, state: str, since: datetime, reason: str | None = None
) -> None:
    """Remember what a unit does; a state older than the one known changes nothing.

    Args:
        state: PackML state name, such as `Execute`.

    Raises:
        EquipmentUnknown: No such code.
    """
    await store.places.save_status(tx, await get_equipment(tx, equipment), state, since, reason)


async def expect_back(tx: Tx, equipment: str, back_at: datetime | None) -> None:
    """Say when a unit that stands is expected to run again: plans do without it until then.

    Args:
        back_at: None where nobody can say any more.

    Raises:
        EquipmentUnknown: No such unit.
        EquipmentNotDown: It stands by no fault and no stop.
        BackInThePast: `back_at` is over.
    """
    unit = await lock_unit(tx, equipment)
    status = (await equipment_states(tx)).get(unit.id)
    if status is None or not is_down(status.state, status.reason):
        raise EquipmentNotDown(equipment=unit.id)
    if back_at is not None and back_at <= tx.now:
        raise BackInThePast(until=back_at.isoformat())
    await store.places.save_back_at(tx, unit.id, back_at)
    told = EquipmentExpectedBack(site=tx.site, scope=unit.scope, equipment=unit.id, back_at=back_at)
    await append(tx, told)


async def equipment_states(tx: Tx) -> dict[EquipmentId, EquipmentStatus]:
    """Return the last known state of every unit that ever told one."""
    return {status.equipment: status for status in await store.places.all_status(tx)}


async def check_reason(tx: Tx, kind: ReasonKind, code: str | None) -> str:
    """Return the reason if it may be given for this kind of thing.

    Raises:
        ReasonMissing: None was given.
        ReasonUnknown: No such code for this kind.
    """
    if not code:
        raise ReasonMissing(kind=kind.value)
    if not await store.lists.has_reason(tx, kind, code):
        raise ReasonUnknown(kind=kind.value, reason=code)
    return code


async def reasons(tx: Tx) -> list[Reason]:
    """Return every reason of the site in the plant's order."""
    return await store.lists.reasons(tx)


async def policy(tx: Tx) -> Policy:
    """Return how the site runs its orders; the careful defaults before a plant is defined."""
    known = await store.plant.find_policy(tx)
    return Policy() if known is None else known[0]


async def timezone(tx: Tx) -> str:
    """Return the site's time zone name; UTC before a plant is defined."""
    known = await store.plant.find_policy(tx)
    return "UTC" if known is None else known[1]


async def setups(tx: Tx) -> list[SetupRule]:
    """Return every setup rule."""
    return await store.lists.setups(tx)


async def maintenance_rules(tx: Tx) -> list[MaintenanceRule]:
    """Return what the plant file wants maintained again and again."""
    return await store.rules.rules(tx)


async def family_of(tx: Tx, material: str) -> str | None:
    """Return the setup family of a material."""
    return await store.lists.family_of(tx, material)


async def rest(tx: Tx, equipment: EquipmentId, starts_at: datetime, ends_at: datetime) -> timedelta:
    """Return the time of a unit's planned breaks that lie wholly between two moments."""
    known = None
    if ends_at - starts_at >= SHORTEST_BREAK:
        known = await store.calendars.calendar_of(tx, equipment)
    if known is None:
        return timedelta(0)
    return calendar.rest(known.calendar, ZoneInfo(known.timezone), starts_at, ends_at)


async def shift_of(tx: Tx, equipment: EquipmentId, at: datetime) -> ShiftNow | None:
    """Return the shift that runs at a unit at a moment, if one does."""
    known = await store.calendars.calendar_of(tx, equipment)
    return None if known is None else calendar.shift_at(known.calendar, ZoneInfo(known.timezone), at)


async def unit_windows(
    tx: Tx, starts_at: datetime, ends_at: datetime
) -> dict[EquipmentId, tuple[Window, ...]]:
    """Return the stretches of every unit; each calendar is laid out once."""
    known = await store.calendars.calendars(tx)
    zone = ZoneInfo(await timezone(tx))
    laid_out = {code: calendar.windows(one, zone, starts_at, ends_at) for code, one in known.items()}
    return {unit.id: laid_out.get(unit.calendar or "", ()) for unit in await units(tx)}


async def site_calendars(tx: Tx) -> calendar.SiteCalendars:
    """Return every calendar, to be laid out span by span."""
    return calendar.SiteCalendars(await store.calendars.calendars(tx), ZoneInfo(await timezone(tx)))


async def availability(tx: Tx, at: datetime, until: datetime) -> tuple[PersonAvailability, ...]:
    """Return when each person can be planned from `at` on.

    A crew works its shift. Who left this shift with a reason is out until the shift ends.
    """
    known = await store.calendars.calendars(tx)
    zone = ZoneInfo(await timezone(tx))
    gone = await store.attendance.departures(tx, at - LONGEST_SHIFT)
    centers = await work_centers(tx)
    plannable = []
    for person in await store.people.all_people(tx, at):
        crew = _crew_calendar(person, centers, known)
        begin = max(at, _back_at(crew, zone, gone[person.id])) if person.id in gone else at
        stretches = calendar.windows(crew, zone, begin, until) if begin < until else ()
        work = tuple(window for window in stretches if window.kind == "work")
        plannable.append(PersonAvailability(person=person.id, skills=person.skills, windows=work))
    return tuple(plannable)


def _back_at(crew: Calendar, zone: ZoneInfo, left_at: datetime) -> datetime:
    shift = calendar.shift_at(crew, zone, left_at)
    return left_at if shift is None else shift.ends_at


def _crew_calendar(person: Person, centers: Sequence[Equipment], known: dict[str, Calendar]) -> Calendar:
    codes = [center.calendar for center in centers if center.skill in person.skills]
    pattern = next((known[code] for code in codes if code in known), None)
    if pattern is None or person.crew is None:
        return Calendar(code="", shifts=(), breaks=())
    return calendar.only_shift(pattern, person.crew)


async def roster(tx: Tx, at: datetime) -> Roster:
    """Return the shift that runs at `at`, everybody, and who is at work."""
    known = await store.calendars.calendars(tx, retired=False)
    zone = ZoneInfo(await timezone(tx))
    running = [calendar.shift_at(one, zone, at) for one in known.values()]
    shift: ShiftNow | None = next((one for one in running if one is not None), None)
    there = await store.attendance.present(tx, at)
    gone = {} if shift is None else await store.attendance.departures(tx, shift.starts_at)
    return Roster(
        shift=shift,
        people=tuple(
            RosterEntry(
                id=person.id,
                name=person.name,
                crew=person.crew,
                skills=person.skills,
                clocked_in=person.id in there,
                on_shift=shift is not None and person.crew == shift.name,
                excused=person.id in gone,
            )
            for person in await store.people.all_people(tx, at)
        ),
    )
