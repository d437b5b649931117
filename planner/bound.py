"""A bound for plants of every size: no plan costs less than this many points.

Each order needs at least its own way through the plant, on the shortest of its alternatives, over the
calendars of their units; and orders that share a work centre wait for one another. Set-ups, people, tools,
buffers and what is else in the way are left out: they only make plans dearer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush

from planner.bottleneck import Customer, Piece, least_cost_together, open_units
from planner.problem import Link, Operation, Order, Problem
from planner.worktime import WorkTime

Times = tuple[int, int, int]
"""What must pass before an operation, its own minutes, and what must pass behind it."""

ROUNDING = 1e-9
"""Share of a bound that rounding may have added to it."""


def least_cost(problem: Problem) -> int:
    """No plan that the checker accepts costs less than this many points; see `planner.objective`."""
    return _Least(problem).cost if problem.operations else 0


def one_after_the_other(rows: Iterable[Times]) -> int:
    """When all is done at the earliest if one machine may interrupt one operation for another.

    Source:
        Carlier, Pinson, Management Science 35 (1989): the preemptive bound of one machine.
    """
    waiting: list[list[int]] = []
    left = sorted(rows, reverse=True)
    now = longest = 0
    while left or waiting:
        if not waiting:
            now = max(now, left[-1][0])
        while left and left[-1][0] <= now:
            _, minutes, tail = left.pop()
            heappush(waiting, [-tail, minutes])
        until = min(now + waiting[0][1], left[-1][0] if left else now + waiting[0][1])
        waiting[0][1] -= until - now
        now = until
        if not waiting[0][1]:
            longest = max(longest, now - heappop(waiting)[0])
    return longest


@dataclass(slots=True)
class _Step:
    """What is known of one operation in every plan.

    Args:
        ways: Where it may be: the working time there, and its minutes.
        start: It starts no earlier.
        end: It ends no earlier.
        behind: Least minutes from its end to the end of its order.
        after: Least minutes from its end to the end of everything.
    """

    operation: Operation
    units: frozenset[str]
    ways: list[tuple[WorkTime, int]]
    minutes: int
    start: int = 0
    end: int = 0
    behind: int = 0
    after: int = 0


class _Least:
    """The parts of the bound."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._axes: dict[object, WorkTime] = {}
        self._axis_of = {unit.id: self._axis(unit.id) for unit in problem.units}
        self.steps = {o.id: self._step(o) for o in problem.operations}
        in_turn = _in_turn(problem)
        supply = {
            m.id: [(0, m.stock), *sorted((r.at, r.quantity) for r in m.receipts)] for m in problem.materials
        }
        self._supply = supply
        for name in in_turn:
            self._place(self.steps[name])
        for name in reversed(in_turn):
            self._add_tails(self.steps[name])

    @property
    def cost(self) -> int:
        """The bound: what orders cost, the end of everything, and the changes that cannot be helped."""
        weights = self.problem.weights
        sure = weights.makespan * self.makespan + self._changes()
        least = sure + self._orders()
        return max(sure, math.ceil(least - ROUNDING * (1 + abs(least))))

    def _axis(self, unit_id: str) -> WorkTime:
        unit = self.problem.unit_by_id[unit_id]
        key = (unit.calendar, unit.stops)
        if key not in self._axes:
            self._axes[key] = WorkTime.of(self.problem, unit)
        return self._axes[key]

    def _step(self, operation: Operation) -> _Step:
        fixed = operation.fixed_unit
        minutes = {a.unit: a.minutes for a in operation.alternatives}
        if fixed in minutes:
            minutes = {fixed: minutes[fixed]}
        ways = {(id(axis := self._axis_of[unit]), took): (axis, took) for unit, took in minutes.items()}
        return _Step(operation, frozenset(minutes), list(ways.values()), min(minutes.values()))

    def _place(self, step: _Step) -> None:
        """The earliest start and end, when those of the steps before are known."""
        operation = step.operation
        if operation.started:
            step.end = min(axis.after(axis.work(0) + minutes) for axis, minutes in step.ways)
            return
        ready = max([0, operation.release, *self._deliveries(operation)])
        if operation.lock:
            ready = max(ready, operation.lock.start)
        for link in operation.predecessors:
            ready = max(ready, self._passed(link))
        starts, ends = zip(*(self._run(step, way, ready) for way in step.ways), strict=True)
        step.start, step.end = min(starts), min(ends)

    def _deliveries(self, operation: Operation) -> Iterator[int]:
        """When there has been enough of each of its materials, all orders together."""
        for use in operation.materials:
            there = 0
            for at, quantity in self._supply[use.material]:
                there += quantity
                if there >= use.quantity:
                    yield min(at, self.problem.horizon)
                    break
            else:
                yield self.problem.horizon

    def _passed(self, link: Link) -> int:
        """When a predecessor lets the operation start."""
        before = self.steps[link.operation]
        if link.sublots == 1:
            return before.end + link.lag
        first = min(axis.after(axis.work(before.start) + link.share(took)) for axis, took in before.ways)
        return first + link.lag

    def _run(self, step: _Step, way: tuple[WorkTime, int], ready: int) -> tuple[int, int]:
        """The earliest start and end on one kind of unit."""
        axis, minutes = way
        number = axis.work(ready)
        while not step.operation.resumable and axis.room(number) < minutes:
            number += axis.room(number)
        end = axis.after(number + minutes)
        for link in step.operation.predecessors:
            if link.sublots > 1:
                last = self.steps[link.operation].end + link.lag
                end = max(end, axis.after(axis.work(last) + link.share(minutes)))
        return axis.at(number), end

    def _add_tails(self, step: _Step) -> None:
        """What lies behind the predecessors of a step, when it is known what lies behind the step."""
        if step.operation.started:
            return
        for link in step.operation.predecessors:
            before = self.steps[link.operation]
            way = link.lag + (step.minutes if link.sublots == 1 else link.share(step.minutes))
            before.after = max(before.after, way + step.after)
            if before.operation.order == step.operation.order:
                before.behind = max(before.behind, way + step.behind)

    @cached_property
    def makespan(self) -> int:
        """No plan has all done earlier."""
        alone: dict[frozenset[str], list[Times]] = {}
        for step in self.steps.values():
            if len(step.units) == 1 and not step.units & self._without_capacity:
                alone.setdefault(step.units, []).append((step.start, step.minutes, step.after))
        in_time = (step.end + step.after for step in self.steps.values())
        return max([*in_time, *map(one_after_the_other, alone.values())])

    @cached_property
    def _without_capacity(self) -> frozenset[str]:
        """Units that do several operations at once."""
        return frozenset(u.id for u in self.problem.units if u.subcontractor or u.places is not None)

    def _changes(self) -> int:
        """What is on another unit than published, or later, in every plan."""
        weights, cost = self.problem.weights, 0
        for step in self.steps.values():
            place = step.operation.published
            if place and not step.operation.started:
                cost += weights.moved * (place.unit not in step.units)
                cost += weights.shift * min(weights.shift_cap, max(0, step.start - place.start))
        return cost

    def _orders(self) -> float:
        """Lateness and flow of all orders: each alone, or with those that meet it where most work is."""
        alone = self._alone
        total = 0.0
        left = {name for name, (cost, _) in alone.items() if cost >= 0}
        for units, steps in self._centers():
            group = {step.operation.order for step in steps} & left
            if len(group) < 2:
                continue
            apart = sum(alone[name][0] for name in group)
            together = self._together(group, units, steps)
            if together > apart:
                total += together
                left -= group
        return total + sum(alone[name][0] for name in left)

    @cached_property
    def _alone(self) -> dict[str, tuple[int, int]]:
        """Order id -> what it costs at least for itself, and when it ends at the earliest."""
        ends: dict[str, int] = {}
        for step in self.steps.values():
            order = step.operation.order
            ends[order] = max(ends.get(order, 0), step.end)
        known = self.problem.order_by_id
        return {name: (self._price(known[name], end), end) for name, end in ends.items()}

    def _price(self, order: Order, end: int) -> int:
        weights = self.problem.weights
        flow = weights.flow * end if order.kind == "work" else 0
        return flow + weights.tardiness * order.weight * max(0, end - order.due)

    def _centers(self) -> list[tuple[frozenset[str], list[_Step]]]:
        """Units that do one thing at a time, with all that only they can do, the busiest first."""
        of_center: dict[str, set[str]] = {}
        for unit in self.problem.units:
            of_center.setdefault(unit.work_center, set()).add(unit.id)
        places = {frozenset(units) for units in of_center.values()}
        places |= {step.units for step in self.steps.values() if len(step.units) == 1}
        found = {units: list[_Step]() for units in places if not units & self._without_capacity}
        center_of = {unit: frozenset(units) for units in of_center.values() for unit in units}
        for step in self.steps.values():
            center = center_of[next(iter(step.units))]
            for units in {center, step.units}:
                if units in found and step.units <= units:
                    found[units].append(step)
        busy = {units: sum(s.minutes for s in steps) / len(units) for units, steps in found.items()}
        return sorted(found.items(), key=lambda row: (-busy[row[0]], sorted(row[0])))

    def _together(self, group: set[str], units: frozenset[str], steps: list[_Step]) -> float:
        weights, known = self.problem.weights, self.problem.order_by_id
        customers: dict[str, Customer] = {}
        for step in steps:
            name = step.operation.order
            if name in group:
                order = known[name]
                flow = weights.flow if order.kind == "work" else 0
                customer = customers.setdefault(
                    name, Customer(order.due, flow, weights.tardiness * order.weight)
                )
                customer.pieces.append(Piece(step.start, step.minutes, step.behind))
        axes = [self._axis_of[unit].windows_until(WorkTime.FOREVER) for unit in sorted(units)]
        return least_cost_together(list(customers.values()), open_units(axes))


def _in_turn(problem: Problem) -> list[str]:
    """Operation ids, each after its predecessors."""
    waits = {o.id: len({link.operation for link in o.predecessors}) for o in problem.operations}
    ready = [name for name, count in waits.items() if not count]
    for name in ready:
        for after in dict.fromkeys(problem.successors[name]):
            waits[after] -= 1
            if not waits[after]:
                ready.append(after)
    return ready
