"""The compiled decoder and search, on flat int64 arrays; pure data in, pure data out.

numba compiles this file where it is installed; the same file runs as plain Python where it is not
(many times slower). It is imported in the solver's own process only. `planner.pack` makes the
arrays; `planner.decoder` is the decoder that people read, and property tests hold the two equal.

Times are minutes after the problem's origin, or, on a unit's own axis, its working minutes
(`planner.worktime`). A plan is a permutation of operations with a unit for each: the units' own
sequences follow from it, and every operation comes after all that it waits for.

Source:
    Lee, Bhaskaran, Pinedo, IIE Transactions 29 (1997): the ATCS index, here in log form.
    Kirkpatrick, Gelatt, Vecchi, Science 220 (1983): simulated annealing.
"""
# ruff: noqa: C901, PLR0912, PLR0915, PLR0911

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

try:
    from numba import njit
except ImportError:
    njit = None

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])

COMPILED = njit is not None


def compiled(signature: str | None = None) -> Callable[[F], F]:
    """Compile a function where numba is installed; without a signature, with its callers."""

    def wrap(function: F) -> F:
        if njit is None:
            return function
        options = {"cache": True, "nogil": True, "error_model": "numpy"}
        made: F = njit(signature, **options)(function) if signature else njit(**options)(function)
        return made

    return wrap


# The head of a plant: numbers, and where in the array each part begins.
COUNT, UNIT_COUNT, ORDER_COUNT, LANE_COUNT, QUEUE_COUNT, FAMILIES, HORIZON, FIRST_COUNT = range(8)
W_SETUP, W_FLOW, W_MAKESPAN, W_MOVED, W_SHIFT, SHIFT_CAP = range(8, 14)
OPS, ALTERNATIVES, PREDECESSORS, SUCCESSORS, UNITS, TIMELINES, BLOCKS = range(14, 21)
ORDERS, FIXED_PLACES, SKILLS, LANE_TIME, QUEUE_OF, QUEUES, DIRTY_BIT = range(21, 28)
HEAD = 28

# Columns of an operation.
OP = 8
FAMILY, RELEASE, RESUMABLE, SKILL, ORDER, OLD_UNIT, OLD_START, FIXED = range(8)

# Columns of a unit: its timeline, its centre's set-up table, its family, when it is free.
UN = 4
U_TIME, U_SETUP, U_FAMILY, U_FREE = range(4)

# Columns of a timeline: first and last window, first and last bucket by minute, by working minute.
TL = 6
T_FIRST, T_LAST, T_MINUTE, T_MINUTE_END, T_NUMBER, T_NUMBER_END = range(6)
WN = 3
"""Columns of a window: start, end, working minutes before it."""

# Columns of locked work on a unit.
BL = 4
B_BEGIN, B_RUN, B_END, B_FAMILY = range(4)

# Columns of an order: due, points of a late minute, its last operations.
OR = 4
O_DUE, O_PRICE, O_LAST, O_LAST_END = range(4)

# Columns of a skill: the counters and the lanes that it draws on.
SK = 4
S_COUNTER, S_COUNTER_END, S_LANE, S_LANE_END = range(4)

# Columns of an operation's place in a plan.
ST = 12
UNIT, DUR, PREV, NEXT, LANE, LPREV, LNEXT, START, END, WEND, SETUP, POS = range(12)

NOBODY, BY_LANE, BY_COUNTER = 0, 1, 2
"""How people are accounted for: not at all, as sequences, as counters in order of placement."""

FOREVER = 1 << 40

_A = "int64[::1]"


@compiled()
def _random(io: Ints) -> float:
    """The next number in (0, 1); Park and Miller's minimal standard generator."""
    io[0] = io[0] * 48271 % 2147483647
    return io[0] / 2147483647.0


# --- working time -----------------------------------------------------------------------------


@compiled()
def _window_at(plant: Ints, c: int, minute: int) -> int:
    """The last window that starts at or before a minute; the first one if there is none."""
    row = plant[TIMELINES] + c * TL
    i = plant[row + T_MINUTE] + (minute >> 6)
    if i > plant[row + T_MINUTE_END]:
        i = plant[row + T_MINUTE_END]
    w = plant[i]
    last = plant[row + T_LAST]
    while w < last and plant[w + WN] <= minute:
        w += WN
    return w


