"""How large the numbers of a problem may be: what can be counted, and what a slip of the hand is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from planner.fault import Fault

if TYPE_CHECKING:
    from planner.problem import Operation, Problem, Tool

LONGEST_MIN = 10 * 366 * 1440
"""Ten years: the furthest horizon, and the longest run, set-up, lag or wait."""

MOST_POINTS = 1 << 60
"""What a plan may cost: sums of two of them are still whole numbers of 64 bits."""


def range_faults(problem: Problem) -> Iterator[Fault]:
    """The numbers of a problem that are out of their range, and rows of which only one could hold."""
    if problem.horizon > LONGEST_MIN:
        yield Fault("problem", f"horizon is {problem.horizon}", f"Give at most {LONGEST_MIN}, ten years")
    yield from _weight_faults(problem)
    yield from _setup_faults(problem)
    for tool in problem.tools:
        yield from _away_faults(tool)
    for material in problem.materials:
        for receipt in material.receipts:
            yield from _minute_faults(f"materials {material.id}", {"receives at minute": receipt.at})
    for operation in problem.operations:
        yield from _operation_faults(operation)


def _weight_faults(problem: Problem) -> Iterator[Fault]:
    """Weights below nought, and costs that no number of 64 bits holds."""
    below = {name: value for name, value in asdict(problem.weights).items() if value < 0}
    for name, value in below.items():
        yield Fault("weights", f"{name} is {value}", "Give 0 or more")
    points = _most_points(problem)
    if points > MOST_POINTS and not below:
        what = f"could add up to {points} points for a plan"
        yield Fault("weights", what, f"Give smaller ones: {MOST_POINTS} can be counted")


def _most_points(problem: Problem) -> int:
    """What a plan costs that does one thing after the other, behind the horizon."""
    weights, operations, orders = problem.weights, len(problem.operations), problem.orders
    setups = operations * max((s.minutes for c in problem.work_centers for s in c.setups), default=0)
    last = problem.horizon + sum(map(_longest, problem.operations)) + setups
    late = last - min((order.due for order in orders), default=0)
    return (
        weights.tardiness * late * sum(order.weight for order in orders)
        + weights.setup * setups
        + weights.flow * last * len(orders)
        + weights.makespan * last
        + (weights.moved + weights.shift * weights.shift_cap) * operations
    )


def _longest(operation: Operation) -> int:
    """The most minutes that an operation adds to a plan."""
    runs = max((choice.minutes for choice in operation.alternatives), default=0)
    return runs + sum(link.lag for link in operation.predecessors)


def _setup_faults(problem: Problem) -> Iterator[Fault]:
    for center in problem.work_centers:
        row = f"work_centers {center.id}"
        for (before, after), times in Counter((s.from_family, s.to_family) for s in center.setups).items():
            if times > 1:
                what = f"has {times} set-ups from {before or 'any family'} to {after}"
                yield Fault(row, what, "Keep the one that holds")
        for setup in center.setups:
            yield from _minute_faults(row, {f"changes to {setup.to_family} in": setup.minutes})


def _away_faults(tool: Tool) -> Iterator[Fault]:
    """More of a tool away at one time than there is of it."""
    changes = [(away.start, away.count) for away in tool.away]
    changes += [(away.end, -away.count) for away in tool.away]
    missing = 0
    for minute, count in sorted(changes):
        missing += count
        if missing > tool.count:
            what = f"has {missing} of its {tool.count} away at minute {minute}"
            yield Fault(f"tools {tool.id}", what, "Join the rows that speak of the same pieces")
            return


def _operation_faults(operation: Operation) -> Iterator[Fault]:
    row = f"operations {operation.id}"
    numbers = {f"takes on {choice.unit}": choice.minutes for choice in operation.alternatives}
    numbers |= {f"has the lag after {link.operation}": link.lag for link in operation.predecessors}
    greatest = {link.operation: link.most for link in operation.predecessors if link.most is not None}
    numbers |= {f"has the greatest lag after {name}": most for name, most in greatest.items()}
    numbers |= {f"waits ({release.cause}) until minute": release.at for release in operation.releases}
    if operation.after:
        numbers[f"has the greatest lag after {operation.after.operation}"] = operation.after.most
        if operation.after.most < 0:
            what = f"may start at most {operation.after.most} minutes after {operation.after.operation}"
            yield Fault(row, what, "Give 0 or more, or leave it out")
    if operation.started:
        yield from _slow_faults(row, operation, operation.started.slow)
    if operation.lock:
        numbers["is locked at minute"] = operation.lock.start
    if operation.published:
        numbers["is published at minute"] = operation.published.start
    yield from _minute_faults(row, numbers)
    for release in operation.releases:
        if release.at < 0:
            what = f"waits ({release.cause}) until minute {release.at}, in the past"
            yield Fault(row, what, "Drop it, or give the minute when it comes")


def _slow_faults(row: str, operation: Operation, slow: int) -> Iterator[Fault]:
    remain = {choice.minutes for choice in operation.alternatives}
    if not 0 <= slow <= max(remain, default=0):
        yield Fault(row, f"is slow by {slow} minutes", "Give at least 0 and no more than what remains of it")


def _minute_faults(row: str, numbers: dict[str, int]) -> Iterator[Fault]:
    for what, minutes in numbers.items():
        if minutes > LONGEST_MIN:
            yield Fault(row, f"{what} {minutes}", f"Give at most {LONGEST_MIN} minutes, ten years")
