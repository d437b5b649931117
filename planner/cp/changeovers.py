"""Set-ups and pauses to the minute: what they hold, of their unit, people and tools.

The whole-plan model leaves that to the decoder. Whether locks can be kept may hang on it, and so few
operations are tied to locks that it can be said exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from planner.cp.counted import Run, add_limit
from planner.cp.cp_sat import cp_model
from planner.cp.model import Change, PlanModel, pauses
from planner.problem import Operation
from planner.shared import Pieces, left_free


@dataclass(frozen=True)
class Setup:
    """A set-up that an operation may need on a unit.

    Args:
        pause: Closed minutes in it.
        pieces: Its open stretches when it begins as early as this one may; later, the first begins and the
            last ends later.
    """

    operation: Operation
    minutes: int
    pause: int
    pieces: Pieces
    chosen: cp_model.IntVar


def add(model: PlanModel) -> None:
    """Let set-ups pause while their unit is closed."""
    for changes in _alike(model):
        for setup in setups_of(model, changes):
            start = model.starts[setup.operation.id]
            for change in changes if setup.pause else ():
                begin = start - (setup.minutes + setup.pause)
                behind = 0 if change.before is None else model.ends[change.before]
                model.cp.add(begin >= behind).only_enforce_if([change.chosen, setup.chosen])


def _alike(model: PlanModel) -> Iterator[list[Change]]:
    """The changes to one operation on one unit that take equally long."""
    found: dict[tuple[str, str, int], list[Change]] = {}
    for change in model.changes:
        found.setdefault((change.unit, change.after, change.minutes), []).append(change)
    yield from found.values()


def setups_of(model: PlanModel, changes: list[Change]) -> list[Setup]:
    """One set-up for each stretch in which it may begin, of changes alike; the model chooses one of them."""
    first = changes[0]
    operation, time = model.problem.operation_by_id[first.after], model.times[first.unit]
    last = time.work(model.latest)
    made: list[Setup] = []
    for pause, (start, end) in pauses(time, first.minutes + 1, 0, last):
        size, number = first.minutes + pause, time.work(start)
        pieces = list(time.pieces(number, number + first.minutes))
        chosen = _chosen(model, operation, [[start + size, end + size]])
        made.append(Setup(operation, first.minutes, pause, pieces, chosen))
    used = cp_model.LinearExpr.sum([change.chosen for change in changes])
    model.cp.add(cp_model.LinearExpr.sum([setup.chosen for setup in made]) == used)
    return made


def _chosen(model: PlanModel, operation: Operation, spans: list[list[int]]) -> cp_model.IntVar:
    chosen = model.cp.new_bool_var("")
    domain = cp_model.Domain.from_intervals(spans)
    model.cp.add_linear_expression_in_domain(model.starts[operation.id], domain).only_enforce_if(chosen)
    return chosen


@dataclass(frozen=True)
class Held:
    """The rule that people, or tools, are held in set-ups as they are in runs."""

    kind: Literal["people", "tool"]

    def add(self, model: PlanModel) -> None:
        """Limit what set-ups and runs hold; people leave while their unit is closed, tools stay."""
        setups = [setup for changes in _alike(model) for setup in setups_of(model, changes)]
        shared = left_free(model.problem, model.times)
        if self.kind == "people":
            runs = {o.id: _manned(model, o) for o in model.problem.operations if o.skill and not o.started}
            for setup in setups:
                if setup.operation.skill:
                    start = model.starts[setup.operation.id]
                    begin = start - (setup.minutes + setup.pause)
                    runs[setup.operation.id] += _stretches(model, setup.pieces, begin, start, setup.chosen)
            for union, counter in shared.people.counters.items():
                able = [o.id for o in model.problem.operations if o.skill in union and o.id in runs]
                add_limit(model, counter, [(run, 1) for name in able for run in runs[name]])
            return
        for name, counter in shared.tools.items():
            add_limit(model, counter, [*_tool_runs(model, name), *_tool_setups(model, name, setups)])


def _manned(model: PlanModel, operation: Operation) -> list[cp_model.IntervalVar]:
    """When a run holds its person: without the pauses in it."""
    start, end = model.starts[operation.id], model.ends[operation.id]
    found: list[cp_model.IntervalVar] = []
    for mode in model.modes[operation.id]:
        if mode.unit in model.problem.subcontractors:
            continue
        is_batched = model.problem.unit_by_id[mode.unit].places is not None
        if not mode.pause:
            found.append(mode.run)
        elif not is_batched:  # a batch that pauses is left to the decoder
            time = model.times[mode.unit]
            chosen = []
            for pause, span in pauses(time, mode.minutes, 0, time.work(model.latest)):
                if pause == mode.pause:
                    number = time.work(span[0])
                    chosen.append(_chosen(model, operation, [span]))
                    pieces = list(time.pieces(number, number + mode.minutes))
                    found += _stretches(model, pieces, start, end, chosen[-1])
            model.cp.add(cp_model.LinearExpr.sum(chosen) == mode.chosen)
    return found


def _stretches(
    model: PlanModel,
    pieces: Pieces,
    begin: cp_model.LinearExprT,
    end: cp_model.LinearExprT,
    chosen: cp_model.IntVar,
) -> list[cp_model.IntervalVar]:
    """The open stretches between two times, `pieces` when they are as early as they may be."""
    made: list[cp_model.IntervalVar] = []
    for number, (start, stop) in enumerate(pieces):
        first = begin if number == 0 else start
        last = end if number == len(pieces) - 1 else stop
        size = cp_model.LinearExpr.weighted_sum([last, first], [1, -1])
        made.append(model.cp.new_optional_interval_var(first, size, last, chosen, ""))
    return made


def _interval(model: PlanModel, setup: Setup) -> cp_model.IntervalVar:
    size = setup.minutes + setup.pause
    begin = model.starts[setup.operation.id] - size
    return model.cp.new_optional_fixed_size_interval_var(begin, size, setup.chosen, "")


def _tool_runs(model: PlanModel, name: str) -> Iterator[Run]:
    for operation in model.problem.operations:
        for use in () if operation.started else operation.tools:
            if use.tool == name:
                modes = model.modes[operation.id]
                outside = model.problem.subcontractors
                yield from ((mode.run, use.count) for mode in modes if mode.unit not in outside)


def _tool_setups(model: PlanModel, name: str, setups: list[Setup]) -> Iterator[Run]:
    for setup in setups:
        for use in setup.operation.tools:
            if use.tool == name:
                yield _interval(model, setup), use.count