@compiled()
def _window_of(plant: Ints, c: int, number: int) -> int:
    """The window that holds a working minute."""
    row = plant[TIMELINES] + c * TL
    i = plant[row + T_NUMBER] + (number >> 6)
    if i > plant[row + T_NUMBER_END]:
        i = plant[row + T_NUMBER_END]
    w = plant[i]
    last = plant[row + T_LAST]
    while w < last and plant[w + WN + 2] <= number:
        w += WN
    return w


@compiled()
def _work(plant: Ints, c: int, minute: int) -> int:
    """Working minutes before a minute."""
    w = _window_at(plant, c, minute)
    if minute < plant[w]:
        return 0
    if minute > plant[w + 1]:
        minute = plant[w + 1]
    return plant[w + 2] + minute - plant[w]


@compiled()
def _at(plant: Ints, c: int, number: int) -> int:
    """The minute in which a working minute begins."""
    w = _window_of(plant, c, number)
    return plant[w] + number - plant[w + 2]


# --- people -----------------------------------------------------------------------------------


@compiled()
def _lane_short(plant: Ints, c: int, begin: int, end: int, lane: int) -> int:
    """The minute until which the lane's person is missing in the run [begin, end); -1 if never."""
    person = plant[plant[LANE_TIME] + lane]
    found = -1
    while begin < end:
        w = _window_of(plant, c, begin)
        t = plant[w] + begin - plant[w + 2]
        size = min(plant[w + 1] - t, end - begin)
        stop = t + size
        v = _window_at(plant, person, t)
        if t >= plant[v]:
            t = max(t, plant[v + 1])
            v += WN
        while t < stop:
            found = plant[v]
            t = plant[v + 1]
            v += WN
        begin += size
    return found


@compiled()
def _counter_short(plant: Ints, c: int, begin: int, end: int, skill: int, people: Ints) -> int:
    """The minute until which nobody of the skill is free in the run [begin, end); -1 if never."""
    horizon = plant[HORIZON]
    row = plant[SKILLS] + skill * SK
    found = -1
    while begin < end:
        w = _window_of(plant, c, begin)
        start = plant[w] + begin - plant[w + 2]
        size = min(plant[w + 1] - start, end - begin)
        stop = min(start + size, horizon)
        for k in range(plant[row + S_COUNTER], plant[row + S_COUNTER_END]):
            base = plant[k] * horizon
            t = stop - 1
            while t >= start and people[base + t] >= 1:
                t -= 1
            if t >= start:
                t += 1
                while t < horizon and people[base + t] < 1:
                    t += 1
                found = max(found, t)
        begin += size
    return found


@compiled()
def _claim(plant: Ints, c: int, begin: int, end: int, skill: int, people: Ints) -> None:
    """One person of the skill works through the run."""
    horizon = plant[HORIZON]
    row = plant[SKILLS] + skill * SK
    while begin < end:
        w = _window_of(plant, c, begin)
        start = plant[w] + begin - plant[w + 2]
        size = min(plant[w + 1] - start, end - begin)
        stop = min(start + size, horizon)
        for k in range(plant[row + S_COUNTER], plant[row + S_COUNTER_END]):
            base = plant[k] * horizon
            for t in range(start, stop):
                people[base + t] -= 1
        begin += size


# --- the place of one operation ---------------------------------------------------------------


