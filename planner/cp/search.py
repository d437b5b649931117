"""Search the whole-plan model from a known plan; the decoder times whatever it finds.

The known plan is kept by the caller: CP-SAT may end without any answer although its hint is
complete and feasible, and then the known plan stands.

Source:
    OR-Tools issues 3750 and 4693 (hints lost when the limit strikes in presolve).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from planner import cp
from planner.cp.cp_sat import cp_model
from planner.cp.limit import UNLIMITED, stop_after
from planner.cp.model import PlanModel
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode
from planner.effort import Effort
from planner.objective import score
from planner.problem import Operation, Problem
from planner.progress import Watch
from planner.schedule import Schedule
from planner.share import CpShare
from planner.shop import only_the_end_counts

DETERMINISTIC_PER_SECOND = 0.2
"""Units of the solver's deterministic time that two idle cores spend in a second on a small plan."""

SMALL = 100
"""Operations above which a unit takes longer, in proportion (measured: two asked seconds are 1 to 3 CPU
seconds at 150 to 600)."""

UNPRESOLVED = 5_000
"""Constraints above which presolve eats the budget of a short search (measured)."""


@dataclass(slots=True)
class Found:
    """What the search brought.

    Args:
        status: "OPTIMAL", "FEASIBLE", "UNKNOWN" or "INFEASIBLE", of the model.
        bound: No plan costs less than this many points.
        schedule: The cheapest plan of all solutions, as the decoder times them; None if none.
        solutions: How many the search met.
        deterministic: Units of the solver's deterministic time that it used.
        cpu_s: CPU seconds from the building of the model on.
    """

    status: str = "UNKNOWN"
    bound: int = 0
    schedule: Schedule | None = None
    cost: int = 0
    solutions: int = 0
    seconds: float = 0.0
    deterministic: float = 0.0
    cpu_s: float = 0.0
    trail: list[tuple[float, int]] = field(default_factory=list)

    def spent(self, effort: Effort) -> float:
        """What it used of an effort on a small plan, in its seconds."""
        return self.cpu_s if effort.clocked else self.deterministic / DETERMINISTIC_PER_SECOND

    def share(self, before: int) -> CpShare:
        """What it brought to a plan of that cost."""
        after = before if self.schedule is None else min(before, self.cost)
        return CpShare(before, after, min(self.bound, after), self.solutions, round(self.deterministic, 3))


class Values(Protocol):
    """Something that knows the values of a solution."""

    def value(self, expression: cp_model.IntVar) -> int: ...

    def boolean_value(self, expression: cp_model.IntVar) -> bool: ...


def build(problem: Problem, incumbent: Schedule) -> PlanModel:
    """The model with all rules, and the incumbent as its hint."""
    end = max((a.end for a in incumbent.assignments), default=0)
    model = PlanModel(problem, end if only_the_end_counts(problem) else end + max(60, end // 4))
    for rule in cp.RULES:
        rule.add(model)
    model.close()
    model.hint(incumbent)
    return model


def improve(
    problem: Problem,
    incumbent: Schedule,
    effort: Effort,
    watch: Watch | None = None,
) -> Found:
    """Look for a plan that costs less than `incumbent`.

    Args:
        watch: Is told each plan that is better than all before, and asked whether to go on.
    """
    watch = watch or Watch()
    if watch.stop():
        return Found()
    began = time.process_time()
    model = build(problem, incumbent)
    solver = solver_of(model, effort)
    watcher = _Watcher(model, watch)
    seconds = effort.seconds - (time.process_time() - began) if effort.clocked else UNLIMITED
    with stop_after(seconds, solver.stop_search, watch.stop):
        status = solver.solve(model.cp, watcher)
    found = watcher.found
    found.status = str(solver.status_name(status))
    found.seconds = solver.wall_time
    found.deterministic = solver.response_proto.deterministic_time
    found.cpu_s = time.process_time() - began
    if status in {cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN}:
        found.bound = max(0, round(solver.best_objective_bound))
    return found


def solver_of(model: PlanModel, effort: Effort) -> cp_model.CpSolver:
    """The solver with its parameters; a counted effort knows no clock, or a busy machine would find less."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = effort.workers
    solver.parameters.random_seed = effort.seed
    if not effort.clocked:
        solver.parameters.interleave_search = effort.workers > 1
        solver.parameters.interleave_batch_size = 1  # it looks at its budget between batches only
        share = min(1.0, SMALL / max(1, len(model.problem.operations)))
        solver.parameters.max_deterministic_time = effort.seconds * DETERMINISTIC_PER_SECOND * share
    solver.parameters.catch_sigint_signal = False  # whoever runs the search hears it, see `planner.progress`
    solver.parameters.cp_model_probing_level = 0
    solver.parameters.symmetry_level = 0
    solver.parameters.cp_model_presolve = len(model.cp.proto.constraints) <= UNPRESOLVED
    return solver


def sequence(model: PlanModel, values: Values) -> list[Choice]:
    """The order of starts and the units of a solution, as a proposal for the decoder.

    Of those that start together, in one batch perhaps, who comes last goes first.
    """
    rows = []
    for row, operation in enumerate(model.problem.operations):
        modes = model.modes[operation.id]
        unit = next(mode.unit for mode in modes if values.boolean_value(mode.chosen))
        arrival = _arrival(model, values, operation) if model.problem.has_batches else 0
        rows.append((values.value(model.starts[operation.id]), -arrival, row, unit, operation.id))
    units = {name: unit for _, _, _, unit, name in sorted(rows)}
    problem = model.problem
    names = problem.ties.in_sequence(problem, list(units), units)
    return [Choice(name, units[name]) for name in names]


def _arrival(model: PlanModel, values: Values, operation: Operation) -> int:
    """When releases and steps before let an operation start."""
    ends = [values.value(model.ends[link.operation]) + link.lag for link in operation.predecessors]
    return max([model.problem.release_of(operation), *ends])


class _Watcher(cp_model.CpSolverSolutionCallback):
    """Times every solution by the decoder, and keeps the cheapest."""

    def __init__(self, model: PlanModel, watch: Watch) -> None:
        super().__init__()
        self._model, self._watch = model, watch
        self.found = Found()

    def on_solution_callback(self) -> None:
        """Called by CP-SAT with each better solution of its model."""
        self.found.solutions += 1
        try:
            plan = decode(self._model.problem, sequence(self._model, self))
        except LocksConflict:
            return  # the model lets a locked operation's set-up run through a break
        cost = score(self._model.problem, plan).total
        if self.found.schedule is None or cost < self.found.cost:
            self.found.schedule, self.found.cost = plan, cost
            self.found.trail.append((self.wall_time, cost))
            self._watch.met("cp-sat", cost, max(0, round(self.best_objective_bound)))
