"""Can all locks be kept, and if not, which of them contradict each other?

Every lock is an assumption of a model that has no objective. Beside the locked work there is in it only
what that is tied to: the steps before it, work under way, frozen work, and what is kept before any of these
on a unit. All else can come behind it, so the model is small in a large plant, too, and what it cannot do no
plan can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import permutations
from typing import Protocol

from planner import cp
from planner.contradiction import Contradiction, LockedPlace, Mend, unlocked
from planner.cp import (
    batches,
    capacity,
    changeovers,
    frozen,
    lags,
    makespan,
    people,
    precedence,
    setups,
    stability,
    tardiness,
    tools,
)
from planner.cp.cp_sat import cp_model
from planner.cp.model import PlanModel
from planner.cp.search import Values, sequence
from planner.decoder.proposal import Choice
from planner.problem import Calendar, Operation, Problem, Window


class Rule(Protocol):
    """Adds its constraints to a model."""

    def add(self, model: PlanModel, /) -> None: ...


HELD: list[Rule] = [changeovers.Held("people"), changeovers.Held("tool")]

NAMES: dict[Rule, str] = {
    capacity: "unit",
    batches: "batch",
    precedence: "route",
    lags: "route",
    frozen: "frozen",
    people: "people",
    tools: "tool",
    setups: "setup",
    changeovers: "setup",
    HELD[0]: "people",
    HELD[1]: "tool",
}

PRICES: tuple[Rule, ...] = (tardiness, stability, makespan)

BINDING: tuple[Rule, ...] = (
    *(rule for rule in cp.RULES if rule not in PRICES),
    *(rule for rule in NAMES if rule not in cp.RULES),
)
"""The rules that forbid plans, set-ups to the minute; the others only price them."""

BUDGET = 4.0
"""Deterministic time for all questions about one problem: half a minute of one core at most."""

MOST_HELPERS = 200
"""Operations up to which all are in the model where work that nothing is tied to may spare a set-up.

What set-ups need is left out in larger plants: then a plan may be looked for that is not there."""

Relaxed = Callable[[Problem], Problem]


class Unproved(Exception):
    """The budget was spent before there was an answer."""


class Budget:
    """What is left of the deterministic time for questions."""

    def __init__(self, units: float = BUDGET) -> None:
        self.left = units

    def solve(
        self, model: cp_model.CpModel, watcher: cp_model.CpSolverSolutionCallback | None = None
    ) -> tuple[cp_model.CpSolver, bool]:
        """Solve a model; returns the solver, and whether there is a solution.

        Raises:
            Unproved: Neither found nor excluded.
        """
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 1
        solver.parameters.linearization_level = 0
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.symmetry_level = 0
        solver.parameters.max_deterministic_time = max(self.left, 0.0)
        status = solver.solve(model, watcher)
        self.left -= solver.response_proto.deterministic_time
        if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.INFEASIBLE}:
            raise Unproved
        return solver, status != cp_model.INFEASIBLE


class LockModel:
    """The plant with some locks as assumptions; all others are off.

    Args:
        names: The operations whose locks are asked about.
        rules: The rules in force.
    """

    def __init__(self, problem: Problem, names: Collection[str], rules: Iterable[Rule] = BINDING) -> None:
        self.locks = {o.id: o.lock for o in problem.operations if o.lock and o.id in names}
        self._whole = len(problem.operations)
        rules, helped = list(rules), _helped(problem)
        if len(problem.operations) > MOST_HELPERS:
            rules = [rule for rule in rules if rule not in helped]
        loose = loosened(problem, names, is_whole=any(rule in helped for rule in rules))
        self.plan = PlanModel(loose, _latest(loose, [lock.start for lock in self.locks.values()]))
        for rule in rules:
            rule.add(self.plan)
        self.cp = self.plan.cp
        self.kept = {name: self.cp.new_bool_var(f"lock {name}") for name in self.locks}
        for name, lock in self.locks.items():
            self.cp.add_implication(self.kept[name], self.plan.on(name, lock.unit))
            self.cp.add(self.plan.starts[name] == lock.start).only_enforce_if(self.kept[name])

    def core(self, names: Collection[str], budget: Budget) -> set[str] | None:
        """Locks among `names` that no plan keeps together, perhaps too many; None when all can be kept.

        Raises:
            Unproved: The budget is spent.
        """
        self.cp.clear_assumptions()
        self.cp.add_assumptions([self.kept[name] for name in names])
        solver, is_feasible = budget.solve(self.cp)
        if is_feasible:
            return None
        told = set(solver.sufficient_assumptions_for_infeasibility())
        found = {name for name in names if self.kept[name].index in told}
        return found or set(names)  # presolve may prove it without saying by which

    def most(self, budget: Budget) -> set[str]:
        """As many locks as a plan can keep; of equally many those of dearer orders, then the earlier ones.

        Raises:
            Unproved: The budget is spent; or the model has no plan even without locks, so it proves nothing.
        """
        self.cp.clear_assumptions()
        turns = sorted(self.locks, key=lambda name: -self.locks[name].start)
        weight = {o.id: o.weight for o in self.plan.problem.orders}
        orders = {o.id: o.order for o in self.plan.problem.operations}
        gain = {name: weight[orders[name]] * len(turns) + rank for rank, name in enumerate(turns)}
        first = sum(gain.values()) + 1
        self.cp.maximize(
            cp_model.LinearExpr.weighted_sum(
                [self.kept[name] for name in turns], [first + gain[name] for name in turns]
            )
        )
        solver, is_feasible = budget.solve(self.cp)
        if not is_feasible:
            raise Unproved
        self.cp.minimize(0)
        return {name for name in turns if solver.boolean_value(self.kept[name])}

    def nearest(self, name: str, budget: Budget) -> int | None:
        """The minute next to its lock at which an operation can start on that unit, all others kept."""
        lock = self.locks[name]
        self.cp.clear_assumptions()
        self.cp.add_assumptions([self.kept[other] for other in self.locks if other != name])
        self.cp.add_assumptions([self.plan.on(name, lock.unit)])
        distance = self.cp.new_int_var(0, self.plan.latest, "")
        self.cp.add_abs_equality(distance, self.plan.starts[name] - lock.start)
        self.cp.minimize(distance)
        solver, is_feasible = budget.solve(self.cp)
        self.cp.minimize(0)
        return int(solver.value(self.plan.starts[name])) if is_feasible else None

    def find(self, accept: Callable[[list[Choice]], bool], budget: Budget) -> None:
        """Offer orders in which a plan could keep all locks, until one is accepted.

        Raises:
            Unproved: The budget is spent, or no order was accepted.
        """
        self.cp.clear_assumptions()
        for kept in self.kept.values():
            self.cp.add(kept == 1)
        self.cp.minimize(cp_model.LinearExpr.sum(list(self.plan.starts.values())))
        watcher = _Offers(self.plan, accept, self._whole)
        budget.solve(self.cp, watcher)
        if not watcher.is_accepted:
            raise Unproved


MOST_OFFERED = 40_000
"""Operations in all the orders that are offered: to time one of them is no part of the solver's budget."""


