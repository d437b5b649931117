"""A new plan when something has happened: at once one that moves nobody, then a better one.

Before anything is searched the published plan is put right, so that the floor has one that holds. The
first answer keeps every published operation on its unit and, where what happened allows
it, in its order: as it was where that is cheapest, else the old order is the priority of a new dispatch, or,
by the kernel, what would begin later goes into gaps (after a breakdown, pushing the old plan to the right
costs many times more: delays amplify over closed hours). CP-SAT then finds the places of new work between.
The second answer is free to move what is not frozen; it is a proposal, because people have read the old plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby

from planner.checker import require_feasible
from planner.contradiction import Released
from planner.decoder.chains import earliest_chain, settle
from planner.decoder.fitting import Decoder
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, proposal_of
from planner.decoder.turns import InOrder, in_turn
from planner.difference import Difference, by_cause, difference
from planner.dispatch import WAITS, best_dispatch, dispatch, ranked
from planner.effort import Effort
from planner.fault import InvalidProblem
from planner.keeping import keep_locks, release_fewest
from planner.objective import order_ends, score
from planner.problem import Alternative, Operation, Problem, Published
from planner.progress import Progress, Stop, never, unheard
from planner.schedule import Schedule
from planner.solve import Solution, solve, wants_kernel
from planner.stands import says_less, to_the_minute

LEAST_GAIN = 20
"""Points that a change must save before people are asked to read a new plan."""


@dataclass(frozen=True)
class Replanned:
    """What to do now.

    Args:
        kept: The plan that moves nobody; new work has its place in it.
        better: A plan that costs less by moving published work; None when there is none.
        changes: What `better` changes against `kept`, with its causes.
        kept_objective: What `kept` costs in the measure of `better`: changes are counted from it.
        fresh: Nothing was published before: `kept` is a first plan.
    """

    kept: Solution
    better: Solution | None
    changes: Difference | None
    kept_objective: int
    fresh: bool


def replan(
    problem: Problem,
    effort: Effort,
    *,
    consider_moving: bool = True,
    on_repaired: Callable[[Solution], None] = lambda _solution: None,
    on_kept: Callable[[Solution], None] = lambda _solution: None,
    on_better: Callable[[Progress], None] = unheard,
    stop: Stop = never,
) -> Replanned:
    """Plan again after something happened.

    The plant is never left without a plan: of locks that contradict each other, or what is true now, the
    fewest are left out, and the answer says which and why.

    Args:
        problem: The plant as it is now; `published` places are those of the plan in force.
        consider_moving: Look for a better plan that moves published work even when no order
            is late.
        on_repaired: Called with the published plan put right, before anything is searched; not where
            nothing was published.
        on_kept: Called with the first answer as soon as it is there.
        on_better: Called with every plan of the longest search that beats the ones before.
        stop: Once it says so, what was found by then is the answer.
    """
    released: tuple[Released, ...] = ()

    def told(tell: Callable[[Solution], None]) -> Callable[[Solution], None]:
        return lambda plan: tell(replace(plan, released=released))

    tell = _Tell(told(on_repaired), told(on_kept), on_better)
    while True:
        try:
            found = _replanned(problem, effort, tell, stop, consider_moving=consider_moving)
        except LocksConflict as refused:
            rest = release_fewest(problem, refused)
            problem = rest.problem
            released += rest.released
        else:
            better = replace(found.better, released=released) if found.better else None
            return replace(found, kept=replace(found.kept, released=released), better=better)


@dataclass(frozen=True, slots=True)
class _Tell:
    """Who is told of what; see `replan`."""

    repaired: Callable[[Solution], None]
    kept: Callable[[Solution], None]
    better: Callable[[Progress], None]


def _replanned(
    problem: Problem, effort: Effort, tell: _Tell, stop: Stop, *, consider_moving: bool
) -> Replanned:
    fresh = not any(o.published for o in problem.operations)
    if fresh:
        kept = solve(problem, effort, on_better=tell.better, stop=stop)
    else:
        repaired = _at_once(problem, uses_kernel=effort.kernel and wants_kernel(problem))
        tell.repaired(repaired)
        kept = _without_moving(problem, effort, repaired, stop)
    tell.kept(kept)
    alone = Replanned(kept, None, None, kept.score.total, fresh)
    if fresh or stop() or not (consider_moving or kept.score.late):
        return alone
    read = as_read(problem, kept.schedule)
    cost = score(read, kept.schedule).total
    before = published_places(problem)
    best = solve(read, effort, known=kept.schedule, before=before, on_better=tell.better, stop=stop)
    changes = difference(read, kept.schedule, best.schedule)
    gain = cost - best.score.total
    if gain < LEAST_GAIN or not (changes.moved or changes.late or changes.saved):
        return alone
    told = by_cause(changes, read, kept.schedule, best.schedule)
    return Replanned(kept, best, told, cost, fresh)


def as_read(problem: Problem, kept: Schedule) -> Problem:
    """The problem as people see it who have read `kept`: changes are counted from there."""
    rows = tuple(replace(o, published=_place(o, kept)) if o.published else o for o in problem.operations)
    return replace(problem, operations=rows)


def _place(operation: Operation, plan: Schedule) -> Published:
    row = plan.by_operation[operation.id]
    return Published(row.unit, row.start)


def repair(problem: Problem) -> Schedule:
    """Dispatch what is published again, in its old order and on its units; new work fills gaps.

    Raises:
        LocksConflict: The locks cannot be kept.
    """
    names = in_turn(problem, published_places(problem))
    return with_the_rest(problem, dispatch(published_plant(problem), ranked(names), WAITS[1]))


def as_published(problem: Problem) -> Schedule:
    """The plan in force on the plant as it is now, each unit in its published order; new work fills gaps.

    Ten times quicker than `repair`, and good while nothing has broken since it was published.

    Raises:
        LocksConflict: The locks cannot be kept.
    """
    places, old = published_places(problem), published_plant(problem)
    again = decode(old, [Choice(name, places[name].unit) for name in in_turn(problem, places)])
    plan = with_the_rest(problem, again)
    exact = to_the_minute(old, again) if says_less(problem) else None
    if exact is None or score(old, again).tardiness <= score(old, exact).tardiness:
        return plan
    return with_the_rest(problem, exact)


def published_places(problem: Problem) -> dict[str, Published]:
    """Operation id -> where the plan in force has it."""
    return {o.id: o.published for o in problem.operations if o.published}


def with_the_rest(problem: Problem, plan: Schedule) -> Schedule:
    """A plan of some operations as it is, with the others of the problem in its gaps.

    Raises:
        LocksConflict: The locks cannot be kept.
    """
    decoder = Decoder(problem)
    ties, known, planned = problem.ties, problem.operation_by_id, plan.by_operation
    for assignment in plan.assignments:
        chain = ties.chain(known[ties.head(assignment.operation)])
        if not decoder.is_placed(assignment.operation) and all(o.id in planned for o in chain):
            decoder.keep(assignment)
    if decoder.buffers:
        return _with_places(problem, plan, decoder)
    for name in in_gaps(problem, decoder):
        for fit in earliest_chain(decoder, ties.chain(known[name])):
            decoder.place(fit)
    return decoder.schedule()


def _with_places(problem: Problem, plan: Schedule, decoder: Decoder) -> Schedule:
    """As `with_the_rest`, where steps need places in buffers; timed again where the plan leaves none."""
    known, ties = problem.operation_by_id, problem.ties
    rows = [step for name in in_gaps(problem, decoder) for step in ties.chain(known[name])]
    if _find_gaps(decoder, rows):
        return decoder.schedule()
    fastest = {o.id: min(o.alternatives, key=lambda a: a.minutes).unit for o in rows}
    new = [Choice(name, unit) for name, unit in fastest.items()]
    return decode(problem, [*proposal_of(problem, plan), *new])


def _find_gaps(decoder: Decoder, rows: list[Operation]) -> bool:
    """Place operations in gaps; False where the plan without them has left no room in a buffer."""
    known, ties = decoder.problem.operation_by_id, decoder.problem.ties
    try:
        for _, steps in groupby(rows, key=lambda o: known[ties.head(o.id)].order):
            settle(decoder, tuple(steps))
    except LocksConflict:
        return False
    return not (decoder.buffers and decoder.buffers.is_overfull())


def published_plant(problem: Problem) -> Problem:
    """What was planned before, each on its unit, and whatever it waits for.

    Nobody gets the material that is pegged to work which is not in it.
    """
    old = _published_work(problem)
    stay = tuple(_staying(_supplied(problem, o)) for o in problem.operations if o.id in old)
    return replace(problem, operations=stay)


def _published_work(problem: Problem) -> set[str]:
    """What was planned before, whatever it waits for, and what follows it at a greatest lag."""
    ties, known = problem.ties, problem.operation_by_id
    old = {o.id for o in problem.operations if o.published or o.started or o.lock}
    waiting = list(old)
    while waiting:
        operation = known[waiting.pop()]
        chain = {o.id for o in ties.chain(known[ties.head(operation.id)])}
        found = (chain | {link.operation for link in operation.predecessors}) - old
        old |= found
        waiting += found
    return old


def _supplied(problem: Problem, operation: Operation) -> Operation:
    pegged = problem.pegged.get(operation.id, ())
    return replace(operation, releases=(*operation.releases, *pegged), materials=())


def _staying(operation: Operation) -> Operation:
    place = operation.published
    if place is None or operation.fixed_unit is not None:
        return operation
    only = Alternative(place.unit, operation.minutes_on(place.unit))
    return replace(operation, alternatives=(only,))


def in_gaps(problem: Problem, decoder: Decoder) -> list[str]:
    """The operations without a place: earliest due order first, each after its predecessors."""
    order = InOrder(problem, decoder)
    rows = [o for o in problem.operations if not decoder.is_placed(o.id)]
    due = {row.id: row.due for row in problem.orders}
    found: list[str] = []
    for operation in sorted(rows, key=lambda o: due[o.order]):
        stack = [operation.id] if order.is_ready(operation.id) else []
        while stack:
            found.append(stack.pop())
            stack += reversed(order.placed(found[-1]))
    return found


def _at_once(problem: Problem, *, uses_kernel: bool) -> Solution:
    """The repaired plan, checked, without a search."""
    plan = _by_kernel(problem) if uses_kernel else None
    plan = plan or _repaired(problem)
    require_feasible(problem, plan)
    cost = score(problem, plan)
    return Solution(plan, cost, "dispatch", "known", "feasible", 0, cost.total)


def _without_moving(problem: Problem, effort: Effort, repaired: Solution, stop: Stop) -> Solution:
    """The repaired plan, with new work where it disturbs nobody."""
    plan = repaired.schedule
    try:
        anchored = replace(problem, operations=tuple(_anchor(o, plan) for o in problem.operations))
    except InvalidProblem:
        return repaired  # somebody is between two that are tied: their times stand, and no order says so
    found = solve(anchored, effort, known=plan, grid=False, stop=stop)
    if _harms(problem, plan, found.schedule):
        cost = score(anchored, plan)
        cp = found.cp.unused if found.cp else None
        found = replace(found, schedule=plan, score=cost, solver="dispatch", status="feasible", cp=cp)
    return found


def _by_kernel(problem: Problem) -> Schedule | None:
    """The repaired plan, in a third of the time; None where the kernel's plan does not keep the locks.

    What would begin later is put into gaps of its unit, too: after a long stop that costs half of what a new
    dispatch does.
    """
    from planner.mend import mended

    try:
        plan = with_the_rest(problem, mended(published_plant(problem), published_places(problem)))
        ways = [plan, as_published(problem)] if says_less(problem) else [plan]
    except LocksConflict:
        return None
    return min(ways, key=lambda way: score(problem, way).total)


def _repaired(problem: Problem) -> Schedule:
    """The cheaper of the plan as it was and its work dispatched again; a new one where nobody can stay.

    Where nothing is in the way the plan as it was holds; a dispatch would give the person whom it keeps for
    a step of soon to whatever may begin now.
    """
    found: list[Schedule] = []
    for way in (as_published, repair):
        try:
            found.append(way(problem))
        except LocksConflict as refused:
            conflict = refused
    if not found and any(o.lock for o in problem.operations):
        return keep_locks(problem, conflict).schedule
    if not found:  # on their units they wait for each other's places in a buffer
        return best_dispatch(problem)[1]
    return min(found, key=lambda plan: score(problem, plan).total)


def _anchor(operation: Operation, repaired: Schedule) -> Operation:
    if operation.published is None or operation.started or operation.lock or operation.frozen:
        return operation
    return replace(operation, kept=True, published=_place(operation, repaired))


def _harms(problem: Problem, repaired: Schedule, found: Schedule) -> bool:
    """Whether an order that was planned before gets later than the repaired plan has it."""
    old = {o.order for o in problem.operations if o.published or o.started}
    before, after = order_ends(problem, repaired), order_ends(problem, found)
    due = {order.id: order.due for order in problem.orders}
    return any(after[name] > max(before[name], due[name]) for name in old)
