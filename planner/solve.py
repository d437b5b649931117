"""Solve a problem: dispatch first, then annealing, CP-SAT for small plants, the checker last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from planner.bound import least_cost
from planner.checker import require_feasible
from planner.contradiction import Released
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import decode
from planner.dispatch import best_dispatch
from planner.effort import Effort
from planner.keeping import keep_locks
from planner.measure import in_seconds, moves_in
from planner.objective import Score, score
from planner.problem import Problem, Published
from planner.progress import Progress, Stop, Watch, never, unheard
from planner.schedule import Schedule
from planner.share import CpShare
from planner.shop import is_job_shop

if TYPE_CHECKING:  # loads the kernel
    from planner.anneal import Engine

DEFAULT = Effort()

ANNEALING_SHARE = 0.6
"""Of the effort where CP-SAT comes after the annealing."""

MOST_OPERATIONS = 600
"""Above this a whole-plan CP-SAT model finds nothing that dispatch does not (measured)."""

LEAST_OPERATIONS = 100
"""Up to this CP-SAT alone is about as good, and loading the kernel costs more than it brings. Plans of
the annealing cost 0.98 of CP-SAT's at 100 operations, 0.14 to 0.96 at 200 to 290, with the same CPU
(measured)."""

LEAST_OF_JOB_SHOP = 40
"""The same for job shops, where the tabu search is quicker than the annealing."""


@dataclass(frozen=True)
class Solution:
    """A checked plan and where it comes from.

    Args:
        solver: "cp-sat", "annealing", "tabu search" or "dispatch": which of them made the sequences. Who
            only proves that they are the best has not made them.
        rule: The dispatch rule that began, or "known".
        status: "optimal" when no plan is better, "stopped" when the search was told to end before its
            effort was spent, else "feasible".
        bound: No plan costs less than this many points.
        dispatch_objective: What the dispatch plan alone would have cost.
        cp: What CP-SAT brought; None where it was not asked.
        released: Locks that no plan can keep as things are now: this one is without them.
    """

    schedule: Schedule
    score: Score
    solver: str
    rule: str
    status: str
    bound: int
    dispatch_objective: int
    cp: CpShare | None = None
    released: tuple[Released, ...] = ()

    @property
    def gap(self) -> float | None:
        """Share of the objective that may still be saved: 0 is proved; None where no bound is known."""
        cost = self.score.total
        if cost <= self.bound:
            return 0.0
        return (cost - self.bound) / cost if self.bound > 0 else None

    @property
    def cp_share(self) -> float | None:
        """CP-SAT's part of what was saved against the dispatch plan; None where nothing was."""
        saved = self.dispatch_objective - self.score.total
        return self.cp.gain / saved if self.cp and saved > 0 else None


def wants_kernel(problem: Problem) -> bool:
    """Whether the kernel brings more than loading it costs."""
    least = LEAST_OF_JOB_SHOP if is_job_shop(problem) else LEAST_OPERATIONS
    return len(problem.operations) > least


def solve(
    problem: Problem,
    effort: Effort = DEFAULT,
    *,
    known: Schedule | None = None,
    before: Mapping[str, Published] | None = None,
    grid: bool = True,
    on_better: Callable[[Progress], None] = unheard,
    stop: Stop = never,
) -> Solution:
    """Plan the plant.

    Args:
        known: A feasible plan to start from, beside those of the dispatch rules.
        before: Operation id -> its place before something happened: the annealing of a known plan begins
            with what of that still holds, if it costs less.
        grid: Try all dispatch rules; without, `known` is the only start.
        on_better: Called with every plan that beats the ones before, as it is met.
        stop: Asked again and again; once it says so, the best plan until then is the answer. There is
            always one: that of the first rule.

    Raises:
        LocksConflict: The locks cannot be kept; names the operation and the remedy.
        InfeasiblePlan: The checker refuses the plan: a fault of the planner, never of the data.
    """
    if effort.kernel and wants_kernel(problem):
        import_module("planner.anneal")  # the kernel is loaded before the clock begins
    watch, effort = Watch(on_better, stop), in_seconds(problem, effort)
    found = _searched(problem, effort, known, watch, before=before or {}, grid=grid)
    is_cut = stop() and found.status != "optimal" and effort.seconds > 0
    return replace(found, status="stopped") if is_cut else found