@compiled()
def _fit(
    plant: Ints,
    op: int,
    unit: int,
    dur: int,
    prev_end: int,
    prev_family: int,
    ready: int,
    busy: int,
    lane: int,
    mode: int,
    people: Ints,
) -> tuple[int, int]:
    """Where an operation fits behind what its unit has: begin of its set-up, begin of its run.

    Args:
        prev_end: Working minute at which the unit is free.
        ready: Minute from which it may run.
        busy: Minute until which its lane's person is busy.
    """
    row = plant[OPS] + op * OP
    unit_row = plant[UNITS] + unit * UN
    c = plant[unit_row + U_TIME]
    table = plant[unit_row + U_SETUP]
    families = plant[FAMILIES]
    family = plant[row + FAMILY]
    skill = plant[row + SKILL]
    if skill < 0:
        mode = NOBODY
    ready_work = _work(plant, c, ready)
    busy_work = 0
    if mode == BY_LANE:
        busy_work = _work(plant, c, busy)
    block = plant[plant[BLOCKS] + unit]
    blocks_end = plant[plant[BLOCKS] + unit + 1]
    while block < blocks_end and plant[block + B_BEGIN] < prev_end:
        block += BL
    while True:
        setup = plant[table + prev_family * families + family]
        limit = FOREVER
        if block < blocks_end:
            limit = plant[block + B_BEGIN]
            change = plant[table + family * families + plant[block + B_FAMILY]]
            if change > plant[block + B_RUN] - limit:
                limit = -1
        begin = max(prev_end, ready_work - setup, busy_work)
        while begin + setup + dur <= limit:
            if plant[row + RESUMABLE] == 0:
                w = _window_of(plant, c, begin + setup)
                room = plant[w + 2] + plant[w + 1] - plant[w] - begin - setup
                if room < dur:
                    begin += room
                    continue
            if mode == NOBODY:
                return begin, begin + setup
            if mode == BY_LANE:
                short = _lane_short(plant, c, begin, begin + setup + dur, lane)
            else:
                short = _counter_short(plant, c, begin, begin + setup + dur, skill, people)
            if short < 0:
                return begin, begin + setup
            begin = _work(plant, c, short)
        prev_end = plant[block + B_END]
        prev_family = plant[block + B_FAMILY]
        block += BL


@compiled()
def _ready(plant: Ints, op: int, st: Ints) -> int:
    """The minute at which releases and predecessors let an operation run."""
    ready = plant[plant[OPS] + op * OP + RELEASE]
    row = plant[PREDECESSORS] + op
    for k in range(plant[row], plant[row + 1], 2):
        end = st[plant[k] * ST + END] + plant[k + 1]
        if end > ready:
            ready = end
    return ready


@compiled()
def _place_fixed(plant: Ints, st: Ints) -> None:
    """Write down started and locked work, and clear the rest."""
    for op in range(plant[COUNT]):
        row = op * ST
        for k in range(ST):
            st[row + k] = -1
        st[row + SETUP] = 0
        if plant[plant[OPS] + op * OP + FIXED]:
            place = plant[FIXED_PLACES] + op * 3
            st[row + START] = plant[place]
            st[row + END] = plant[place + 1]
            st[row + UNIT] = plant[place + 2]


@compiled()
def _last_of(plant: Ints, unit: int, last: int, st: Ints) -> tuple[int, int]:
    """The working minute from which a unit is free behind `last`, and its family then."""
    if last < 0:
        row = plant[UNITS] + unit * UN
        return plant[row + U_FREE], plant[row + U_FAMILY]
    return st[last * ST + WEND], plant[plant[OPS] + last * OP + FAMILY]


@compiled()
def _settle(
    plant: Ints,
    op: int,
    unit: int,
    dur: int,
    lane: int,
    begin: int,
    run: int,
    tail: Ints,
    lane_tail: Ints,
    st: Ints,
) -> None:
    """Write down the place of an operation at the end of its unit and lane."""
    c = plant[plant[UNITS] + unit * UN + U_TIME]
    row = op * ST
    st[row + UNIT] = unit
    st[row + DUR] = dur
    st[row + PREV] = tail[unit]
    st[row + NEXT] = -1
    if tail[unit] >= 0:
        st[tail[unit] * ST + NEXT] = op
    tail[unit] = op
    st[row + LANE] = lane
    st[row + LPREV] = -1
    st[row + LNEXT] = -1
    if lane >= 0:
        st[row + LPREV] = lane_tail[lane]
        if lane_tail[lane] >= 0:
            st[lane_tail[lane] * ST + LNEXT] = op
        lane_tail[lane] = op
    st[row + START] = _at(plant, c, run)
    st[row + END] = _at(plant, c, run + dur - 1) + 1
    st[row + WEND] = run + dur
    st[row + SETUP] = run - begin


@compiled()
def _best_lane(
    plant: Ints,
    op: int,
    unit: int,
    dur: int,
    end: int,
    family: int,
    ready: int,
    lane_tail: Ints,
    st: Ints,
    people: Ints,
) -> int:
    """The lane in which an operation begins soonest; of those, the one that was free last."""
    row = plant[SKILLS] + plant[plant[OPS] + op * OP + SKILL] * SK
    best, best_begin, best_busy = -1, FOREVER, -1
    for k in range(plant[row + S_LANE], plant[row + S_LANE_END]):
        lane = plant[k]
        busy = 0
        if lane_tail[lane] >= 0:
            busy = st[lane_tail[lane] * ST + END]
        begin, _ = _fit(plant, op, unit, dur, end, family, ready, busy, lane, BY_LANE, people)
        if begin < best_begin or (begin == best_begin and busy > best_busy):
            best, best_begin, best_busy = lane, begin, busy
    return best


