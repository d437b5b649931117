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
# ruff: noqa: C901, FBT001, PLR0912, PLR0915, PLR0917, PLR1730, SIM102, SIM108
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

njit: Any
try:
    from numba import njit
except ImportError:
    njit = None

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])


OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}

_ENTRIES: list[Callable[[], object]] = []


def compiled() -> Callable[[F], F]:
    """Compile a function together with those that call it, where numba is installed."""

    def wrap(function: F) -> F:
        made: F = function if njit is None else njit(**OPTIONS)(function)
        return made

    return wrap


def entry(signature: str) -> Callable[[F], F]:
    """Compile a function that Python calls, or load it from the cache, when it is called first."""

    def wrap(function: F) -> F:
        @cache
        def made() -> F:
            found: F = function if njit is None else njit(signature, **OPTIONS)(function)
            return found

        @wraps(function)
        def call(*arguments: object) -> object:
            return made()(*arguments)

        _ENTRIES.append(made)
        return cast("F", call)

    return wrap


def compile_all() -> None:
    """Compile or load everything that Python calls."""
    for made in _ENTRIES:
        made()


# The head of a plant: numbers, and where in the array each part begins.
COUNT, UNIT_COUNT, ORDER_COUNT, LANE_COUNT, QUEUE_COUNT, FAMILIES, HORIZON, FIRST_COUNT = range(8)
W_SETUP, W_FLOW, W_MAKESPAN, W_MOVED, W_SHIFT, SHIFT_CAP = range(8, 14)
OPS, ALTERNATIVES, PREDECESSORS, SUCCESSORS, UNITS, TIMELINES, BLOCKS = range(14, 21)
ORDERS, FIXED_PLACES, SKILLS, LANE_TIME, QUEUE_OF, QUEUES, DIRTY_BIT, TIMELINE_COUNT = range(21, 29)
HEAD = 29

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
ST = 13
UNIT, DUR, PREV, NEXT, LANE, LPREV, LNEXT, START, END, WEND, SETUP, POS, HELD = range(13)

NOBODY, BY_LANE, BY_COUNTER = 0, 1, 2
"""How people are accounted for: not at all, as sequences, as counters in order of placement."""

FOREVER = 1 << 40

LONG_PAUSE = 60
"""Minutes of closed time after which a paused run has left its lane; whoever is there then takes it
up again. The search does not count that person, the exact timing does."""

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
def _lane_short(plant: Ints, c: int, begin: int, end: int, lane: int, skill: int) -> int:
    """The minute until which the lane's person is missing in the run [begin, end); -1 if never."""
    person = plant[plant[LANE_TIME] + skill * plant[LANE_COUNT] + lane]
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
def _held_until(plant: Ints, c: int, begin: int, run: int, end: int) -> int:
    """The working minute until which a set-up [begin, run) and a run [run, end) keep their lane.

    Never before the run has begun: a lane's operations are in the order of their starts.
    """
    last = plant[plant[TIMELINES] + c * TL + T_LAST]
    w = _window_of(plant, c, begin)
    while w < last:
        upto = plant[w + 2] + plant[w + 1] - plant[w]
        if upto >= end:
            return end
        if upto > run and plant[w + WN] - plant[w + 1] >= LONG_PAUSE:
            return upto
        w += WN
    return end


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
                held = _held_until(plant, c, begin, begin + setup, begin + setup + dur)
                short = _lane_short(plant, c, begin, held, lane, skill)
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
    if lane >= 0:
        st[row + HELD] = _at(plant, c, _held_until(plant, c, begin, run, run + dur) - 1) + 1


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
            busy = st[lane_tail[lane] * ST + HELD]
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


@entry(f"int64({_A}, {_A}, {_A}, {_A}, {_A}, {_A}, int64)")
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
                busy = st[lane_tail[lane] * ST + HELD]
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
def _place_best(plant: Ints, op: int, tail: Ints, lane_tail: Ints, st: Ints, people: Ints, mode: int) -> None:
    """Put an operation where it ends first; of those, with the shortest set-up."""
    ready = _ready(plant, op, st)
    chosen, best_end, best_begin, best_run, best_dur, best_lane = -1, FOREVER, 0, 0, 0, -1
    skill = plant[plant[OPS] + op * OP + SKILL]
    alternatives = plant[ALTERNATIVES] + op
    for k in range(plant[alternatives], plant[alternatives + 1], 2):
        unit, dur = plant[k], plant[k + 1]
        end, family = _last_of(plant, unit, tail[unit], st)
        lane, busy = -1, 0
        if mode == BY_LANE and skill >= 0:
            lane = _best_lane(plant, op, unit, dur, end, family, ready, lane_tail, st, people)
            if lane_tail[lane] >= 0:
                busy = st[lane_tail[lane] * ST + HELD]
        begin, run = _fit(plant, op, unit, dur, end, family, ready, busy, lane, mode, people)
        done = _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], run + dur - 1)
        if done < best_end or (done == best_end and run - begin < best_run - best_begin):
            chosen, best_end, best_begin, best_run, best_dur = unit, done, begin, run, dur
            best_lane = lane
    _settle(plant, op, chosen, best_dur, best_lane, best_begin, best_run, tail, lane_tail, st)
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


@entry(f"int64({_A}, {_A}, float64[::1], {_A}, float64, float64, {_A}, {_A}, {_A}, {_A}, int64)")
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
        mode: NOBODY, BY_COUNTER, or BY_LANE, which chooses lanes.
    """
    ops = plant[OPS]
    _place_fixed(plant, st)
    count, queues = plant[COUNT], plant[QUEUE_COUNT]
    tail = np.full(plant[UNIT_COUNT], -1, np.int64)
    lane_tail = np.full(plant[LANE_COUNT] + 1, -1, np.int64)
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


# --- annealing --------------------------------------------------------------------------------
# A move takes one operation out of its unit's sequence (and its lane's) and puts it somewhere
# else; the permutation is mended between the two places, and what the move touches is timed again
# in the order of the permutation. The threshold of acceptance is drawn before, so that a bad move
# is given up as soon as it costs more.

# Entries of `io`.
SEED, MOVES, ACCEPTED, LATE_COUNT, STAMP, HIGH, LOGGED, TOUCHED, CURRENT, BEST, SAVED_AT, TIMED, WAITING = (
    range(13)
)
IO = 13

# Entries of `tuning`.
HEAT, CHILL, CRITICAL, REACH, OTHER_UNIT, HOPE, SAME_FAMILY, GUIDED = range(8)

LOG = 6
"""Columns of a log row: operation, and its start, end, working end, set-up and lane's end before."""

