"""Machine states and counts as facts, and the figures of a unit with their evidence."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from mes.execution import service as execution
from mes.execution.events import JobOrderStarted, StopReasonGiven
from mes.kernel import outbox, plugins
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, uuid7
from mes.kernel.log import get_logger
from mes.performance import iso22400 as iso
from mes.performance import store, sums
from mes.performance.events import CountDecided, CountObserved, EquipmentStateChanged
from mes.performance.iso22400 import Figure
from mes.performance.model import (
    DOWN,
    PACKML,
    TIME_KINDS,
    UNDEFINED,
    Board,
    BoardUnit,
    Counted,
    CountNegative,
    CountNotWaiting,
    CountReading,
    DoubtfulCount,
    IntervalUnknown,
    Kpi,
    Link,
    Report,
    ShiftName,
    StateInterval,
    StateReading,
    StateUnknown,
    TimeKind,
    UnitElements,
    Window,
    WindowNotValid,
)
from mes.resources import service as resources
from mes.resources.model import EquipmentOutOfService

log = get_logger(__name__)

CONSUMER = "performance"
FOLLOWED = (StopReasonGiven.__name__, JobOrderStarted.__name__)
PLACES = Decimal("0.000001")
"""Figures are given to six places."""
LONGEST_WINDOW = timedelta(days=31)
EVIDENCE_LIMIT = 500
"""Intervals and counts shown as evidence; the latest ones when there are more."""
SHORTEST = timedelta(microseconds=1)
"""What a machine told stays told: its interval is not shorter."""
LATE_S, DOWN_S = 10.0, 60.0
"""From so many seconds on a link counts as late, and as down."""


async def record_state(tx: Tx, reading: StateReading) -> bool:
    """Note that a unit went into a state; the unit's intervals stay contiguous.

    A reading may be older than what is known: it splits the interval that covered its time, and what was
    taken to go on after an unseen time goes on in the state told.

    Returns:
        Whether anything changed: the state that a unit is in already changes nothing.

    Raises:
        StateUnknown: The state is none of PackML's.
        EquipmentUnknown: There is no such unit.
    """
    if reading.state not in PACKML:
        raise StateUnknown(name=reading.state)
    unit = await resources.get_equipment(tx, reading.equipment)
    await store.states.lock_states(tx, reading.equipment)
    covering = await store.states.interval_at(tx, reading.equipment, reading.at)
    if covering is not None and covering.state == reading.state:
        return await _known_again(tx, reading, covering)
    late = covering is not None and covering.ended_at is not None and reading.source is not None
    assumed = await store.states.assumed(tx, unit.id, reading.at) if late else []
    until = await _lay_down(tx, reading, covering, unit.scope)
    if until is None:
        await resources.set_equipment_state(tx, reading.equipment, reading.state, reading.at, reading.reason)
    for one in assumed:
        await _go_on(tx, one, reading.state, reading.reason)
    await outbox.append(
        tx,
        EquipmentStateChanged(
            site=tx.site,
            scope=unit.scope,
            equipment=reading.equipment,
            state=reading.state,
            previous=UNDEFINED if covering is None else covering.state,
            at=reading.at,
            reason=reading.reason,
        ),
    )
    if covering is not None:
        await _known_again(tx, reading, covering)
    return True


async def _known_again(tx: Tx, reading: StateReading, before: StateInterval) -> bool:
    """End the time of which nobody knows with a state that lasted all through it: from when it was read."""
    if reading.read_at is None or before.ended_at is None:
        return False
    present = await store.states.interval_at(tx, reading.equipment, reading.read_at)
    if present is None or present.state != UNDEFINED or present.read or present.ended_at is not None:
        return False
    if present.started_at != before.ended_at:
        return False
    return await record_state(tx, replace(reading, at=reading.read_at, read_at=None))


async def _go_on(tx: Tx, interval: StateInterval, state: str, reason: str | None) -> None:
    """Give what nobody told another state."""
    reading = StateReading(equipment=interval.equipment, state=state, at=interval.started_at, reason=reason)
    await store.states.replace_state(tx, interval.id, reading)
    if interval.ended_at is None:
        await resources.set_equipment_state(tx, interval.equipment, state, interval.started_at, reason)


async def _lay_down(
    tx: Tx, reading: StateReading, covering: StateInterval | None, scope: str
) -> datetime | None:
    """Store the reading's interval and cut the one it falls into; return when the new one ends."""
    if covering is None:
        until = await store.states.first_start(tx, reading.equipment)
        await store.states.insert_interval(tx, uuid7(), scope, reading, until)
        return until
    if covering.started_at == reading.at:
        await store.states.replace_state(tx, covering.id, reading)
    else:
        await store.states.end_interval(tx, covering.id, reading.at)
        await store.states.insert_interval(tx, uuid7(), scope, reading, covering.ended_at)
    return covering.ended_at