@compiled()
def _minutes(plant: Ints, op: int, unit: int) -> int:
    """Working minutes of an operation on a unit; 0 when it cannot be done there."""
    row = plant[ALTERNATIVES] + op
    for k in range(plant[row], plant[row + 1], 2):
        if plant[k] == unit:
            return plant[k + 1]
    return 0


# --- what a plan costs ------------------------------------------------------------------------


@compiled()
def _order_end(plant: Ints, order: int, st: Ints) -> int:
    row = plant[ORDERS] + order * OR
    end = -1
    for k in range(plant[row + O_LAST], plant[row + O_LAST_END]):
        e = st[plant[k] * ST + END]
        if e > end:
            end = e
    return end


@compiled()
def _order_cost(plant: Ints, order: int, end: int) -> int:
    row = plant[ORDERS] + order * OR
    late = end - plant[row + O_DUE]
    cost = plant[W_FLOW] * end
    if late > 0:
        cost += plant[row + O_PRICE] * late
    return cost


@compiled()
def _own_cost(plant: Ints, op: int, unit: int, start: int, setup: int) -> int:
    """Set-up and distance from the published place."""
    cost = plant[W_SETUP] * setup
    row = plant[OPS] + op * OP
    old = plant[row + OLD_UNIT]
    if old >= 0:
        if old != unit:
            cost += plant[W_MOVED]
        cost += plant[W_SHIFT] * min(plant[SHIFT_CAP], abs(start - plant[row + OLD_START]))
    return cost


@compiled()
def _cost(plant: Ints, st: Ints) -> int:
    """What a plan costs; set-ups of locked work are left out, they hardly change."""
    cost = 0
    makespan = 0
    for order in range(plant[ORDER_COUNT]):
        row = plant[ORDERS] + order * OR
        if plant[row + O_LAST] < plant[row + O_LAST_END]:
            end = _order_end(plant, order, st)
            cost += _order_cost(plant, order, end)
            if end > makespan:
                makespan = end
    for op in range(plant[COUNT]):
        row = op * ST
        cost += _own_cost(plant, op, st[row + UNIT], st[row + START], st[row + SETUP])
    return cost + plant[W_MAKESPAN] * makespan


# --- timing a permutation ---------------------------------------------------------------------


@compiled(f"int64({_A}, {_A}, {_A}, {_A}, {_A}, {_A}, int64)")
def retime(plant: Ints, perm: Ints, unit_of: Ints, lane_of: Ints, st: Ints, people: Ints, mode: int) -> int:
    """Time a permutation from the first operation to the last; returns what the plan costs.

    Args:
        unit_of: Unit of each operation.
        lane_of: Lane of each operation; -1 lets the lane be chosen, and is filled in. Only BY_LANE.
        people: Working copy of the counters; only BY_COUNTER.
    """
    _place_fixed(plant, st)
    tail = np.full(plant[UNIT_COUNT], -1, np.int64)
    lane_tail = np.full(plant[LANE_COUNT] + 1, -1, np.int64)
    for position in range(len(perm)):
        op = perm[position]
        unit = unit_of[op]
        dur = _minutes(plant, op, unit)
        end, family = _last_of(plant, unit, tail[unit], st)
        ready = _ready(plant, op, st)
        lane, busy = -1, 0
        skill = plant[plant[OPS] + op * OP + SKILL]
        if mode == BY_LANE and skill >= 0:
            lane = lane_of[op]
            if lane < 0:
                lane = _best_lane(plant, op, unit, dur, end, family, ready, lane_tail, st, people)
                lane_of[op] = lane
            if lane_tail[lane] >= 0:
                busy = st[lane_tail[lane] * ST + END]
        begin, run = _fit(plant, op, unit, dur, end, family, ready, busy, lane, mode, people)
        _settle(plant, op, unit, dur, lane, begin, run, tail, lane_tail, st)
        st[op * ST + POS] = position
        if mode == BY_COUNTER and skill >= 0:
            c = plant[plant[UNITS] + unit * UN + U_TIME]
            _claim(plant, c, begin, run + dur, skill, people)
    return _cost(plant, st)