class _Offers(cp_model.CpSolverSolutionCallback):
    """Offers the order of every solution."""

    def __init__(self, plan: PlanModel, accept: Callable[[list[Choice]], bool], whole: int) -> None:
        super().__init__()
        self._plan, self._accept, self._whole = plan, accept, whole
        self.is_accepted = False
        self._left = MOST_OFFERED

    def on_solution_callback(self) -> None:
        """Called by CP-SAT with each solution that starts work earlier."""
        if self._accept(by_begin(self._plan, self)):
            self.is_accepted = True
        self._left -= self._whole
        if self.is_accepted or self._left <= 0:
            self.stop_search()


def by_begin(plan: PlanModel, values: Values) -> list[Choice]:
    """The order of a solution by the beginnings of set-ups: who begins later finds all others placed."""
    begins: dict[str, int] = {}
    families = {unit.id: unit.family for unit in plan.problem.units}
    turns = sequence(plan, values)
    for choice in turns:
        operation = plan.problem.operation_by_id[choice.operation]
        setup = plan.problem.setup_minutes(choice.unit, families[choice.unit], operation.family)
        time = plan.times[choice.unit]
        begins[operation.id] = time.at(max(0, time.work(values.value(plan.starts[operation.id])) - setup))
        families[choice.unit] = operation.family
    return sorted(turns, key=lambda choice: begins[choice.operation])


def contradiction(problem: Problem, core: Collection[str], budget: Budget) -> Contradiction:
    """Shrink locks that no plan keeps together to a smallest set, and say why it is one.

    Raises:
        Unproved: The budget is spent; or no lock is in the set, which says nothing.
    """
    if not core:
        raise Unproved
    model = LockModel(problem, core)
    left = sorted(model.locks, key=lambda name: model.locks[name].start)
    for name in list(left):
        if name in left and len(left) > 1:
            found = model.core([other for other in left if other != name], budget)
            if found is not None:
                left = [other for other in left if other in found]
    small = LockModel(problem, left)
    mends = [Mend(name, small.nearest(name, budget)) for name in left]
    locks = tuple(LockedPlace(name, lock.unit, lock.start) for name, lock in small.locks.items())
    start = {lock.operation: lock.start for lock in locks}

    def distance(mend: Mend) -> tuple[bool, int]:
        return mend.minute is None, abs((mend.minute or 0) - start[mend.operation])

    rules = tuple(dict.fromkeys(_rules_needed(problem, left, budget)))
    return Contradiction(locks, rules, tuple(sorted(mends, key=distance)))


