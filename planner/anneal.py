"""Search for a better plan: a grid of dispatch rules, random ones, then annealing on sequences.

This module and `planner.kernel` belong to the solver's own process: importing them loads or
compiles the kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from random import Random

import numpy as np
from numpy.typing import NDArray

from planner import kernel
from planner.decoder.first import units_of_first
from planner.decoder.proposal import Choice, placed_order, proposal_of
from planner.decoder.turns import beginnings, in_turn
from planner.dispatch import WAITS
from planner.pack import Ints, Pack, ints
from planner.problem import Published
from planner.progress import Stop, never
from planner.schedule import Schedule
from planner.shop import is_job_shop
from planner.shorten import Shortener, least_makespan

K1 = (0.5, 1.0, 2.0, 4.0, 8.0)
K2 = (0.1, 0.3, 1.0, 3.0)
"""Look-ahead in mean runs and price of a set-up in mean set-ups: their best values differ from plant
to plant by a factor of six, so that a grid of rules is tried."""

NEAR = ((0.5, 16.0, 1.0), (0.5, 8.0, 1.0), (1.0, 4.0, 0.3), (1.0, 2.0, 0.3))
"""Rules that stay near a plan: share of an operation's worth that counts, look-ahead, price of a set-up."""

NEARNESS = (0.5, 0.75)
"""How far such rules put the time at which an operation is due towards the one at which it began before."""

PLIANT = 1.1
"""A plan of such a rule may cost so much more than one mended in gaps: it is loose, a search gets further."""

RANDOM_SHARE = 0.04
"""Share of the budget for random rules (their gain ends soon, the annealing's does not)."""

REFILL_SHARE = 0.1
"""Share of the budget in which orders of a known plan are put into gaps again."""

REFILL_MOVES = 100
"""Moves of the annealing for one such trial, where moves are counted (it takes as long as ten)."""

REFILL_CHUNK = 500
"""Such trials between two looks at the clock."""

CHUNK_S = 0.1
"""Seconds of moves between two looks at the clock."""

CHUNK_MOVE_OPERATIONS = 20_000_000
"""Moves between two looks at `stop` of a search that counts moves, times operations: about 0.1 s."""


FAR_PAST = 1 << 40

CALM = 400.0
"""Moves for each operation below which a search must begin colder, or it ends where it is still hot."""

MAKESPAN_HEAT = 0.00015
"""First temperature, as a share of what a plan costs, where the makespan counts: no sum over orders, of which
a share would be an operation's."""

MOST_FOR_TABU = 2_500
"""Operations; the tabu list has an entry for each pair."""

SEED_STEP = 101
"""Between the seeds of chains."""

LOOK_S = 0.05
"""Seconds between two looks at `stop` while the kernel runs."""

EXCHANGES = 12
"""How often in a search the worst chain goes on from where the best is."""


@dataclass(frozen=True)
class Tuning:
    """How the annealing walks.

    Args:
        heat: Temperature at the beginning, in shares of what the first plan costs for each operation.
        chill: Temperature at the end, as a share of the first temperature.
        critical: Share of moves on operations that keep a late order waiting.
        reach: How many places of a unit's sequence a move may jump.
        other_unit: Share of moves to another unit, where there is one.
        hope: Weight of gains that are hoped for, and of losses feared, when a move is given up.
        same_family: Share of moves to the side of an operation that needs no set-up between.
        guided: Share of moves on critical operations that go where an estimate is best.
    """

    heat: float = 2.5
    chill: float = 0.01
    critical: float = 0.5
    reach: float = 15.0
    other_unit: float = 0.4
    hope: float = 1.0
    same_family: float = 0.2
    guided: float = 0.6


@dataclass(frozen=True)
class Budget:
    """How long to search: `moves` gives the same plan for the same seed; else CPU `seconds`.

    Args:
        seconds: Of all chains together.
        moves: Of each chain.
        chains: Searches side by side, each on a core if there is one; now and then the worst goes on
            from where the best is.
    """

    seconds: float = 5.0
    moves: int | None = None
    seed: int = 1
    chains: int = 1


