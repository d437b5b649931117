"""What the numbers of a problem may be: one table, for the refusals, the docs and the schema.

All of a problem is counted by the compiled kernel in whole numbers of 64 bits, which overflow in silence.
With these ranges none does:

* A minute that is given is at most `FURTHEST_MIN` from minute 0, less than 2^33; sums and differences of
  some are far from 2^63.
* A plan that does one thing after the other, once all that it waits for is there, ends before
  `MOST_MINUTES`, 2^39. The kernel's "never" is 2^40; sums and differences of some are as far from 2^63.
* A product of a weight with minutes is part of what a plan costs, where a lateness counts as much that is
  below nought: all together is at most `MOST_POINTS`, 2^60, so that what two plans cost differs by no more
  than that, and the kernel's "impossible" is 2^61. A weight of what the plant has none of is in no product;
  it is at most `MOST_WEIGHT`, below 2^30.
* Counts are at most `MOST_COUNT`, below the 2^30 that there are of everything behind the horizon; a million
  operations together have less than 2^50.
* Quantities of materials are pegged before there is a plan, in Python's numbers, which have no end.
"""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from planner.fault import Fault

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from planner.problem import Operation, Problem, Tool

LONGEST_MIN = 10 * 366 * 1440
"""Ten years: the furthest horizon, and the longest run, set-up, lag or wait."""

FURTHEST_MIN = 10_000 * 366 * 1440
"""Ten thousand years: from any day that a calendar knows to any other, so that an order without a date may be
due on the last of them."""

MOST_MINUTES = 1 << 39
"""When a plan that does one thing after the other may end."""

MOST_POINTS = 1 << 60
"""What a plan may cost: sums of two of them are still whole numbers of 64 bits."""

MOST_WEIGHT = 1_000_000_000
"""Points of one minute; and the most minutes of a shift that cost any."""

MOST_COUNT = 1_000_000_000
"""Pieces, people, places or sub-lots."""

MOST_PLACES = 1_000_000
"""Of a buffer; with more there is room for all."""

MOST_QUANTITY = 1_000_000_000_000_000
"""Of a material: below 2^53, up to which every reader of JSON takes whole numbers as they are."""