BIT_MODULUS = 37
"""2^0 .. 2^35 all differ modulo 37: the position of a lone bit is found by one division."""

FAR = 600
"""Positions that a search for a neighbour in the permutation may cost."""


@compiled()
def _mark(op: int, st: Ints, words: Ints, io: Ints) -> None:
    """Say that an operation has to be timed again."""
    position = st[op * ST + POS]
    word = position >> 5
    words[word] |= 1 << (position & 31)
    if word > io[HIGH]:
        io[HIGH] = word


@compiled()
def _touch(order: int, touched: Ints, flagged: Ints, io: Ints) -> None:
    if flagged[order] == 0:
        flagged[order] = 1
        touched[io[TOUCHED]] = order
        io[TOUCHED] += 1


@compiled()
def _propagate(
    plant: Ints,
    perm: Ints,
    st: Ints,
    words: Ints,
    log: Ints,
    ends: Ints,
    new_ends: Ints,
    hopes: Ints,
    touched: Ints,
    flagged: Ints,
    first_word: int,
    threshold: float,
    hope_weight: float,
    mode: int,
    people: Ints,
    io: Ints,
) -> int:
    """Time what is marked, in order; the change of cost, or FOREVER when it is given up."""
    delta = 0
    hope = 0
    word = first_word
    bit_of = plant[DIRTY_BIT]
    while word <= io[HIGH]:
        bits = words[word]
        if bits == 0:
            word += 1
            continue
        low = bits & -bits
        words[word] = bits ^ low
        op = perm[(word << 5) + plant[bit_of + low % BIT_MODULUS]]
        io[TIMED] += 1
        row = op * ST
        unit, prev, lane = st[row + UNIT], st[row + PREV], st[row + LANE]
        prev_end, prev_family = _last_of(plant, unit, prev, st)
        busy = 0
        if lane >= 0 and st[row + LPREV] >= 0:
            busy = st[st[row + LPREV] * ST + HELD]
        dur = st[row + DUR]
        ready = _ready(plant, op, st)
        begin, run = _fit(plant, op, unit, dur, prev_end, prev_family, ready, busy, lane, mode, people)
        op_row = plant[OPS] + op * OP
        order = plant[op_row + ORDER]
        old_end, old_wend = st[row + END], st[row + WEND]
        setup = run - begin
        if run + dur == old_wend and setup == st[row + SETUP] and st[row + START] >= 0:
            hope -= hopes[order]
            hopes[order] = 0
            continue
        at = io[LOGGED] * LOG
        log[at] = op
        log[at + 1] = st[row + START]
        log[at + 2] = old_end
        log[at + 3] = old_wend
        log[at + 4] = st[row + SETUP]
        log[at + 5] = st[row + HELD]
        io[LOGGED] += 1
        c = plant[plant[UNITS] + unit * UN + U_TIME]
        start = _at(plant, c, run)
        end = _at(plant, c, run + dur - 1) + 1
        delta += plant[W_SETUP] * (setup - st[row + SETUP])
        if plant[op_row + OLD_UNIT] >= 0:
            cap, was = plant[SHIFT_CAP], plant[op_row + OLD_START]
            shift = min(cap, abs(start - was)) - min(cap, abs(st[row + START] - was))
            delta += plant[W_SHIFT] * shift
        st[row + START] = start
        st[row + END] = end
        st[row + WEND] = run + dur
        st[row + SETUP] = setup
        if run + dur != old_wend and st[row + NEXT] >= 0:
            _mark(st[row + NEXT], st, words, io)
        if lane >= 0:
            held = _at(plant, c, _held_until(plant, c, begin, run, run + dur) - 1) + 1
            if held != st[row + HELD]:
                st[row + HELD] = held
                if st[row + LNEXT] >= 0:
                    _mark(st[row + LNEXT], st, words, io)
        if end == old_end:
            continue
        behind = plant[plant[SUCCESSORS] + op]
        behind_end = plant[plant[SUCCESSORS] + op + 1]
        for k in range(behind, behind_end):
            if plant[plant[OPS] + plant[k] * OP + FIXED] == 0:
                _mark(plant[k], st, words, io)
        order_row = plant[ORDERS] + order * OR
        _touch(order, touched, flagged, io)
        if behind == behind_end or new_ends[order] < end or new_ends[order] == old_end:
            now = _order_end(plant, order, st)
            if now != new_ends[order]:
                delta += _order_cost(plant, order, now) - _order_cost(plant, order, new_ends[order])
                new_ends[order] = now
            hope -= hopes[order]
            hopes[order] = 0
        elif end < old_end:
            gain = min(old_end - end, max(0, ends[order] - plant[order_row + O_DUE]))
            gain = gain * plant[order_row + O_PRICE] + plant[W_FLOW] * (old_end - end)
            if gain > hopes[order]:
                hope += gain - hopes[order]
                hopes[order] = gain
        if delta - hope * hope_weight > threshold:
            for w in range(word, io[HIGH] + 1):
                words[w] = 0
            return FOREVER
    return delta


@compiled()
def _detach(op: int, st: Ints, unit_head: Ints, lane_head: Ints) -> None:
    """Take an operation out of its unit's and its lane's sequence."""
    row = op * ST
    before, after = st[row + PREV], st[row + NEXT]
    if before >= 0:
        st[before * ST + NEXT] = after
    else:
        unit_head[st[row + UNIT]] = after
    if after >= 0:
        st[after * ST + PREV] = before
    if st[row + LANE] >= 0:
        before, after = st[row + LPREV], st[row + LNEXT]
        if before >= 0:
            st[before * ST + LNEXT] = after
        else:
            lane_head[st[row + LANE]] = after
        if after >= 0:
            st[after * ST + LPREV] = before


@compiled()
def _attach(
    op: int, unit: int, before: int, lane: int, lane_before: int, st: Ints, unit_head: Ints, lane_head: Ints
) -> None:
    """Put an operation behind `before` on a unit, and behind `lane_before` in a lane; -1 is the head."""
    row = op * ST
    st[row + UNIT] = unit
    after = unit_head[unit]
    if before >= 0:
        after = st[before * ST + NEXT]
        st[before * ST + NEXT] = op
    else:
        unit_head[unit] = op
    st[row + PREV] = before
    st[row + NEXT] = after
    if after >= 0:
        st[after * ST + PREV] = op
    st[row + LANE] = lane
    if lane >= 0:
        after = lane_head[lane]
        if lane_before >= 0:
            after = st[lane_before * ST + LNEXT]
            st[lane_before * ST + LNEXT] = op
        else:
            lane_head[lane] = op
        st[row + LPREV] = lane_before
        st[row + LNEXT] = after
        if after >= 0:
            st[after * ST + LPREV] = op


