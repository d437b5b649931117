"""From what drivers read to what the events stream carries: in order, counted, each reading once.

A driver may read the same thing twice: a server's history and its subscription overlap, a broker
delivers again, a machine that was switched on shows its last value. What was read already is known
by the device's own number, or else by source time and value together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from edge.counter import count
from edge.scan import read as read_scan
from edge.spool import Mark
from edge.tags import Tag
from mes.kernel.messages import AGAIN, UNREAD, Kind, Note, NoteSample, Sample, Value

CHANGES = frozenset({Kind.STATE, Kind.FAULT})
"""Kinds whose readings say what is now: the same again says nothing."""
UNSEEN = -2
"""Number of the mark of a state that could not be read since."""
REMEMBERED = 512
"""Readings of a tag by which a repeated one is known: more than a server's queue and history hold."""

Moment = tuple[int, str]
"""A reading without a number: its source time in milliseconds, and its value."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a tag on the events stream, before it is counted and stored."""

    tag: Tag
    value: Value
    time_ms: int
    quality: int
    number: int
    again: bool = False
    """Nobody knows the state since it could not be read: it is told, though it may be the same."""

    @property
    def moment(self) -> Moment:
        """What makes it another reading than one before."""
        return self.time_ms, str(self.value)


@dataclass(slots=True)
class Step:
    """What one commit adds to what is known; forgotten when the commit fails.

    Args:
        samples: What goes into the stream.
        counters: New bases of counters.
        marks: How far tags are read now.
    """

    samples: list[Sample | NoteSample] = field(default_factory=list)
    counters: dict[str, Decimal] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    moments: dict[str, dict[Moment, None]] = field(default_factory=dict)


class Known:
    """What is in the stream already.

    Args:
        counters: The last reading of each counter.
        marks: How far each tag was read.
    """

    def __init__(self, counters: Mapping[str, Decimal], marks: Mapping[str, Mark]) -> None:
        self._counters = dict(counters)
        self._marks = dict(marks)
        self._moments: dict[str, dict[Moment, None]] = {
            name: {(mark.time_ms, mark.value): None} for name, mark in marks.items()
        }

    def mark(self, tag: str) -> Mark | None:
        """Return how far a tag was read."""
        return self._marks.get(tag)

    def take(self, readings: Iterable[Reading | NoteSample], aliases: Mapping[str, int]) -> Step:
        """Return what `readings` add to the stream; nothing is known before `accept`."""
        step = Step()
        for item in in_source_order(readings):
            if isinstance(item, NoteSample):
                step.samples.append(item)
                self._unread(item, step)
            elif item.tag.name in aliases:
                sample = self._sample(item, aliases[item.tag.name], step)
                if sample is not None:
                    step.samples.append(sample)
        return step

    def accept(self, step: Step) -> None:
        """Remember what was committed."""
        self._counters.update(step.counters)
        self._marks.update(step.marks)
        for name, moments in step.moments.items():
            known = self._moments.setdefault(name, {})
            known.update(moments)
            while len(known) > REMEMBERED:
                del known[next(iter(known))]

    def _unread(self, note: NoteSample, step: Step) -> None:
        """Remember, also for an edge that starts anew, that a state could not be read."""
        name = str(note.body.get("tag"))
        mark = step.marks.get(name) or self._marks.get(name)
        if note.note is Note.GAP and note.body.get("reason") == UNREAD and mark is not None:
            step.marks[name] = mark if mark.number >= 0 else Mark(mark.time_ms, UNSEEN, mark.value)

    def _sample(self, item: Reading, alias: int, step: Step) -> Sample | None:
        """Return what a reading adds to the stream, none when it was read before."""
        tag = item.tag
        repeated = self._repeated(item, step)
        if (tag.kind is Kind.SCAN and item.value == "") or (repeated and not item.again):
            return None
        if item.number < 0:
            step.moments.setdefault(tag.name, {})[item.moment] = None
        if tag.kind is Kind.COUNT:
            return self._counted(item, alias, step)
        step.marks[tag.name] = Mark(item.time_ms, item.number, str(item.value))
        if tag.kind is Kind.SCAN:
            scan = read_scan(str(item.value), tag.reader or tag.equipment)
            properties: dict[str, Value] = {"reader": scan.reader, "symbology": scan.symbology}
            return Sample(alias, scan.payload, item.time_ms, item.quality, properties)
        if repeated:
            return Sample(alias, item.value, item.time_ms, item.quality, {AGAIN: True})
        return Sample(alias, item.value, item.time_ms, item.quality)

    def _repeated(self, item: Reading, step: Step) -> bool:
        """Tell whether a reading is in the stream already.

        By the device's own number, unless its clock went on while its numbers began again. Without
        a number only the very same reading is known, so that a clock that was set back loses
        nothing; of a state the same value again is no change.
        """
        name = item.tag.name
        mark = step.marks.get(name) or self._marks.get(name)
        if mark is not None and item.number >= 0 and mark.number >= 0:
            return item.number <= mark.number and item.time_ms <= mark.time_ms
        if item.moment in self._moments.get(name, ()) or item.moment in step.moments.get(name, ()):
            return True
        return mark is not None and item.tag.kind in CHANGES and str(item.value) == mark.value

    def _counted(self, item: Reading, alias: int, step: Step) -> Sample | None:
        name = item.tag.name
        try:
            raw = Decimal(str(item.value))
        except InvalidOperation:
            return None
        base = step.counters.get(name, self._counters.get(name))
        if not raw.is_finite() or raw == base or raw < 0:
            return None
        found = count(base, raw, item.tag.counter)
        step.counters[name] = raw
        properties: dict[str, Value] = {"raw": _number(found.raw)}
        if found.doubtful:
            properties["doubtful"] = True
        return Sample(alias, _number(found.delta), item.time_ms, item.quality, properties)


def in_source_order(items: Iterable[Reading | NoteSample]) -> Sequence[Reading | NoteSample]:
    """Return `items` by their source time, but those of one tag as they were read.

    A tag's readings come as its device sent them; their times may say otherwise, when the device
    gives none or its clock was set back, and a counter must never seem to run backwards. A
    machine's total follows all that it has counted by then.
    """
    latest: dict[str, int] = {}
    keyed: list[tuple[int, bool, int, Reading | NoteSample]] = []
    for place, item in enumerate(items):
        at, total = item.time_ms, False
        if isinstance(item, Reading):
            at = latest[item.tag.name] = max(at, latest.get(item.tag.name, at))
            total = item.tag.kind is Kind.TOTAL
        keyed.append((at, total, place, item))
    keyed.sort(key=_order)
    return [item for *_, item in keyed]


def _order(keyed: tuple[int, bool, int, Reading | NoteSample]) -> tuple[int, bool, int]:
    return keyed[:3]


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
