"""Priority dispatch: whenever a unit is free, the most urgent waiting operation goes next.

The rule proposes, the decoder times. ATCS weighs urgency against set-ups by two parameters
whose best values differ from plant to plant by a factor of six, so `best_dispatch` tries a grid.

Source:
    Lee, Bhaskaran, Pinedo: "A heuristic to minimize the total weighted tardiness with
    sequence-dependent setups", IIE Transactions 29 (1997).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush

from planner.decoder.chains import find_chain
from planner.decoder.first import first_in_line, units_of_first
from planner.decoder.fitting import Decoder
from planner.decoder.line import Fit
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode
from planner.decoder.turns import InOrder, in_turn
from planner.objective import score
from planner.problem import Operation, Problem
from planner.progress import Stop, never
from planner.schedule import Schedule

Rule = Callable[[Operation, int, int], float]
"""(operation, minute, set-up minutes) -> priority; the highest goes next."""

MOST_WAITS = 8
"""So often a chain whose head would begin later than it could lets others go first."""

WAITS = (0.0, 0.5, 1.5)
"""Wait or go: how long a batch waits for more to come, in runs of its own."""

GRID = tuple((k1, k2) for k1 in (0.5, 1.0, 2.0, 4.0) for k2 in (0.1, 0.3, 1.0, 3.0))


@dataclass(frozen=True)
class Facts:
    """What the rules need to know of a problem.

    Args:
        tail: Operation id -> least minutes from its start to the end of its order.
        run: Mean minutes of a run.
        setup: Mean minutes of a set-up, 0 when there are none.
    """

    tail: dict[str, int]
    run: float
    setup: float

    @classmethod
    def of(cls, problem: Problem) -> Facts:
        """Gather the facts in one pass over the operations."""
        least = {o.id: min(a.minutes for a in o.alternatives) for o in problem.operations}
        setups = [s.minutes for center in problem.work_centers for s in center.setups]
        run = sum(least.values()) / len(least) if least else 1.0
        return cls(_tails(problem, least), run, sum(setups) / len(setups) if setups else 0.0)


def _tails(problem: Problem, least: dict[str, int]) -> dict[str, int]:
    tail: dict[str, int] = {}
    left = {o.id: len(problem.successors[o.id]) for o in problem.operations}
    done = [o for o in problem.operations if not left[o.id]]
    behind: dict[str, int] = {}
    while done:
        operation = done.pop()
        tail[operation.id] = least[operation.id] + behind.get(operation.id, 0)
        for link in operation.predecessors:
            before = link.operation
            way = link.way(least[before], least[operation.id], tail[operation.id])
            behind[before] = max(behind.get(before, 0), way - least[before])
            left[before] -= 1
            if not left[before]:
                done.append(problem.operation_by_id[before])
    return tail


def edd(problem: Problem) -> Rule:
    """Earliest due date first."""

    def priority(operation: Operation, _minute: int, _setup: int) -> float:
        return -float(problem.order_by_id[operation.order].due)

    return priority


def atcs(problem: Problem, facts: Facts, k1: float, k2: float) -> Rule:
    """Apparent tardiness cost with set-ups, in log form.

    Args:
        k1: Look-ahead in mean runs: small makes the due date matter only when it is near.
        k2: Price of a set-up in mean set-ups: small avoids them at nearly any cost.
    """

    def priority(operation: Operation, minute: int, setup: int) -> float:
        order = problem.order_by_id[operation.order]
        shortest = min(a.minutes for a in operation.alternatives)
        slack = max(0, order.due - facts.tail[operation.id] - minute)
        value = math.log(order.weight / shortest) - slack / (k1 * facts.run)
        return value - (setup / (k2 * facts.setup) if facts.setup else 0.0)

    return priority


def ranked(order: list[str]) -> Rule:
    """A given order of operation ids as priority; unknown ones go last."""
    rank = {name: position for position, name in enumerate(order)}

    def priority(operation: Operation, _minute: int, _setup: int) -> float:
        return -float(rank.get(operation.id, len(rank)))

    return priority


class _Queue:
    """Operations that can go to the same units: those not yet there, and those waiting."""

    def __init__(self, units: tuple[str, ...]) -> None:
        self.units = units
        self.coming: list[tuple[int, int, Operation]] = []
        self.waiting: list[tuple[int, Operation]] = []

    @property
    def is_empty(self) -> bool:
        return not self.waiting and not self.coming

    def next_decision(self, decoder: Decoder) -> int:
        """The first minute at which a unit is free and an operation is there."""
        free = min(decoder.free_at(unit) for unit in self.units)
        if self.waiting:
            return free
        return max(free, self.coming[0][0])

    def arrive(self, minute: int) -> None:
        while self.coming and self.coming[0][0] <= minute:
            _, row, operation = heappop(self.coming)
            self.waiting.append((row, operation))

    def take(self, operation: Operation) -> None:
        """Take an operation out, there or not yet there."""
        self.waiting = [entry for entry in self.waiting if entry[1] is not operation]
        self.coming = [entry for entry in self.coming if entry[2] is not operation]
        heapify(self.coming)


class _Floor:
    """One run of a rule over the plant."""

    def __init__(self, problem: Problem, rule: Rule, wait: float) -> None:
        self.problem, self.rule, self.wait = problem, rule, wait
        self.decoder = Decoder(problem)
        self.order = InOrder(problem, self.decoder)
        self.rows = {operation.id: row for row, operation in enumerate(problem.operations)}
        self.queues: dict[tuple[str, ...], _Queue] = {}
        self.agenda: list[tuple[int, tuple[str, ...]]] = []
        self.waits: dict[str, int] = {}
        self.pinned = units_of_first(problem)
        self.held_back: list[Operation] = []  # no place in a buffer

    def run(self, stop: Stop = never) -> Schedule:
        self._begin()
        while self.agenda:
            if stop():
                raise Ended
            minute, key = heappop(self.agenda)
            queue = self.queues[key]
            if queue.is_empty:
                continue
            now = queue.next_decision(self.decoder)
            if now > minute:
                heappush(self.agenda, (now, key))
                continue
            self._dispatch(queue, now)
            if not queue.is_empty:
                heappush(self.agenda, (queue.next_decision(self.decoder), key))
        if self.held_back:
            plans = [decode(self.problem, self._in_turn())]
            with suppress(LocksConflict):
                plans.append(longest_way_first(self.problem))
            return min(plans, key=lambda plan: score(self.problem, plan).total)
        return self.decoder.schedule()

    def _begin(self) -> None:
        """Place what goes first, and let come what is ready then."""
        for name in first_in_line(self.problem):
            if self.order.is_ready(name):
                self._place_now(name)
        for operation in self.problem.operations:
            if not self.decoder.is_placed(operation.id) and self.order.is_ready(operation.id):
                self._enqueue(operation)

    def _in_turn(self) -> list[Choice]:
        """All operations, the most urgent order first, each on its fastest unit."""
        due = {order.id: order.due for order in self.problem.orders}
        fastest = {o.id: min(o.alternatives, key=lambda a: a.minutes).unit for o in self.problem.operations}
        rows = sorted(self.problem.operations, key=lambda o: (due[o.order], o.order))
        return [Choice(o.id, fastest[o.id]) for o in rows if not (o.started or o.lock)]

    def _place_now(self, name: str) -> None:
        stack = [name]
        while stack:
            operation = self.problem.operation_by_id[stack.pop()]
            unit = self.pinned.get(operation.id)
            self._place(operation, self.decoder.fit(operation, unit) if unit else self._best_fit(operation))
            stack += reversed(self.order.placed(operation.id))

    def _place(self, operation: Operation, fit: Fit) -> None:
        """Place an operation on the unit where it fits, and all of its chain with it."""
        if operation.id not in self.problem.ties.chains:
            self.decoder.place(fit)
            return
        chain = self.problem.ties.chain(operation)
        for found in find_chain(self.decoder, chain, self._units_with(operation, fit.unit)):
            self.decoder.place(found)

    def _enqueue(self, operation: Operation) -> None:
        """Let an operation come to its queue when it is ready, and there is room in its buffer."""
        if self.decoder.buffers.full(self.problem.ties.chain(operation)):
            self.held_back.append(operation)
            return
        key = _units_of(operation)
        queue = self.queues.setdefault(key, _Queue(key))
        ready = max(self.decoder.arrival(operation, key), self.decoder.buffers.free_from(operation.id)[0])
        heappush(queue.coming, (ready, self.rows[operation.id], operation))
        heappush(self.agenda, (queue.next_decision(self.decoder), key))

    def _dispatch(self, queue: _Queue, minute: int) -> None:
        queue.arrive(minute)
        if self.decoder.buffers and not self._find_room(queue, minute):
            return
        free = [unit for unit in queue.units if self.decoder.free_at(unit) <= minute]
        families = [(unit, self.decoder.family_of(unit)) for unit in free]

        def urgency(entry: tuple[int, Operation]) -> tuple[float, int]:
            row, operation = entry
            setup = min(
                self.problem.setup_minutes(unit, family, operation.family) for unit, family in families
            )
            return self.rule(operation, minute, setup), -row

        chosen = max(queue.waiting, key=urgency)[1]
        fit = self._best_fit(chosen)
        if chosen.id in self.problem.ties.chains and self._has_time(queue, chosen, fit, minute):
            return
        if self.decoder.lines[fit.unit].places is None or fit.block.reason.code == "batch":
            self._put(queue, chosen, fit)
            return
        there = [o for _, o in sorted(queue.waiting, key=urgency, reverse=True) if o is not chosen]
        until = fit.start + int(self.wait * chosen.minutes_on(fit.unit))
        coming = [o for ready, _, o in sorted(queue.coming, key=lambda entry: entry[:2]) if ready <= until]
        self._load(queue, self._batch(chosen, fit.unit, [*there, *coming]), fit.unit)

    def _has_time(self, queue: _Queue, head: Operation, fit: Fit, minute: int) -> bool:
        """Put a chain back into its queue until it can begin, when its followers would come too late now."""
        waited = self.waits.get(head.id, 0)
        if waited == MOST_WAITS:
            return False
        found = find_chain(self.decoder, self.problem.ties.chain(head), self._units_with(head, fit.unit))
        begin = self.decoder.lines[fit.unit].time.at(found[0].block.begin)
        if found[0].start <= fit.start or begin <= minute:
            return False
        self.waits[head.id] = waited + 1
        queue.take(head)
        heappush(queue.coming, (begin, self.rows[head.id], head))
        return True

    def _units_with(self, head: Operation, unit: str) -> Callable[[Operation], tuple[str, ...]]:
        """The units of each of a chain, where that of its head is known."""

        def units(other: Operation) -> tuple[str, ...]:
            if other is head or other.id not in self.pinned:
                return (unit,) if other is head else _units_of(other)
            return (self.pinned[other.id],)

        return units

    def _find_room(self, queue: _Queue, minute: int) -> bool:
        """Send away whoever waits here and finds no room in his buffer yet; whether anybody stays."""
        for _, operation in list(queue.waiting):
            is_full = self.decoder.buffers.full(self.problem.ties.chain(operation))
            if is_full or self.decoder.buffers.free_from(operation.id)[0] > minute:
                queue.take(operation)
                self._enqueue(operation)
        return bool(queue.waiting)

    def _batch(self, chosen: Operation, unit: str, others: list[Operation]) -> list[Operation]:
        """`chosen` and those of the others that go with it while there is room; who comes last first."""
        recipe, room = (
            self.problem.recipe(chosen, unit),
            (self.decoder.lines[unit].places or 0) - chosen.places,
        )
        found = [chosen]
        for other in others:
            if (
                other.places <= room
                and other.may_share(chosen)
                and not self.decoder.buffers.full(self.problem.ties.chain(other))
                and self.problem.recipe(other, unit) == recipe
            ):
                found.append(other)
                room -= other.places
        return sorted(found, key=lambda operation: -self.decoder.arrival(operation, (unit,)))

    def _load(self, queue: _Queue, batch: list[Operation], unit: str) -> None:
        """Place those of a batch that can really go together; the others stay in the queue."""
        for operation in batch:
            if self.decoder.buffers.full(self.problem.ties.chain(operation)):
                continue  # one before it has taken the last place
            fit = self.decoder.fit(operation, unit)
            if operation is batch[0] or fit.block.reason.code == "batch":
                self._put(queue, operation, fit)

    def _put(self, queue: _Queue, operation: Operation, fit: Fit) -> None:
        queue.take(operation)
        self._place(operation, fit)
        for freed in self.order.placed(operation.id):
            self._enqueue(self.problem.operation_by_id[freed])
        if self.held_back and self.decoder.buffers.leaves(self.problem.ties.chain(operation)):
            again, self.held_back = self.held_back, []
            for other in again:
                self._enqueue(other)

    def _best_fit(self, operation: Operation) -> Fit:
        fits = [self.decoder.fit(operation, unit) for unit in _units_of(operation)]
        return min(fits, key=lambda fit: (fit.end, fit.setup))


def _units_of(operation: Operation) -> tuple[str, ...]:
    fixed = operation.fixed_unit
    return (fixed,) if fixed else tuple(a.unit for a in operation.alternatives)


class Ended(Exception):
    """A dispatch was told to end before its plan was whole."""


def dispatch(problem: Problem, rule: Rule, wait: float = 0.0, stop: Stop = never) -> Schedule:
    """Build a plan by a rule.

    Args:
        wait: How long a batch waits for more to come, in runs of its own.

    Raises:
        LocksConflict: Locks that no plan, or not this rule, can keep.
        Ended: `stop` said so.
    """
    return _Floor(problem, rule, wait).run(stop)


def rules(problem: Problem) -> Iterator[tuple[str, Rule]]:
    """The rules worth trying, by name: the published order, EDD, the ATCS grid."""
    published = {o.id: o.published for o in problem.operations if o.published and not o.started}
    if published:
        yield "published-order", ranked(in_turn(problem, published))
    yield "edd", edd(problem)
    facts = Facts.of(problem)
    seen: set[float] = set()
    for k1, k2 in GRID:
        if facts.setup or k1 not in seen:
            seen.add(k1)
            yield f"atcs k1={k1} k2={k2}", atcs(problem, facts, k1, k2)


def longest_way_first(problem: Problem) -> Schedule:
    """Place operations in the order of what is still to do behind them, each on its fastest unit.

    Where tools are shared, a rule that asks only when a unit is free does not choose who gets them.

    Raises:
        LocksConflict: Locks that no plan, or not this order, can keep.
    """
    tail = Facts.of(problem).tail
    fastest = {o.id: min(o.alternatives, key=lambda a: a.minutes).unit for o in problem.operations}
    names = sorted(fastest, key=lambda name: -tail[name])
    return decode(problem, [Choice(name, fastest[name]) for name in names])


def _makers(problem: Problem) -> Iterator[tuple[str, Callable[[Stop], Schedule]]]:
    """What makes a plan, by name."""
    for wait in WAITS if problem.has_batches else WAITS[:1]:
        for name, rule in rules(problem):
            yield f"{name} wait={wait}" if wait else name, partial(dispatch, problem, rule, wait)
    if problem.tools:
        yield "longest way first", partial(_longest_way_first, problem)


def _longest_way_first(problem: Problem, stop: Stop) -> Schedule:
    if stop():
        raise Ended
    return longest_way_first(problem)


def best_dispatch(problem: Problem, stop: Stop = never) -> tuple[str, Schedule]:
    """The cheapest plan of all `rules`, with the name of its rule; the first wins a tie.

    Args:
        stop: Once it says so, the rules that are left are not tried; the first always is.

    Raises:
        LocksConflict: No rule can keep the locks.
    """
    plans: list[tuple[str, Schedule]] = []
    refused: list[LocksConflict] = []
    with suppress(Ended):
        for name, make in _makers(problem):
            try:
                plans.append((name, make(stop if plans else never)))
            except LocksConflict as conflict:
                refused.append(conflict)
    if not plans:
        raise refused[0]
    return min(plans, key=lambda plan: score(problem, plan[1]).total)