@compiled()
def _shift_back(
    plant: Ints, op: int, to: int, perm: Ints, st: Ints, mark: Ints, segment: Ints, io: Ints
) -> bool:
    """Move a detached operation back to position `to`, with all that it waits for.

    False, and nothing changed, when what is at `to` comes before it by other ways.
    """
    io[STAMP] += 1
    stamp = io[STAMP]
    at = st[op * ST + POS]
    mark[op] = stamp
    for i in range(at - 1, to - 1, -1):
        e = perm[i]
        row = e * ST
        hit = (st[row + NEXT] >= 0 and mark[st[row + NEXT]] == stamp) or (
            st[row + LNEXT] >= 0 and mark[st[row + LNEXT]] == stamp
        )
        if not hit:
            for k in range(plant[plant[SUCCESSORS] + e], plant[plant[SUCCESSORS] + e + 1]):
                if mark[plant[k]] == stamp:
                    hit = True
        if hit:
            mark[e] = stamp
    if mark[perm[to]] == stamp:
        return False
    others = 0
    put = to
    for i in range(to, at + 1):
        e = perm[i]
        if mark[e] == stamp:
            perm[put] = e
            st[e * ST + POS] = put
            put += 1
        else:
            segment[others] = e
            others += 1
    for i in range(others):
        perm[put] = segment[i]
        st[segment[i] * ST + POS] = put
        put += 1
    return True


@compiled()
def _shift_on(
    plant: Ints, op: int, to: int, perm: Ints, st: Ints, mark: Ints, segment: Ints, io: Ints
) -> bool:
    """Move a detached operation on to position `to`, with all that waits for it.

    False, and nothing changed, when what is at `to` waits for it by other ways.
    """
    io[STAMP] += 1
    stamp = io[STAMP]
    at = st[op * ST + POS]
    mark[op] = stamp
    for i in range(at + 1, to + 1):
        e = perm[i]
        row = e * ST
        hit = (st[row + PREV] >= 0 and mark[st[row + PREV]] == stamp) or (
            st[row + LPREV] >= 0 and mark[st[row + LPREV]] == stamp
        )
        if not hit:
            for k in range(plant[plant[PREDECESSORS] + e], plant[plant[PREDECESSORS] + e + 1], 2):
                if mark[plant[k]] == stamp:
                    hit = True
        if hit:
            mark[e] = stamp
    if mark[perm[to]] == stamp:
        return False
    others = 0
    put = to
    for i in range(to, at - 1, -1):
        e = perm[i]
        if mark[e] == stamp:
            perm[put] = e
            st[e * ST + POS] = put
            put -= 1
        else:
            segment[others] = e
            others += 1
    for i in range(others):
        perm[put] = segment[i]
        st[segment[i] * ST + POS] = put
        put -= 1
    return True


@compiled()
def _lane_for(
    plant: Ints,
    op: int,
    est: int,
    perm: Ints,
    st: Ints,
    seen: Ints,
    lane_head: Ints,
    is_random: bool,
    io: Ints,
) -> tuple[int, int]:
    """A lane for an operation at its place in the permutation, and the operation before it there."""
    io[STAMP] += 1
    stamp = io[STAMP]
    skill = plant[plant[OPS] + op * OP + SKILL]
    row = plant[SKILLS] + skill * SK
    first, last = plant[row + S_LANE], plant[row + S_LANE_END]
    left = last - first
    position = st[op * ST + POS]
    chosen, chosen_before = -1, -1
    picked = -1
    if is_random:
        picked = plant[first + int(_random(io) * left)]
    best, best_busy = FOREVER, -1
    i = position - 1
    while i >= 0 and left > 0:
        e = perm[i]
        lane = st[e * ST + LANE]
        i -= 1
        if lane < 0 or seen[lane] == stamp:
            continue
        seen[lane] = stamp
        if plant[plant[OPS] + e * OP + SKILL] != skill:
            able = False
            for k in range(first, last):
                if plant[k] == lane:
                    able = True
            if not able:
                continue
        left -= 1
        busy = st[e * ST + HELD]
        if lane == picked:
            return lane, e
        begin = _open_from(plant, lane, skill, max(est, busy))
        if begin < best or (begin == best and busy > best_busy):
            best, best_busy, chosen, chosen_before = begin, busy, lane, e
        if position - i > FAR and chosen >= 0 and picked < 0:
            break
    if left > 0:  # lanes in which nothing comes before
        for k in range(first, last):
            lane = plant[k]
            if seen[lane] != stamp and (lane_head[lane] < 0 or st[lane_head[lane] * ST + POS] > position):
                if lane == picked:
                    return lane, -1
                begin = _open_from(plant, lane, skill, est)
                if begin < best:
                    best, chosen, chosen_before = begin, lane, -1
    return chosen, chosen_before


@compiled()
def _open_from(plant: Ints, lane: int, skill: int, minute: int) -> int:
    """The first minute from `minute` on in which a lane's person is present and has the skill."""
    person = plant[plant[LANE_TIME] + skill * plant[LANE_COUNT] + lane]
    w = _window_at(plant, person, minute)
    if minute < plant[w]:
        return plant[w]
    if minute < plant[w + 1]:
        return minute
    return plant[w + WN]


@compiled()
def _late_list(order: int, plant: Ints, ends: Ints, late: Ints, late_at: Ints, io: Ints) -> None:
    """Keep the list of late orders true for one order."""
    is_late = ends[order] > plant[plant[ORDERS] + order * OR + O_DUE]
    at = late_at[order]
    if is_late and at < 0:
        late[io[LATE_COUNT]] = order
        late_at[order] = io[LATE_COUNT]
        io[LATE_COUNT] += 1
    elif not is_late and at >= 0:
        io[LATE_COUNT] -= 1
        moved = late[io[LATE_COUNT]]
        late[at] = moved
        late_at[moved] = at
        late_at[order] = -1