def _searched(
    problem: Problem,
    effort: Effort,
    known: Schedule | None,
    watch: Watch,
    *,
    before: Mapping[str, Published],
    grid: bool,
) -> Solution:
    ends = time.process_time() + effort.seconds
    uses_kernel = effort.kernel and wants_kernel(problem)
    starts = [("known", known)] if known is not None else []
    engine: Engine | None = None
    try:
        engine = _engine(problem) if uses_kernel else None
        if known is None or (grid and not uses_kernel):
            starts.append(_first_plan(problem, engine, watch.stop))
    except LocksConflict as refused:
        engine = None
        if known is None:
            kept = keep_locks(problem, refused)
            starts.append((kept.rule, kept.schedule))
            engine = _engine(kept.pinned) if uses_kernel and kept.pinned else None
    rule, first = min(starts, key=lambda start: score(problem, start[1]).total)
    require_feasible(problem, first)
    cost = score(problem, first)
    watch.met("dispatch", cost.total)
    bare = Solution(first, cost, "dispatch", rule, "feasible", 0, cost.total)
    if watch.stop():
        return bare
    bare = _judged(bare, least_cost(problem))
    watch.knows(bare.bound)
    if effort.seconds <= 0 or bare.status == "optimal" or watch.stop():
        return bare
    if engine and engine.is_bare:
        return _by_portfolio(engine, bare, _part(effort, 1.0, ends), watch)
    is_small = len(problem.operations) <= MOST_OPERATIONS
    share = (ANNEALING_SHARE if is_small else 1.0) if engine else 0.0
    if engine:
        bare = _with_annealing(problem, engine, bare, _part(effort, share, ends), watch, before=before)
    if bare.status == "optimal" or not is_small:
        return bare
    return _with_cp(problem, bare, _part(effort, 1 - share, ends), watch)


def _judged(found: Solution, bound: int) -> Solution:
    """The plan with what is known of all plans: it is the best where none costs less."""
    bound = min(max(bound, found.bound), found.score.total)
    return replace(found, bound=bound, status="optimal" if bound == found.score.total else "feasible")


def _part(effort: Effort, share: float, ends: float) -> Effort:
    """A share of an effort; of a clock that ends not more than is left."""
    seconds = share * effort.seconds
    if effort.clocked:
        seconds = max(0.0, min(seconds, ends - time.process_time()))
    return replace(effort, seconds=seconds)


def _engine(problem: Problem) -> Engine:
    from planner.anneal import Engine
    from planner.pack import pack

    return Engine(pack(problem))


def _first_plan(problem: Problem, engine: Engine | None, stop: Stop) -> tuple[str, Schedule]:
    """The cheapest plan of the dispatch rules, with the name of its rule."""
    if engine is None:
        return best_dispatch(problem, stop)
    best = engine.grid(stop)
    return best.rule, decode(problem, engine.choices(best))


def _by_portfolio(engine: Engine, bare: Solution, effort: Effort, watch: Watch) -> Solution:
    from planner.portfolio import Portfolio

    problem = engine.packed.problem
    found = Portfolio(engine, bare.schedule, effort, watch).search()
    require_feasible(problem, found.schedule)
    cost = score(problem, found.schedule)
    solver = found.solver or bare.solver
    best = replace(bare, schedule=found.schedule, score=cost, solver=solver, cp=found.cp)
    return _judged(best, found.bound)


def _with_annealing(
    problem: Problem,
    engine: Engine,
    bare: Solution,
    effort: Effort,
    watch: Watch,
    *,
    before: Mapping[str, Published],
) -> Solution:
    from planner.anneal import Budget

    counted = moves_in(effort.seconds, len(problem.operations), counts_people=engine.packed.has_people)
    budget = Budget(effort.seconds, None if effort.clocked else counted, effort.seed, effort.chains)
    met = partial(watch.met, "annealing")
    known = engine.sequences(bare.schedule)
    if before and engine.sees_gaps:
        known.cost = engine.retime(known)
        known = min(known, engine.gone_on(before), key=lambda plan: plan.cost)
    begun = engine.begun(before) if before else None
    found = engine.search(budget, known=known, before=begun, on_better=met, stop=watch.stop)
    try:
        plan = decode(engine.packed.problem, engine.choices(found))
    except LocksConflict:
        return bare  # the kernel does not see what a lock waits for
    cost = score(problem, plan)
    if cost.total >= bare.score.total:
        return bare
    require_feasible(problem, plan)
    watch.met("annealing", cost.total)
    return _judged(replace(bare, schedule=plan, score=cost, solver="annealing"), bare.bound)


def _with_cp(problem: Problem, bare: Solution, effort: Effort, watch: Watch) -> Solution:
    from planner.cp.search import improve

    found = improve(problem, bare.schedule, effort, watch)
    best = replace(bare, cp=found.share(bare.score.total))
    if found.schedule is not None and found.cost < bare.score.total:
        require_feasible(problem, found.schedule)
        cost = score(problem, found.schedule)
        best = replace(best, schedule=found.schedule, score=cost, solver="cp-sat")
    best = _judged(best, found.bound)
    return _varied(problem, best, effort, found.spent(effort), watch) if found.status == "OPTIMAL" else best


def _varied(problem: Problem, bare: Solution, effort: Effort, spent: float, watch: Watch) -> Solution:
    """The model has no cheaper plan: what is left goes into plans beside that which it led to."""
    from planner.vary import tries_in, varied

    left, count = effort.seconds - spent, len(problem.operations)
    ends = time.process_time() + left if effort.clocked else math.inf
    plan = varied(
        problem,
        bare.schedule,
        bound=bare.bound,
        tries=tries_in(math.inf if effort.clocked else left, count),
        seed=effort.seed,
        stop=lambda: watch.stop() or time.process_time() > ends,
        on_better=partial(watch.met, "annealing"),
    )
    cost = score(problem, plan)
    if cost.total >= bare.score.total:
        return bare
    require_feasible(problem, plan)
    return _judged(replace(bare, schedule=plan, score=cost, solver="annealing"), bare.bound)
