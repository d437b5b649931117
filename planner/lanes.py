"""People as lanes: the k-th person of a crew is a timeline that one operation has at a time.

A counter of free people depends on everything placed before, so a search that re-times only what
a change touches cannot keep one. A lane can be sequenced like a unit: what an operation waits for
is the operation before it in its lane, and nothing else. Crews with the same skills are one
group; lane k of a group is open whenever at least k of its people are present, so that a run may
go on over a change of shift. The exact decoder counts people without lanes: what it makes of a
sequence found on lanes is never staffed by more people than there are, and hardly ever later.
"""

from __future__ import annotations

from collections.abc import Iterable

from planner.decoder import Decoder
from planner.problem import Problem

Stretch = tuple[int, int]


class Lanes:
    """The lanes that started and locked work leaves free.

    Attributes:
        windows: Lane -> the stretches in which somebody is there for free work.
        of_skill: Skill -> the lanes whose people can do it.
    """

    def __init__(self, problem: Problem, decoder: Decoder) -> None:
        self.windows: list[list[Stretch]] = []
        self.of_skill: dict[str, list[int]] = {}
        needed = set(decoder.people.of_skill)
        groups: dict[frozenset[str], dict[int, int]] = {}
        for crew in problem.crews:
            able = frozenset(crew.skills) & needed
            if able:
                change = groups.setdefault(able, {})
                for window in crew.windows:
                    change[window.start] = change.get(window.start, 0) + crew.count
                    change[window.end] = change.get(window.end, 0) - crew.count
        for able in sorted(groups, key=lambda g: (len(g), sorted(g))):
            for windows in _layers(groups[able]):
                for skill in sorted(able):
                    self.of_skill.setdefault(skill, []).append(len(self.windows))
                self.windows.append(windows)
        for skill in needed - set(self.of_skill):  # nobody can do it before the horizon
            self.of_skill[skill] = [len(self.windows)]
            self.windows.append([])
        self._take_out(problem, decoder)

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
        lanes = self.of_skill[skill]
        while start < end:
            lane, until = max(
                ((lane, _open_until(self.windows[lane], start)) for lane in lanes), key=lambda x: x[1]
            )
            upto = min(end, until)
            if upto <= start:  # a fact that nobody's attendance explains
                start += 1
                continue
            self.windows[lane] = list(_without(self.windows[lane], start, upto))
            start = upto


def _layers(change: dict[int, int]) -> list[list[Stretch]]:
    """The k-th layer is where at least k people are present."""
    layers: list[list[Stretch]] = []
    present = 0
    for minute in sorted(change):
        after = present + change[minute]
        for k in range(present, after):
            if k == len(layers):
                layers.append([])
            layers[k].append((minute, -1))
        for k in range(after, present):
            layers[k][-1] = (layers[k][-1][0], minute)
        present = after
    return [list(_joined(layer)) for layer in layers]


def _joined(stretches: Iterable[Stretch]) -> Iterable[Stretch]:
    last: Stretch | None = None
    for start, end in stretches:
        if last is not None and last[1] == start:
            last = (last[0], end)
        else:
            if last is not None:
                yield last
            last = (start, end)
    if last is not None:
        yield last


def _open_until(windows: list[Stretch], minute: int) -> int:
    return next((end for start, end in windows if start <= minute < end), -1)


def _without(windows: list[Stretch], start: int, end: int) -> Iterable[Stretch]:
    for one, two in windows:
        if two <= start or end <= one:
            yield (one, two)
            continue
        if one < start:
            yield (one, start)
        if end < two:
            yield (end, two)