@dataclass
class Sequences:
    """A plan as the kernel knows it: an order of operations, and units, with what it costs."""

    perm: Ints
    unit_of: Ints
    cost: int
    rule: str

    def copy(self) -> Sequences:
        return Sequences(self.perm.copy(), self.unit_of.copy(), self.cost, self.rule)


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
        self.st = packed.state()
        self.crowd = packed.crowd()
        self.report = Report()
        plant = packed.plant
        ops = int(plant[kernel.OPS])
        of = plant[ops + kernel.ORDER : ops + int(plant[kernel.COUNT]) * kernel.OP : kernel.OP]
        weight = np.array([o.weight for o in packed.problem.orders], np.float64)
        due = np.array([o.due for o in packed.problem.orders], np.int64)
        shortest = packed.shortest.astype(np.float64)
        self.atcs_base = np.log(weight[of] / shortest) if len(of) else shortest
        self.latest = np.ascontiguousarray(due[of] - packed.tail) if len(of) else packed.tail

    def dispatch(
        self, base: NDArray[np.float64], latest: Ints, k1: float, k2: float, rule: str, *, wait: float = 0.0
    ) -> Sequences:
        """Build a plan by a rule, in order of start; see `kernel.dispatch`."""
        packed = self.packed
        perm = np.full(packed.free, -1, np.int64)
        unit_of = np.full(len(base), -1, np.int64)
        cost = kernel.dispatch(
            packed.plant, packed.first, base, latest, k1, k2, wait, perm, unit_of, self.st, self.crowd
        )
        self.report.dispatches += 1
        if not packed.is_counted:
            perm = self.by_start(perm)
        return Sequences(perm, unit_of, cost, rule)

    def atcs(self, k1: float, k2: float, wait: float = 0.0) -> Sequences:
        """Dispatch by ATCS with look-ahead `k1` and set-up price `k2`, in means.

        Args:
            wait: How long a batch waits for more to come, in runs of its own.
        """
        price = 1.0 / (k2 * self.packed.mean_setup) if self.packed.mean_setup else 0.0
        rule = f"atcs k1={k1:.2g} k2={k2:.2g}" + (f" wait={wait:.2g}" if wait else "")
        ahead = 1.0 / (k1 * self.packed.mean_run)
        return self.dispatch(self.atcs_base, self.latest, ahead, price, rule, wait=wait)

    def ranked(self, rank: NDArray[np.float64], rule: str) -> Sequences:
        """Dispatch by a given priority, the highest first."""
        return self.dispatch(rank, self.latest, 0.0, 0.0, rule)

    def grid(self, stop: Stop = never) -> Sequences:
        """The cheapest plan of the grid, of earliest due date, most work remaining and longest way.

        Args:
            stop: Asked after each rule.
        """
        plans = self._plans_of_rules()
        best = next(plans)
        while not stop() and (plan := next(plans, None)) is not None:
            best = min(best, plan, key=lambda plan: plan.cost)
        if best.cost == kernel.IMPOSSIBLE:
            best = self._held_back()
        if self.packed.problem.tools and not len(self.packed.followers) and not stop():
            best = min(best, self._longest_way_first(best.unit_of), key=lambda plan: plan.cost)
        self.report.grid = best.cost
        return best

    def _plans_of_rules(self) -> Iterator[Sequences]:
        k2s = K2 if self.packed.mean_setup else K2[:1]
        waits = WAITS if self.packed.problem.has_batches else WAITS[:1]
        for pause in waits:
            for k1 in K1:
                yield from (self.atcs(k1, k2, pause) for k2 in k2s)
        yield self.ranked(-self.latest.astype(np.float64), "least slack")
        yield self.ranked(self.packed.tail.astype(np.float64), "most work remaining")

    def _held_back(self) -> Sequences:
        """A plan in the order of the decoder, where no rule lets all into their buffers."""
        problem = self.packed.problem
        due = {order.id: order.due for order in problem.orders}
        rows = sorted(problem.operations, key=lambda o: (due[o.order], o.order))
        fastest = [Choice(o.id, min(o.alternatives, key=lambda a: a.minutes).unit) for o in rows]
        found = self._let_in(fastest, "one order after the other")
        found.cost = self.retime(found)
        return found

    def _let_in(self, choices: list[Choice], rule: str) -> Sequences:
        """A proposal in an order that lets all into their buffers, what goes first left first."""
        problem, first = self.packed.problem, self.packed.first.tolist()
        rows = {o.id: row for row, o in enumerate(problem.operations)}
        units = {unit.id: row for row, unit in enumerate(problem.units)}
        asked = {choice.operation: choice.unit for choice in choices} | units_of_first(problem)
        held = [problem.operations[row] for row in first]
        fastest = {o.id: min(o.alternatives, key=lambda a: a.minutes).unit for o in held}
        begin = [Choice(o.id, asked.get(o.id, o.fixed_unit or fastest[o.id])) for o in held]
        order = placed_order(problem, [*begin, *choices])
        unit_of = np.zeros(len(rows), np.int64)
        for choice in (*choices, *order):  # what is locked, too
            unit_of[rows[choice.operation]] = units[choice.unit]
        entries = (c.operation for c in order if c.operation not in problem.ties.head_of)
        return Sequences(ints(rows[name] for name in entries), unit_of, 0, rule)

    def _longest_way_first(self, unit_of: Ints) -> Sequences:
        """A plan in the order of what is still to do behind each operation: who gets a tool is chosen."""
        operations, first = self.packed.problem.operations, self.packed.first
        held = set(first.tolist())
        rest = ints(i for i, o in enumerate(operations) if not (o.started or o.lock or i in held))
        order = np.argsort(-self.packed.tail[rest], kind="stable")
        plan = Sequences(np.concatenate((first, rest[order])), unit_of.copy(), 0, "longest way first")
        plan.cost = self.retime(plan)
        return plan

    def random_rules(self, best: Sequences, budget: Callable[[], bool], random: Random) -> Sequences:
        """Dispatch by random ATCS parameters until `budget` says stop."""
        while budget():
            wait = 2.0 * random.random() if self.packed.problem.has_batches else 0.0
            plan = self.atcs(2.0 ** random.uniform(-2, 4.5), 2.0 ** random.uniform(-4.5, 2.5), wait)
            if plan.cost < best.cost:
                best = plan
        self.report.random = best.cost
        return best

    def retime(self, plan: Sequences) -> int:
        """Time a plan from its first operation to its last; what it costs."""
        return kernel.retime(self.packed.plant, plan.perm, plan.unit_of, self.st, self.crowd)

    @property
    def sees_gaps(self) -> bool:
        """Whether operations can be put into gaps of their units: none takes others or places with it."""
        plant = self.packed.plant
        return not (plant[kernel.BATCHES] or plant[kernel.TIES] or plant[kernel.BUFFERS])

    def near(self, before: Ints) -> Sequences:
        """The cheapest plan of rules by which everything is due between its latest start and its old one.

        What is late by then goes by its worth: a delay is shared out, not handed to whoever comes last.

        Args:
            before: Row -> the minute in which it began; below 0 where it had no place.
        """
        packed, plans = self.packed, list[Sequences]()
        price = 1.0 / packed.mean_setup if packed.mean_setup else 0.0
        for share in NEARNESS:
            between = (share * before + (1.0 - share) * self.latest).astype(np.int64)
            due = np.where(before < 0, self.latest, between)
            for worth, k1, k2 in NEAR:
                ahead = 1.0 / (k1 * packed.mean_run)
                plans.append(
                    self.dispatch(worth * self.atcs_base, due, ahead, price / k2, "near the old plan")
                )
        return min(plans, key=lambda plan: plan.cost)

    def in_gaps(self, plan: Sequences, starts: Ints, slip: int = 0) -> Sequences:
        """A plan after something happened: what would begin later goes into gaps, and nobody else moves.

        Args:
            plan: Its sequences, in order of start.
            starts: When each operation began in it; below 0 for one that had no place.
            slip: Minutes by which an operation may begin later and stay where it is.
        """
        unit_of, first = plan.unit_of.copy(), len(self.packed.first)
        kernel.mend(self.packed.plant, plan.perm, unit_of, starts, first, slip, self.st, self.crowd)
        found = Sequences(self.by_start(plan.perm), unit_of, 0, "in gaps")
        found.cost = self.retime(found)
        return found

    def gone_on(self, before: Mapping[str, Published]) -> Sequences:
        """The plan in force on the plant as it is now: what cannot begin as it did, and what is new, in gaps.

        Args:
            before: Operation id -> where it was.
        """
        return self.in_gaps(self.in_force(before), self.begun(before))

    def in_force(self, before: Mapping[str, Published]) -> Sequences:
        """The sequences of the plan in force; what is new comes first, on its first unit.

        Without gaps (see `sees_gaps`) they are such that all get in, and what is new comes last.

        Args:
            before: Operation id -> where it was.

        Raises:
            LocksConflict: The locks cannot be kept.
        """
        problem, first = self.packed.problem, self.packed.first
        if not self.sees_gaps:
            names = in_turn(problem, before)
            return self._let_in([Choice(name, before[name].unit) for name in names], "in force")
        units = {unit.id: row for row, unit in enumerate(problem.units)}
        able = [{a.unit: units[a.unit] for a in o.alternatives} for o in problem.operations]
        unit_of = ints(next(iter(rows.values())) for rows in able)
        starts = self.begun(before)
        for row, operation in enumerate(problem.operations):
            if starts[row] >= 0:
                unit_of[row] = able[row][before[operation.id].unit]
        fixed = {*first.tolist(), *(i for i, o in enumerate(problem.operations) if o.started or o.lock)}
        rest = sorted((row for row in range(len(starts)) if row not in fixed), key=starts.__getitem__)
        perm = np.array([*first.tolist(), *rest], np.int64)
        plan = Sequences(perm, unit_of, 0, "in force")
        begins = beginnings(problem, before) if self.packed.is_counted else {}
        if begins:
            self.retime(plan)
            plan.perm = self._by(ints(begins.get(o.id, -1) for o in problem.operations), perm, self.st)
        return plan

    def begun(self, before: Mapping[str, Published]) -> Ints:
        """Row -> the minute in which it began; -1 where it had no place, or one that is none any more."""
        rows = ((o, before.get(o.id)) for o in self.packed.problem.operations)
        able = ((place, {a.unit for a in o.alternatives}) for o, place in rows)
        return ints(place.start if place and place.unit in units else -1 for place, units in able)

    def refilled(self, plan: Sequences, trials: int, io: Ints) -> Sequences:
        """A plan in which orders are taken out and put into gaps again, some together, `trials` times."""
        plan.cost = self.retime(plan)
        st, unit_of = self.st.copy(), plan.unit_of.copy()
        kernel.recreate(self.packed.plant, plan.perm, unit_of, st, io, trials)
        found = Sequences(self.by_start(plan.perm, st), unit_of, 0, "refilled")
        found.cost = self.retime(found)
        return min(plan, found, key=lambda p: p.cost)

    def _refill(self, plan: Sequences, clock: _Clock, stop: Stop) -> Sequences:
        """Put orders of a known plan into gaps again, at most as often as there are operations."""
        budget, best = clock.budget, plan
        left = len(self.packed.problem.operations)
        if budget.moves is not None:
            left = min(left, budget.moves // REFILL_MOVES)
        ends = clock.spent() + REFILL_SHARE
        io = np.zeros(kernel.IO, np.int64)
        io[kernel.SEED] = budget.seed * 7919 % 2147483646 + 1
        while left > 0 and not stop() and (budget.moves is not None or clock.spent() < ends):
            trials = min(left, REFILL_CHUNK)
            best = self.refilled(best, trials, io)
            left -= trials
        return best

    def _without_stability(self, plan: Sequences) -> int:
        """What a plan costs for whoever has read none before."""
        plant = self.packed.plant.copy()
        plant[kernel.W_MOVED] = plant[kernel.W_SHIFT] = 0
        return kernel.retime(plant, plan.perm, plan.unit_of, self.st, self.crowd)

    def by_start(self, perm: Ints, st: Ints | None = None) -> Ints:
        """The same sequences in the order of their starts, what goes first left first.

        People are there from the beginning of a set-up: with people the order is that of
        beginnings, as far as links and sequences allow it.

        Args:
            st: Where the kernel has timed them; by default where the engine does.
        """
        st = self.st if st is None else st
        rows = self.packed.rows(st)
        first = len(self.packed.first)
        if not self.packed.is_counted and not len(self.packed.followers):
            order = np.argsort(rows[perm[first:], kernel.START], kind="stable")
            return np.concatenate((perm[:first], perm[first:][order]))
        return self._by(rows[:, kernel.START] - rows[:, kernel.SETUP], perm, st)

    def _by(self, key: Ints, perm: Ints, st: Ints) -> Ints:
        """A timed permutation by a key of its rows, as far as links and sequences allow it."""
        first = len(self.packed.first)
        key[perm[:first]] = np.arange(first) - FAR_PAST
        if self.packed.problem.buffers:  # of one minute, those who make room stay before those who use it
            key[perm] = key[perm] * len(perm) + np.arange(len(perm))
        found = np.zeros_like(perm)
        kernel.in_turn(self.packed.plant, perm, key, st, found)
        return found

    def search(
        self,
        budget: Budget,
        tuning: Tuning = Tuning(),
        *,
        known: Sequences | None = None,
        before: Ints | None = None,
        on_better: Callable[[int], None] = lambda _cost: None,
        stop: Stop = never,
    ) -> Sequences:
        """Search until the budget is spent or `stop` says so.

        Args:
            known: A plan to begin from, beside those of the rules.
            before: Row -> when it began before something happened, below 0 where it had no place: rules that
                stay near that are tried too.
            on_better: Called with what a better plan costs.
        """
        clock = _Clock(budget, len(self.packed.problem.operations))
        random = Random(budget.seed)
        best = grid = self.grid(stop)
        if known is not None:
            known.cost = self.retime(known)
            best = min(known, best, key=lambda plan: plan.cost)
        on_better(best.cost)
        if len(best.perm) <= len(self.packed.first) or stop():
            return best
        if self.is_bare:
            return self.shorten(self.shorteners(best, budget), budget, on_better, stop)
        start = best
        if before is not None and (near := self.near(before)).cost < PLIANT * best.cost:
            start = near
        if start is not grid and self.sees_gaps and not self.packed.has_people:
            price = max(start.cost, self._without_stability(grid))
            start = self._refill(start, clock, stop)
            tuning = replace(tuning, heat=tuning.heat * price / max(1, start.cost))
        else:
            has_time = clock.share(RANDOM_SHARE)
            start = self.random_rules(start, lambda: has_time() and not stop(), random)
        on_better(start.cost)
        found = self._anneal(start, clock, tuning, on_better, stop)
        return min(best, found, key=lambda plan: plan.cost)

    @property
    def is_sum(self) -> bool:
        """Whether a plan costs what its orders do, one by one."""
        return self.packed.problem.weights.makespan == 0

    @property
    def is_bare(self) -> bool:
        """A job shop that is small enough for the tabu search."""
        return 0 < self.packed.free <= MOST_FOR_TABU and is_job_shop(self.packed.problem)

    def shorteners(self, plan: Sequences, budget: Budget) -> list[Shortener]:
        """The chains of a tabu search that begin with a plan; see `shorten`."""
        makespan = plan.cost // self.packed.problem.weights.makespan
        seeds = range(budget.seed, budget.seed + SEED_STEP * max(1, budget.chains), SEED_STEP)
        return [Shortener(self.packed, plan.perm, plan.unit_of, makespan, seed) for seed in seeds]

    def shorten(
        self,
        chains: list[Shortener],
        budget: Budget,
        on_better: Callable[[int], None] = lambda _cost: None,
        stop: Stop = never,
    ) -> Sequences:
        """Let a tabu search go on until the budget is spent or no plan can be shorter."""
        price = self.packed.problem.weights.makespan
        clock = _Clock(budget, len(self.packed.problem.operations))
        exchange = 1.0 / EXCHANGES
        best = min(chains, key=lambda chain: chain.makespan)
        told = best.makespan
        while told > self.least_makespan and not stop():
            chunk, now, _ = clock.next_chunk(0.0, 1.0, chains[0].pace / len(chains))
            if chunk <= 0:
                break
            side_by_side([partial(chain.go, chunk) for chain in chains], stop, [chain.io for chain in chains])
            clock.moves += chunk
            best = min(chains, key=lambda chain: chain.makespan)
            if best.makespan < told:
                told = best.makespan
                on_better(told * price)
            if now >= exchange:
                exchange += 1.0 / EXCHANGES
                worst = max(chains, key=lambda chain: chain.makespan)
                if worst.makespan > told:
                    worst.go_on_from(best.best_perm, best.best_unit, told)
        self.report.moves = sum(chain.iterations for chain in chains)
        found = Sequences(best.best_perm.copy(), best.best_unit.copy(), told * price, "tabu search")
        found.cost = self.retime(found)
        found.perm = self.by_start(found.perm)
        return found

    @cached_property
    def least_makespan(self) -> int:
        """No plan of a job shop is shorter."""
        return least_makespan(self.packed)

    def _anneal(
        self,
        best: Sequences,
        clock: _Clock,
        tuning: Tuning,
        on_better: Callable[[int], None],
        stop: Stop,
    ) -> Sequences:
        """Chains side by side until the budget is spent; none is begun that is to end at once."""
        if stop():
            return min(best, self._in_order_of_starts(best.copy()), key=lambda p: p.cost)
        seeds = range(
            clock.budget.seed, clock.budget.seed + SEED_STEP * max(1, clock.budget.chains), SEED_STEP
        )
        walks = [Walk(self, best, seed) for seed in seeds]
        size = len(best.perm)
        heat = (tuning.heat / size if self.is_sum else MAKESPAN_HEAT) * walks[0].cost
        begin, exchange = clock.spent(), 1.0 / EXCHANGES
        while not stop():
            pace = walks[0].pace / len(walks)
            chunk, now, then = clock.next_chunk(begin, 1.0, pace)
            if chunk <= 0:
                break
            calm = heat * min(1.0, clock.all_moves(pace) / (CALM * size))
            hot, cold = max(1.0, calm * tuning.chill**now), max(0.01, calm * tuning.chill**then)
            tasks = [partial(walk.go, chunk, hot, cold, tuning) for walk in walks]
            side_by_side(tasks, stop, [walk.io for walk in walks])
            clock.moves += chunk
            found = min(walks, key=lambda walk: walk.best_cost)
            if found.best_cost < best.cost:
                best = found.best()
                on_better(best.cost)
                self.report.trail.append((clock.cpu(), best.cost))
            if now >= exchange and len(walks) > 1:
                exchange += 1.0 / EXCHANGES
                _exchange(walks)
        for walk in walks:
            self.report.moves += int(walk.io[kernel.MOVES])
            self.report.accepted += int(walk.io[kernel.ACCEPTED])
            self.report.timed += int(walk.io[kernel.TIMED])
        return min(best, self._in_order_of_starts(best.copy()), key=lambda p: p.cost)

    def _in_order_of_starts(self, found: Sequences) -> Sequences:
        """A plan whose order is that of its starts, if it does not cost more."""
        found.cost = self.retime(found)
        again = found.copy()
        again.perm = self.by_start(found.perm)
        again.cost = self.retime(again)
        return min(again, found, key=lambda p: p.cost)

    def sequences(self, schedule: Schedule) -> Sequences:
        """A plan that somebody else made, in the order in which its operations begin, with their set-ups."""
        problem = self.packed.problem
        if problem.buffers:
            rows = sorted(schedule.assignments, key=lambda a: a.setup_start)  # of one minute, by start
            free = [a for a in rows if not self.packed.is_fixed(a.operation)]
            return self._let_in([Choice(a.operation, a.unit) for a in free], "known")
        units = {unit.id: row for row, unit in enumerate(problem.units)}
        at = schedule.by_operation
        unit_of = np.array([units[at[o.id].unit] for o in problem.operations], np.int64)
        first = self.packed.first.tolist()
        fixed = {*first, *self.packed.followers.tolist()}
        rest = [
            (at[o.id].start, at[o.id].reason.code == "batch", row)
            for row, o in enumerate(problem.operations)
            if not (o.started or o.lock or row in fixed)
        ]
        perm = [*first, *(row for _, _, row in sorted(rest))]
        if problem.ties.chains:
            perm = self._in_sequence(schedule)
        plan = Sequences(np.array(perm, np.int64), unit_of, 0, "known")
        if self.packed.is_counted and not problem.ties.chains:
            self.retime(plan)
            plan.perm = self._by(ints(at[o.id].setup_start for o in problem.operations), plan.perm, self.st)
        return plan

    def _in_sequence(self, schedule: Schedule) -> list[int]:
        """The entries of a permutation with the sequences of a plan, if chains do not pass each other."""
        problem = self.packed.problem
        rows = {o.id: row for row, o in enumerate(problem.operations)}
        first = self.packed.first.tolist()
        known = {*first, *self.packed.followers.tolist()}
        order = (rows[choice.operation] for choice in proposal_of(problem, schedule))
        fixed = {row for row, o in enumerate(problem.operations) if o.started or o.lock}
        return [*first, *(row for row in order if row not in known | fixed)]

    def choices(self, plan: Sequences) -> list[Choice]:
        """The plan as a proposal for the decoder."""
        operations, unit_of = self.packed.problem.operations, plan.unit_of.tolist()
        names = [unit.id for unit in self.packed.problem.units]
        rows = self.packed.with_followers(plan.perm).tolist()
        return [Choice(operations[row].id, names[unit_of[row]]) for row in rows]


class Walk:
    """One chain of the annealing."""

    def __init__(self, engine: Engine, plan: Sequences, seed: int) -> None:
        """Begin with a plan."""
        self.engine = engine
        plant = engine.packed.plant
        self.perm, self.unit_of = plan.perm.copy(), plan.unit_of.copy()
        self.st = engine.packed.state()
        self.crowd = engine.packed.crowd(searched=True)
        self.cost = kernel.retime(plant, self.perm, self.unit_of, self.st, self.crowd)
        self.od = np.zeros(int(plant[kernel.ORDER_COUNT]) * (kernel.OE + 2) + 2, np.int64)
        self.io = np.zeros(kernel.IO, np.int64)
        self.io[kernel.SEED] = seed * 7919 % 2147483646 + 1
        self.io[kernel.CURRENT] = self.io[kernel.BEST] = self.cost
        self.best_perm, self.best_unit = self.perm.copy(), self.unit_of.copy()
        self.pace = 20_000.0
        self.sorted_at = 0
        kernel.begin_annealing(plant, self.st, self.od, self.io)

    @property
    def best_cost(self) -> int:
        return int(self.io[kernel.BEST])

    @property
    def now_cost(self) -> int:
        return int(self.io[kernel.CURRENT])

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
        began = time.thread_time()
        kernel.anneal(
            self.engine.packed.plant,
            self.perm,
            self.st,
            self.od,
            self.best_perm,
            self.best_unit,
            self.crowd,
            knobs,
            self.io,
            moves,
        )
        self.pace = moves / max(1e-4, time.thread_time() - began)

    def _sort(self) -> None:
        """Put the permutation in the order of starts: neighbours in it are neighbours in time."""
        if not self.engine.packed.is_counted:
            packed, perm = self.engine.packed, self.engine.by_start(self.perm, self.st)
            self.perm = perm
            self.st[~perm] = np.arange(len(perm))
            self.st[~packed.followers] = self.st[~packed.heads]
            return
        moves = int(self.io[kernel.MOVES])
        if moves - self.sorted_at < len(self.perm) // 2:
            return
        self.sorted_at = moves
        perm = self.engine.by_start(self.perm, self.st)
        unit_of = self.engine.packed.rows(self.st)[:, kernel.UNIT].copy()
        plant, before = self.engine.packed.plant, int(self.io[kernel.CURRENT])
        cost = kernel.retime(plant, perm, unit_of, self.st, self.crowd)
        if cost > before:
            cost = kernel.retime(plant, self.perm, unit_of, self.st, self.crowd)
        else:
            self.perm = perm
        self.io[kernel.CURRENT] = cost
        kernel.begin_annealing(plant, self.st, self.od, self.io)

    def go_on_from(self, other: Walk) -> None:
        """Continue from where another chain is, with its own random numbers."""
        seed = self.io[kernel.SEED]
        for mine, its in zip(self._state(), other._state(), strict=True):
            mine[:] = its
        self.perm, self.sorted_at = other.perm.copy(), other.sorted_at
        self.io[kernel.SEED] = seed

    def _state(self) -> tuple[Ints, ...]:
        return self.st, self.crowd, self.od, self.io, self.best_perm, self.best_unit

    def best(self) -> Sequences:
        found = Sequences(self.best_perm, self.best_unit, self.best_cost, "annealing")
        return found.copy()


def _exchange(walks: list[Walk]) -> None:
    """The chain with the costliest plan goes on from the cheapest one."""
    cheap = min(walks, key=lambda walk: walk.now_cost)
    dear = max(walks, key=lambda walk: walk.now_cost)
    if dear.now_cost > cheap.now_cost:
        dear.go_on_from(cheap)


def side_by_side(tasks: Sequence[Callable[[], None]], stop: Stop, boards: Sequence[Ints]) -> None:
    """Do all, each in a thread of its own: the kernel runs without Python's lock.

    Args:
        stop: Asked while they run.
        boards: The `io` of each; once `stop` says so, each is told to end after the move at hand.
    """
    if len(tasks) == 1 and stop is never:
        tasks[0]()
        return
    with ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(task) for task in tasks]
        while wait(running, LOOK_S).not_done:
            if stop():
                for io in boards:
                    io[kernel.HALT] = 1
                break
        for done in running:
            done.result()


def most_moves_between_looks(operations: int) -> int:
    """Moves of a chain that counts them before it is looked at again."""
    return max(64, min(20_000, CHUNK_MOVE_OPERATIONS // max(1, operations)))


class _Clock:
    """What is left of a budget."""

    def __init__(self, budget: Budget, operations: int) -> None:
        self.budget = budget
        self.chunk = most_moves_between_looks(operations)
        self.began = time.process_time()
        self.moves = 0

    def cpu(self) -> float:
        return time.process_time() - self.began

    def spent(self) -> float:
        """Share of the budget that is spent."""
        if self.budget.moves is not None:
            return self.moves / max(1, self.budget.moves)
        return self.cpu() / max(1e-9, self.budget.seconds)

    def all_moves(self, pace: float) -> float:
        """Moves that the whole budget is good for, `pace` being those of a second."""
        return pace * self.budget.seconds if self.budget.moves is None else float(self.budget.moves)

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
