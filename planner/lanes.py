"""People as lanes: a place in the shift that one person after the other takes.

A counter of free people depends on everything placed before, so a search that re-times only what
a change touches cannot keep one. A lane can be sequenced like a unit: what an operation waits for
is the operation before it in its lane, and nothing else. When a shift changes, whoever comes takes
over the lane of somebody who goes, of one with like skills if there is one, so that a run may go
on over the change. What a lane can do differs from shift to shift: it is open for a skill whenever
its person has it. The exact decoder counts people without lanes: what it makes of a sequence found
on lanes never needs more people than there are, and hardly ever ends later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from planner.decoder import Decoder
from planner.problem import Problem

Stretch = tuple[int, int]
Skills = frozenset[str]


@dataclass
class Lane:
    """Who is there when: stretches with the skills of that person, in order."""

    stretches: list[tuple[int, int, Skills]] = field(default_factory=list)

    def last_skills(self) -> Skills:
        return self.stretches[-1][2] if self.stretches else frozenset()

    def windows(self, skill: str) -> list[Stretch]:
        """Where the lane is open for a skill."""
        found: list[Stretch] = []
        for start, end, able in self.stretches:
            if skill in able:
                if found and found[-1][1] == start:
                    found[-1] = (found[-1][0], end)
                else:
                    found.append((start, end))
        return found

    def open_until(self, skill: str, minute: int) -> int:
        """The end of the stretch around a minute, if it is open for the skill then; else -1."""
        return next((b for a, b, able in self.stretches if a <= minute < b and skill in able), -1)

    def close(self, start: int, end: int) -> None:
        """Take minutes out."""
        cut: list[tuple[int, int, Skills]] = []
        for one, two, able in self.stretches:
            if two <= start or end <= one:
                cut.append((one, two, able))
                continue
            if one < start:
                cut.append((one, start, able))
            if end < two:
                cut.append((end, two, able))
        self.stretches = cut


class Lanes:
    """The lanes that started and locked work leaves free.

    Attributes:
        lanes: All lanes.
        of_skill: Skill -> the rows of the lanes that are open for it at some time.
    """

    def __init__(self, problem: Problem, decoder: Decoder) -> None:
        needed = frozenset(decoder.people.of_skill)
        self.lanes = _lanes(problem, needed)
        self._take_out(problem, decoder)
        self.of_skill: dict[str, list[int]] = {}
        for skill in sorted(needed):
            rows = [row for row, lane in enumerate(self.lanes) if lane.windows(skill)]
            if not rows:  # nobody can do it before the horizon
                rows = [len(self.lanes)]
                self.lanes.append(Lane())
            self.of_skill[skill] = rows

    def _take_out(self, problem: Problem, decoder: Decoder) -> None:
        """Started and locked work has people already."""
        for line in decoder.lines.values():
            for block in line.blocks:
                skill = block.operation.skill
                if skill is not None:
                    for piece in line.time.pieces(block.begin, block.end):
                        self._hold(skill, piece, problem.horizon)

    def _hold(self, skill: str, piece: Stretch, horizon: int) -> None:
        start, end = piece[0], min(piece[1], horizon)
        while start < end:
            until, lane = max(
                ((lane.open_until(skill, start), lane) for lane in self.lanes),
                key=lambda found: found[0],
                default=(-1, None),
            )
            if lane is None or until <= start:  # a fact that nobody's attendance explains
                start += 1
                continue
            lane.close(start, min(end, until))
            start = min(end, until)


def _lanes(problem: Problem, needed: Skills) -> list[Lane]:
    """Lanes for all crews, each with the skills that are needed."""
    changes: dict[int, dict[Skills, int]] = {}
    for crew in problem.crews:
        able = frozenset(crew.skills) & needed
        if not able:
            continue
        for window in crew.windows:
            for minute, people in ((window.start, crew.count), (window.end, -crew.count)):
                at = changes.setdefault(minute, {})
                at[able] = at.get(able, 0) + people
    lanes: list[Lane] = []
    present: dict[int, tuple[int, Skills]] = {}
    for minute in sorted(changes):
        going = _going(changes[minute], present)
        for row in going:
            start, able = present.pop(row)
            lanes[row].stretches.append((start, minute, able))
        for able in _coming(changes[minute]):
            row = _successor(able, going, lanes, present)
            present[row] = (minute, able)
    return lanes


def _going(change: dict[Skills, int], present: dict[int, tuple[int, Skills]]) -> list[int]:
    found: list[int] = []
    for able in sorted(change, key=sorted):
        rows = [row for row, (_, now) in present.items() if now == able]
        found += sorted(rows)[len(rows) - max(0, -change[able]) :] if change[able] < 0 else []
    return found


def _coming(change: dict[Skills, int]) -> Iterable[Skills]:
    for able in sorted(change, key=sorted):
        yield from [able] * max(0, change[able])


def _successor(
    able: Skills, going: list[int], lanes: list[Lane], present: dict[int, tuple[int, Skills]]
) -> int:
    """The lane for somebody who comes: that of one who goes, then an empty one, then a new one."""
    free = [row for row in range(len(lanes)) if row not in present]
    if not free:
        lanes.append(Lane())
        return len(lanes) - 1
    return max(free, key=lambda row: (len(lanes[row].last_skills() & able), row in going, -row))