async def record_fault(tx: Tx, equipment: EquipmentId, text: str, at: datetime) -> None:
    """Note the reason that a machine itself gives; an empty text takes it back.

    It explains the stop that the unit is in, where that has no reason yet.
    """
    await resources.get_equipment(tx, equipment)
    await store.states.save_fault(tx, equipment, text, at)
    present = await store.states.interval_at(tx, equipment, at)
    if text and present is not None and present.state in DOWN and present.reason is None:
        await store.states.explain_interval(tx, present.id, text, None)
        if present.ended_at is None:
            await resources.set_equipment_state(tx, equipment, present.state, present.started_at, text)


async def fault_of(tx: Tx, equipment: EquipmentId, state: str) -> str | None:
    """Return what the machine itself says why it is in `state`, where `state` is a stop."""
    return await store.states.fault_of(tx, equipment) if state in DOWN else None


async def record_gap(tx: Tx, equipment: EquipmentId, window: Window) -> None:
    """Note that nobody knows what a unit did in `window`: unknown time, never taken for a stop.

    It ends early where the machine itself dated a change of state within the window.
    """
    await _unseen(tx, equipment, window.starts_at, window.ends_at)


async def record_blindness(tx: Tx, equipment: EquipmentId, since: datetime) -> None:
    """Note that nobody knows what a unit does since a moment, until its machine tells a state again."""
    await _unseen(tx, equipment, since, None)


async def _unseen(tx: Tx, equipment: EquipmentId, since: datetime, until: datetime | None) -> None:
    await store.states.lock_states(tx, equipment)
    before = await store.states.interval_at(tx, equipment, since)
    if before is None:
        return
    if before.read:
        since = max(since, before.started_at + SHORTEST)
    told = await store.states.told_next(tx, equipment, since)
    until = min((end for end in (until, told) if end is not None), default=None)
    after = None if until is None else await store.states.interval_at(tx, equipment, until)
    assumed = await store.states.assumed(tx, equipment, since)
    await record_state(tx, StateReading(equipment=equipment, state=UNDEFINED, at=since))
    for one in assumed:
        if until is None or one.started_at < until:
            await _go_on(tx, one, UNDEFINED, None)
    if until is not None and after is not None and after.state != UNDEFINED and after.started_at < until:
        known_again = StateReading(equipment=equipment, state=after.state, at=until, reason=after.reason)
        await record_state(tx, known_again)


async def record_count(tx: Tx, reading: CountReading) -> None:
    """Note that a counter went up, for the job that ran on the unit at that time.

    Raises:
        CountNegative: Counters go up.
        EquipmentUnknown: There is no such unit.
    """
    if reading.delta < 0:
        raise CountNegative(equipment=reading.equipment, delta=reading.delta)
    if not reading.delta:
        return
    unit = await resources.get_equipment(tx, reading.equipment)
    job = await store.counts.job_at(tx, reading.equipment, reading.at)
    await store.counts.insert_count(tx, unit.scope, reading, job)
    await outbox.append(
        tx,
        CountObserved(
            site=tx.site,
            scope=unit.scope,
            equipment=reading.equipment,
            kind=reading.kind.value,
            delta=reading.delta,
            raw=reading.raw,
            doubtful=reading.doubtful,
            item=None if job is None else job.material,
            job_order=None if job is None else job.job_order,
        ),
    )