# --- dispatch ---------------------------------------------------------------------------------


@compiled()
def _push(times: Ints, names: Ints, size: int, time: int, name: int) -> int:
    """Add to a binary heap of (time, name); returns its new size."""
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if times[up] < time or (times[up] == time and names[up] <= name):
            break
        times[i] = times[up]
        names[i] = names[up]
        i = up
    times[i] = time
    names[i] = name
    return size + 1


@compiled()
def _pop(times: Ints, names: Ints, size: int) -> int:
    """Take the least of a heap away; its new size. Read entry 0 before."""
    size -= 1
    time, name = times[size], names[size]
    i = 0
    while True:
        low = 2 * i + 1
        if low >= size:
            break
        right = low + 1
        if right < size and (
            times[right] < times[low] or (times[right] == times[low] and names[right] < names[low])
        ):
            low = right
        if time < times[low] or (time == times[low] and name <= names[low]):
            break
        times[i] = times[low]
        names[i] = names[low]
        i = low
    times[i] = time
    names[i] = name
    return size


@compiled()
def _free_at(plant: Ints, unit: int, last: int, st: Ints) -> int:
    """The minute in which a unit can work again behind `last`."""
    end, _ = _last_of(plant, unit, last, st)
    return _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], end)


@compiled()
def _place_best(
    plant: Ints, op: int, tail: Ints, lane_tail: Ints, st: Ints, people: Ints, mode: int
) -> None:
    """Put an operation where it ends first; of those, with the shortest set-up."""
    ready = _ready(plant, op, st)
    chosen, best_end, best_begin, best_run, best_dur = -1, FOREVER, 0, 0, 0
    alternatives = plant[ALTERNATIVES] + op
    for k in range(plant[alternatives], plant[alternatives + 1], 2):
        unit, dur = plant[k], plant[k + 1]
        end, family = _last_of(plant, unit, tail[unit], st)
        begin, run = _fit(plant, op, unit, dur, end, family, ready, 0, -1, mode, people)
        done = _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], run + dur - 1)
        if done < best_end or (done == best_end and run - begin < best_run - best_begin):
            chosen, best_end, best_begin, best_run, best_dur = unit, done, begin, run, dur
    _settle(plant, op, chosen, best_dur, -1, best_begin, best_run, tail, lane_tail, st)
    skill = plant[plant[OPS] + op * OP + SKILL]
    if mode == BY_COUNTER and skill >= 0:
        c = plant[plant[UNITS] + chosen * UN + U_TIME]
        _claim(plant, c, best_begin, best_run + best_dur, skill, people)


@compiled()
def _soonest(plant: Ints, queue: int, tail: Ints, st: Ints) -> int:
    """The first minute at which a unit of the queue is free."""
    soonest = FOREVER
    row = plant[QUEUES] + queue
    for k in range(plant[row], plant[row + 1]):
        soonest = min(soonest, _free_at(plant, plant[k], tail[plant[k]], st))
    return soonest


@compiled()
def _most_urgent(
    plant: Ints,
    now: int,
    head: int,
    behind: Ints,
    free: Ints,
    open_units: int,
    base: Floats,
    latest: Ints,
    k1: float,
    k2: float,
    tail: Ints,
    st: Ints,
) -> tuple[int, int]:
    """The waiting operation of highest priority, and the one before it in the queue or -1."""
    families = plant[FAMILIES]
    best, before_best = -1, -1
    best_value = 0.0
    before, op = -1, head
    while op >= 0:
        setup = FOREVER
        family = plant[plant[OPS] + op * OP + FAMILY]
        for i in range(open_units):
            unit = free[i]
            _, now_family = _last_of(plant, unit, tail[unit], st)
            table = plant[plant[UNITS] + unit * UN + U_SETUP]
            setup = min(setup, plant[table + now_family * families + family])
        slack = latest[op] - now
        value = base[op] - setup * k2
        if slack > 0:
            value -= slack * k1
        if best < 0 or value > best_value or (value == best_value and op < best):
            best, best_value, before_best = op, value, before
        before, op = op, behind[op]
    return best, before_best