PAST = "That is in the past"
FUTURE = "That is in the future. Give 0 or a minute in the past"


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest of a number, and how a fault tells of it.

    Args:
        what: What is wrong, with the fields of the number's row in braces.
        low: How to mend what is below; which number to give when it is left out.
        high: The same for what is above.
    """

    least: int
    most: int
    what: str
    low: str = ""
    high: str = ""

    def remedy(self, value: int) -> str:
        """How to mend a number that is out of this range."""
        if value < self.least:
            return self.low or f"Give {self.least} or more"
        years = ", ten years" if self.most == LONGEST_MIN else ""
        return self.high or f"Give at most {self.most}{years}"


_LEAVE = "Give 0 or more, or leave it out"
_BUFFER = f"Give 1 to {MOST_PLACES}, or drop the row where there is room for all"

RANGES: dict[tuple[str, str], Range] = {
    ("Problem", "horizon"): Range(1, LONGEST_MIN, "horizon is {horizon}", "Give at least one minute"),
    ("Problem", "named_until"): Range(0, LONGEST_MIN, "named_until is {named_until}"),
    ("Problem", "overtime"): Range(0, FURTHEST_MIN, "overtime is {overtime}"),
    ("Window", "start"): Range(0, LONGEST_MIN, "has the window {start} to {end}"),
    ("Window", "end"): Range(0, LONGEST_MIN, "has the window {start} to {end}"),
    ("Setup", "minutes"): Range(0, LONGEST_MIN, "takes {minutes} minutes to change to {to_family}"),
    ("Unit", "places"): Range(
        1, MOST_COUNT, "has {places} places", "Give 1 or more, or leave it out for one operation at a time"
    ),
    ("Crew", "count"): Range(1, MOST_COUNT, "counts {count} people", "Give 1 or more, or drop the row"),
    ("Tool", "count"): Range(1, MOST_COUNT, "counts {count} pieces", "Give 1 or more, or drop the row"),
    ("Away", "start"): Range(0, LONGEST_MIN, "is away from {start} to {end}"),
    ("Away", "end"): Range(0, LONGEST_MIN, "is away from {start} to {end}"),
    ("Away", "count"): Range(1, MOST_COUNT, "has {count} away", "Give 1 or more, or drop the row"),
    ("Order", "due"): Range(-FURTHEST_MIN, FURTHEST_MIN, "is due at minute {due}"),
    ("Order", "weight"): Range(1, 100, "has weight {weight}", "Give 1 to 100", "Give 1 to 100"),
    ("Operation", "places"): Range(1, MOST_COUNT, "takes {places} places"),
    ("Alternative", "minutes"): Range(
        1, LONGEST_MIN, "takes {minutes} minutes on {unit}", "Round up to at least 1"
    ),
    ("Link", "lag"): Range(0, LONGEST_MIN, "has the lag {lag} after {operation}"),
    ("Link", "sublots"): Range(
        1,
        MOST_COUNT,
        "gets {sublots} sub-lots from {operation}",
        "Give 1 to wait for its end, or more to overlap with it",
    ),
    ("Link", "most"): Range(0, LONGEST_MIN, "may start at most {most} minutes after {operation}", _LEAVE),
    ("Release", "at"): Range(
        0,
        LONGEST_MIN,
        "waits ({cause}) until minute {at}",
        f"{PAST}. Drop it, or give the minute when it comes",
    ),
    ("Started", "since"): Range(-FURTHEST_MIN, 0, "is started at minute {since}", high=FUTURE),
    ("Started", "slow"): Range(0, LONGEST_MIN, "is slow by {slow} minutes"),
    ("After", "ended"): Range(
        -FURTHEST_MIN, 0, "follows {operation}, which is over at minute {ended}", high=FUTURE
    ),
    ("After", "most"): Range(0, LONGEST_MIN, "may start at most {most} minutes after {operation}", _LEAVE),
    ("Lock", "start"): Range(
        0,
        LONGEST_MIN,
        "is locked at minute {start}",
        f"{PAST}. Move the lock to now or later, or take it off",
    ),
    ("Published", "start"): Range(-FURTHEST_MIN, LONGEST_MIN, "is published at minute {start}"),
    ("ToolUse", "count"): Range(
        1, MOST_COUNT, "needs {count} of the tool {tool}", "Give 1 or more, or drop it"
    ),
    ("MaterialUse", "quantity"): Range(
        1, MOST_QUANTITY, "needs {quantity} of {material}", "Give 1 or more, or drop it"
    ),
    ("Material", "stock"): Range(0, MOST_QUANTITY, "has a stock of {stock}"),
    ("Receipt", "at"): Range(
        0,
        LONGEST_MIN,
        "has a receipt at minute {at}",
        f"{PAST}. Add it to the stock, or give the minute when it comes",
    ),
    ("Receipt", "quantity"): Range(1, MOST_QUANTITY, "receives {quantity} at minute {at}"),
    ("Buffer", "places"): Range(1, MOST_PLACES, "has {places} places", _BUFFER, _BUFFER),
    **{
        ("Weights", name): Range(0, MOST_WEIGHT, f"{name} is {{{name}}}")
        for name in ("tardiness", "setup", "moved", "shift", "shift_cap", "flow", "makespan", "overtime")
    },
}
"""(class, field) -> the range of its numbers; a number that is not there is none of a problem's."""


def range_faults(problem: Problem) -> Iterator[Fault]:
    """The numbers of a problem that are out of their range, and rows of which only one could hold."""
    single = list(_number_faults(problem, "problem"))
    yield from single or _sum_faults(problem)
    yield from _setup_faults(problem)
    for tool in problem.tools:
        yield from _away_faults(tool)
    for operation in problem.operations:
        if operation.started:
            yield from _slow_faults(f"operations {operation.id}", operation, operation.started.slow)


