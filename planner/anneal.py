"""Search for a better plan: a grid of dispatch rules, random ones, then annealing on sequences.

This module and `planner.kernel` belong to the solver's own process: importing them loads or
compiles the kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import count
from random import Random

import numpy as np
from numpy.typing import NDArray

from planner import kernel
from planner.decoder import Choice
from planner.pack import Ints, Pack
from planner.problem import Weights
from planner.schedule import Schedule

K1 = (0.5, 1.0, 2.0, 4.0, 8.0)
K2 = (0.1, 0.3, 1.0, 3.0)
"""Look-ahead in mean runs and price of a set-up in mean set-ups: their best values differ from plant
to plant by a factor of six, so that a grid of rules is tried."""

RANDOM_SHARE = 0.04
"""Share of the budget for random rules (their gain ends soon, the annealing's does not)."""

CHUNK_S = 0.1
"""Seconds of moves between two looks at the clock."""

CHUNK_MOVE_OPERATIONS = 20_000_000
"""Moves between two looks at `stop` of a search that counts moves, times operations: about 0.1 s."""


FAR_PAST = 1 << 40

PHASES = ((kernel.NOBODY, 0.5), (kernel.BY_LANE, 1.0))
"""Where people are needed: chains as (how they see people, share of the budget at which they end)."""

LANE_HEAT = 5.0
"""Chains on lanes begin warmer: the plan that they begin with has lost more by its lanes."""

LOOKS = 5
"""Chunks between two exact timings of the best plan so far, where people are to be counted."""

MOST_FOR_TABU = 2_500
"""Operations; the tabu list has an entry for each pair."""


@dataclass(frozen=True)
class Tuning:
    """How the annealing walks.

    Args:
        heat: Temperature at the beginning, as a share of what the first plan costs.
        chill: Temperature at the end, as a share of the first temperature.
        critical: Share of moves on operations that keep a late order waiting.
        reach: How many places of a unit's sequence a move may jump.
        other_unit: Share of moves to another unit, where there is one.
        hope: Weight of gains that are still hoped for when a move is given up.
        same_family: Share of moves to the side of an operation that needs no set-up between.
        guided: Share of moves on critical operations that go where an estimate is best.
    """

    heat: float = 0.00015
    chill: float = 0.01
    critical: float = 0.5
    reach: float = 15.0
    other_unit: float = 0.4
    hope: float = 1.0
    same_family: float = 0.2
    guided: float = 0.6


@dataclass(frozen=True)
class Budget:
    """How long to search: `moves` gives the same plan for the same seed; else CPU `seconds`."""

    seconds: float = 5.0
    moves: int | None = None
    seed: int = 1


@dataclass
class Sequences:
    """A plan as the kernel knows it: an order of operations, and units, with what it costs."""

    perm: Ints
    unit_of: Ints
    lane_of: Ints
    cost: int
    rule: str

    def copy(self) -> Sequences:
        return Sequences(self.perm.copy(), self.unit_of.copy(), self.lane_of.copy(), self.cost, self.rule)


@dataclass
class Report:
    """What the search did.

    Args:
        grid: What the best plan of the grid costs.
        random: What the best of the random rules costs.
        timed: Operations timed again in all moves.
        trail: (CPU seconds, cost) at every improvement that was reported.
    """

    grid: int = 0
    random: int = 0
    dispatches: int = 0
    moves: int = 0
    accepted: int = 0
    timed: int = 0
    trail: list[tuple[float, int]] = field(default_factory=list)


class Engine:
    """The kernel's arrays for one problem, and the searches on them."""

    def __init__(self, packed: Pack) -> None:
        self.packed = packed
        size = max(1, len(packed.problem.operations))
        self.mode = kernel.BY_COUNTER if packed.has_people else kernel.NOBODY
        self.lane_mode = kernel.BY_LANE if packed.has_people else kernel.NOBODY
        self.st = np.zeros(size * kernel.ST, np.int64)
        self.people = packed.people.copy()
        self.report = Report()
        weight = np.array([o.weight for o in packed.problem.orders], np.float64)
        rows = {o.id: i for i, o in enumerate(packed.problem.orders)}
        of = np.array([rows[o.order] for o in packed.problem.operations], np.int64)
        due = np.array([o.due for o in packed.problem.orders], np.int64)
        shortest = packed.shortest.astype(np.float64)
        self.atcs_base = np.log(weight[of] / shortest) if len(of) else shortest
        self.latest = np.ascontiguousarray(due[of] - packed.tail) if len(of) else packed.tail

    def dispatch(self, base: NDArray[np.float64], latest: Ints, k1: float, k2: float, rule: str) -> Sequences:
        """Build a plan by a rule, in order of start; see `kernel.dispatch`."""
        return self._dispatch(base, latest, (k1, k2), rule, self.mode)

    def _dispatch(
        self, base: NDArray[np.float64], latest: Ints, prices: tuple[float, float], rule: str, mode: int
    ) -> Sequences:
        packed = self.packed
        perm = np.full(packed.free, -1, np.int64)
        unit_of = np.full(len(base), -1, np.int64)
        self._fresh_people()
        cost = kernel.dispatch(
            packed.plant, packed.first, base, latest, *prices, perm, unit_of, self.st, self.people, mode
        )
        self.report.dispatches += 1
        if not self.packed.has_people:
            perm = self.by_start(perm)
        lanes = self.st.reshape(-1, kernel.ST)[: len(base), kernel.LANE].copy()
        return Sequences(perm, unit_of, lanes, cost, rule)

    def without_people(self, plan: Sequences) -> Sequences:
        """The plan's sequences as if everybody were always there."""
        start = plan.copy()
        start.cost = self.retime(start, self.mode)
        start.perm = self.by_start(start.perm)
        return start

    def on_lanes(self, plan: Sequences) -> Sequences:
        """A plan of people on lanes to begin the annealing with.

        The plan itself with lanes found for it, or a dispatch on lanes in its order: a tight plan
        that is pushed a little falls apart.
        """
        start = plan.copy()
        start.cost = self.retime(start, self.mode)
        start.perm = self.by_start(start.perm)
        start.lane_of[:] = -1
        start.cost = self.retime(start, self.lane_mode)
        again = self._in_turn(start, self.lane_mode)
        return min(start, again, key=lambda p: p.cost)

    def atcs(self, k1: float, k2: float) -> Sequences:
        """Dispatch by ATCS with look-ahead `k1` and set-up price `k2`, in means."""
        price = 1.0 / (k2 * self.packed.mean_setup) if self.packed.mean_setup else 0.0
        rule = f"atcs k1={k1:.2g} k2={k2:.2g}"
        return self.dispatch(self.atcs_base, self.latest, 1.0 / (k1 * self.packed.mean_run), price, rule)

    def ranked(self, rank: NDArray[np.float64], rule: str) -> Sequences:
        """Dispatch by a given priority, the highest first."""
        return self.dispatch(rank, self.latest, 0.0, 0.0, rule)

    def grid(self) -> Sequences:
        """The cheapest plan of the grid, of earliest due date and of most work remaining."""
        k2s = K2 if self.packed.mean_setup else K2[:1]
        plans = [self.atcs(k1, k2) for k1 in K1 for k2 in k2s]
        plans.append(self.ranked(-self.latest.astype(np.float64), "least slack"))
        plans.append(self.ranked(self.packed.tail.astype(np.float64), "most work remaining"))
        best = min(plans, key=lambda plan: plan.cost)
        self.report.grid = best.cost
        return best

    def random_rules(self, best: Sequences, budget: Callable[[], bool], random: Random) -> Sequences:
        """Dispatch by random ATCS parameters until `budget` says stop."""
        while budget():
            plan = self.atcs(2.0 ** random.uniform(-2, 4.5), 2.0 ** random.uniform(-4.5, 2.5))
            if plan.cost < best.cost:
                best = plan
        self.report.random = best.cost
        return best

    def retime(self, plan: Sequences, mode: int) -> int:
        """Time a plan from its first operation to its last; what it costs."""
        self._fresh_people()
        return kernel.retime(
            self.packed.plant, plan.perm, plan.unit_of, plan.lane_of, self.st, self.people, mode
        )

    def _fresh_people(self) -> None:
        if self.packed.has_people:
            self.people[:] = self.packed.people

    def by_start(self, perm: Ints) -> Ints:
        """The same sequences in the order of their starts, what goes first left first.

        People are there from the beginning of a set-up: with people the order is that of
        beginnings, as far as links and sequences allow it.
        """
        first = len(self.packed.first)
        starts = self.st[perm * kernel.ST + kernel.START]
        if not self.packed.has_people:
            order = np.argsort(starts[first:], kind="stable")
            return np.concatenate((perm[:first], perm[first:][order]))
        begins = starts - self.st[perm * kernel.ST + kernel.SETUP]
        begins[:first] = np.arange(first) - FAR_PAST
        return self._in_order(perm, begins)

    def _in_order(self, perm: Ints, key: Ints) -> Ints:
        """Sort operations by `key`, each after those that it waits for on its way and its unit."""
        plant, st = self.packed.plant.tolist(), self.st.tolist()
        free = set(perm.tolist())
        of = dict(zip(perm.tolist(), key.tolist(), strict=True))
        followers: dict[int, list[int]] = {op: [] for op in free}
        missing = dict.fromkeys(free, 0)
        head = plant[kernel.PREDECESSORS]
        for op in free:
            row = op * kernel.ST
            before = {*plant[plant[head + op] : plant[head + op + 1] : 2], st[row + kernel.PREV]}
            for one in before & free:
                followers[one].append(op)
                missing[op] += 1
        heap = [(of[op], op) for op in free if not missing[op]]
        heapify(heap)
        found: list[int] = []
        while heap:
            _, op = heappop(heap)
            found.append(op)
            for after in followers[op]:
                missing[after] -= 1
                if not missing[after]:
                    heappush(heap, (of[after], after))
        return np.array(found, np.int64)

    def search(
        self,
        budget: Budget,
        tuning: Tuning = Tuning(),
        *,
        known: Sequences | None = None,
        on_better: Callable[[int], None] = lambda _cost: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Sequences:
        """Search until the budget is spent or `stop` says so.

        Args:
            known: A plan to begin from, beside those of the rules.
            on_better: Called with what a better plan costs.
        """
        clock = _Clock(budget, len(self.packed.problem.operations))
        random = Random(budget.seed)
        best = self.grid()
        if known is not None:
            known.cost = self.retime(known, self.mode)
            best = min(known, best, key=lambda plan: plan.cost)
        on_better(best.cost)
        if len(best.perm) <= len(self.packed.first) or stop():
            return best
        if self.is_bare:
            return self._tabu(best, clock, budget.seed, on_better, stop)
        has_time = clock.share(RANDOM_SHARE)
        best = self.random_rules(best, lambda: has_time() and not stop(), random)
        on_better(best.cost)
        return self._anneal(best, clock, tuning, on_better, stop)

    @property
    def is_bare(self) -> bool:
        """Only the makespan counts, and nothing but units and routes: a case for the tabu search."""
        problem, plant = self.packed.problem, self.packed.plant
        weights = problem.weights
        if weights != replace(Weights(0, 0, 0, 0, weights.shift_cap, 0), makespan=weights.makespan):
            return False
        if self.packed.has_people or not 0 < self.packed.free <= MOST_FOR_TABU:
            return False
        if self.packed.free < len(problem.operations) or len(self.packed.first):
            return False
        head = int(plant[kernel.TIMELINES])
        rows = [plant[head + kernel.TL * int(c) :][: kernel.TL] for c in self._unit_column(kernel.U_TIME)]
        return all(r[kernel.T_FIRST] == r[kernel.T_LAST] and not plant[r[kernel.T_FIRST]] for r in rows)

    def _unit_column(self, column: int) -> Ints:
        plant = self.packed.plant
        head, units = int(plant[kernel.UNITS]), int(plant[kernel.UNIT_COUNT])
        return plant[head + column : head + units * kernel.UN : kernel.UN]

    def _tabu(
        self,
        plan: Sequences,
        clock: _Clock,
        seed: int,
        on_better: Callable[[int], None],
        stop: Callable[[], bool],
    ) -> Sequences:
        size, units = len(plan.perm), int(self.packed.plant[kernel.UNIT_COUNT])
        walk, best = plan.copy(), plan.copy()
        pairs, places = np.zeros(size * size, np.int64), np.zeros(size * units, np.int64)
        io = np.zeros(kernel.IO, np.int64)
        io[kernel.SEED] = seed * 7919 % 2147483646 + 1
        price = self.packed.problem.weights.makespan
        io[kernel.T_BEST] = plan.cost // price
        pace = 4e6 / size
        while not stop():
            chunk, _, _ = clock.next_chunk(0.0, 1.0, pace)
            if chunk <= 0:
                break
            began = clock.cpu()
            found = kernel.tabu(
                self.packed.plant, walk.perm, walk.unit_of, best.perm, best.unit_of, pairs, places, io, chunk
            )
            pace = chunk / max(1e-4, clock.cpu() - began)
            clock.moves += chunk
            if found * price < best.cost:
                best.cost, best.rule = found * price, "tabu search"
                on_better(best.cost)
        self.report.moves = int(io[kernel.T_ITERATION])
        best.cost = self.retime(best, self.mode)
        best.perm = self.by_start(best.perm)
        return min(best, plan, key=lambda p: p.cost)

    def _anneal(
        self,
        plan: Sequences,
        clock: _Clock,
        tuning: Tuning,
        on_better: Callable[[int], None],
        stop: Callable[[], bool],
    ) -> Sequences:
        best = plan
        phases = PHASES if self.packed.has_people else ((kernel.NOBODY, 1.0),)
        for mode, until in phases:
            best = self._walk(best, clock, tuning, (mode, until), (on_better, stop))
        return best

    def _walk(
        self,
        best: Sequences,
        clock: _Clock,
        tuning: Tuning,
        phase: tuple[int, float],
        outside: tuple[Callable[[int], None], Callable[[], bool]],
    ) -> Sequences:
        """One chain until a share of the budget is spent; the best plan as it is timed exactly."""
        on_better, stop = outside
        walk = Walk(self, best, clock.budget.seed, phase[0])
        heat = max(1.0, tuning.heat * min(walk.cost, best.cost))
        if phase[0] == kernel.BY_LANE:
            heat *= LANE_HEAT
        told = best.cost
        begin = clock.spent()
        for number in count(1):
            chunk, now, then = clock.next_chunk(begin, phase[1], walk.pace)
            if chunk <= 0 or stop():
                break
            walk.go(chunk, heat * tuning.chill**now, heat * tuning.chill**then, tuning)
            clock.moves += chunk
            if self.packed.has_people and number % LOOKS == 0:
                best = min(best, self._exact(walk), key=lambda p: p.cost)
            cost = best.cost if self.packed.has_people else walk.best_cost
            if cost < told:
                told = cost
                on_better(told)
                self.report.trail.append((clock.cpu(), told))
        self.report.moves += int(walk.io[kernel.MOVES])
        self.report.accepted += int(walk.io[kernel.ACCEPTED])
        self.report.timed += int(walk.io[kernel.TIMED])
        return min(best, self._exact(walk), key=lambda p: p.cost)

    def _exact(self, walk: Walk) -> Sequences:
        """What a chain has found, timed with people counted, in the order that suits that."""
        found = walk.best()
        self.retime(found, walk.mode)
        found.perm = self.by_start(found.perm)
        found.cost = self.retime(found, self.mode)
        if not self.packed.has_people:
            return found
        return min(found, self._in_turn(found, self.mode), key=lambda p: p.cost)

    def _in_turn(self, plan: Sequences, mode: int) -> Sequences:
        """Dispatch with the order of a plan as the priority: who lacks people lets others pass."""
        rank = np.zeros(len(plan.unit_of), np.float64)
        rank[plan.perm] = -np.arange(len(plan.perm), dtype=np.float64)
        return self._dispatch(rank, self.latest, (0.0, 0.0), plan.rule, mode)

    def sequences(self, schedule: Schedule) -> Sequences:
        """A plan that somebody else made, in order of start."""
        problem = self.packed.problem
        units = {unit.id: row for row, unit in enumerate(problem.units)}
        at = schedule.by_operation
        unit_of = np.array([units[at[o.id].unit] for o in problem.operations], np.int64)
        first = self.packed.first.tolist()
        fixed = set(first)
        rest = [
            (at[o.id].start, row)
            for row, o in enumerate(problem.operations)
            if not (o.started or o.lock or row in fixed)
        ]
        perm = np.array([*first, *(row for _, row in sorted(rest))], np.int64)
        return Sequences(perm, unit_of, np.full(len(unit_of), -1, np.int64), 0, "known")

    def choices(self, plan: Sequences) -> list[Choice]:
        """The plan as a proposal for the decoder."""
        problem = self.packed.problem
        return [
            Choice(problem.operations[op].id, problem.units[plan.unit_of[op]].id) for op in plan.perm.tolist()
        ]


class Walk:
    """One chain of the annealing."""

    def __init__(self, engine: Engine, plan: Sequences, seed: int, mode: int) -> None:
        """Begin with a plan.

        Args:
            mode: How people are accounted for: `kernel.BY_LANE`, or not at all.
        """
        self.engine, self.mode = engine, mode
        plant = engine.packed.plant
        start = engine.on_lanes(plan) if mode == kernel.BY_LANE else engine.without_people(plan)
        self.cost = engine.retime(start, mode)
        self.perm = start.perm
        self.st = engine.st.copy()
        orders = int(plant[kernel.ORDER_COUNT])
        self.ends, self.late, self.late_at = (np.zeros(orders + 1, np.int64) for _ in range(3))
        self.io = np.zeros(kernel.IO, np.int64)
        self.io[kernel.SEED] = seed * 7919 % 2147483646 + 1
        self.io[kernel.CURRENT] = self.io[kernel.BEST] = self.cost
        self.best_perm, self.best_unit, self.best_lane = start.perm.copy(), start.unit_of, start.lane_of
        self.pace = 20_000.0
        kernel.begin_annealing(plant, self.st, self.ends, self.late, self.late_at, self.io)

    @property
    def best_cost(self) -> int:
        return int(self.io[kernel.BEST])

    def go(self, moves: int, heat: float, chill: float, tuning: Tuning) -> None:
        """Make moves while the temperature falls from `heat` to `chill`."""
        self._sort()
        knobs = np.array(
            [
                heat,
                chill,
                tuning.critical,
                tuning.reach,
                tuning.other_unit,
                tuning.hope,
                tuning.same_family,
                tuning.guided,
            ],
            np.float64,
        )
        began = time.process_time()
        kernel.anneal(
            self.engine.packed.plant,
            self.perm,
            self.st,
            self.ends,
            self.late,
            self.late_at,
            self.best_perm,
            self.best_unit,
            self.best_lane,
            self.mode,
            knobs,
            self.io,
            moves,
        )
        self.pace = moves / max(1e-4, time.process_time() - began)

    def _sort(self) -> None:
        """Put the permutation in the order of starts: neighbours in it are neighbours in time."""
        first = len(self.engine.packed.first)
        rest = self.perm[first:]
        starts = self.st[rest * kernel.ST + kernel.START]
        self.perm[first:] = rest[np.argsort(starts, kind="stable")]
        self.st[self.perm * kernel.ST + kernel.POS] = np.arange(len(self.perm))

    def best(self) -> Sequences:
        found = Sequences(self.best_perm, self.best_unit, self.best_lane, self.best_cost, "annealing")
        return found.copy()


class _Clock:
    """What is left of a budget."""

    def __init__(self, budget: Budget, operations: int) -> None:
        self.budget = budget
        self.chunk = max(64, min(20_000, CHUNK_MOVE_OPERATIONS // max(1, operations)))
        self.began = time.process_time()
        self.moves = 0

    def cpu(self) -> float:
        return time.process_time() - self.began

    def spent(self) -> float:
        """Share of the budget that is spent."""
        if self.budget.moves is not None:
            return self.moves / max(1, self.budget.moves)
        return self.cpu() / max(1e-9, self.budget.seconds)

    def share(self, part: float) -> Callable[[], bool]:
        """Asks whether a part of the budget is left: dispatches where moves are counted."""
        if self.budget.moves is None:
            return lambda: self.spent() < part
        left = iter(range(50))
        return lambda: next(left, None) is not None

    def next_chunk(self, begin: float, end: float, pace: float) -> tuple[int, float, float]:
        """Moves until the next look, and the progress before and after them.

        Args:
            begin: Share of the budget that was spent when this chain began.
            end: Share at which it ends.
        """
        now = (self.spent() - begin) / max(1e-9, end - begin)
        if now >= 1.0:
            return 0, 1.0, 1.0
        if self.budget.moves is not None:
            chunk = min(self.chunk, 1 + int(self.budget.moves * end) - self.moves)
            return chunk, now, min(1.0, now + chunk / max(1.0, self.budget.moves * (end - begin)))
        left = self.budget.seconds * (end - self.spent())
        seconds = min(CHUNK_S, left)
        then = now + seconds / max(1e-9, self.budget.seconds * (end - begin))
        return max(64, int(pace * seconds)), now, min(1.0, then)