def _rules_needed(problem: Problem, names: Collection[str], budget: Budget) -> Iterator[str]:
    """The rules without any of which the locks could be kept, given that the ones before are off."""
    rules: list[Rule] = list(BINDING)
    for code, relaxed in RELAXATIONS:
        other = relaxed(problem)
        if LockModel(other, names, rules).core(names, budget) is None:
            yield code
        else:
            problem = other
    last = (precedence, capacity)  # what is said only where nothing more special is at fault
    exact = [rule for rule in BINDING if rule not in cp.RULES]
    for rule in [*exact, *(r for r in BINDING if r not in (*exact, *last)), *last]:
        others = [other for other in rules if other is not rule]
        if LockModel(problem, names, others).core(names, budget) is None:
            yield NAMES.get(rule) or str(getattr(rule, "__name__", "")).rpartition(".")[2]
        else:
            rules = others


def _with_material(problem: Problem) -> Problem:
    rows = tuple(replace(o, releases=(), materials=()) for o in problem.operations)
    return replace(problem, operations=rows, materials=())


def _without_stops(problem: Problem) -> Problem:
    return replace(problem, units=tuple(replace(unit, stops=()) for unit in problem.units))


def _always_open(problem: Problem) -> Problem:
    whole = (Window(0, problem.horizon),)
    return replace(problem, calendars=tuple(Calendar(row.id, whole) for row in problem.calendars))


RELAXATIONS: tuple[tuple[str, Relaxed], ...] = (
    ("material", _with_material),
    ("stop", _without_stops),
    ("calendar", _always_open),
)


def loosened(problem: Problem, names: Collection[str], *, is_whole: bool) -> Problem:
    """The locked work and what it is tied to, with every lock off; each waits for the material it waits for.

    Who was locked is held by nothing else: frozen or kept work is where its lock has it.

    Args:
        is_whole: All other work, too.
    """
    if is_whole:
        rows: Iterable[Operation] = problem.operations
    else:
        wanted = tied(problem, names)
        rows = [o for o in problem.operations if o.id in wanted]
    waits = tuple(replace(o, releases=problem.releases_of(o), materials=()) for o in rows)
    locked = {o.id for o in waits if o.lock}
    return unlocked(replace(problem, operations=waits, materials=()), locked)


def tied(problem: Problem, names: Collection[str]) -> set[str]:
    """Operations that locked ones depend on: all others can be done behind them."""
    held = (o.id for o in problem.operations if o.started or (o.frozen and not o.lock))
    found = {*names, *held}
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        links = problem.operation_by_id[name].predecessors
        for before in (*(link.operation for link in links), *problem.kept_order.get(name, ())):
            if before not in found:
                found.add(before)
                waiting.append(before)
    return found


def _latest(problem: Problem, starts: Iterable[int]) -> int:
    """A minute by which all can be done one after the other, behind all locks and the horizon."""
    rows = problem.operations
    setups = [row.minutes for center in problem.work_centers for row in center.setups]
    work = sum(max(a.minutes for a in o.alternatives) for o in rows) + len(rows) * max(setups, default=0)
    lags = sum(max((link.lag for link in o.predecessors), default=0) for o in rows)
    begin = max([problem.horizon, *starts, *(problem.release_of(o) for o in rows)])
    return begin + work + lags


def _helped(problem: Problem) -> list[Rule]:
    """The rules that more work can help to keep: set up for in its turn, with people of its own."""
    if _is_roundabout(problem):
        return [setups, changeovers, *HELD]
    return HELD if any(problem.setup_tables.values()) else []


def _is_roundabout(problem: Problem) -> bool:
    """Whether a change of families can take less by way of another one, so that more work may help."""
    families = {o.family for o in problem.operations}
    minutes = problem.setup_minutes
    centers = {unit.work_center: unit.id for unit in problem.units}
    return any(
        minutes(unit, a, c) > minutes(unit, a, b) + minutes(unit, b, c)
        for unit in centers.values()
        if problem.setup_tables[unit]
        for a, b, c in permutations(families, 3)
    )