async def attribute_counts(tx: Tx, job_order: JobOrderId) -> int:
    """Give a job the counts made while it ran, where they came before its start was known.

    Returns:
        How many counts found their job.
    """
    return await store.counts.attribute_counts(tx, job_order)


async def follow_events(tx: Tx, limit: int = 200) -> int:
    """Take in what terminals told since: why a unit stands, and which jobs had started.

    Returns:
        How many events were looked at.
    """
    events = await outbox.consume(tx, CONSUMER, FOLLOWED, limit)
    for stored in events:
        event = stored.event
        if isinstance(event, StopReasonGiven):
            await _explained(tx, stored.at, event)
        elif isinstance(event, JobOrderStarted):
            await attribute_counts(tx, event.job_order)
    return len(events)


async def _explained(tx: Tx, at: datetime, event: StopReasonGiven) -> None:
    try:
        await explain_stop(tx, event.equipment, event.interval, at, event.reason, person=event.person)
    except IntervalUnknown as unknown:
        log.warning("stop_reason.without_stop", **unknown.params)


async def explain_stop(
    tx: Tx,
    equipment: EquipmentId,
    interval: UUID | None,
    at: datetime,
    reason: str,
    *,
    person: str | None = None,
) -> None:
    """Give a stop of a unit its reason; the one that covers `at` when none is named.

    The reason of a stop that lasts is shown wherever the unit's state is, and told to the planner.

    Raises:
        IntervalUnknown: The unit did not stand then, or in that interval.
    """
    stop = await (
        store.states.interval_at(tx, equipment, at)
        if interval is None
        else store.states.interval(tx, interval)
    )
    if stop is None or stop.equipment != equipment or TIME_KINDS.get(stop.state) is TimeKind.PRODUCTION:
        raise IntervalUnknown(equipment=equipment, interval=interval)
    await store.states.explain_interval(tx, stop.id, reason, person)
    if stop.ended_at is None:
        await _tell_reason(tx, stop, reason)


async def _tell_reason(tx: Tx, stop: StateInterval, reason: str) -> None:
    unit = await resources.get_equipment(tx, stop.equipment)
    await resources.set_equipment_state(tx, unit.id, stop.state, stop.started_at, reason)
    await outbox.append(
        tx,
        EquipmentStateChanged(
            site=tx.site,
            scope=unit.scope,
            equipment=unit.id,
            state=stop.state,
            previous=stop.state,
            at=stop.started_at,
            reason=reason,
        ),
    )


async def roll_up(tx: Tx) -> int:
    """Sum hours and days that are over, so that figures of long windows are quick; return how many.

    No figure depends on it: what is not summed is read from the facts.
    """
    return await sums.roll_up(tx)


async def doubtful_counts(tx: Tx) -> list[DoubtfulCount]:
    """Return the counts that wait for a person, oldest first."""
    return await store.counts.doubtful_counts(tx)


async def decide_count(tx: Tx, count: int, *, accepted: bool) -> DoubtfulCount:
    """Accept or reject a doubtful count.

    Raises:
        CountNotWaiting: Somebody has decided on it, or there is none.
    """
    decided = await store.counts.decide_count(tx, count, accepted=accepted)
    if decided is None:
        raise CountNotWaiting(count=count)
    unit = await resources.get_equipment(tx, decided.equipment)
    await outbox.append(
        tx,
        CountDecided(
            site=tx.site,
            scope=unit.scope,
            equipment=decided.equipment,
            kind=decided.kind,
            delta=decided.delta,
            accepted=accepted,
            job_order=decided.job_order,
        ),
    )
    return decided


