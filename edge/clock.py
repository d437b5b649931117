"""How far a machine's clock is from the edge's, told by what it has just changed."""

from __future__ import annotations

from dataclasses import dataclass, field

SETTLE_MS = 5_000
"""What a tag tells with its first reading may have been kept for hours: that says nothing of a clock."""
WINDOW_MS = 300_000
"""A clock that was set right is believed after twice as long."""


@dataclass(slots=True)
class ClockOffset:
    """The clock of one endpoint.

    A change is late by how far the clock is behind, and by how long it took or was kept: the one that is
    late the least says most.
    """

    _first_ms: dict[str, int] = field(default_factory=dict)
    _newest_ms: dict[str, int] = field(default_factory=dict)
    _begun_ms: int = 0
    _least: int | None = None
    _least_before: int | None = None

    def heard(self, tag: str, source_ms: int, now_ms: int) -> None:
        """Note a reading: when it was at its source, and when it came."""
        news = source_ms > self._newest_ms.get(tag, 0)
        self._newest_ms[tag] = max(source_ms, self._newest_ms.get(tag, 0))
        if not news or now_ms - self._first_ms.setdefault(tag, now_ms) < SETTLE_MS:
            return
        if now_ms - self._begun_ms >= WINDOW_MS:
            self._begun_ms, self._least_before, self._least = now_ms, self._least, None
        self._least = _nearer(self._least, now_ms - source_ms)

    @property
    def behind_s(self) -> float | None:
        """Seconds by which the machine's clock is behind the edge's, negative: ahead; None: not known yet."""
        least = _nearer(self._least, self._least_before)
        return None if least is None else round(least / 1000, 1)


def _nearer(one: int | None, other: int | None) -> int | None:
    return min((late for late in (one, other) if late is not None), key=abs, default=None)
