"""What a unit did in a window, found by looking at every stretch between two facts. Slow and plain."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg

from mes.performance.model import TIME_KINDS, TimeKind, UnitElements, Window
from mes.resources.model import Window as CalendarWindow

ALWAYS = datetime.max.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LOADED = {"Running", "Held", "Suspended"}
ELEMENTS = {TimeKind.PRODUCTION: "apt", TimeKind.SETUP: "aust", TimeKind.DELAY: "adet"}

Stretch = tuple[datetime, datetime]


@dataclass
class Facts:
    """Everything that is known of one unit."""

    states: list[tuple[datetime, datetime, str]]
    loads: list[Stretch]
    counts: list[tuple[datetime, str, Decimal, str | None, Decimal | None, bool, bool | None]]
    scraps: list[tuple[datetime, Decimal, str, Decimal]]


@dataclass
class Found:
    """Elements in microseconds, pieces by item and standard time."""

    times: Counter[str] = field(default_factory=Counter)
    made: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = field(default_factory=dict)
    unattributed: Decimal = Decimal(0)
    waiting: Decimal = Decimal(0)


def read(conn: psycopg.Connection[tuple[Any, ...]], unit: str) -> Facts:
    """Read a unit's facts."""
    states = conn.execute(
        "select started_at, coalesce(ended_at, %s), state from mes.equipment_state where equipment = %s",
        (ALWAYS, unit),
    ).fetchall()
    counts = conn.execute(
        "select at, kind, delta, item, run_s, doubtful, accepted from mes.machine_count where equipment = %s",
        (unit,),
    ).fetchall()
    return Facts(states, _loads(conn, unit), counts, _scraps(conn, unit))


def _scraps(
    conn: psycopg.Connection[tuple[Any, ...]], unit: str
) -> list[tuple[datetime, Decimal, str, Decimal]]:
    """What people reported and was not undone, where a machine has no counter of scrap."""
    rows = conn.execute(
        """
        select r.id, r.reverses, r.at, r.scrap, j.material, j.run_s, r.scrap_counted
        from mes.report r join mes.job_order j on j.id = r.job_order where r.equipment = %s
        """,
        (unit,),
    ).fetchall()
    undone = {row[1] for row in rows}
    return [
        (at, scrap, item, run_s)
        for report, reverses, at, scrap, item, run_s, counted in rows
        if reverses is None and report not in undone and scrap and not counted
    ]


def _loads(conn: psycopg.Connection[tuple[Any, ...]], unit: str) -> list[Stretch]:
    """A job is on a unit from its start there until it starts elsewhere or is over, holds included."""
    rows = conn.execute(
        """
        select a.job_order, a.equipment, a.started_at, a.ended_at, j.status, j.completed_at
        from mes.equipment_actual a join mes.job_order j on j.id = a.job_order
        order by a.job_order, a.started_at, a.id
        """
    ).fetchall()
    loads = []
    for row, after in zip(rows, [*rows, None][1:], strict=True):
        job, where, start, end, status, completed = row
        if after is not None and after[0] == job:
            until = after[2]
        elif completed is not None:
            until = max(completed, end or completed)
        else:
            until = ALWAYS if status in LOADED else end or start
        if where == unit:
            loads.append((start, until))
    return loads


def exact(facts: Facts, calendar: tuple[CalendarWindow, ...], window: Window) -> Found:
    """Return the elements of a window."""
    found = Found()
    stretches = [(one.starts_at, one.ends_at) for one in calendar]
    moments = {window.starts_at, window.ends_at}
    spans = [*facts.loads, *stretches, *((start, end) for start, end, _ in facts.states)]
    for start, end in spans:
        moments |= {moment for moment in (start, end) if window.starts_at < moment < window.ends_at}
    for start, end in pairwise(sorted(moments)):
        for element in _elements(facts, calendar, start):
            found.times[element] += (end - start) // MICROSECOND
    for at, kind, delta, item, run_s, doubtful, accepted in facts.counts:
        if window.starts_at <= at < window.ends_at and "work" in _planned(calendar, at):
            _count(found, kind, delta, item, run_s, valid=accepted if doubtful else True)
    _tell_scrap(found, facts, window)
    return found


def _tell_scrap(found: Found, facts: Facts, window: Window) -> None:
    """Of what a machine counted as good, what people reported as scrap is scrap."""
    told: dict[tuple[str, Decimal], Decimal] = {}
    for at, scrap, item, run_s in facts.scraps:
        if window.starts_at <= at < window.ends_at:
            told[item, run_s] = told.get((item, run_s), Decimal(0)) + scrap
    for key, pieces in told.items():
        if key in found.made:
            good, scrap = found.made[key]
            moved = min(good, pieces)
            found.made[key] = (good - moved, scrap + moved)


def _elements(facts: Facts, calendar: tuple[CalendarWindow, ...], at: datetime) -> set[str]:
    planned = _planned(calendar, at)
    elements = {"pot"} if planned else set()
    if "break" in planned:
        elements.add("pdot")
    if "work" in planned:
        state = next((state for start, end, state in facts.states if start <= at < end), "Undefined")
        if TIME_KINDS[state] is TimeKind.UNKNOWN:
            elements.add("unknown")
        elif any(start <= at < end for start, end in facts.loads):
            elements.add(ELEMENTS[TIME_KINDS[state]])
    return elements


def _planned(calendar: tuple[CalendarWindow, ...], at: datetime) -> set[str]:
    return {one.kind for one in calendar if one.starts_at <= at < one.ends_at}


def _count(
    found: Found, kind: str, delta: Decimal, item: str | None, run_s: Decimal | None, *, valid: bool | None
) -> None:
    if valid is None:
        found.waiting += delta
    elif item is None or run_s is None:
        found.unattributed += delta if valid else 0
    elif valid:
        good, scrap = found.made.get((item, run_s), (Decimal(0), Decimal(0)))
        found.made[item, run_s] = (good + delta, scrap) if kind == "good" else (good, scrap + delta)


def as_found(unit: UnitElements) -> Found:
    """Return what the product says, in the same form."""
    times = unit.elements.times
    microseconds = {
        name: int(getattr(times, name) * 1_000_000)
        for name in ("pot", "pdot", "apt", "aust", "adet", "unknown")
    }
    return Found(
        times=Counter({name: value for name, value in microseconds.items() if value}),
        made={(one.item, one.pri_s): (one.gq, one.sq) for one in unit.items if one.pq},
        unattributed=unit.unattributed,
        waiting=unit.waiting,
    )
