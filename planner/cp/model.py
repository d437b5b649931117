"""The variables of a whole-plan CP-SAT model, made once; each rule then adds its constraints.

The model is a relaxation of the exact decoder: every plan the decoder can make satisfies it, so
its bound holds for real plans. What it leaves out (breaks inside a set-up, people in a run that
pauses) the decoder puts right when it times the sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from planner.cp.cp_sat import cp_model
from planner.problem import Operation, Problem
from planner.schedule import Schedule
from planner.worktime import WorkTime

ValueOf = Callable[[Schedule], int]
Spans = list[list[int]]


@dataclass(frozen=True)
class Mode:
    """An operation on one unit, paused for `pause` closed minutes in all while it runs.

    Args:
        run: What it takes of its unit, people and tools: nothing where it rides in another's batch.
    """

    unit: str
    minutes: int
    pause: int
    chosen: cp_model.IntVar
    interval: cp_model.IntervalVar
    run: cp_model.IntervalVar


@dataclass(frozen=True)
class Change:
    """A unit is set up for `after`, behind `before` or, where that is None, at first: so many minutes."""

    unit: str
    before: str | None
    after: str
    minutes: int
    chosen: cp_model.IntVar


class PlanModel:
    """Start, end and mode of each operation, and the objective's terms.

    Args:
        latest: Minute by which everything must have ended.
    """

    def __init__(self, problem: Problem, latest: int) -> None:
        self.problem, self.latest = problem, latest
        self.cp = cp_model.CpModel()
        self.times = {unit.id: WorkTime.of(problem, unit) for unit in problem.units}
        self.starts: dict[str, cp_model.IntVar] = {}
        self.ends: dict[str, cp_model.IntVar] = {}
        self.modes: dict[str, tuple[Mode, ...]] = {}
        self._on: dict[tuple[str, str], cp_model.IntVar] = {}
        self._leads: dict[tuple[str, str], list[cp_model.IntVar]] = {}
        self._turns: tuple[Schedule, dict[str, list[list[str]]]] | None = None
        self.changes: list[Change] = []
        self.hints: list[tuple[cp_model.IntVar, ValueOf]] = []
        self._costs: list[tuple[int, cp_model.IntVar]] = []
        for operation in problem.operations:
            self._add_operation(operation)

    def remember(self, variable: cp_model.IntVar, value_of: ValueOf) -> None:
        """Say which value `variable` has in a known plan, so that the plan can be a hint."""
        self.hints.append((variable, value_of))

    def number(self, least: int, most: int, value_of: ValueOf) -> cp_model.IntVar:
        """A new whole number from `least` to `most`."""
        variable = self.cp.new_int_var(least, most, "")
        self.remember(variable, value_of)
        return variable

    def flag(self, value_of: Callable[[Schedule], bool]) -> cp_model.IntVar:
        """A new literal."""
        variable = self.cp.new_bool_var("")
        self.remember(variable, lambda plan: int(value_of(plan)))
        return variable

    def cost(self, points: int, variable: cp_model.IntVar) -> None:
        """Charge `points` for each unit of `variable`."""
        if points:
            self._costs.append((points, variable))

    def close(self) -> None:
        """Set the objective; call once, after all rules."""
        self.cp.minimize(
            cp_model.LinearExpr.weighted_sum(
                [variable for _, variable in self._costs], [points for points, _ in self._costs]
            )
        )

    def hint(self, plan: Schedule) -> None:
        """Offer a feasible plan as the place to start from, a value for every variable."""
        for variable, value_of in self.hints:
            self.cp.add_hint(variable, value_of(plan))

    def on(self, operation: str, unit: str) -> cp_model.IntVar:
        """The literal of "`operation` is done on `unit`"."""
        return self._on[operation, unit]

    def leads(self, operation: str, unit: str) -> cp_model.IntVar:
        """The literal of "`operation` is done on `unit`, and names its batch if that takes several"."""
        found = self._leads.get((operation, unit), [])
        if not found:
            return self.on(operation, unit)
        if len(found) > 1:
            either = self.flag(lambda plan: self.is_leader(plan, unit, operation))
            self.cp.add(cp_model.LinearExpr.sum(found) == either)
            self._leads[operation, unit] = found = [either]
        return found[0]

    def turns(self, plan: Schedule, unit: str) -> list[list[str]]:
        """What a unit does in a plan, one after the other: single operations, or batches by row."""
        if self._turns is None or self._turns[0] is not plan:
            self._turns = plan, {}
        known = self._turns[1]
        if unit not in known:
            rows = plan.by_unit.get(unit, ())
            batches = groupby(rows, key=attrgetter("end"))
            row_of = {o.id: row for row, o in enumerate(self.candidates(unit))}
            known[unit] = [sorted((a.operation for a in rows), key=row_of.__getitem__) for _, rows in batches]
        return known[unit]

    def is_leader(self, plan: Schedule, unit: str, operation: str) -> bool:
        """Whether an operation is on a unit, and the first of its batch by row."""
        return any(batch[0] == operation for batch in self.turns(plan, unit))

    def is_together(self, plan: Schedule, unit: str, leader: str, rider: str) -> bool:
        """Whether `rider` is in the batch of which `leader` is the first by row."""
        return any(batch[0] == leader and rider in batch for batch in self.turns(plan, unit))

    def candidates(self, unit: str) -> list[Operation]:
        """The operations that may be done on `unit`."""
        return [o for o in self.problem.operations if (o.id, unit) in self._on]

    def _add_operation(self, operation: Operation) -> None:
        spans = self._spans(operation)
        everywhere = cp_model.Domain.from_intervals([s for row in spans.values() for s in row])
        start = self.cp.new_int_var_from_domain(everywhere, f"start {operation.id}")
        end = self.cp.new_int_var(0, self.latest, f"end {operation.id}")
        name = operation.id
        self.remember(start, lambda plan: self._start(plan, operation))
        self.remember(end, lambda plan: plan.by_operation[name].end)
        self.starts[name], self.ends[name] = start, end
        modes = tuple(self._add_mode(operation, *key, row) for key, row in spans.items())
        self.modes[name] = modes
        self.cp.add_exactly_one(mode.chosen for mode in modes)
        sizes = [mode.minutes + mode.pause for mode in modes]
        size = cp_model.LinearExpr.weighted_sum([mode.chosen for mode in modes], sizes)
        self.cp.add(end == start + size)
        for unit in {mode.unit: None for mode in modes}:
            self._add_unit(operation, unit, [m.chosen for m in modes if m.unit == unit])

    def _start(self, plan: Schedule, operation: Operation) -> int:
        row = plan.by_operation[operation.id]
        return self.times[row.unit].at(0) if operation.started else row.start

    def _add_mode(self, operation: Operation, unit: str, pause: int, spans: Spans) -> Mode:
        minutes = operation.minutes_on(unit)

        def is_in(plan: Schedule) -> bool:
            row = plan.by_operation[operation.id]
            size = row.end - self._start(plan, operation)
            return row.unit == unit and size == minutes + pause

        chosen = self.flag(is_in)
        start = self.starts[operation.id]
        self.cp.add_linear_expression_in_domain(start, cp_model.Domain.from_intervals(spans)).only_enforce_if(
            chosen
        )
        size = minutes + pause
        interval = self.cp.new_optional_fixed_size_interval_var(start, size, chosen, "")
        run = interval
        if self.problem.unit_by_id[unit].places is not None:
            name = operation.id
            heads = self.flag(lambda plan: is_in(plan) and self.is_leader(plan, unit, name))
            self.cp.add_implication(heads, chosen)
            run = self.cp.new_optional_fixed_size_interval_var(start, size, heads, "")
            self._leads.setdefault((name, unit), []).append(heads)
        return Mode(unit, minutes, pause, chosen, interval, run)

    def _add_unit(self, operation: Operation, unit: str, chosen: list[cp_model.IntVar]) -> None:
        if len(chosen) == 1:
            self._on[operation.id, unit] = chosen[0]
            return
        name = operation.id
        on = self.flag(lambda plan: plan.by_operation[name].unit == unit)
        self.cp.add(cp_model.LinearExpr.sum(chosen) == on)
        self._on[name, unit] = on

    def _spans(self, operation: Operation) -> dict[tuple[str, int], Spans]:
        """(unit, pause in all) -> the stretches of start minutes that have it."""
        fixed = operation.fixed_unit
        found: dict[tuple[str, int], Spans] = {}
        for choice in operation.alternatives:
            if fixed is not None and choice.unit != fixed:
                continue
            time = self.times[choice.unit]
            first, last = self._start_range(operation, time, choice.minutes)
            for pause, span in pauses(time, choice.minutes, first, last):
                if not (pause and not operation.resumable and not operation.started):
                    found.setdefault((choice.unit, pause), []).append(span)
        return found

    def _start_range(self, operation: Operation, time: WorkTime, minutes: int) -> tuple[int, int]:
        """First and last working minute in which the run may start."""
        if operation.started:
            return 0, 0
        if operation.lock:
            return time.work(operation.lock.start), time.work(operation.lock.start)
        return time.work(self.problem.release_of(operation)), time.work(self.latest) - minutes


def pauses(time: WorkTime, minutes: int, first: int, last: int) -> list[tuple[int, list[int]]]:
    """Pieces of working minutes [first, last] by how long a run that starts there pauses.

    Returns:
        (pause in all, [first start minute, last start minute]), in order.
    """
    found: list[tuple[int, list[int]]] = []
    number = first
    while number <= last:
        final = number + minutes - 1
        same = min(time.room(number), time.room(final), last - number + 1)
        pause = time.at(final) - time.at(number) - (minutes - 1)
        found.append((pause, [time.at(number), time.at(number + same - 1)]))
        number += same
    return found
