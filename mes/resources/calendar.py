"""Calendars on the clock: shifts and breaks in the site's time zone become stretches in UTC."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mes.resources.model import Calendar, Shift, ShiftNow, Window

Span = tuple[datetime, datetime]
"""From, to (not included); aware."""


@dataclass(frozen=True, slots=True)
class SiteCalendars:
    """Every calendar of a site; each span of one is laid out once."""

    known: Mapping[str, Calendar]
    timezone: ZoneInfo
    _laid_out: dict[tuple[str, datetime, datetime], tuple[Window, ...]] = field(default_factory=dict)

    def windows(self, code: str | None, starts_at: datetime, ends_at: datetime) -> tuple[Window, ...]:
        """Return the stretches of a calendar between two moments; none when there is no such calendar."""
        if code is None or code not in self.known:
            return ()
        span = (code, starts_at, ends_at)
        if span not in self._laid_out:
            self._laid_out[span] = windows(self.known[code], self.timezone, starts_at, ends_at)
        return self._laid_out[span]

    def rest(self, code: str | None, starts_at: datetime, ends_at: datetime) -> timedelta:
        """Return the time of a calendar's breaks that lie wholly between two moments."""
        known = None if code is None else self.known.get(code)
        return timedelta(0) if known is None else rest(known, self.timezone, starts_at, ends_at)

    def worked(
        self, code: str | None, starts_at: datetime, ends_at: datetime, seen: Iterable[Span]
    ) -> timedelta:
        """Return how long a unit with this calendar was at work between two moments.

        In its shifts it is, but for the breaks that lie wholly between them. In no shift only as far as work
        was seen. Without such a calendar it is at work throughout: nobody has said when it is not.

        Args:
            seen: Stretches in which there was work; they do not overlap.
        """
        idle = self.rest(code, starts_at, ends_at)
        stretches = tuple(seen)
        for span in self.closed(code, starts_at, ends_at):
            idle += span[1] - span[0] - sum((_common(span, one) for one in stretches), timedelta(0))
        return ends_at - starts_at - idle

    def closed(self, code: str | None, starts_at: datetime, ends_at: datetime) -> tuple[Span, ...]:
        """Return the stretches between two moments in no shift; none without such a calendar."""
        if code is None or code not in self.known:
            return ()
        return closed(self.windows(code, starts_at, ends_at), starts_at, ends_at)


def windows(
    calendar: Calendar, timezone: ZoneInfo, starts_at: datetime, ends_at: datetime
) -> tuple[Window, ...]:
    """Return the work and break stretches of a calendar between two moments, in order.

    Stretches are clipped to the asked span. A shift lasts its minutes on the clock even on the
    night the clocks change: people work the hours they are paid for.

    Args:
        starts_at: Aware; start of the span.
        ends_at: Aware; end of the span, not included.
    """
    found = [
        clipped
        for window in _unclipped(calendar, timezone, starts_at, ends_at)
        if (clipped := _clip(window, starts_at, ends_at)) is not None
    ]
    return tuple(sorted(found, key=lambda window: window.starts_at))


def rest(calendar: Calendar, timezone: ZoneInfo, starts_at: datetime, ends_at: datetime) -> timedelta:
    """Return the time of the planned breaks that lie wholly between two moments.

    A break in which somebody began or ended work is not among them: there was work in it.
    """
    breaks = (
        window
        for window in _unclipped(calendar, timezone, starts_at, ends_at)
        if window.kind == "break" and starts_at <= window.starts_at and window.ends_at <= ends_at
    )
    return sum((window.ends_at - window.starts_at for window in breaks), timedelta(0))


def closed(shifts: Iterable[Window], starts_at: datetime, ends_at: datetime) -> tuple[Span, ...]:
    """Return the stretches between two moments that are in no shift, in order: nights, days off.

    Args:
        shifts: The work and break stretches between the two moments, in order.
    """
    found = []
    at = starts_at
    for window in shifts:
        if window.starts_at > at:
            found.append((at, window.starts_at))
        at = max(at, window.ends_at)
    return (*found, (at, ends_at)) if at < ends_at else tuple(found)


def _common(one: Span, other: Span) -> timedelta:
    return max(timedelta(0), min(one[1], other[1]) - max(one[0], other[0]))


def only_shift(calendar: Calendar, name: str) -> Calendar:
    """Return the calendar of the crew that works the shift `name`."""
    shifts = tuple(shift for shift in calendar.shifts if shift.name == name)
    return Calendar(code=f"{calendar.code}/{name}", shifts=shifts, breaks=calendar.breaks)


def shift_at(calendar: Calendar, timezone: ZoneInfo, at: datetime) -> ShiftNow | None:
    """Return the shift that runs at `at`, or None between shifts."""
    for shift in calendar.shifts:
        for day in _days(shift, timezone, at, at):
            begin = _moment(day, shift.starts, timezone)
            end = begin + timedelta(minutes=shift.minutes)
            if begin <= at < end:
                return ShiftNow(name=shift.name, starts_at=begin, ends_at=end)
    return None


def _unclipped(
    calendar: Calendar, timezone: ZoneInfo, starts_at: datetime, ends_at: datetime
) -> Iterator[Window]:
    for shift in calendar.shifts:
        for day in _days(shift, timezone, starts_at, ends_at):
            yield from _parts(calendar, shift, _moment(day, shift.starts, timezone))


def _days(shift: Shift, timezone: ZoneInfo, starts_at: datetime, ends_at: datetime) -> Iterator[date]:
    day = (starts_at - timedelta(minutes=shift.minutes)).astimezone(timezone).date()
    last = ends_at.astimezone(timezone).date()
    while day <= last:
        if day.isoweekday() in shift.days:
            yield day
        day += timedelta(days=1)


def _moment(day: date, local: time, timezone: ZoneInfo) -> datetime:
    return datetime.combine(day, local, timezone).astimezone(UTC)


def _parts(calendar: Calendar, shift: Shift, begin: datetime) -> Iterator[Window]:
    end = begin + timedelta(minutes=shift.minutes)
    at = begin
    for pause in sorted(calendar.breaks, key=lambda pause: pause.after_minutes):
        pause_at = begin + timedelta(minutes=pause.after_minutes)
        pause_end = min(pause_at + timedelta(minutes=pause.minutes), end)
        if pause_at >= end:
            break
        yield Window(starts_at=at, ends_at=pause_at, kind="work", shift=shift.name)
        yield Window(starts_at=pause_at, ends_at=pause_end, kind="break", shift=shift.name)
        at = pause_end
    yield Window(starts_at=at, ends_at=end, kind="work", shift=shift.name)


def _clip(window: Window, starts_at: datetime, ends_at: datetime) -> Window | None:
    begin = max(window.starts_at, starts_at)
    end = min(window.ends_at, ends_at)
    if begin >= end:
        return None
    return Window(starts_at=begin, ends_at=end, kind=window.kind, shift=window.shift)