@compiled()
def _bottleneck(plant: Ints, ends: Ints, late: Ints, st: Ints, io: Ints) -> int:
    """An operation that keeps a late order waiting: it, or one before it in line, had to queue."""
    chosen, worst = -1, -1.0
    for _ in range(2):
        if io[LATE_COUNT] > 0:
            order = late[int(_random(io) * io[LATE_COUNT])]
            row = plant[ORDERS] + order * OR
            price = float((ends[order] - plant[row + O_DUE]) * plant[row + O_PRICE])
        else:
            order = int(_random(io) * plant[ORDER_COUNT])
            if plant[W_MAKESPAN]:
                for e in range(plant[ORDER_COUNT]):
                    if ends[e] > ends[order]:
                        order = e
            price = float(ends[order])
        if price > worst:
            chosen, worst = order, price
    io[WAITING] = chosen
    row = plant[ORDERS] + chosen * OR
    op = -1
    for k in range(plant[row + O_LAST], plant[row + O_LAST_END]):
        if st[plant[k] * ST + END] == ends[chosen]:
            op = plant[k]
    found, count = -1, 0
    for _ in range(80):
        if op < 0 or plant[plant[OPS] + op * OP + FIXED]:
            break
        at = op * ST
        prev, lane_prev = st[at + PREV], st[at + LPREV]
        begin = st[at + WEND] - st[at + DUR] - st[at + SETUP]
        c = plant[plant[UNITS] + st[at + UNIT] * UN + U_TIME]
        if prev >= 0 and st[prev * ST + WEND] == begin:
            count += 1
            if _random(io) * count < 1.0:
                found = op
            op = prev
            continue
        if lane_prev >= 0 and _work(plant, c, st[lane_prev * ST + HELD]) == begin:
            count += 1
            if _random(io) * count < 1.0:
                found = op
            op = lane_prev
            continue
        before, latest = -1, -1
        for k in range(plant[plant[PREDECESSORS] + op], plant[plant[PREDECESSORS] + op + 1], 2):
            end = st[plant[k] * ST + END] + plant[k + 1]
            if end > latest:
                before, latest = plant[k], end
        op = before
    return found


@compiled()
def _slacks(plant: Ints, perm: Ints, st: Ints, slack: Ints) -> None:
    """By how many working minutes each operation could end later before its order does, or is late."""
    for i in range(len(perm) - 1, -1, -1):
        op = perm[i]
        own = FOREVER
        behind = plant[SUCCESSORS] + op
        for k in range(plant[behind], plant[behind + 1]):
            e = plant[k]
            if plant[plant[OPS] + e * OP + FIXED]:
                continue
            c = plant[plant[UNITS] + st[e * ST + UNIT] * UN + U_TIME]
            gap = _work(plant, c, st[e * ST + START]) - _work(plant, c, st[op * ST + END])
            own = min(own, gap + slack[e])
        if own == FOREVER:
            order = plant[plant[OPS] + op * OP + ORDER]
            own = max(0, plant[plant[ORDERS] + order * OR + O_DUE] - st[op * ST + END])
        slack[op] = own


@compiled()
def _best_before(
    plant: Ints, op: int, st: Ints, ends: Ints, slack: Ints, reach: float, least: int, io: Ints
) -> int:
    """Before which operation of its unit a waiting one should go: what it gains against what those
    gain slack or lose that it overtakes, estimated and with some noise; -1 when that is unknown.
    """
    row = op * ST
    late_order = io[WAITING]
    order_row = plant[ORDERS] + late_order * OR
    lateness = ends[late_order] - plant[order_row + O_DUE]
    if lateness <= 0:
        return -1
    price = plant[order_row + O_PRICE]
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    earliest = _ready(plant, op, st)
    floor = _work(plant, c, earliest)
    begin = st[row + WEND] - st[row + DUR] - st[row + SETUP]
    push = st[row + DUR] + st[row + SETUP]
    noise = 2.0 * _random(io)
    loss = 0.0
    best, target = 0.0, -1
    e = st[row + PREV]
    for _ in range(int(2.0 * reach)):
        if e < 0 or st[e * ST + POS] < least:
            break
        delay = push - slack[e]
        if delay > 0:
            order = plant[plant[OPS] + e * OP + ORDER]
            loss += noise * delay * plant[plant[ORDERS] + order * OR + O_PRICE]
        shift = begin - max(floor, st[e * ST + WEND] - st[e * ST + DUR] - st[e * ST + SETUP])
        value = float(price * min(shift, lateness)) - loss
        if target < 0 or value > best:
            best, target = value, e
        if st[e * ST + END] <= earliest:
            break
        e = st[e * ST + PREV]
    return target


@compiled()
def _neighbour(perm: Ints, st: Ints, unit: int, position: int, step: int, least: int, most: int) -> int:
    """The first operation on a unit from a position on, in one direction; -1 if there is none near."""
    i = position
    for _ in range(FAR):
        if i < least or i >= most:
            return -1
        if st[perm[i] * ST + UNIT] == unit:
            return perm[i]
        i += step
    return -2


