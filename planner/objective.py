"""What a plan costs: one whole number by the published weights of the problem."""

from __future__ import annotations

from dataclasses import dataclass

from planner.problem import Problem
from planner.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Score:
    """The parts of the objective.

    Args:
        tardiness: Minutes late times order weight, all orders, maintenance among them.
        setup: Minutes of set-up.
        moved: Operations on another unit than published.
        shift: Minutes of start against the published start, each capped. A plan that moves nobody counts
            what is not frozen from the plan put right, a better one from the plan that moves nobody.
        flow: Minutes until each order of work is complete, summed; never below 0 an order.
        late: Orders that end after they are due, maintenance after its limit.
        makespan: Minute at which everything is complete.
        total: The objective, in points.
        overtime: Minutes of overtime that were agreed on. They are not in the total: no plan saves them.
    """

    tardiness: int
    setup: int
    moved: int
    shift: int
    flow: int
    late: int
    makespan: int
    total: int
    overtime: int = 0


@dataclass(frozen=True, slots=True)
class OrderPoints:
    """One order's part of the objective, makespan left out.

    Args:
        late: Minutes late.
        way: Points of its set-ups, moves and shifted starts.
        total: These and its lateness and flow, in points.
    """

    late: int
    way: int
    total: int


def order_ends(problem: Problem, schedule: Schedule) -> dict[str, int]:
    """Order id -> the minute its last planned operation ends."""
    ends: dict[str, int] = {}
    for operation in problem.operations:
        end = schedule.by_operation[operation.id].end
        ends[operation.order] = max(end, ends.get(operation.order, end))
    return ends


def score(problem: Problem, schedule: Schedule) -> Score:
    """Price a plan; lower is better."""
    weights = problem.weights
    tardiness = flow = late = 0
    ends = order_ends(problem, schedule)
    makespan = max(ends.values(), default=0)
    for name, end in ends.items():
        order = problem.order_by_id[name]
        lateness = max(0, end - order.due)
        tardiness += lateness * order.weight
        late += lateness > 0
        flow += end if order.kind == "work" else 0
    setup = sum(a.setup for a in schedule.assignments)
    moved = shift = 0
    for operation in problem.operations:
        if operation.published and not operation.started:
            now = schedule.by_operation[operation.id]
            moved += now.unit != operation.published.unit
            shift += min(weights.shift_cap, abs(now.start - operation.published.start))
    total = (
        weights.tardiness * tardiness
        + weights.setup * setup
        + weights.moved * moved
        + weights.shift * shift
        + weights.flow * flow
        + weights.makespan * makespan
    )
    return Score(tardiness, setup, moved, shift, flow, late, makespan, total, problem.overtime)


def points_by_order(problem: Problem, schedule: Schedule) -> dict[str, OrderPoints]:
    """Order id -> its part of the objective; the parts add up to the total without its makespan."""
    weights, found = problem.weights, {}
    ways = dict.fromkeys((operation.order for operation in problem.operations), 0)
    for operation in problem.operations:
        now, was = schedule.by_operation[operation.id], operation.published
        ways[operation.order] += weights.setup * now.setup
        if was and not operation.started:
            ways[operation.order] += weights.moved * (now.unit != was.unit)
            ways[operation.order] += weights.shift * min(weights.shift_cap, abs(now.start - was.start))
    for name, end in order_ends(problem, schedule).items():
        order = problem.order_by_id[name]
        late, flow = max(0, end - order.due), end if order.kind == "work" else 0
        points = weights.tardiness * late * order.weight + weights.flow * flow
        found[name] = OrderPoints(late, ways[name], ways[name] + points)
    return found