async def board(tx: Tx, at: datetime) -> Board:
    """Return every unit's state, counts and figures in the running shift, and each link's lag."""
    shift = await running_shift(tx, at)
    window = _shift_so_far(shift, at)
    figures = await unit_elements(tx, window)
    tiles = await store.board.tiles(tx, window)
    states = await resources.equipment_states(tx)
    calls = {call.equipment: call for call in await execution.open_calls(tx)}
    tiles_of = [
        BoardUnit(
            id=unit.id,
            name=unit.name,
            work_center=unit.work_center,
            state=states[unit.id].state if unit.id in states else UNDEFINED,
            since=states[unit.id].since if unit.id in states else None,
            reason=states[unit.id].reason if unit.id in states else None,
            job=tiles[unit.id].job_order,
            material=tiles[unit.id].material,
            counts=Counted(good=tiles[unit.id].good, scrap=tiles[unit.id].scrap),
            kpi=kpi_of(figures[unit.id]),
            help=calls.get(unit.id),
        )
        for unit in await resources.units(tx)
    ]
    return Board(
        at=at,
        shift=shift,
        equipment=tuple(tiles_of),
        finished=await store.board.finished(tx, window),
        links=await links(tx),
        faults=tuple(await store.board.edge_faults(tx)),
    )


async def shift_figures(tx: Tx, at: datetime) -> dict[EquipmentId, Kpi]:
    """Return the figures of every unit in the running shift so far."""
    found = await unit_elements(tx, await shift_so_far(tx, at))
    return {unit: kpi_of(elements) for unit, elements in found.items()}


async def _in_service(tx: Tx, equipment: EquipmentId, window: Window) -> Window:
    until = await resources.retired_at(tx, equipment)
    if until is None:
        return window
    if until <= window.starts_at:
        raise EquipmentOutOfService(equipment=equipment)
    return replace(window, ends_at=min(window.ends_at, until))


async def report(tx: Tx, equipment: EquipmentId, window: Window) -> Report:
    """Return a unit's figures in a window with their elements and evidence.

    Raises:
        EquipmentUnknown: There is no such unit.
        EquipmentOutOfService: It was out of service in all of the window; one that goes on is cut there.
        WindowNotValid: It is longer than 31 days, or ends before it begins.
    """
    if not timedelta(0) < window.ends_at - window.starts_at <= LONGEST_WINDOW:
        raise WindowNotValid(starts_at=window.starts_at, ends_at=window.ends_at)
    unit = await resources.get_equipment(tx, equipment)
    window = await _in_service(tx, unit.id, window)
    found = (await sums.elements(tx, [unit], window))[unit.id]
    figures = all_figures(found, window.ends_at - window.starts_at)
    return Report(
        equipment=equipment,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        values={name: _six(figure) for name, figure in figures.items()},
        reasons={name: figure.reason for name, figure in figures.items() if figure.reason is not None},
        elements=named_elements(found),
        outputs=found.items,
        intervals=await store.evidence.interval_evidence(tx, equipment, window, EVIDENCE_LIMIT),
        counts=await store.evidence.count_evidence(tx, equipment, window, EVIDENCE_LIMIT),
        counts_in_all=await store.evidence.number_of_counts(tx, equipment, window),
        scraps=await store.evidence.scrap_evidence(tx, equipment, window, EVIDENCE_LIMIT),
        unattributed=found.unattributed,
        waiting=found.waiting,
    )


async def running_shift(tx: Tx, at: datetime) -> ShiftName | None:
    """Return the shift that runs at `at`."""
    shift = (await resources.roster(tx, at)).shift
    if shift is None:
        return None
    return ShiftName(name=shift.name, starts_at=shift.starts_at, ends_at=shift.ends_at)


async def unit_elements(tx: Tx, window: Window) -> dict[EquipmentId, UnitElements]:
    """Return the elements of every unit in a window."""
    return await sums.elements(tx, await resources.units(tx), window)