@entry(f"int64({_A}, {_A}, {_A}, {_A}, {_A}, {_A}, {_A}, {_A}, {_A}, int64, float64[::1], {_A}, int64)")
def anneal(
    plant: Ints,
    perm: Ints,
    st: Ints,
    ends: Ints,
    late: Ints,
    late_at: Ints,
    best_perm: Ints,
    best_unit: Ints,
    best_lane: Ints,
    mode: int,
    tuning: Floats,
    io: Ints,
    moves: int,
) -> int:
    """Make `moves` moves on a timed permutation; the best plan met is in the `best_` arrays.

    Args:
        ends: End of each order; filled by `begin_annealing`, like `late` and `late_at`.
        tuning: Temperature at the beginning and at the end of these moves, in points; share of
            moves on critical operations; reach in places of a unit's sequence; share of moves to
            another unit; weight of hoped-for gains before a move is given up; share of moves next to an
            operation of the same family; share of critical moves that go where it seems best.
        io: Seed and counters; see the constants.

    Returns:
        What the best plan costs.
    """
    count, free = plant[COUNT], len(perm)
    words = np.zeros((free >> 5) + 2, np.int64)
    log = np.zeros((free + 1) * LOG, np.int64)
    orders = plant[ORDER_COUNT]
    new_ends = ends.copy()
    hopes = np.zeros(orders, np.int64)
    touched = np.zeros(orders + 1, np.int64)
    flagged = np.zeros(orders, np.int64)
    mark = np.zeros(count, np.int64)
    seen = np.zeros(plant[LANE_COUNT] + 1, np.int64)
    segment = np.zeros(free + 1, np.int64)
    keep = np.zeros(free + 1, np.int64)
    people = np.zeros(1, np.int64)
    unit_head = np.full(plant[UNIT_COUNT], -1, np.int64)
    lane_head = np.full(plant[LANE_COUNT] + 1, -1, np.int64)
    for i in range(free):
        row = perm[i] * ST
        if st[row + PREV] < 0:
            unit_head[st[row + UNIT]] = perm[i]
        if st[row + LANE] >= 0 and st[row + LPREV] < 0:
            lane_head[st[row + LANE]] = perm[i]
    least = plant[FIRST_COUNT]
    io[STAMP] = 0
    slack = np.zeros(count, np.int64)
    _slacks(plant, perm, st, slack)
    renewed = io[ACCEPTED]
    makespan = 0
    for order in range(orders):
        makespan = max(makespan, ends[order])
    longest = makespan
    temperature = tuning[HEAT]
    cooling = math.exp(math.log(tuning[CHILL] / tuning[HEAT]) * 64.0 / max(64, moves))
    for move in range(moves):
        if move & 63 == 63:
            temperature *= cooling
            if io[ACCEPTED] - renewed > (free >> 4):
                renewed = io[ACCEPTED]
                _slacks(plant, perm, st, slack)
        io[MOVES] += 1
        op = -1
        if _random(io) < tuning[CRITICAL]:
            op = _bottleneck(plant, ends, late, st, io)
            if op >= 0 and st[op * ST + POS] < least:
                op = -1
        is_critical = op >= 0
        if op < 0:
            if free <= least:
                break
            op = perm[least + int(_random(io) * (free - least))]
        row = op * ST
        at, old_unit, old_dur = st[row + POS], st[row + UNIT], st[row + DUR]
        old_prev, old_lane, old_lprev = st[row + PREV], st[row + LANE], st[row + LPREV]
        old_next, old_lnext = st[row + NEXT], st[row + LNEXT]
        # where to
        unit = old_unit
        dur = old_dur
        alternatives = plant[plant[ALTERNATIVES] + op]
        choices = (plant[plant[ALTERNATIVES] + op + 1] - alternatives) // 2
        if choices > 1 and _random(io) < tuning[OTHER_UNIT]:
            k = alternatives + 2 * int(_random(io) * choices)
            unit, dur = plant[k], plant[k + 1]
        r = _random(io)
        steps = int(r * r * tuning[REACH])
        goes_back = is_critical or _random(io) < 0.5
        target = -1
        before = -1
        to = at
        is_guided = False
        is_by_lane = False
        if is_critical and unit == old_unit and old_lprev >= 0:
            c = plant[plant[UNITS] + unit * UN + U_TIME]
            begin = st[row + WEND] - old_dur - st[row + SETUP]
            is_by_lane = _work(plant, c, st[old_lprev * ST + HELD]) == begin and _random(io) < 0.8
        if is_by_lane:
            target = old_lprev
        elif unit == old_unit:
            target = old_prev if goes_back else old_next
            if target < 0 and old_lane < 0:
                continue
            if is_critical and _random(io) < tuning[GUIDED]:
                guided = _best_before(plant, op, st, ends, slack, tuning[REACH], least, io)
                if guided >= 0:
                    target, is_guided = guided, True
        else:
            found = _neighbour(perm, st, unit, at - 1, -1, 0, free)
            if found == -2:
                continue
            before = found
            if goes_back:
                steps -= 1
                if steps >= 0:
                    target = found
            elif found >= 0:
                target = st[found * ST + NEXT]
                steps -= 1
                if steps < 0:
                    target = -1
            else:
                target = unit_head[unit]
                steps -= 1
                if steps < 0:
                    target = -1
        if target >= 0:
            if is_guided:
                steps, family = 0, -1
            elif _random(io) < tuning[SAME_FAMILY]:
                steps = int(2.0 * tuning[REACH])
                family = plant[plant[OPS] + op * OP + FAMILY]
            else:
                family = -1
            further = target
            earliest = _ready(plant, op, st)
            while steps > 0:
                steps -= 1
                if is_by_lane:
                    further = st[further * ST + LPREV]
                elif goes_back:
                    further = st[further * ST + PREV]
                    if further >= 0 and st[further * ST + END] <= earliest:
                        break  # before that it could not run anyway
                else:
                    further = st[further * ST + NEXT]
                if further < 0:
                    break
                if family >= 0:
                    if plant[plant[OPS] + further * OP + FAMILY] == family:
                        steps = 0
                        break
                target = further
            to = st[target * ST + POS]
            if goes_back and to < least:
                continue
            if abs(to - at) > 4 * FAR:
                continue
        elif unit == old_unit:
            before = old_prev
        _detach(op, st, unit_head, lane_head)
        low, high = min(at, to), max(at, to)
        for i in range(low, high + 1):
            keep[i - low] = perm[i]
        is_done = True
        if to < at:
            is_done = _shift_back(plant, op, to, perm, st, mark, segment, io)
            if is_by_lane:
                before = old_prev
                while before >= 0 and st[before * ST + POS] > st[row + POS]:
                    before = st[before * ST + PREV]
            else:
                before = st[target * ST + PREV]
        elif to > at:
            is_done = _shift_on(plant, op, to, perm, st, mark, segment, io)
            before = target
        if not is_done:
            _attach(op, old_unit, old_prev, old_lane, old_lprev, st, unit_head, lane_head)
            continue
        lane, lane_before = -1, -1
        if old_lane >= 0 and mode == BY_LANE:
            est = _ready(plant, op, st)
            if before >= 0:
                est = max(est, st[before * ST + END])
            is_random = not is_by_lane and _random(io) < 0.05
            lane, lane_before = _lane_for(plant, op, est, perm, st, seen, lane_head, is_random, io)
        _attach(op, unit, before, lane, lane_before, st, unit_head, lane_head)
        st[row + DUR] = dur
        # time again
        io[HIGH] = 0
        io[LOGGED] = 0
        io[TOUCHED] = 0
        threshold = -temperature * math.log(_random(io))
        extra = 0
        if unit != old_unit and plant[plant[OPS] + op * OP + OLD_UNIT] >= 0:
            was = plant[plant[OPS] + op * OP + OLD_UNIT]
            extra = plant[W_MOVED] * ((1 if unit != was else 0) - (1 if old_unit != was else 0))
        first_word = st[row + POS] >> 5
        old_wend = st[row + WEND]
        if unit != old_unit:
            st[row + WEND] = -FOREVER  # the same number on another unit is another time
        _mark(op, st, words, io)
        if old_next >= 0:
            _mark(old_next, st, words, io)
            first_word = min(first_word, st[old_next * ST + POS] >> 5)
        if st[row + NEXT] >= 0:
            _mark(st[row + NEXT], st, words, io)
        if old_lnext >= 0:
            _mark(old_lnext, st, words, io)
            first_word = min(first_word, st[old_lnext * ST + POS] >> 5)
        if st[row + LNEXT] >= 0:
            _mark(st[row + LNEXT], st, words, io)
        delta = _propagate(
            plant,
            perm,
            st,
            words,
            log,
            ends,
            new_ends,
            hopes,
            touched,
            flagged,
            first_word,
            threshold - extra,
            tuning[HOPE],
            mode,
            people,
            io,
        )
        if delta < FOREVER:
            delta += extra
            if plant[W_MAKESPAN]:
                longest = 0
                for order in range(orders):
                    longest = max(longest, new_ends[order])
                delta += plant[W_MAKESPAN] * (longest - makespan)
        if delta < FOREVER and delta <= threshold:
            io[ACCEPTED] += 1
            io[CURRENT] += delta
            for i in range(io[TOUCHED]):
                order = touched[i]
                flagged[order] = 0
                hopes[order] = 0
                ends[order] = new_ends[order]
                _late_list(order, plant, ends, late, late_at, io)
            if plant[W_MAKESPAN]:
                makespan = longest
            if io[CURRENT] < io[BEST] and io[MOVES] - io[SAVED_AT] > (free >> 5):
                io[BEST] = io[CURRENT]
                io[SAVED_AT] = io[MOVES]
                for i in range(free):
                    e = perm[i]
                    best_perm[i] = e
                    best_unit[e] = st[e * ST + UNIT]
                    best_lane[e] = st[e * ST + LANE]
            continue
        for i in range(io[TOUCHED]):
            order = touched[i]
            flagged[order] = 0
            hopes[order] = 0
            new_ends[order] = ends[order]
        for i in range(io[LOGGED]):
            at_log = i * LOG
            e = log[at_log] * ST
            st[e + START] = log[at_log + 1]
            st[e + END] = log[at_log + 2]
            st[e + WEND] = log[at_log + 3]
            st[e + SETUP] = log[at_log + 4]
            st[e + HELD] = log[at_log + 5]
        _detach(op, st, unit_head, lane_head)
        _attach(op, old_unit, old_prev, old_lane, old_lprev, st, unit_head, lane_head)
        st[row + DUR] = old_dur
        st[row + WEND] = old_wend
        for i in range(low, high + 1):
            perm[i] = keep[i - low]
            st[keep[i - low] * ST + POS] = i
    if io[CURRENT] < io[BEST]:
        io[BEST] = io[CURRENT]
        for i in range(free):
            e = perm[i]
            best_perm[i] = e
            best_unit[e] = st[e * ST + UNIT]
            best_lane[e] = st[e * ST + LANE]
    return io[BEST]