@compiled(f"int64({_A}, {_A}, float64[::1], {_A}, float64, float64, {_A}, {_A}, {_A}, {_A}, int64)")
def dispatch(
    plant: Ints,
    first: Ints,
    base: Floats,
    latest: Ints,
    k1: float,
    k2: float,
    perm: Ints,
    unit_of: Ints,
    st: Ints,
    people: Ints,
    mode: int,
) -> int:
    """Priority dispatch; fills `perm`, `unit_of` and `st`, and returns what the plan costs.

    The priority of an operation is base - max(0, latest - minute) * k1 - set-up * k2.

    Args:
        first: Operations placed before all others, in this order.
        latest: The minute at which an operation begins to be urgent.
        mode: NOBODY or BY_COUNTER.
    """
    ops = plant[OPS]
    _place_fixed(plant, st)
    count, queues = plant[COUNT], plant[QUEUE_COUNT]
    tail = np.full(plant[UNIT_COUNT], -1, np.int64)
    lane_tail = np.full(1, -1, np.int64)
    missing = np.zeros(count, np.int64)
    placed = 0
    for op in range(count):
        for k in range(plant[plant[PREDECESSORS] + op], plant[plant[PREDECESSORS] + op + 1], 2):
            if plant[ops + plant[k] * OP + FIXED] == 0:
                missing[op] += 1
    waits = np.zeros(count, np.int64)
    for op in range(count):
        waits[op] = 1 - plant[ops + op * OP + FIXED]
    for i in range(len(first)):
        op = first[i]
        waits[op] = 0
        _place_best(plant, op, tail, lane_tail, st, people, mode)
        perm[placed] = op
        unit_of[op] = st[op * ST + UNIT]
        st[op * ST + POS] = placed
        placed += 1
        for k in range(plant[plant[SUCCESSORS] + op], plant[plant[SUCCESSORS] + op + 1]):
            missing[plant[k]] -= 1
    head = np.full(queues, -1, np.int64)
    behind = np.full(count, -1, np.int64)
    pending = np.full(queues, FOREVER, np.int64)
    # one heap: arrivals (name < count) come before decisions (count + queue) of the same minute
    times = np.zeros(4 * count + 4 * queues + 8, np.int64)
    names = np.zeros(4 * count + 4 * queues + 8, np.int64)
    size = 0
    for op in range(count):
        if missing[op] == 0 and waits[op]:
            size = _push(times, names, size, _ready(plant, op, st), op)
    free = np.zeros(plant[UNIT_COUNT] + 1, np.int64)
    while size > 0:
        now, name = times[0], names[0]
        size = _pop(times, names, size)
        if name < count:
            queue = plant[plant[QUEUE_OF] + name]
            behind[name] = head[queue]
            head[queue] = name
            due = max(now, _soonest(plant, queue, tail, st))
            if due < pending[queue]:
                pending[queue] = due
                size = _push(times, names, size, due, count + queue)
            continue
        queue = name - count
        if pending[queue] != now:
            continue  # decided at another minute meanwhile
        pending[queue] = FOREVER
        if head[queue] < 0:
            continue
        open_units = 0
        soonest = FOREVER
        for k in range(plant[plant[QUEUES] + queue], plant[plant[QUEUES] + queue + 1]):
            unit = plant[k]
            at = _free_at(plant, unit, tail[unit], st)
            if at <= now:
                free[open_units] = unit
                open_units += 1
            soonest = min(soonest, at)
        if open_units == 0:
            pending[queue] = soonest
            size = _push(times, names, size, soonest, count + queue)
            continue
        best, before = _most_urgent(
            plant, now, head[queue], behind, free, open_units, base, latest, k1, k2, tail, st
        )
        if before < 0:
            head[queue] = behind[best]
        else:
            behind[before] = behind[best]
        _place_best(plant, best, tail, lane_tail, st, people, mode)
        perm[placed] = best
        unit_of[best] = st[best * ST + UNIT]
        st[best * ST + POS] = placed
        placed += 1
        for k in range(plant[plant[SUCCESSORS] + best], plant[plant[SUCCESSORS] + best + 1]):
            after = plant[k]
            missing[after] -= 1
            if missing[after] == 0 and waits[after]:
                size = _push(times, names, size, _ready(plant, after, st), after)
        if head[queue] >= 0:
            due = max(now, _soonest(plant, queue, tail, st))
            pending[queue] = due
            size = _push(times, names, size, due, count + queue)
    return _cost(plant, st)