async def links(tx: Tx) -> tuple[Link, ...]:
    """Return how far each link from machine to ERP is behind."""
    edges = await store.board.edge_links(tx)
    lags = {lag.consumer: lag.lag_s for lag in await store.board.consumer_lags(tx)}
    held = (await outbox.held_back(tx)).held_back_s
    own = (
        _link("edge", max((_heard(edge) for edge in edges), default=None)),
        _link("ingest", max((edge.ingest_lag_s for edge in edges), default=None)),
        _link("outbox", held),
        _link("erp", lags.get("bridge")),
        _link("planner", lags.get("planner")),
    )
    further = {name: await ask(tx) for name, ask in _further_links().items()}
    return tuple(_worse(link, further.get(link.name)) for link in own)


Further = Callable[[Tx], Awaitable[Link | None]]
"""What another package knows of a link, such as that the system behind it does not answer."""


@functools.cache
def _further_links() -> dict[str, Further]:
    return {name: entry.load() for name, entry in plugins.entries(plugins.LINKS).items()}


def _worse(one: Link, other: Link | None) -> Link:
    if other is None:
        return one
    state = max(one.state, other.state, key=("ok", "late", "down").index)
    lag_s = max((link.lag_s for link in (one, other) if link.lag_s is not None), default=None)
    return Link(name=one.name, lag_s=lag_s, state=state)


def kpi_of(found: UnitElements) -> Kpi:
    """Return the four figures of the board."""
    figures = {
        "oee": iso.oee(found.elements),
        "availability": iso.availability(found.elements),
        "effectiveness": iso.effectiveness(found.elements),
        "quality": iso.quality_ratio(found.elements),
    }
    reasons = (figure.reason for figure in figures.values() if figure.reason is not None)
    return Kpi(reason=next(reasons, None), **{name: _six(figure) for name, figure in figures.items()})


def all_figures(found: UnitElements, length: timedelta) -> Mapping[str, Figure]:
    """Return every figure of a unit by its name.

    Args:
        length: Calendar time of the window.
    """
    elements = found.elements
    return {
        "oee": iso.oee(elements),
        "availability": iso.availability(elements),
        "effectiveness": iso.effectiveness(elements),
        "quality": iso.quality_ratio(elements),
        "nee": iso.nee(elements),
        "allocation_efficiency": iso.allocation_efficiency(elements),
        "utilization_efficiency": iso.utilization_efficiency(elements),
        "technical_efficiency": iso.technical_efficiency(elements),
        "setup_ratio": iso.setup_ratio(elements),
        "scrap_ratio": iso.scrap_ratio(elements),
        "teep": iso.teep(elements, Decimal(length // timedelta(microseconds=1)) / 1_000_000),
    }


def named_elements(found: UnitElements) -> Mapping[str, Decimal]:
    """Return times (seconds) and quantities by their ISO 22400 names."""
    elements, times = found.elements, found.elements.times
    return {
        "POT": times.pot,
        "PDOT": times.pdot,
        "PBT": times.pbt,
        "APT": times.apt,
        "AUST": times.aust,
        "ADET": times.adet,
        "ADOT": times.adot,
        "AUPT": times.aupt,
        "AUBT": times.aubt,
        "unknown": times.unknown,
        "PQ": elements.pq,
        "GQ": elements.gq,
        "SQ": elements.sq,
    }


async def shift_so_far(tx: Tx, at: datetime) -> Window:
    """Return the running shift up to `at`; the last eight hours where no shift runs."""
    return _shift_so_far(await running_shift(tx, at), at)


def _shift_so_far(shift: ShiftName | None, at: datetime) -> Window:
    starts_at = at - timedelta(hours=8) if shift is None else shift.starts_at
    return Window(starts_at=starts_at, ends_at=at)


def _six(figure: Figure) -> Decimal | None:
    return None if figure.value is None else figure.value.quantize(PLACES)


def _heard(edge: store.board.EdgeLink) -> float:
    return DOWN_S if edge.heard_s is None else edge.heard_s


def _link(name: str, lag_s: float | None) -> Link:
    """Return a link that is known by its lag alone."""
    if lag_s is None:
        return Link(name=name, lag_s=None, state="down")
    state = "down" if lag_s >= DOWN_S else "late" if lag_s >= LATE_S else "ok"
    return Link(name=name, lag_s=round(max(lag_s, 0.0), 3), state=state)