@entry(f"void({_A}, {_A}, {_A}, {_A}, {_A}, {_A})")
def begin_annealing(plant: Ints, st: Ints, ends: Ints, late: Ints, late_at: Ints, io: Ints) -> None:
    """Fill what the annealing keeps about orders."""
    io[LATE_COUNT] = 0
    for order in range(plant[ORDER_COUNT]):
        late_at[order] = -1
        ends[order] = _order_end(plant, order, st)
        row = plant[ORDERS] + order * OR
        if plant[row + O_LAST] < plant[row + O_LAST_END]:
            _late_list(order, plant, ends, late, late_at, io)


# --- makespan: tabu search --------------------------------------------------------------------
# For plants without calendars and people, where only the end of everything counts: heads and tails
# of the whole graph, moves of critical operations within their block and to other units, chosen
# by estimates and made with a tabu list.
#
# Sources:
#     Balas, Vazacopoulos, Management Science 44 (1998): moves to the ends of a block.
#     Mastrolilli, Gambardella, Journal of Scheduling 3 (2000): insertion on other units.
#     Taillard, ORSA Journal on Computing 6 (1994): estimates from heads and tails.

# Entries of `io`, behind the seed.
T_ITERATION, T_IMPROVED, T_BEST, T_CURRENT = range(1, 5)


@compiled()
def _setup_of(plant: Ints, unit: int, before: int, op: int) -> int:
    """Set-up of an operation behind another one, or behind what the unit is set up for (-1)."""
    row = plant[UNITS] + unit * UN
    family = plant[row + U_FAMILY]
    if before >= 0:
        family = plant[plant[OPS] + before * OP + FAMILY]
    return plant[plant[row + U_SETUP] + family * plant[FAMILIES] + plant[plant[OPS] + op * OP + FAMILY]]


@compiled()
def _heads_and_tails(
    plant: Ints,
    unit_of: Ints,
    dur: Ints,
    prev: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    order: Ints,
    left: Ints,
) -> int:
    """Longest ways to the start and from the end of each operation; the makespan, -1 for a circle."""
    count = plant[COUNT]
    done, size = 0, 0
    for op in range(count):
        row = plant[PREDECESSORS] + op
        left[op] = (plant[row + 1] - plant[row]) // 2
        if prev[op] >= 0:
            left[op] += 1
        if left[op] == 0:
            order[size] = op
            size += 1
    makespan = 0
    while done < size:
        op = order[done]
        done += 1
        unit = unit_of[op]
        start = plant[plant[OPS] + op * OP + RELEASE]
        row = plant[PREDECESSORS] + op
        for k in range(plant[row], plant[row + 1], 2):
            start = max(start, head[plant[k]] + dur[plant[k]] + plant[k + 1])
        before = prev[op]
        setup = _setup_of(plant, unit, before, op)
        if before >= 0:
            start = max(start, head[before] + dur[before] + setup)
        else:
            start = max(start, setup)
        head[op] = start
        makespan = max(makespan, start + dur[op])
        row = plant[SUCCESSORS] + op
        for k in range(plant[row], plant[row + 1]):
            e = plant[k]
            left[e] -= 1
            if left[e] == 0:
                order[size] = e
                size += 1
        e = after[op]
        if e >= 0:
            left[e] -= 1
            if left[e] == 0:
                order[size] = e
                size += 1
    if size < count:
        return -1
    for op in range(count):
        tail[op] = 0
    for i in range(count - 1, -1, -1):
        op = order[i]
        own = tail[op]
        e = after[op]
        if e >= 0:
            own = max(own, _setup_of(plant, unit_of[op], op, e) + dur[e] + tail[e])
        tail[op] = own
        row = plant[PREDECESSORS] + op
        for k in range(plant[row], plant[row + 1], 2):
            tail[plant[k]] = max(tail[plant[k]], plant[k + 1] + dur[op] + own)
    return makespan


