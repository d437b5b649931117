"""SQL of working calendars."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from mes.kernel.db import Params, Tx
from mes.kernel.outbox import to_json
from mes.resources.model import Break, Calendar, Shift

_SHIFTS = TypeAdapter(tuple[Shift, ...])

_BREAKS = TypeAdapter(tuple[Break, ...])


@dataclass(frozen=True, slots=True)
class _CalendarRow:
    code: str
    shifts: Any
    breaks: Any


async def calendars(tx: Tx, *, retired: bool = True) -> dict[str, Calendar]:
    """Return every calendar of the site by its code.

    Args:
        retired: Those too that only equipment out of service still has.
    """
    rows = await tx.fetch_all(
        _CalendarRow,
        "select code, shifts, breaks from mes.calendar"
        " where site = %(site)s and (%(retired)s or until is null)",
        {"site": tx.site, "retired": retired},
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
        on conflict (site, code) do update
        set shifts = excluded.shifts, breaks = excluded.breaks, until = null
        """,
        rows,
    )
