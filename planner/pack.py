"""A problem as one flat array of whole numbers, which is all that the compiled kernel knows.

The array is one-dimensional, contiguous int64, as the kernel's compiled signatures say: an array
of another type would silently be another function. Its head has numbers and says where each part
begins; the constants of `planner.kernel` name the entries. Operations, units and orders are their
row numbers in the problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from planner import kernel
from planner.counter import PLENTY, Counter
from planner.decoder.first import first_in_line, units_of_first
from planner.decoder.fitting import Decoder
from planner.problem import Operation, Problem, Recipe, ToolUse
from planner.shared import Draw
from planner.worktime import WorkTime

Ints = NDArray[np.int64]
Need = tuple[str | None, tuple[ToolUse, ...]]
"""A skill and tools: operations with the same ones draw on the same counters."""

HEAD = 40
WINDOW_COLUMNS = 3
BUCKET_SHIFT = 6
"""Windows are looked up by minutes in buckets of 2^6."""


@dataclass(frozen=True)
class Pack:
    """The plant as one array, and what is needed to use it and to read the kernel's answers.

    Args:
        plant: Head and parts, as the constants of `planner.kernel` say.
        people: Free people by union of skills and minute, then free tools by kind and minute.
        first: Operations that every plan places first, in this order.
        free: How many entries a permutation has, `first` included: operations that the kernel places, of
            those that a greatest lag ties to another one only the head of their chain.
        followers: The others, which ride on their heads.
        heads: Of each of these its head.
        tail: Least minutes from the start of each operation to the end of its order.
        shortest: Least minutes of each operation.
        has_people: Operations need people or tools, which are counted alike.
        buffer_cells: How much of a state says who is in which buffer.
    """

    problem: Problem
    plant: Ints
    people: Ints
    first: Ints
    free: int
    followers: Ints
    heads: Ints
    tail: Ints
    shortest: Ints
    mean_run: float
    mean_setup: float
    has_people: bool
    buffer_cells: int

    @property
    def is_counted(self) -> bool:
        """Whether times change with the order of operations that have neither unit nor route in common."""
        return self.has_people or self.buffer_cells > 0

    def is_fixed(self, operation: str) -> bool:
        """Whether an operation is started or locked."""
        row = self.problem.operation_by_id[operation]
        return row.started is not None or row.lock is not None

    def state(self) -> Ints:
        """Room for the places of all operations in a plan, and for who is in which buffer."""
        count = max(1, len(self.problem.operations))
        return in_lines(count * kernel.ST + self.buffer_cells + count)

    def rows(self, st: Ints) -> Ints:
        """The part of a state that says where operations are: a row for each."""
        count = len(self.problem.operations)
        return st[: count * kernel.ST].reshape(-1, kernel.ST)

    def with_followers(self, entries: Ints) -> Ints:
        """Entries of a permutation, each with what rides on it behind it."""
        if not len(self.followers):
            return entries
        riders: dict[int, list[int]] = {}
        for head, follower in zip(self.heads.tolist(), self.followers.tolist(), strict=True):
            riders.setdefault(head, []).append(follower)
        return ints(op for head in entries.tolist() for op in (head, *riders.get(head, ())))

    def crowd(self, *, searched: bool = False) -> Ints:
        """Who and what is free when, for the kernel to count in: a new array, of which nothing is claimed.

        Args:
            searched: For the annealing, which also keeps which operation holds them when.
        """
        if not self.has_people:
            return np.zeros(kernel.CROWD, np.int64)
        plant, size = self.plant, len(self.people)
        head = [kernel.COUNTED, kernel.CROWD, kernel.CROWD, *[0] * 7]
        if not searched:
            return np.concatenate((ints(head), self.people))
        count = int(plant[kernel.COUNT])
        buckets = 2 + ((int(plant[kernel.HORIZON]) - 1) >> kernel.BUCKET)
        heads = kernel.CROWD + 2 * size
        nodes = heads + buckets * int(plant[kernel.POOL_COUNT])
        log = nodes + 3 * kernel.SLOTS * count
        woken = log + (3 * count + 1) * kernel.CL
        head[2:9] = (kernel.CROWD + size, buckets, heads, nodes, log, 0, woken)
        room = np.zeros(woken + count + 1 - heads, np.int64)
        return np.concatenate((ints(head), self.people, self.people, room))


def _need(operation: Operation) -> Need:
    return operation.skill, operation.tools


def in_lines(size: int) -> Ints:
    """Zeros that begin where a line of the processor's cache does (64 bytes): a row of 8 is in one."""
    room = np.zeros(size + 8, np.int64)
    begin = -(room.ctypes.data // room.itemsize) % 8
    return room[begin : begin + size]


def ints(values: Iterable[int]) -> Ints:
    """A contiguous int64 array."""
    return np.fromiter(values, dtype=np.int64)


def pack(problem: Problem) -> Pack:
    """Turn a problem into arrays.

    Raises:
        LocksConflict: Locks that no plan can keep.
    """
    return _Packer(problem).pack()


class _Packer:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.decoder = Decoder(problem)  # places started and locked work, or refuses
        self.rows = {o.id: i for i, o in enumerate(problem.operations)}
        self.unit_rows = {u.id: i for i, u in enumerate(problem.units)}
        self.order_rows = {o.id: i for i, o in enumerate(problem.orders)}
        names = {o.family for o in problem.operations} | {u.family for u in problem.units}
        self.families: dict[str | None, int] = {None: 0}
        for name in sorted(x for x in names if x is not None):
            self.families[name] = len(self.families)
        self.needs = self._needs()
        self.need_rows = {need: row for row, need in enumerate(self.needs)}
        self.timelines: list[tuple[tuple[int, int], ...]] = []
        self.timeline_rows: dict[tuple[tuple[int, int], ...], int] = {}
        self.links = self._links()
        self.pinned = units_of_first(problem)
        self.data: list[int] = [0] * HEAD

    def pack(self) -> Pack:
        problem, data = self.problem, self.data
        first = self._first()
        people, rows = self._counters()
        weights = problem.weights
        data[:8] = self._numbers(first)
        data[8:13] = (
            *(weights.setup, weights.makespan),
            *(weights.moved, weights.shift, weights.shift_cap),
        )
        self._part(14, self._operations())
        self._lists(15, self._alternatives())
        self._lists(16, [[x for link in row for x in link] for row in self.links])
        self._lists(17, self._followers())
        setups = self._setups()
        self._part(18, self._units(setups))
        self._windows(19)
        self._lists(20, self._blocks())
        self._orders(21)
        self._part(22, self._fixed_places())
        self._draws(23, rows)
        queue_of, queues = self._queues()
        data[4] = len(queues)
        self._part(24, queue_of)
        self._lists(25, queues)
        self._part(26, _bit_positions())
        overlaps = self._overlaps()
        if any(overlaps):
            self._lists(28, overlaps)
        self._ties()
        self._batches()
        buffer_cells = self._buffers() if problem.buffers else 0
        tail, shortest = self._tails()
        minutes = [s.minutes for center in problem.work_centers for s in center.setups]
        chains = [[self.rows[o.id] for o in chain] for chain in problem.ties.chains.values()]
        followers = [(row, chain[0]) for chain in chains for row in chain[1:]]
        return Pack(
            problem,
            ints(data),
            people,
            ints(first),
            sum(self._is_free(row) for row in range(len(problem.operations))) - len(followers),
            ints(follower for follower, _ in followers),
            ints(head for _, head in followers),
            tail,
            shortest,
            float(shortest.mean()) if len(shortest) else 1.0,
            sum(minutes) / len(minutes) if minutes else 0.0,
            bool(self.needs),
            buffer_cells,
        )

    def _numbers(self, first: list[int]) -> list[int]:
        problem = self.problem
        return [
            *(len(problem.operations), len(problem.units), len(problem.orders), 0),
            *(0, len(self.families), problem.horizon, len(first)),
        ]

    def _part(self, entry: int, values: Iterable[int]) -> None:
        """Append values; the head's `entry` says where they begin."""
        self.data[entry] = len(self.data)
        self.data += values

    def _lists(self, entry: int, rows: list[list[int]]) -> None:
        """Append lists: first where each begins, one more for the end of the last, then all."""
        self.data[entry] = len(self.data)
        at = len(self.data) + len(rows) + 1
        self.data += [at + n for n in _sums(len(row) for row in rows)]
        self.data += [x for row in rows for x in row]

    def _timeline(self, windows: Iterable[tuple[int, int]]) -> int:
        key = tuple(windows)
        if key not in self.timeline_rows:
            self.timeline_rows[key] = len(self.timelines)
            self.timelines.append(key)
        return self.timeline_rows[key]

    def _alternatives(self) -> list[list[int]]:
        return [
            [
                x
                for a in o.alternatives
                if a.unit == self.pinned.get(o.id, o.fixed_unit or a.unit)
                for x in (self.unit_rows[a.unit], a.minutes)
            ]
            for o in self.problem.operations
        ]

    def _links(self) -> list[list[tuple[int, int]]]:
        """Predecessors with lags; a kept operation also follows the kept one before it."""
        links = [
            [
                (self.rows[link.operation], link.lag if link.sublots == 1 else kernel.OVERLAPPED)
                for link in o.predecessors
            ]
            for o in self.problem.operations
        ]
        for after, held in self.problem.kept_order.items():
            links[self.rows[after]] += [(self.rows[before], 0) for before in held]
        return links

    def _overlaps(self) -> list[list[int]]:
        """Predecessors of which an operation gets sub-lots: row, lag, sub-lots."""
        return [
            [
                x
                for link in o.predecessors
                if link.sublots > 1
                for x in (self.rows[link.operation], link.lag, link.sublots)
            ]
            for o in self.problem.operations
        ]

    def _followers(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.links]
        for after, rows in enumerate(self.links):
            for before, _ in rows:
                found[before].append(after)
        return found

    def _operations(self) -> Iterator[int]:
        for o in self.problem.operations:
            place = None if o.started else o.published
            yield self.families[o.family]
            yield self.problem.release_of(o)
            yield int(o.resumable)
            yield self.need_rows.get(_need(o), -1)
            yield self.order_rows[o.order]
            yield -1 if place is None else self.unit_rows[place.unit]
            yield 0 if place is None else place.start
            yield int(bool(o.started or o.lock))

    def _units(self, setups: dict[str, int]) -> list[int]:
        started = [(o.started.unit, o) for o in self.problem.operations if o.started]
        running = {unit: o for unit, o in started if unit not in self.problem.subcontractors}
        found: list[int] = []
        for unit in self.problem.units:
            work = self.decoder.lines[unit.id].time
            under_way: Operation | None = running.get(unit.id)
            found.append(self._timeline(work.windows_until(self.problem.horizon)))
            found.append(setups[unit.work_center])
            found.append(self.families[under_way.family if under_way else unit.family])
            found.append(under_way.minutes_on(unit.id) if under_way else 0)
        return found

    def _setups(self) -> dict[str, int]:
        """Append a table (family before, family after) for each centre; where each begins."""
        found: dict[str, int] = {}
        units = {u.work_center: u.id for u in self.problem.units}
        minutes = self.problem.setup_minutes
        for center in self.problem.work_centers:
            found[center.id] = len(self.data)
            unit = units.get(center.id)
            named = center.setups and unit is not None
            for before in self.families:
                for after in self.families:
                    self.data.append(minutes(str(unit), before, after) if named else 0)
        return found

    def _blocks(self) -> list[list[int]]:
        """Locked work by unit: begin, run, end in working minutes, and its family."""
        return [
            [
                x
                for b in self.decoder.lines[unit.id].blocks
                if b.operation.lock and not unit.subcontractor
                for x in (b.begin, b.run, b.end, self.families[b.operation.family])
            ]
            for unit in self.problem.units
        ]

    def _orders(self, entry: int) -> None:
        weights, count = self.problem.weights, len(self.problem.orders)
        lasts: list[list[int]] = [[] for _ in range(count)]
        by_id = self.problem.operation_by_id
        for i, o in enumerate(self.problem.operations):
            if not any(by_id[x].order == o.order for x in self.problem.successors[o.id]):
                lasts[self.order_rows[o.order]].append(i)
        self.data[entry] = len(self.data)
        at = len(self.data) + kernel.OR * count
        for order, rows in zip(self.problem.orders, lasts, strict=True):
            flow = weights.flow if order.kind == "work" else 0
            self.data += (order.due, weights.tardiness * order.weight, at, at + len(rows), flow)
            at += len(rows)
        self.data += [x for rows in lasts for x in rows]

    def _fixed_places(self) -> Iterator[int]:
        """Start, end and unit of started and locked operations; zeros for the others."""
        for o in self.problem.operations:
            if o.started:
                yield from (o.started.since, self.decoder.ends[o.id], self.unit_rows[o.started.unit])
            elif o.lock:
                yield from (o.lock.start, self.decoder.ends[o.id], self.unit_rows[o.lock.unit])
            else:
                yield from (0, 0, 0)

    def _first(self) -> list[int]:
        """The operations placed before all others, each after those that it waits for."""
        done: set[int] = set()
        found: list[int] = []
        entries = self._entries()
        for name in first_in_line(self.problem):
            stack = [self.rows[name]]
            while stack:
                row = stack[-1]
                before = [b for b in entries[row] if b not in done]
                stack += before
                if not before:
                    stack.pop()
                    if row not in done:
                        done.add(row)
                        found.append(row)
        return found

    def _entries(self) -> list[list[int]]:
        """What each entry of a permutation waits for there; heads wait for what their followers wait for."""
        ties, operations = self.problem.ties, self.problem.operations
        found: list[list[int]] = [[] for _ in operations]
        for row, links in enumerate(self.links):
            head = self.rows[ties.head(operations[row].id)]
            before = (self.rows[ties.head(operations[b].id)] for b, _ in links if self._is_free(b))
            found[head] += [b for b in before if b != head and b not in found[head]]
        return found

    def _ties(self) -> None:
        """Append the chains, and what entries of a permutation wait for, where there are chains."""
        ties = self.problem.ties
        if ties.are_none:
            return
        rows = [[row, -1, -1, 0, 0] for row in range(len(self.problem.operations))]
        for chain in ties.chains.values():
            for before, behind in pairwise(chain):
                one, two = self.rows[before.id], self.rows[behind.id]
                links = [link for link in behind.predecessors if link.operation == before.id]
                rows[one][kernel.I_BEHIND] = two
                rows[two][: kernel.I_BEHIND] = self.rows[chain[0].id], one
                rows[two][kernel.I_MOST] = max(link.most or 0 for link in links)
        for name, (minute, _) in ties.limits.items():
            rows[self.rows[name]][kernel.I_LIMIT] = minute
        self._part(kernel.TIES, (x for row in rows for x in row))
        entries = self._entries()
        self._lists(kernel.ENTRY_PREDECESSORS, entries)
        followers: list[list[int]] = [[] for _ in entries]
        for after, before_it in enumerate(entries):
            for row in before_it:
                followers[row].append(after)
        self._lists(kernel.ENTRY_SUCCESSORS, followers)

    def _is_free(self, row: int) -> bool:
        operation = self.problem.operations[row]
        return not (operation.started or operation.lock)

    def _needs(self) -> dict[Need, tuple[Draw, ...]]:
        """What operations draw on, a row for each different need."""
        shared = self.decoder.shared
        drawn = {_need(o): shared.draws(o) for o in self.problem.operations}
        return {need: draws for need, draws in drawn.items() if draws}

    def _counters(self) -> tuple[Ints, dict[int, int]]:
        """What is free of everything that is drawn on, minute by minute; the row of each counter."""
        horizon = self.problem.horizon
        drawn = [draw.counter for draws in self.needs.values() for draw in draws]
        counters: list[Counter] = list({id(counter): counter for counter in drawn}.values())
        found = np.zeros((len(counters), horizon), dtype=np.int64)
        for row, counter in enumerate(counters):
            steps = counter.steps()
            for (start, free), (end, _) in zip(steps, [*steps[1:], (horizon, 0)], strict=True):
                if start < horizon:
                    found[row, start : min(end, horizon)] = min(free, PLENTY)
        return found.reshape(-1), {id(counter): row for row, counter in enumerate(counters)}

    def _draws(self, entry: int, rows: dict[int, int]) -> None:
        """Append what each need draws on, and its pool: the needs that it shares counters with."""
        self.data[entry] = len(self.data)
        needs = list(self.needs.values())
        pools = _pools([[rows[id(draw.counter)] for draw in draws] for draws in needs])
        self.data[3] = len(set(pools))
        at = len(self.data) + kernel.NE * len(pools)
        for draws, pool in zip(needs, pools, strict=True):
            self.data += (at, at + kernel.DR * len(draws), pool)
            at += kernel.DR * len(draws)
        for draw in (draw for draws in needs for draw in draws):
            self.data += (rows[id(draw.counter)], draw.count, int(draw.tool is not None))

    def _batches(self) -> None:
        """Append places and recipes, where there are units with places or subcontractors."""
        problem, data = self.problem, self.data
        if not (problem.has_batches or problem.subcontractors):
            return
        data[kernel.BATCHES] = head = len(data)
        data += [0] * (kernel.BA * len(problem.units))
        self._part(kernel.OP_PLACES, (o.places for o in problem.operations))
        for row, unit in enumerate(problem.units):
            if unit.subcontractor:
                data[head + kernel.BA * row] = kernel.ANY_NUMBER
            elif unit.places is not None:
                data[head + kernel.BA * row] = unit.places
                data[head + kernel.BA * row + 1] = len(data)
                data += self._recipes(unit.id)

    def _buffers(self) -> int:
        """Append the buffers, and who delivers and takes out; returns how much of a state they need."""
        flows, data = self.decoder.buffers.flows, self.data
        names = {name: row for row, name in enumerate(flows.places)}
        cells = _Cells(kernel.ST * max(1, len(self.problem.operations)))
        gives = [flows.gives.get(o.id, ()) for o in self.problem.operations]
        takes = [flows.takes.get(o.id) for o in self.problem.operations]
        self._lists(
            kernel.GIVES,
            [[x for g in row for x in (names[g.buffer], g.count, g.own, cells.take(2))] for row in gives],
        )
        rows = [(-1, 0, 0) if t is None else (names[t[0]], t[1], cells.take(1)) for t in takes]
        self._part(kernel.TAKES, (x for row in rows for x in row))
        all_taken = sum(t[1] for t in takes if t)
        table = [len(names), cells.take(len(takes) + 1), cells.take(2 * all_taken + 1)]
        locked_at = len(data) + len(table) + kernel.BF * len(names)
        for name, places in flows.places.items():
            given = [g for row in gives for g in row if g.buffer == name]
            left = sum(t[1] for t in takes if t and t[0] == name)
            locked = len(flows.locked[name])
            table += (places, flows.facts[name], locked_at, locked_at + locked)
            table += (max((g.own for g in given), default=0), cells.take(4))
            table += (cells.take(left), cells.take(left), cells.take(sum(g.count for g in given)))
            locked_at += locked
        self._part(kernel.BUFFERS, table)
        data += [minute for minutes in flows.locked.values() for minute in minutes]
        return cells.count

    def _recipes(self, unit: str) -> list[int]:
        """A number for each operation, the same for those of one recipe on a unit."""
        numbers: dict[Recipe, int] = {}
        return [
            numbers.setdefault(self.problem.recipe(o, unit), len(numbers)) if _can_be_on(o, unit) else -1
            for o in self.problem.operations
        ]

    def _windows(self, entry: int) -> None:
        """All timelines: where windows and the buckets that find them are, then those."""
        data = self.data
        data[entry] = head = len(data)
        data[27] = len(self.timelines)
        data += [0] * (6 * len(self.timelines))
        for number, pieces in enumerate(self.timelines):
            first = len(data)
            starts, befores = _append_windows(data, pieces, self.problem.horizon)
            row = [first, len(data) - WINDOW_COLUMNS]
            for axis in (starts, befores):
                row.append(len(data))
                data += buckets_of(axis, first)
                row.append(len(data) - 1)
            data[head + 6 * number : head + 6 * number + 6] = row

    def _tails(self) -> tuple[Ints, Ints]:
        least = [min(a.minutes for a in o.alternatives) for o in self.problem.operations]
        tail = list(least)
        for row in reversed(_in_order(self.links)):
            for before, lag in self.links[row]:
                tail[before] = max(tail[before], least[before] + lag + tail[row])
            for link in self.problem.operations[row].predecessors:
                if link.sublots > 1:
                    before = self.rows[link.operation]
                    tail[before] = max(tail[before], link.way(least[before], least[row], tail[row]))
        return ints(tail), ints(least)

    def _queues(self) -> tuple[list[int], list[list[int]]]:
        """Operations that can go to the same units wait in one queue."""
        seen: dict[tuple[int, ...], int] = {}
        rows = [tuple(row[::2]) for row in self._alternatives()]
        return [seen.setdefault(key, len(seen)) for key in rows], [list(key) for key in seen]


class _Cells:
    """Gives out the cells of a state behind its rows."""

    def __init__(self, first: int) -> None:
        self._first = self._next = first

    def take(self, count: int) -> int:
        """Where the next so many cells begin."""
        self._next += count
        return self._next - count

    @property
    def count(self) -> int:
        """How many were given out."""
        return self._next - self._first


def _can_be_on(operation: Operation, unit: str) -> bool:
    return any(alternative.unit == unit for alternative in operation.alternatives)


def _append_windows(
    windows: list[int], pieces: Iterable[tuple[int, int]], horizon: int
) -> tuple[list[int], list[int]]:
    """Add one timeline, open for ever from the horizon on; returns its starts and befores."""
    joined = [list(piece) for piece in pieces]
    if joined and joined[-1][1] == horizon:
        joined[-1][1] = WorkTime.FOREVER
    else:
        joined.append([horizon, WorkTime.FOREVER])
    starts, befores, total = [], [], 0
    for start, end in joined:
        starts.append(start)
        befores.append(total)
        windows += [start, end, total]
        total += end - start
    return starts, befores


def buckets_of(axis: list[int], first: int) -> list[int]:
    """For every 2^6 minutes of an axis, where the last window that begins there or before is.

    Args:
        axis: Where each window begins.
        first: Where the first window is in the plant.
    """
    marks = np.arange((axis[-1] >> BUCKET_SHIFT) + 2) << BUCKET_SHIFT
    found = np.searchsorted(np.asarray(axis), marks, side="right") - 1
    place: list[int] = (np.maximum(found, 0) * WINDOW_COLUMNS + first).tolist()
    return place


def _bit_positions() -> list[int]:
    """Position of a lone bit by its value modulo 37."""
    found = [0] * 37
    for position in range(36):
        found[(1 << position) % 37] = position
    return found


def _pools(counters_of: list[list[int]]) -> list[int]:
    """A number for each need, the same for those that share a counter, directly or by others."""
    pool_of: dict[int, int] = {}
    for need, counters in enumerate(counters_of):
        known = {pool_of[c] for c in counters if c in pool_of}
        pool = min(known, default=need)
        pool_of = {c: pool if p in known else p for c, p in pool_of.items()}
        pool_of.update(dict.fromkeys(counters, pool))
    found = [pool_of[counters[0]] for counters in counters_of]
    names = sorted(set(found))
    return [names.index(pool) for pool in found]


def _sums(counts: Iterable[int]) -> list[int]:
    found = [0]
    for count in counts:
        found.append(found[-1] + count)
    return found


def _in_order(links: list[list[tuple[int, int]]]) -> list[int]:
    """Rows so that each comes after those it waits for."""
    left = [len(row) for row in links]
    followers: list[list[int]] = [[] for _ in links]
    for after, rows in enumerate(links):
        for before, _ in rows:
            followers[before].append(after)
    found = [row for row, count in enumerate(left) if not count]
    for row in found:
        for after in followers[row]:
            left[after] -= 1
            if not left[after]:
                found.append(after)
    return found
