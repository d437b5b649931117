"""The elements of the figures in any window: from the sums of hours and days that hold, else from the facts.

An hour or day that is over is summed once by the floor worker, and again when one of its facts has changed. A
sum that does not hold is never read: what is without one, and the ends of a window that lie within an hour,
are taken from the facts. So the answer is that of the facts, whatever the floor worker has done.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, MaterialId
from mes.performance import store
from mes.performance.iso22400 import ZERO, Elements, Output, Times
from mes.performance.model import Made, OutputOfItem, PlannedTime, Spent, UnitElements, Window
from mes.performance.store.sums import Summed
from mes.resources import service as resources
from mes.resources.calendar import SiteCalendars
from mes.resources.model import Equipment
from mes.resources.model import Window as CalendarWindow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEFINITION: Final = 2
"""Number of what the elements mean. Whoever changes that (the statements, the kind of a state, how a calendar
is laid out) counts it up: sums of another definition are not read, and are made again."""
QUIET = timedelta(minutes=1)
"""An hour or day is summed when nothing has touched it for so long: late facts come in numbers."""
REACH = timedelta(days=400)
"""What is older is not summed, unless it was already."""
AT_ONCE = 200
"""Sums made in one transaction."""


async def elements(tx: Tx, units: Iterable[Equipment], window: Window) -> dict[EquipmentId, UnitElements]:
    """Return the elements of units in a window."""
    asked = {unit.id: unit.calendar for unit in units}
    known = await _summed(tx, list(asked), window)
    calendars = await resources.site_calendars(tx)
    parts = _parts(
        calendars,
        (
            (unit, calendar, gap)
            for unit, calendar in asked.items()
            for gap in gaps(window, known[unit].covered if unit in known else ())
        ),
    )
    spent = {unit: [known[unit].spent] if unit in known else [] for unit in asked}
    made = {unit: [*known[unit].made] if unit in known else [] for unit in asked}
    if parts:
        for time in await store.elements.times(tx, parts):
            spent[time.equipment].append(time)
        for output in await store.elements.outputs(tx, parts):
            made[output.equipment].append(output)
    return {unit: _unit(unit, spent[unit], made[unit]) for unit in asked}


async def roll_up(tx: Tx, at_once: int = AT_ONCE) -> int:
    """Sum hours and days that are over and have no sum that holds; return how many."""
    await store.sums.alone(tx)
    await store.sums.owe_other(tx, DEFINITION)
    await store.sums.owe_marked(tx, tx.now - REACH)
    await store.sums.owe_new(tx, tx.now - REACH)
    due = await store.sums.owed(tx, QUIET, at_once)
    if due:
        calendars = await resources.site_calendars(tx)
        stretches = (
            (one.equipment, one.calendar, Window(starts_at=one.starts_at, ends_at=one.ends_at)) for one in due
        )
        await store.sums.fill(tx, _parts(calendars, stretches))
    return len(due)


def planned_time(equipment: EquipmentId, calendar: Iterable[CalendarWindow], window: Window) -> PlannedTime:
    """Return the unit's calendar clipped to a window."""
    stretches = [
        (one.kind, max(one.starts_at, window.starts_at), min(one.ends_at, window.ends_at)) for one in calendar
    ]

    def clipped(kind: str) -> tuple[Window, ...]:
        return tuple(
            Window(starts_at=start, ends_at=end)
            for found, start, end in stretches
            if found == kind and start < end
        )

    return PlannedTime(equipment=equipment, window=window, work=clipped("work"), rest=clipped("break"))


def whole(window: Window, span: timedelta) -> Window | None:
    """Return the hours or days of UTC that lie wholly in a window, if any does.

    Args:
        span: Of one hour or one day.
    """
    start, end = window.starts_at.astimezone(UTC), window.ends_at.astimezone(UTC)
    first = start + (store.sums.MIDNIGHT - start) % span
    last = end - (end - store.sums.MIDNIGHT) % span
    return Window(starts_at=first, ends_at=last) if first < last else None


def gaps(window: Window, covered: Sequence[Window]) -> list[Window]:
    """Return what of a window lies outside stretches that are in order and within it."""
    ends = [window.starts_at, *(one.ends_at for one in covered)]
    starts = [*(one.starts_at for one in covered), window.ends_at]
    return [
        Window(starts_at=end, ends_at=start) for end, start in zip(ends, starts, strict=True) if end < start
    ]


def _parts(
    calendars: SiteCalendars, wanted: Iterable[tuple[EquipmentId, str | None, Window]]
) -> list[PlannedTime]:
    """Return planned time of units in stretches; units with the same calendar share what is laid out."""
    laid_out: dict[tuple[str | None, datetime, datetime], PlannedTime] = {}
    parts = []
    for unit, calendar, stretch in wanted:
        key = (calendar, stretch.starts_at, stretch.ends_at)
        if key not in laid_out:
            laid_out[key] = planned_time(unit, calendars.windows(*key), stretch)
        parts.append(replace(laid_out[key], equipment=unit))
    return parts


async def _summed(tx: Tx, units: Sequence[EquipmentId], window: Window) -> Mapping[EquipmentId, Summed]:
    hours = whole(window, HOUR)
    if hours is None:
        return {}
    no_day = Window(starts_at=hours.starts_at, ends_at=hours.starts_at)
    return await store.sums.summed(tx, DEFINITION, units, hours, whole(window, DAY) or no_day)


def _unit(unit: EquipmentId, spent: Iterable[Spent], made: Iterable[Made]) -> UnitElements:
    known: dict[tuple[MaterialId, Decimal], Made] = {}
    lost = waiting = ZERO
    for one in made:
        waiting += one.waiting
        if one.item is None or one.run_s is None:
            lost += one.good + one.scrap
            continue
        before = known.get((one.item, one.run_s))
        known[one.item, one.run_s] = one if before is None else before + one
    items = tuple(_output(*key, known[key]) for key in sorted(known) if known[key].good or known[key].scrap)
    return UnitElements(
        equipment=unit,
        elements=Elements(
            _times(spent),
            tuple(Output(pri=one.pri_s, produced=one.pq, good=one.gq, scrap=one.sq) for one in items),
        ),
        items=items,
        unattributed=lost,
        waiting=waiting,
    )


def _output(item: MaterialId, run_s: Decimal, made: Made) -> OutputOfItem:
    """Tell what people reported as scrap from what the machine counted; never more than it counted."""
    reported = min(made.reported, made.good)
    return OutputOfItem(
        item=item,
        pri_s=run_s,
        pq=made.good + made.scrap,
        gq=made.good - reported,
        sq=made.scrap + reported,
        reported=reported,
    )


def _times(spent: Iterable[Spent]) -> Times:
    rows = list(spent)
    return Times(
        pot=_seconds(row.pot for row in rows),
        pdot=_seconds(row.pdot for row in rows),
        apt=_seconds(row.apt for row in rows),
        aust=_seconds(row.aust for row in rows),
        adet=_seconds(row.adet for row in rows),
        unknown=_seconds(row.unknown for row in rows),
    )


def _seconds(microseconds: Iterable[int]) -> Decimal:
    return Decimal(sum(microseconds)).scaleb(-6)