@compiled()
def _job_head(plant: Ints, op: int, head: Ints, dur: Ints) -> int:
    """When all that an operation waits for, its unit left out, is done."""
    start = plant[plant[OPS] + op * OP + RELEASE]
    row = plant[PREDECESSORS] + op
    for k in range(plant[row], plant[row + 1], 2):
        start = max(start, head[plant[k]] + dur[plant[k]] + plant[k + 1])
    return start


@compiled()
def _job_tail(plant: Ints, op: int, tail: Ints, dur: Ints) -> int:
    """The longest way behind an operation, its unit left out; lags are left out."""
    own = 0
    row = plant[SUCCESSORS] + op
    for k in range(plant[row], plant[row + 1]):
        own = max(own, dur[plant[k]] + tail[plant[k]])
    return own


@compiled()
def _block_estimate(
    plant: Ints,
    unit: int,
    first: int,
    last: int,
    to_end: bool,
    dur: Ints,
    prev: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    line: Ints,
    heads: Ints,
) -> int:
    """Longest way through a block's part `first`..`last` when one end of it goes to the other.

    Args:
        to_end: `first` goes behind `last`; else `last` goes before `first`.
        line: Room for the new sequence.
        heads: Room for its heads.
    """
    size = 0
    if not to_end:
        line[0] = last
        size = 1
    op = first
    while op != last:
        if not (to_end and op == first):
            line[size] = op
            size += 1
        op = after[op]
    if to_end:
        line[size] = last
        line[size + 1] = first
        size += 2
    before = prev[first]
    for i in range(size):
        op = line[i]
        setup = _setup_of(plant, unit, before, op)
        start = setup
        if i == 0:
            if before >= 0:
                start = head[before] + dur[before] + setup
        else:
            start = heads[i - 1] + dur[before] + setup
        heads[i] = max(start, _job_head(plant, op, head, dur))
        before = op
    behind = after[last]
    longest, rest = 0, 0
    for i in range(size - 1, -1, -1):
        op = line[i]
        own = _job_tail(plant, op, tail, dur)
        if i == size - 1:
            if behind >= 0:
                own = max(own, _setup_of(plant, unit, op, behind) + dur[behind] + tail[behind])
        else:
            nxt = line[i + 1]
            own = max(own, _setup_of(plant, unit, op, nxt) + dur[nxt] + rest)
        rest = own
        longest = max(longest, heads[i] + dur[op] + own)
    return longest


@compiled()
def _unlink(op: int, unit: int, prev: Ints, after: Ints, unit_first: Ints) -> None:
    if prev[op] >= 0:
        after[prev[op]] = after[op]
    else:
        unit_first[unit] = after[op]
    if after[op] >= 0:
        prev[after[op]] = prev[op]


@compiled()
def _link(op: int, unit: int, before: int, prev: Ints, after: Ints, unit_first: Ints) -> None:
    """Put an operation behind `before` on a unit; -1 is the head."""
    nxt = unit_first[unit]
    if before >= 0:
        nxt = after[before]
        after[before] = op
    else:
        unit_first[unit] = op
    prev[op] = before
    after[op] = nxt
    if nxt >= 0:
        prev[nxt] = op