def _number_faults(row: DataclassInstance, name: str) -> Iterator[Fault]:
    """What of one row, and of those inside it, is out of its range."""
    numbers, inside = _form(type(row))
    for field, limits in numbers:
        value = getattr(row, field)
        if value is not None and not limits.least <= value <= limits.most:
            told = {one.name: getattr(row, one.name) for one in fields(row)}
            yield Fault(name, limits.what.format_map(told), limits.remedy(value))
    for field, named in inside:
        value = getattr(row, field)
        if isinstance(value, tuple):
            for one in value:
                yield from _number_faults(one, named(name, one))
        elif value is not None:
            yield from _number_faults(value, named(name, value))


Naming = Callable[[str, Any], str]
"""What faults call a row inside another: by the name of that one, and by itself."""


@cache
def _form(kind: type[DataclassInstance]) -> tuple[list[tuple[str, Range]], list[tuple[str, Naming]]]:
    """The fields of a class that are numbers with their ranges, and those that are rows."""
    numbers, inside = [], []
    hints = get_type_hints(kind)
    for one in fields(kind):
        if limits := RANGES.get((kind.__name__, one.name)):
            numbers.append((one.name, limits))
        elif _has_rows(hints[one.name]):
            inside.append((one.name, _naming(kind.__name__, one.name)))
    return numbers, inside


def _has_rows(hint: Any) -> bool:
    if get_origin(hint) in {Union, types.UnionType, tuple}:
        return any(map(_has_rows, get_args(hint)))
    return is_dataclass(hint)


def _naming(kind: str, field: str) -> Naming:
    """Rows of a problem have names; what is inside one goes by its name, a stop as such."""
    if kind == "Problem":
        return lambda _, row: f"{field} {row.id}" if hasattr(row, "id") else field
    return (lambda name, _: f"{name} stops") if field == "stops" else (lambda name, _: name)


def _sum_faults(problem: Problem) -> Iterator[Fault]:
    """Numbers that are in their ranges, but of which too many come together."""
    setups = len(problem.operations) * max(
        (s.minutes for c in problem.work_centers for s in c.setups), default=0
    )
    last = problem.horizon + LONGEST_MIN + sum(map(_longest, problem.operations)) + setups
    if last > MOST_MINUTES:
        what = f"could take {last} minutes, one step after the other"
        yield Fault("problem", what, f"Give shorter ones: {MOST_MINUTES} can be counted")
    points = _most_points(problem, setups, last)
    if points > MOST_POINTS:
        what = f"could add up to {points} points for a plan"
        yield Fault("weights", what, f"Give smaller ones: {MOST_POINTS} can be counted")


def _most_points(problem: Problem, setups: int, last: int) -> int:
    """What a plan costs that ends at `last`; dates that are far off count like those that are long past."""
    weights, orders = problem.weights, problem.orders
    off = last + max((abs(order.due) for order in orders), default=0)
    return (
        weights.tardiness * off * sum(order.weight for order in orders)
        + weights.setup * setups
        + weights.flow * last * len(orders)
        + weights.makespan * last
        + (weights.moved + weights.shift * weights.shift_cap) * len(problem.operations)
    )


def _longest(operation: Operation) -> int:
    """The most minutes that an operation adds to a plan."""
    runs = max((choice.minutes for choice in operation.alternatives), default=0)
    return runs + sum(link.lag for link in operation.predecessors)


def _setup_faults(problem: Problem) -> Iterator[Fault]:
    for center in problem.work_centers:
        for (before, after), times in Counter((s.from_family, s.to_family) for s in center.setups).items():
            if times > 1:
                what = f"has {times} set-ups from {before or 'any family'} to {after}"
                yield Fault(f"work_centers {center.id}", what, "Keep the one that holds")


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


def _slow_faults(row: str, operation: Operation, slow: int) -> Iterator[Fault]:
    remain = max((choice.minutes for choice in operation.alternatives), default=0)
    if slow > remain:
        what = f"is slow by {slow} minutes"
        yield Fault(row, what, f"Give at least 0 and no more than what remains of it, {remain}")