@entry(f"int64({_A}, {_A}, {_A}, {_A}, {_A}, {_A}, {_A}, {_A}, int64)")
def tabu(
    plant: Ints,
    perm: Ints,
    unit_of: Ints,
    best_perm: Ints,
    best_unit: Ints,
    pairs: Ints,
    places: Ints,
    io: Ints,
    iterations: int,
) -> int:
    """Shorten the makespan; `perm` and `unit_of` go on, the best plan is in the `best_` arrays.

    Args:
        pairs: Until which iteration one operation may not go before another, operations squared.
        places: Until which iteration an operation may not go to a unit, operations times units.
        io: Seed, iteration, iteration of the last improvement, best and present makespan.

    Returns:
        The best makespan.
    """
    count, units = plant[COUNT], plant[UNIT_COUNT]
    dur = np.zeros(count, np.int64)
    prev = np.full(count, -1, np.int64)
    after = np.full(count, -1, np.int64)
    head = np.zeros(count, np.int64)
    tail = np.zeros(count, np.int64)
    order = np.zeros(count, np.int64)
    left = np.zeros(count, np.int64)
    line = np.zeros(count + 2, np.int64)
    heads = np.zeros(count + 2, np.int64)
    path = np.zeros(count, np.int64)
    unit_first = np.full(units, -1, np.int64)
    unit_last = np.full(units, -1, np.int64)
    for i in range(count):
        op = perm[i]
        unit = unit_of[op]
        dur[op] = _minutes(plant, op, unit)
        _link(op, unit, unit_last[unit], prev, after, unit_first)
        unit_last[unit] = op
    makespan = _heads_and_tails(plant, unit_of, dur, prev, after, head, tail, order, left)
    patience = 3000 + 20 * count
    tenure = 8 + count // max(1, units) // 2
    for _ in range(iterations):
        io[T_ITERATION] += 1
        now = io[T_ITERATION]
        # one longest way, from a random end
        op, ties = -1, 0
        for e in range(count):
            if head[e] + dur[e] == makespan:
                ties += 1
                if _random(io) * ties < 1.0:
                    op = e
        size = 0
        while op >= 0:
            path[size] = op
            size += 1
            before = prev[op]
            by_unit = (
                before >= 0
                and head[before] + dur[before] + _setup_of(plant, unit_of[op], before, op) == head[op]
            )
            found = -1
            row = plant[PREDECESSORS] + op
            for k in range(plant[row], plant[row + 1], 2):
                if head[plant[k]] + dur[plant[k]] + plant[k + 1] == head[op]:
                    found = plant[k]
            if by_unit and (found < 0 or _random(io) < 0.5):
                found = before
            op = found
        # the best move that is not forbidden: (kind, operation, target, unit)
        kind, mover, target, to_unit, value, ties = 0, -1, -1, -1, FOREVER, 0
        any_kind, any_mover, any_target, any_unit, any_ties = 0, -1, -1, -1, 0
        i = size - 1
        while i >= 0:  # path is from the end to the beginning: blocks from the beginning on
            j = i
            unit = unit_of[path[i]]
            while j > 0 and unit_of[path[j - 1]] == unit and prev[path[j - 1]] == path[j]:
                j -= 1
            for a in range(i, j - 1, -1):
                u = path[a]
                if i > j:
                    for side in range(2):
                        # to the end of the block, or to its beginning
                        v = path[j] if side == 0 else path[i]
                        if v == u:
                            continue
                        if side == 0:
                            first, last = u, v
                            row = plant[SUCCESSORS] + u
                            is_safe = True
                            for k in range(plant[row], plant[row + 1]):
                                e = plant[k]
                                if tail[v] + dur[v] < tail[e] + dur[e]:
                                    is_safe = False
                        else:
                            first, last = v, u
                            row = plant[PREDECESSORS] + u
                            is_safe = True
                            for k in range(plant[row], plant[row + 1], 2):
                                e = plant[k]
                                if head[v] + dur[v] < head[e] + dur[e]:
                                    is_safe = False
                        if not is_safe:
                            # only the neighbour, which on a longest way never makes a circle
                            if side == 0:
                                first, last = u, after[u]
                            else:
                                first, last = prev[u], u
                        e = first
                        is_tabu = False
                        while e != last:
                            if side == 0:
                                if e != first and pairs[e * count + u] > now:
                                    is_tabu = True
                            elif pairs[u * count + e] > now:
                                is_tabu = True
                            e = after[e]
                        if side == 0 and pairs[last * count + u] > now:
                            is_tabu = True
                        estimate = _block_estimate(
                            plant, unit, first, last, side == 0, dur, prev, after, head, tail, line, heads
                        )
                        any_ties += 1
                        if _random(io) * any_ties < 1.0:
                            any_kind, any_mover, any_unit = 1 + side, u, unit
                            any_target = last if side == 0 else first
                        if is_tabu and estimate >= io[T_BEST]:
                            continue
                        if estimate < value:
                            value, ties = estimate, 0
                        if estimate == value:
                            ties += 1
                            if _random(io) * ties < 1.0:
                                kind, mover, to_unit = 1 + side, u, unit
                                target = last if side == 0 else first
                alternatives = plant[ALTERNATIVES] + u
                if plant[alternatives + 1] - plant[alternatives] > 2:
                    own_head = _job_head(plant, u, head, dur)
                    own_tail = _job_tail(plant, u, tail, dur)
                    # what the steps before and behind wait for, and what waits for them
                    floor, ceiling = -1, FOREVER
                    row = plant[PREDECESSORS] + u
                    for k in range(plant[row], plant[row + 1], 2):
                        floor = max(floor, head[plant[k]])
                    row = plant[SUCCESSORS] + u
                    for k in range(plant[row], plant[row + 1]):
                        ceiling = min(ceiling, head[plant[k]] + dur[plant[k]])
                    for k in range(plant[alternatives], plant[alternatives + 1], 2):
                        other, minutes = plant[k], plant[k + 1]
                        if other == unit:
                            continue
                        is_tabu = places[u * units + other] > now
                        before, e = -1, unit_first[other]
                        while e >= 0 and head[e] + dur[e] <= floor:
                            before, e = e, after[e]
                        while True:
                            setup = _setup_of(plant, other, before, u)
                            start = max(own_head, setup)
                            if before >= 0:
                                start = max(own_head, head[before] + dur[before] + setup)
                            rest = own_tail
                            if e >= 0:
                                rest = max(rest, _setup_of(plant, other, u, e) + dur[e] + tail[e])
                            estimate = start + minutes + rest
                            any_ties += 1
                            if _random(io) * any_ties < 1.0:
                                any_kind, any_mover, any_target, any_unit = 3, u, before, other
                            if not is_tabu or estimate < io[T_BEST]:
                                if estimate < value:
                                    value, ties = estimate, 0
                                if estimate == value:
                                    ties += 1
                                    if _random(io) * ties < 1.0:
                                        kind, mover, target, to_unit = 3, u, before, other
                            if e < 0 or head[e] >= ceiling:
                                break
                            before, e = e, after[e]
            i = j - 1
        if kind == 0:
            kind, mover, target, to_unit = any_kind, any_mover, any_target, any_unit
        if kind == 0:
            break  # a single chain of one job's steps: nothing shortens it
        # make the move
        unit, old_prev, old_dur = unit_of[mover], prev[mover], dur[mover]
        keep = tenure + int(_random(io) * tenure)
        if kind == 1:
            e = after[mover]
            while True:
                pairs[mover * count + e] = now + keep
                if e == target:
                    break
                e = after[e]
        elif kind == 2:
            e = target
            while e != mover:
                pairs[e * count + mover] = now + keep
                e = after[e]
        else:
            places[mover * units + unit] = now + keep
        _unlink(mover, unit, prev, after, unit_first)
        before = target
        if kind == 2:
            before = prev[target]
        _link(mover, to_unit, before, prev, after, unit_first)
        unit_of[mover] = to_unit
        dur[mover] = _minutes(plant, mover, to_unit)
        found = _heads_and_tails(plant, unit_of, dur, prev, after, head, tail, order, left)
        if found < 0:
            _unlink(mover, to_unit, prev, after, unit_first)
            _link(mover, unit, old_prev, prev, after, unit_first)
            unit_of[mover] = unit
            dur[mover] = old_dur
            if kind == 3:
                places[mover * units + to_unit] = now + keep
            found = _heads_and_tails(plant, unit_of, dur, prev, after, head, tail, order, left)
        makespan = found
        if makespan < io[T_BEST]:
            io[T_BEST] = makespan
            io[T_IMPROVED] = now
            for k in range(count):
                best_perm[k] = order[k]
                best_unit[k] = unit_of[k]
        elif now - io[T_IMPROVED] > patience:
            # back to the best plan: the tabu list is what makes the next way another one
            io[T_IMPROVED] = now
            for k in range(units):
                unit_first[k] = -1
                unit_last[k] = -1
            for k in range(count):
                unit_of[k] = best_unit[k]
            for k in range(count):
                op = best_perm[k]
                unit = unit_of[op]
                dur[op] = _minutes(plant, op, unit)
                _link(op, unit, unit_last[unit], prev, after, unit_first)
                unit_last[unit] = op
            makespan = _heads_and_tails(plant, unit_of, dur, prev, after, head, tail, order, left)
    for k in range(count):
        perm[k] = order[k]
    io[T_CURRENT] = makespan
    return io[T_BEST]
