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
# ruff: noqa: C901, FBT001, PLR0912, PLR0915, PLR0917, PLR1730, SIM102
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


def compiled(*, inline: bool = False) -> Callable[[F], F]:
    """Compile a function together with those that call it, where numba is installed.

    Such a function makes no arrays. `_nrt=False` says so: numba then leaves out the counting of
    references to those that it is given, which costs more than most of these functions do.

    Args:
        inline: Its code stands wherever it is called, as a short one's does anyway. A call hands over seven
            numbers for each array, which costs a sixth of what is done for an operation that is timed again.
    """

    def wrap(function: F) -> F:
        if njit is None:
            return function
        made: F = njit(_nrt=False, forceinline=inline, **OPTIONS)(function)
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
COUNT, UNIT_COUNT, ORDER_COUNT, POOL_COUNT, QUEUE_COUNT, FAMILIES, HORIZON, FIRST_COUNT = range(8)
W_SETUP, W_MAKESPAN, W_MOVED, W_SHIFT, SHIFT_CAP = range(8, 13)
OPS, ALTERNATIVES, PREDECESSORS, SUCCESSORS, UNITS, TIMELINES, BLOCKS = range(14, 21)
ORDERS, FIXED_PLACES, NEEDS, QUEUE_OF, QUEUES, DIRTY_BIT, TIMELINE_COUNT = range(21, 28)
OVERLAPS = 28
"""Where the lists of overlaps begin; 0 when no operations overlap."""
TIES, ENTRY_PREDECESSORS, ENTRY_SUCCESSORS = range(29, 32)
"""Where ties begin, and what entries of a permutation wait for; 0 without greatest lags."""
BATCHES, OP_PLACES = range(32, 34)
BUFFERS, GIVES, TAKES = range(36, 39)
"""Where buffers begin, the lists of deliveries and what is taken out; 0 without buffers."""
HEAD = 40

# Columns of an operation.
OP = 8
FAMILY, RELEASE, RESUMABLE, NEED, ORDER, OLD_UNIT, OLD_START, FIXED = range(8)

# Columns of a unit: its timeline, its centre's set-up table, its family, when it is free.
UN = 4
U_TIME, U_SETUP, U_FAMILY, U_FREE = range(4)

# Columns of a timeline: first and last window, first and last bucket by minute, by working minute.
TL = 6
T_FIRST, T_LAST, T_MINUTE, T_MINUTE_END, T_NUMBER, T_NUMBER_END = range(6)
WN = 3
"""Columns of a window: start, end, working minutes before it."""

BA = 2
"""Columns of a unit where some take several operations at once: its places, 0 for one at a time, and where
the recipes of operations on it begin. `BATCHES` is 0 where no unit does."""

ANY_NUMBER = cast("int", np.int64(-1))
"""Places of a subcontractor, who does any number of operations at once, each on its own."""

NO_TURNS = cast("int", np.int64(-2))
"""First and last operation of a subcontractor: what is there is neither before nor behind anything."""

# Columns of locked work on a unit.
BL = 4
B_BEGIN, B_RUN, B_END, B_FAMILY = range(4)

# Columns of an order: due, points of a late minute, its last operations, points of a minute until its end.
OR = 5
O_DUE, O_PRICE, O_LAST, O_LAST_END, O_FLOW = range(5)

# Columns of a need (a skill, tools or both): its draws, and its pool: needs that share counters.
NE = 3
N_DRAW, N_DRAW_END, N_POOL = range(3)

# Columns of a draw: the counter, how many it takes, and whether they are held over pauses (tools are,
# which come after people).
DR = 3
D_COUNTER, D_COUNT, D_STAYS = range(3)

# Columns of an overlap: the predecessor, its lag, its sub-lots.
OV = 3
V_BEFORE, V_LAG, V_SUBLOTS = range(3)

# Columns of a tie: the head of the operation's chain, the one before it and the one behind it there, its
# greatest lag, and the minute at which it may end at the earliest.
TI = 5
I_HEAD, I_BEFORE, I_BEHIND, I_MOST, I_LIMIT = range(TI)

PATIENCE, FARTHEST = 32, 30
"""After so many shifts of a chain they grow by powers of 2, up to this one."""

MOST_WAITS = 8
"""So often a chain whose head would begin later than it could lets others go first in a dispatch."""

# The part of the buffers: how many there are, where in `st` the lists of moved and of changed numbers are,
# then a row for each.
BUFFER_COUNT, BUFFERS_MOVED, BUFFERS_LOG, BUFFER_ROWS = range(4)

# Columns of a buffer: its places, those that are taken from the beginning, first and last minute at which
# locked steps leave one, the most that one operation takes out which delivers to it, too, and where in `st`
# its counters, who leaves its places in turn, when they are left, and who takes them in turn begin.
BF = 9
F_PLACES, F_FACTS, F_LOCKED, F_LOCKED_END, F_OWN, F_STATE, F_WHO, F_LEFT, F_TAKER = range(BF)

# Counters of a buffer in `st`: places taken and left so far; the same while numbers are given out.
F_TAKEN, F_GONE, F_NEXT, F_NEXT_LEFT = range(4)

# Columns of a delivery: the buffer, how many places, how many of that buffer the operation takes out itself,
# and where in `st` it says how many were taken and left before it; -1 while it has no turn.
GI = 4
G_BUFFER, G_COUNT, G_OWN, G_SLOT = range(GI)

# Columns of what an operation takes out: the buffer, how many places, and where in `st` its turn is.
TA = 3
A_BUFFER, A_COUNT, A_SLOT = range(TA)

# Columns of an operation's place in a plan. What every plant needs fills one line of the processor's
# cache; the second one is for people and batches (when it begins, when it would if people were there,
# whether it has them) and for chains (at which minute it has to end at the earliest, its place as `_fit`
# says it, and who was before and behind it before a move). Its position in the permutation is `st[~op]`,
# from the end of `st`: positions stand close together, because a move writes hundreds of them.
ST = 16
UNIT, DUR, PREV, NEXT, START, END, WEND, SETUP, BEGIN, WANTED, HAS = range(11)
K_UNTIL, K_BEGIN, K_WANTED, K_PREV, K_NEXT = range(11, ST)

NOBODY, COUNTED, SEARCHED = 0, 1, 2
"""How people and tools are counted: not at all, in order of placement, or so that it can be taken back."""

# A crowd: how many people and tools are free when, and, while searching, who works when. Head entries:
# the mode, where those that are free and those that are there at all begin, buckets of a pool, where
# their first nodes begin, the nodes, the log of claims and its length, operations that gave way and
# their number.
C_MODE, C_FREE, C_PRESENT, C_BUCKETS, C_HEADS, C_NODES, C_LOG, C_LOGGED, C_WOKEN, C_WOKEN_COUNT = range(10)
CROWD = 10

SLOTS = 16
"""Buckets in which an operation can be looked up; with more it is in its pool's first bucket."""

BUCKET = 8
"""A bucket is 2^8 minutes."""

CL = 5
"""Columns of a logged claim: operation, change, timeline, first and last working minute."""

FOREVER = 1 << 40

IMPOSSIBLE = 1 << 61
"""What a permutation costs in which somebody waits in vain for a place in a buffer."""

OVERLAPPED = -FOREVER
"""Lag of a predecessor that does not have to end before: its overlap says what it has to do."""

NONE, ZERO = cast("int", np.int64(-1)), cast("int", np.int64(0))
TAKE, GIVE = NONE, cast("int", np.int64(1))
"""Whole numbers of the one type that the functions are compiled for: a literal is a type of its own, and
what it is given to would be compiled once more."""

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


# --- people and tools -------------------------------------------------------------------------
# Both are counted by minutes; what is said of people here holds for tools, too. An operation may take
# several of a tool, and holds them over its pauses, while people leave.
# Who is placed earlier in the permutation has the first choice of people. In a search that times
# again only what a move touches, an operation therefore takes the people of later ones where it
# needs them (they give way and are timed again, too), and what it no longer needs wakes those later
# ones that waited. That gives exactly the times of a permutation that is timed from its beginning.


@compiled()
def _claim(plant: Ints, op: int, c: int, begin: int, end: int, change: int, crowd: Ints) -> None:
    """Change how much is free of what an operation needs in the working minutes [begin, end)."""
    horizon = plant[HORIZON]
    row = plant[NEEDS] + plant[plant[OPS] + op * OP + NEED] * NE
    stop = -1
    while begin < end:
        w = _window_of(plant, c, begin)
        start = plant[w] + begin - plant[w + 2]
        size = min(plant[w + 1] - start, end - begin)
        paused = start if stop < 0 else stop
        stop = min(start + size, horizon)
        for k in range(plant[row + N_DRAW], plant[row + N_DRAW_END], DR):
            base = crowd[C_FREE] + plant[k + D_COUNTER] * horizon
            first = paused if plant[k + D_STAYS] else start
            taken = change * plant[k + D_COUNT]
            for t in range(base + first, base + stop):
                crowd[t] += taken
        begin += size


@compiled()
def _hold(plant: Ints, op: int, change: int, st: Ints, crowd: Ints) -> None:
    """Take what an operation needs where it is placed (-1), or give it back (1)."""
    row = op * ST
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    end = st[row + WEND]
    begin = end - st[row + DUR] - st[row + SETUP]
    _claim(plant, op, c, begin, end, change, crowd)
    st[row + HAS] = 1 if change < 0 else 0
    if crowd[C_MODE] == SEARCHED:
        at = crowd[C_LOG] + crowd[C_LOGGED] * CL
        crowd[C_LOGGED] += 1
        crowd[at] = op
        crowd[at + 1] = change
        crowd[at + 2] = c
        crowd[at + 3] = begin
        crowd[at + 4] = end


@compiled()
def _undo_claims(plant: Ints, st: Ints, crowd: Ints) -> None:
    """Make the claims as they were when the log was empty."""
    for i in range(crowd[C_LOGGED] - 1, -1, -1):
        at = crowd[C_LOG] + i * CL
        op, change = crowd[at], crowd[at + 1]
        _claim(plant, op, crowd[at + 2], crowd[at + 3], crowd[at + 4], -change, crowd)
        st[op * ST + HAS] = 1 if change > 0 else 0
    crowd[C_LOGGED] = 0


@compiled()
def _first_bucket(plant: Ints, op: int, crowd: Ints) -> int:
    """Where the buckets of an operation's pool begin; the one of minute 0 is the second."""
    pool = plant[plant[NEEDS] + plant[plant[OPS] + op * OP + NEED] * NE + N_POOL]
    return crowd[C_HEADS] + pool * crowd[C_BUCKETS]


@compiled()
def _enlist(plant: Ints, op: int, st: Ints, crowd: Ints) -> None:
    """Make an operation known in the minutes from when it wanted people to its end."""
    row = op * ST
    if st[row + WANTED] >= plant[HORIZON]:
        return
    first = st[row + WANTED] >> BUCKET
    last = (min(st[row + END], plant[HORIZON]) - 1) >> BUCKET
    if last - first >= SLOTS:
        first = last = -1
    head = _first_bucket(plant, op, crowd) + 1 + first
    nodes, size = crowd[C_NODES], plant[COUNT] * SLOTS
    node = op * SLOTS
    for _ in range(first, last + 1):
        after = crowd[head]
        crowd[nodes + node] = after
        crowd[nodes + size + node] = -1
        crowd[nodes + 2 * size + node] = head
        if after >= 0:
            crowd[nodes + size + after] = node
        crowd[head] = node
        head += 1
        node += 1


@compiled()
def _dismiss(plant: Ints, op: int, crowd: Ints) -> None:
    """Undo `_enlist`."""
    nodes, size = crowd[C_NODES], plant[COUNT] * SLOTS
    for node in range(op * SLOTS, (op + 1) * SLOTS):
        head = crowd[nodes + 2 * size + node]
        if head < 0:
            return
        crowd[nodes + 2 * size + node] = -1
        after, before = crowd[nodes + node], crowd[nodes + size + node]
        if before >= 0:
            crowd[nodes + before] = after
        else:
            crowd[head] = after
        if after >= 0:
            crowd[nodes + size + after] = before


@compiled()
def _gives_way(plant: Ints, op: int, at: int, minute: int, count: int, st: Ints, crowd: Ints) -> bool:
    """Whether `count` are free in a minute when operations later in the permutation give way.

    Args:
        at: Where the crowd counts those that are free in this minute.
    """
    if crowd[C_MODE] != SEARCHED or crowd[crowd[C_PRESENT] + at - crowd[C_FREE]] < count:
        return False
    position = st[~op]
    head = _first_bucket(plant, op, crowd)
    for k in range(2):
        node = crowd[head + k * (1 + (minute >> BUCKET))]
        while node >= 0:
            e = node // SLOTS
            row = e * ST
            if st[row + HAS] == 1 and st[~e] > position:
                if st[row + BEGIN] <= minute < st[row + END]:
                    _hold(plant, e, GIVE, st, crowd)
                    crowd[crowd[C_WOKEN] + crowd[C_WOKEN_COUNT]] = e
                    crowd[C_WOKEN_COUNT] += 1
                    if crowd[at] >= count:
                        return True
            node = crowd[crowd[C_NODES] + node]
    return False


@compiled()
def _short(plant: Ints, c: int, begin: int, end: int, op: int, st: Ints, crowd: Ints) -> int:
    """The minute until which something is missing for an operation in the run [begin, end); -1 if never."""
    horizon = plant[HORIZON]
    row = plant[NEEDS] + plant[plant[OPS] + op * OP + NEED] * NE
    found, stop = -1, -1
    while begin < end:
        w = _window_of(plant, c, begin)
        start = plant[w] + begin - plant[w + 2]
        size = min(plant[w + 1] - start, end - begin)
        paused = start if stop < 0 else stop
        stop = min(start + size, horizon)
        for k in range(plant[row + N_DRAW], plant[row + N_DRAW_END], DR):
            base = crowd[C_FREE] + plant[k + D_COUNTER] * horizon
            first = paused if plant[k + D_STAYS] else start
            count = plant[k + D_COUNT]
            t = stop - 1
            while t >= first and (
                crowd[base + t] >= count or _gives_way(plant, op, base + t, t, count, st, crowd)
            ):
                t -= 1
            if t >= first:
                t += 1
                while (
                    t < horizon
                    and crowd[base + t] < count
                    and not _gives_way(plant, op, base + t, t, count, st, crowd)
                ):
                    t += 1
                found = max(found, t)
        begin += size
    return found


# --- the place of one operation ---------------------------------------------------------------


@compiled(inline=True)
def _fit(
    plant: Ints,
    op: int,
    unit: int,
    dur: int,
    prev_end: int,
    prev_family: int,
    ready: int,
    st: Ints,
    crowd: Ints,
) -> tuple[int, int, int]:
    """Where an operation fits behind what its unit has.

    Args:
        prev_end: Working minute at which the unit is free.
        ready: Minute from which it may run.

    Returns:
        Begin of its set-up and of its run, and where its set-up would begin if people were there.
    """
    row = plant[OPS] + op * OP
    unit_row = plant[UNITS] + unit * UN
    c = plant[unit_row + U_TIME]
    table = plant[unit_row + U_SETUP]
    families = plant[FAMILIES]
    family = plant[row + FAMILY]
    needs_people = crowd[C_MODE] != NOBODY and plant[row + NEED] >= 0
    wanted = -1
    ready_work = _work(plant, c, ready)
    if plant[OVERLAPS] > 0:
        ready_work = max(ready_work, _passed_on(plant, op, c, dur, st))
    floor = ZERO
    if plant[BUFFERS] > 0:
        floor = _work(plant, c, _room_from(plant, op, st))
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
        begin = max(prev_end, ready_work - setup, floor)
        while begin + setup + dur <= limit:
            if plant[row + RESUMABLE] == 0:
                w = _window_of(plant, c, begin + setup)
                room = plant[w + 2] + plant[w + 1] - plant[w] - begin - setup
                if room < dur:
                    begin += room
                    continue
            if not needs_people:
                return begin, begin + setup, begin
            short = _short(plant, c, begin, begin + setup + dur, op, st, crowd)
            if wanted < 0:
                wanted = begin
            if short < 0:
                return begin, begin + setup, wanted
            begin = _work(plant, c, short)
        prev_end = plant[block + B_END]
        prev_family = plant[block + B_FAMILY]
        block += BL


# --- buffers ----------------------------------------------------------------------------------
# An operation takes its places in a buffer when it begins, and those who take out what lies there leave
# theirs when they start. In the order of the permutation both have numbers: who takes the n-th place waits
# until n less the buffer's places have been left, by those who come before it. A place counts as left when
# all before it are, too. Whether such an order can be done at all does not depend on times.


@compiled()
def _room_from(plant: Ints, op: int, st: Ints) -> int:
    """The minute from which there is room for what an operation delivers; FOREVER if nobody makes room."""
    found = ZERO
    row = plant[GIVES] + op
    for k in range(plant[row], plant[row + 1], GI):
        found = max(found, _free_from(plant, k, st))
    return found


@compiled()
def _free_from(plant: Ints, k: int, st: Ints) -> int:
    """The minute from which there is room in one buffer for a delivery."""
    row = plant[BUFFERS] + BUFFER_ROWS + plant[k + G_BUFFER] * BF
    slot = plant[k + G_SLOT]
    taken, gone = st[slot], st[slot + 1]
    if taken < 0:
        state = plant[row + F_STATE]
        taken, gone = st[state + F_TAKEN], st[state + F_GONE]
    need = taken + plant[k + G_COUNT] - plant[k + G_OWN] - plant[row + F_PLACES]
    if need <= 0 or plant[k + G_COUNT] <= plant[k + G_OWN]:
        return ZERO
    found = FOREVER
    locked = plant[row + F_LOCKED]
    for late in range(min(need, plant[row + F_LOCKED_END] - locked) + 1):
        if need - late <= gone:
            minute = ZERO
            if need > late:
                minute = st[plant[row + F_LEFT] + need - late - 1]
            if late > 0:
                minute = max(minute, plant[locked + late - 1])
            found = min(found, minute)
    return found


@compiled()
def _entry_room(plant: Ints, head: int, st: Ints) -> int:
    """As `_room_from` for an entry of the permutation that has no numbers yet, be it a chain: FOREVER when
    others have to make room for one of that first.
    """
    found = _room_from(plant, head, st)
    op = _behind_in_chain(plant, head)
    while op >= 0 and found < FOREVER:
        for k in range(plant[plant[GIVES] + op], plant[plant[GIVES] + op + 1], GI):
            buffer = plant[k + G_BUFFER]
            state = plant[plant[BUFFERS] + BUFFER_ROWS + buffer * BF + F_STATE]
            taken, gone = st[state + F_TAKEN], st[state + F_GONE]
            before = head
            while before != op:
                for n in range(plant[plant[GIVES] + before], plant[plant[GIVES] + before + 1], GI):
                    if plant[n + G_BUFFER] == buffer:
                        taken += plant[n + G_COUNT]
                take = plant[TAKES] + before * TA
                if plant[take + A_BUFFER] == buffer:
                    gone += plant[take + A_COUNT]
                before = _tie(plant, before, I_BEHIND)
            if not _is_possible(plant, k, taken, gone):
                found = FOREVER
        op = _tie(plant, op, I_BEHIND)
    return found


@compiled()
def _is_possible(plant: Ints, k: int, taken: int, gone: int) -> bool:
    """Whether enough places have been left before a delivery that finds so many taken and left."""
    row = plant[BUFFERS] + BUFFER_ROWS + plant[k + G_BUFFER] * BF
    need = taken + plant[k + G_COUNT] - plant[k + G_OWN] - plant[row + F_PLACES]
    locked = plant[row + F_LOCKED_END] - plant[row + F_LOCKED]
    return need - locked <= gone or plant[k + G_COUNT] <= plant[k + G_OWN]


@compiled()
def _clear_buffers(plant: Ints, st: Ints) -> None:
    """Nobody has taken or left a place."""
    for b in range(plant[plant[BUFFERS] + BUFFER_COUNT]):
        row = plant[BUFFERS] + BUFFER_ROWS + b * BF
        state = plant[row + F_STATE]
        st[state + F_TAKEN] = st[state + F_NEXT] = plant[row + F_FACTS]
        st[state + F_GONE] = st[state + F_NEXT_LEFT] = 0
    for op in range(plant[COUNT]):
        for k in range(plant[plant[GIVES] + op], plant[plant[GIVES] + op + 1], GI):
            st[plant[k + G_SLOT]] = -1


@compiled()
def _note_first(plant: Ints, op: int, st: Ints) -> None:
    """Take the numbers of an operation into account for the first ones of a stretch."""
    for k in range(plant[plant[GIVES] + op], plant[plant[GIVES] + op + 1], GI):
        state = plant[plant[BUFFERS] + BUFFER_ROWS + plant[k + G_BUFFER] * BF + F_STATE]
        slot = plant[k + G_SLOT]
        st[state + F_NEXT] = min(st[state + F_NEXT], st[slot])
        st[state + F_NEXT_LEFT] = min(st[state + F_NEXT_LEFT], st[slot + 1])
    take = plant[TAKES] + op * TA
    if plant[take + A_BUFFER] >= 0:
        state = plant[plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF + F_STATE]
        st[state + F_NEXT_LEFT] = min(st[state + F_NEXT_LEFT], st[plant[take + A_SLOT]])


@compiled()
def _give_numbers(plant: Ints, op: int, st: Ints) -> tuple[bool, bool]:
    """Give an operation the next numbers; whether it can be done there, and whether they are others."""
    is_possible, is_other = True, False
    for k in range(plant[plant[GIVES] + op], plant[plant[GIVES] + op + 1], GI):
        row = plant[BUFFERS] + BUFFER_ROWS + plant[k + G_BUFFER] * BF
        state, slot = plant[row + F_STATE], plant[k + G_SLOT]
        taken, gone = st[state + F_NEXT], st[state + F_NEXT_LEFT]
        if st[slot] != taken or (st[slot + 1] != gone and plant[row + F_LOCKED] < plant[row + F_LOCKED_END]):
            is_other = True
        st[slot], st[slot + 1] = taken, gone
        if not _is_possible(plant, k, taken, gone):
            is_possible = False
        for i in range(taken, taken + plant[k + G_COUNT]):
            st[plant[row + F_TAKER] + i - plant[row + F_FACTS]] = op
        st[state + F_NEXT] = taken + plant[k + G_COUNT]
    take = plant[TAKES] + op * TA
    if plant[take + A_BUFFER] >= 0:
        row = plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF
        state, slot = plant[row + F_STATE], plant[take + A_SLOT]
        turn = st[state + F_NEXT_LEFT]
        if st[slot] != turn:
            is_other = True
        st[slot] = turn
        for i in range(turn, turn + plant[take + A_COUNT]):
            st[plant[row + F_WHO] + i] = op
        st[state + F_NEXT_LEFT] = turn + plant[take + A_COUNT]
    return is_possible, is_other


@compiled()
def _number(plant: Ints, perm: Ints, low: int, high: int, st: Ints) -> bool:
    """Give the operations between two positions their numbers, and list those that have others; False when
    one of them waits in vain.
    """
    for b in range(plant[plant[BUFFERS] + BUFFER_COUNT]):
        state = plant[plant[BUFFERS] + BUFFER_ROWS + b * BF + F_STATE]
        st[state + F_NEXT] = st[state + F_NEXT_LEFT] = FOREVER
    for i in range(low, high + 1):
        op = perm[i]
        while op >= 0:
            _note_first(plant, op, st)
            op = _behind_in_chain(plant, op)
    moved = plant[plant[BUFFERS] + BUFFERS_MOVED]
    st[moved] = 0
    is_possible = True
    for i in range(low, high + 1):
        op = perm[i]
        while op >= 0:
            is_done, is_other = _give_numbers(plant, op, st)
            is_possible = is_possible and is_done
            if is_other:
                st[moved] += 1
                st[moved + st[moved]] = op
            op = _behind_in_chain(plant, op)
    return is_possible


@compiled()
def _number_all(plant: Ints, perm: Ints, st: Ints) -> bool:
    """Give all operations their numbers; False when one of them waits in vain for a place."""
    is_possible = True
    for i in range(len(perm)):
        op = perm[i]
        while op >= 0:
            is_done, _ = _give_numbers(plant, op, st)
            is_possible = is_possible and is_done
            op = _behind_in_chain(plant, op)
    _count_numbers(plant, st)
    return is_possible


@compiled()
def _count_numbers(plant: Ints, st: Ints) -> None:
    """Places are taken and left as far as there are numbers for it."""
    for b in range(plant[plant[BUFFERS] + BUFFER_COUNT]):
        state = plant[plant[BUFFERS] + BUFFER_ROWS + b * BF + F_STATE]
        st[state + F_TAKEN], st[state + F_GONE] = st[state + F_NEXT], st[state + F_NEXT_LEFT]


@compiled()
def _number_next(plant: Ints, op: int, st: Ints) -> None:
    """Give numbers to an operation that is placed as the next one, and count its places."""
    _give_numbers(plant, op, st)
    _count_numbers(plant, st)
    _leave(plant, op, st)


@compiled()
def _forget_numbers(plant: Ints, op: int, st: Ints) -> None:
    """Undo `_number_next` for the last one that got numbers."""
    for k in range(plant[plant[GIVES] + op], plant[plant[GIVES] + op + 1], GI):
        state = plant[plant[BUFFERS] + BUFFER_ROWS + plant[k + G_BUFFER] * BF + F_STATE]
        st[plant[k + G_SLOT]] = -1
        st[state + F_TAKEN] -= plant[k + G_COUNT]
        st[state + F_NEXT] = st[state + F_TAKEN]
    take = plant[TAKES] + op * TA
    if plant[take + A_BUFFER] >= 0:
        state = plant[plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF + F_STATE]
        st[state + F_GONE] -= plant[take + A_COUNT]
        st[state + F_NEXT_LEFT] = st[state + F_GONE]


@compiled()
def _left_at(plant: Ints, op: int, st: Ints) -> int:
    """The minute at which an operation, and all before it, have left their places in its buffer."""
    take = plant[TAKES] + op * TA
    turn = st[plant[take + A_SLOT]]
    minute = st[op * ST + START]
    if turn > 0:
        left = plant[plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF + F_LEFT]
        minute = max(minute, st[left + turn - 1])
    return minute


@compiled()
def _leave(plant: Ints, op: int, st: Ints) -> None:
    """Note when a timed operation leaves places."""
    take = plant[TAKES] + op * TA
    if plant[take + A_BUFFER] < 0:
        return
    minute, turn = _left_at(plant, op, st), st[plant[take + A_SLOT]]
    left = plant[plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF + F_LEFT]
    for i in range(turn, turn + plant[take + A_COUNT]):
        st[left + i] = minute


# --- subcontractors ---------------------------------------------------------------------------
# What is at a subcontractor's has no neighbours there and needs none of our people and tools. Its begin is
# written as that of a rider in a batch is, below -1.


@compiled()
def _outside(plant: Ints, op: int, unit: int, dur: int, ready: int, st: Ints) -> tuple[int, int, int]:
    """Where an operation fits at a subcontractor, as `_fit` says: from when he has it, while he is open."""
    c = plant[plant[UNITS] + unit * UN + U_TIME]
    if plant[BUFFERS] > 0:
        ready = max(ready, _room_from(plant, op, st))
    run = _work(plant, c, ready)
    if plant[OVERLAPS] > 0:
        run = max(run, _passed_on(plant, op, c, dur, st))
    if plant[plant[OPS] + op * OP + RESUMABLE] == 0:
        w = _window_of(plant, c, run)
        while plant[w + 2] + plant[w + 1] - plant[w] - run < dur:
            w += WN
            run = plant[w + 2]
    return run, run, NO_TURNS


@compiled()
def _leave_out(plant: Ints, ends: Ints) -> None:
    """Say which units have no turns, in an array of the first or last operations of all."""
    if plant[BATCHES] != 0:
        for unit in range(plant[UNIT_COUNT]):
            if plant[plant[BATCHES] + unit * BA] == ANY_NUMBER:
                ends[unit] = NO_TURNS


# --- batches ----------------------------------------------------------------------------------
# On a unit with places an operation rides in the batch of the one before it when both have one recipe,
# there is room, and it is ready when that batch starts. All of a batch have the same end on their unit, and
# no others do. A rider's begin is written as what the batch has taken with it, below -1: what is behind it
# is timed again when that changes, too. It needs no people and tools beside those of its batch.


@compiled()
def _taken_with(plant: Ints, op: int, unit: int, last: int, ready: int, st: Ints) -> int:
    """What the batch of `last` has taken when an operation rides in it; 0 if it cannot."""
    row = plant[BATCHES] + unit * BA
    places, recipes = plant[row], plant[row + 1]
    if places == 0 or last < 0 or ready > st[last * ST + START]:
        return 0
    if plant[recipes + op] != plant[recipes + last]:
        return 0
    taken, end = plant[plant[OP_PLACES] + op], st[last * ST + WEND]
    while last >= 0 and st[last * ST + WEND] == end:
        taken += plant[plant[OP_PLACES] + last]
        last = st[last * ST + PREV]
    return taken if taken <= places else 0


@compiled()
def _rides(plant: Ints, op: int, st: Ints) -> bool:
    """Whether an operation is in a batch that another one leads, or outside: it takes no people."""
    return plant[BATCHES] != 0 and st[op * ST + BEGIN] < -1


@compiled(inline=True)
def _behind(
    plant: Ints, op: int, unit: int, dur: int, last: int, ready: int, st: Ints, crowd: Ints
) -> tuple[int, int, int]:
    """Where an operation fits behind `last`, as `_fit` says; wanted is below -1 where it rides."""
    end, family = _last_of(plant, unit, last, st)
    if plant[BATCHES] != 0:
        if plant[plant[BATCHES] + unit * BA] == ANY_NUMBER:
            return _outside(plant, op, unit, dur, ready, st)
        taken = _taken_with(plant, op, unit, last, ready, st)
        if taken > 0:
            run = end - st[last * ST + DUR]
            c = plant[plant[UNITS] + unit * UN + U_TIME]
            if plant[OVERLAPS] == 0 or _passed_on(plant, op, c, dur, st) <= run:
                if plant[BUFFERS] == 0 or _room_from(plant, op, st) <= st[last * ST + START]:
                    return run, run, -1 - taken
    return _fit(plant, op, unit, dur, end, family, ready, st, crowd)


@compiled(inline=True)
def _ready(plant: Ints, op: int, st: Ints) -> int:
    """The minute at which releases and predecessors let an operation run; `_passed_on` says of overlaps."""
    ready = plant[plant[OPS] + op * OP + RELEASE]
    row = plant[PREDECESSORS] + op
    for k in range(plant[row], plant[row + 1], 2):
        end = st[plant[k] * ST + END] + plant[k + 1]
        if end > ready:
            ready = end
    return ready


@compiled()
def _passed_on(plant: Ints, op: int, c: int, dur: int, st: Ints) -> int:
    """The working minute from which a run has the first sub-lots of all that it overlaps with, and begins
    its last ones when they are made.
    """
    run = ZERO
    row = plant[OVERLAPS] + op
    for k in range(plant[row], plant[row + 1], OV):
        before, lag, sublots = plant[k + V_BEFORE] * ST, plant[k + V_LAG], plant[k + V_SUBLOTS]
        theirs = plant[plant[UNITS] + st[before + UNIT] * UN + U_TIME]
        size = st[before + DUR]
        made = st[before + WEND] - size + (size + sublots - 1) // sublots
        run = max(run, _work(plant, c, _at(plant, theirs, made - 1) + 1 + lag))
        made = _work(plant, c, st[before + END] + lag)
        run = max(run, made - dur + (dur + sublots - 1) // sublots)
    return run


@compiled()
def _arrival(plant: Ints, op: int, st: Ints) -> int:
    """The first minute at which all that comes before lets an operation run on one of its units."""
    ready = _ready(plant, op, st)
    if plant[OVERLAPS] == 0:
        return ready
    soonest = FOREVER
    row = plant[ALTERNATIVES] + op
    for k in range(plant[row], plant[row + 1], 2):
        c = plant[plant[UNITS] + plant[k] * UN + U_TIME]
        run = max(_work(plant, c, ready), _passed_on(plant, op, c, plant[k + 1], st))
        soonest = min(soonest, max(ready, _at(plant, c, run)))
    return soonest


@compiled()
def _keeps_begins(plant: Ints, crowd: Ints) -> bool:
    """Whether the begin of operations is kept: people are counted, or some ride in batches."""
    return crowd[C_MODE] != NOBODY or plant[BATCHES] != 0


@compiled()
def _place_fixed(plant: Ints, st: Ints, crowd: Ints) -> None:
    """Write down started and locked work, and clear the rest."""
    if plant[BUFFERS] > 0:
        _clear_buffers(plant, st)
    for op in range(plant[COUNT]):
        row = op * ST
        if crowd[C_MODE] != NOBODY and st[row + HAS] == 1:
            _hold(plant, op, GIVE, st, crowd)
        for k in range(BEGIN):
            st[row + k] = -1
        if _keeps_begins(plant, crowd):
            st[row + BEGIN] = st[row + WANTED] = st[row + HAS] = -1
        st[row + SETUP] = 0
        st[~op] = -1
        if plant[plant[OPS] + op * OP + FIXED]:
            place = plant[FIXED_PLACES] + op * 3
            st[row + START] = plant[place]
            st[row + END] = plant[place + 1]
            st[row + UNIT] = plant[place + 2]
            st[row + DUR] = _minutes(plant, op, st[row + UNIT])
            c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
            st[row + WEND] = _work(plant, c, max(ZERO, st[row + START])) + st[row + DUR]


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
    place: tuple[int, int, int],
    tail: Ints,
    st: Ints,
    crowd: Ints,
) -> None:
    """Write down the place of an operation at the end of its unit, and take a person for it."""
    row = op * ST
    st[row + UNIT] = unit
    st[row + DUR] = dur
    st[row + PREV] = max(tail[unit], NONE)
    st[row + NEXT] = -1
    if tail[unit] >= 0:
        st[tail[unit] * ST + NEXT] = op
    if tail[unit] != NO_TURNS:
        tail[unit] = op
    _write(plant, op, place, st)
    if crowd[C_MODE] != NOBODY and plant[plant[OPS] + op * OP + NEED] >= 0 and place[2] >= 0:
        _hold(plant, op, TAKE, st, crowd)


@compiled(inline=True)
def _write(plant: Ints, op: int, place: tuple[int, int, int], st: Ints) -> None:
    """Write down the times of an operation on its unit: begin, run and wanted begin, as `_fit` says."""
    row = op * ST
    begin, run, wanted = place
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    end = run + st[row + DUR]
    st[row + START] = _at(plant, c, run)
    st[row + END] = _at(plant, c, end - 1) + 1
    st[row + WEND] = end
    st[row + SETUP] = run - begin
    if plant[BATCHES] != 0:
        st[row + BEGIN] = st[row + WANTED] = min(wanted, -1)
    if plant[plant[OPS] + op * OP + NEED] >= 0 and wanted >= 0:
        st[row + BEGIN] = _at(plant, c, begin)
        st[row + WANTED] = _at(plant, c, wanted)


@compiled()
def _minutes(plant: Ints, op: int, unit: int) -> int:
    """Working minutes of an operation on a unit; 0 when it cannot be done there."""
    row = plant[ALTERNATIVES] + op
    for k in range(plant[row], plant[row + 1], 2):
        if plant[k] == unit:
            return plant[k + 1]
    return 0


# --- greatest lags ----------------------------------------------------------------------------
# Steps that must follow one another in time are a chain, and one entry of the permutation: the head of the
# chain. All of a chain have their head's position and are placed at its turn. Each is put where it fits
# behind what its unit has; who comes too late after the one before it shifts that one, so that it ends late
# enough, and perhaps the one before that. Beyond the horizon all is open, so this ends.


@compiled()
def _tie(plant: Ints, op: int, column: int) -> int:
    return plant[plant[TIES] + op * TI + column]


@compiled()
def _behind_in_chain(plant: Ints, op: int) -> int:
    """The operation that follows at a greatest lag; -1 for none."""
    if plant[TIES] == 0:
        return -1
    return plant[plant[TIES] + op * TI + I_BEHIND]


@compiled()
def _head(plant: Ints, op: int) -> int:
    """The operation at whose position another one is."""
    if plant[TIES] == 0:
        return op
    return plant[plant[TIES] + op * TI + I_HEAD]


@compiled()
def _least_start(plant: Ints, unit: int, dur: int, until: int) -> int:
    """The minute from which a run on a unit ends no sooner than at a minute."""
    if until <= 0:
        return 0
    c = plant[plant[UNITS] + unit * UN + U_TIME]
    return _at(plant, c, max(ZERO, _work(plant, c, until - 1) - dur + 1))


@compiled()
def _count_chain_in(plant: Ints, op: int, change: int, st: Ints, crowd: Ints) -> None:
    """Count what one of a chain needs while the others look for their places."""
    row = op * ST
    if crowd[C_MODE] == NOBODY or plant[plant[OPS] + op * OP + NEED] < 0:
        return
    if st[row + K_WANTED] < 0:
        return  # it rides in a batch
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    end = st[row + WEND]
    _claim(plant, op, c, end - st[row + DUR] - st[row + SETUP], end, change, crowd)


@compiled()
def _fit_chain(plant: Ints, head: int, st: Ints, crowd: Ints) -> None:
    """Write down the places of a chain, each on its unit behind what is before it there; takes no people."""
    op = head
    while op >= 0:
        st[op * ST + K_UNTIL] = _tie(plant, op, I_LIMIT)
        op = _tie(plant, op, I_BEHIND)
    op, before, rounds = head, NONE, 0
    while op >= 0:
        row = op * ST
        unit, dur = st[row + UNIT], st[row + DUR]
        ready = max(_ready(plant, op, st), _least_start(plant, unit, dur, st[row + K_UNTIL]))
        place = _behind(plant, op, unit, dur, st[row + PREV], ready, st, crowd)
        if before >= 0:
            end = st[before * ST + END]
            start = _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], place[1])
            late = start - end - _tie(plant, op, I_MOST)
            if late > 0:
                further = 1 << min(max(rounds - PATIENCE, 0), FARTHEST)
                rounds += 1
                st[before * ST + K_UNTIL] = end + max(late, further)
                _count_chain_in(plant, before, GIVE, st, crowd)
                op = before
                before = _tie(plant, op, I_BEFORE)
                continue
        st[row + K_BEGIN] = place[0]
        st[row + K_WANTED] = place[2]
        _write(plant, op, place, st)
        if plant[BUFFERS] > 0:
            _leave(plant, op, st)
        _count_chain_in(plant, op, TAKE, st, crowd)
        before = op
        op = _tie(plant, op, I_BEHIND)
    op = head
    while op >= 0:
        _count_chain_in(plant, op, GIVE, st, crowd)
        op = _tie(plant, op, I_BEHIND)


@compiled()
def _is_torn(plant: Ints, head: int, st: Ints) -> bool:
    """Whether one of a chain comes too late, or ends too soon."""
    op, before = head, NONE
    while op >= 0:
        row = op * ST
        if before >= 0 and st[row + START] > st[before * ST + END] + _tie(plant, op, I_MOST):
            return True
        if st[row + END] < _tie(plant, op, I_LIMIT):
            return True
        before = op
        op = _tie(plant, op, I_BEHIND)
    return False


@compiled()
def _keep_in_time(plant: Ints, head: int, st: Ints, crowd: Ints) -> None:
    """Place a chain again, each of which is at the end of its unit as early as it can be there."""
    if not _is_torn(plant, head, st):
        return
    has_people = crowd[C_MODE] != NOBODY
    op = head
    while op >= 0:
        if has_people and st[op * ST + HAS] == 1:
            _hold(plant, op, GIVE, st, crowd)
        op = _tie(plant, op, I_BEHIND)
    _fit_chain(plant, head, st, crowd)
    op = head
    while op >= 0:
        needs = has_people and plant[plant[OPS] + op * OP + NEED] >= 0
        if needs and st[op * ST + K_WANTED] >= 0:
            _hold(plant, op, TAKE, st, crowd)
        op = _tie(plant, op, I_BEHIND)


@compiled()
def _settle_followers(
    plant: Ints, head: int, position: int, unit_of: Ints, tail: Ints, st: Ints, crowd: Ints
) -> None:
    """Place all that ride on a head, which has its place, on their units."""
    op = _tie(plant, head, I_BEHIND)
    while op >= 0:
        on = _behind_all(plant, op, unit_of[op], tail, st, crowd)
        _settle(plant, op, on[0], _minutes(plant, op, on[0]), (on[1], on[2], on[3]), tail, st, crowd)
        if plant[BUFFERS] > 0:
            _leave(plant, op, st)
        st[~op] = position
        op = _tie(plant, op, I_BEHIND)
    _keep_in_time(plant, head, st, crowd)


@compiled()
def _choose_followers(
    plant: Ints, head: int, position: int, unit_of: Ints, tail: Ints, st: Ints, crowd: Ints
) -> None:
    """As `_settle_followers`, each on the unit where it ends first; they get the next numbers."""
    op = _tie(plant, head, I_BEHIND)
    while op >= 0:
        on = _best_unit(plant, op, tail, st, crowd)
        unit_of[op] = on[0]
        _settle(plant, op, on[0], _minutes(plant, op, on[0]), (on[1], on[2], on[3]), tail, st, crowd)
        if plant[BUFFERS] > 0:
            _number_next(plant, op, st)
        st[~op] = position
        op = _tie(plant, op, I_BEHIND)
    _keep_in_time(plant, head, st, crowd)


@compiled()
def _chain_begin(
    plant: Ints,
    head: int,
    on: tuple[int, int, int, int],
    waited: Ints,
    unit_of: Ints,
    tail: Ints,
    st: Ints,
    crowd: Ints,
) -> int:
    """The minute in which a head has to begin so that its followers come in time, each where it ends first.

    -1 when it need not begin later than without them, and when it has let others go first too often. It
    places nobody.

    Args:
        on: Its unit and its place there without its followers.
    """
    if _behind_in_chain(plant, head) < 0 or waited[head] == MOST_WAITS:
        return -1
    waited[head] += 1
    c = plant[plant[UNITS] + on[0] * UN + U_TIME]
    _settle(plant, head, on[0], _minutes(plant, head, on[0]), (on[1], on[2], on[3]), tail, st, crowd)
    if plant[BUFFERS] > 0:
        _number_next(plant, head, st)
    _choose_followers(plant, head, NONE, unit_of, tail, st, crowd)
    row = head * ST
    run = st[row + WEND] - st[row + DUR]
    begin = _at(plant, c, run - st[row + SETUP])
    if run <= on[2]:
        begin = NONE
    op = head
    while _tie(plant, op, I_BEHIND) >= 0:
        op = _tie(plant, op, I_BEHIND)
    while op >= 0:
        row = op * ST
        if crowd[C_MODE] != NOBODY and st[row + HAS] == 1:
            _hold(plant, op, GIVE, st, crowd)
        if plant[BUFFERS] > 0:
            _forget_numbers(plant, op, st)
        if tail[st[row + UNIT]] != NO_TURNS:
            tail[st[row + UNIT]] = st[row + PREV]
        if st[row + PREV] >= 0:
            st[st[row + PREV] * ST + NEXT] = -1
        op = _tie(plant, op, I_BEFORE)
    return begin


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
    cost = plant[row + O_FLOW] * end
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


@entry(f"int64({_A}, {_A}, {_A}, {_A}, {_A})")
def retime(plant: Ints, perm: Ints, unit_of: Ints, st: Ints, crowd: Ints) -> int:
    """Time a permutation from the first operation to the last; returns what the plan costs.

    Args:
        unit_of: Unit of each operation.
        st: Places; what they claim of the crowd is given back first.
        crowd: As `planner.pack` makes it; its people are claimed by the plan afterwards.
    """
    _place_fixed(plant, st, crowd)
    if plant[BUFFERS] > 0 and not _number_all(plant, perm, st):
        return IMPOSSIBLE
    tail = np.full(plant[UNIT_COUNT], -1, np.int64)
    _leave_out(plant, tail)
    for position in range(len(perm)):
        op = perm[position]
        unit = unit_of[op]
        dur = _minutes(plant, op, unit)
        place = _behind(plant, op, unit, dur, tail[unit], _ready(plant, op, st), st, crowd)
        _settle(plant, op, unit, dur, place, tail, st, crowd)
        st[~op] = position
        if plant[BUFFERS] > 0:
            _leave(plant, op, st)
        if plant[TIES] > 0:
            _settle_followers(plant, op, position, unit_of, tail, st, crowd)
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
def _best_unit(plant: Ints, op: int, tail: Ints, st: Ints, crowd: Ints) -> tuple[int, int, int, int]:
    """Where an operation ends first; of those units, one with the shortest set-up. And its place there."""
    ready = _ready(plant, op, st)
    chosen, best_end, best_setup = NONE, FOREVER, 0
    best = (NONE, NONE, NONE)
    alternatives = plant[ALTERNATIVES] + op
    for k in range(plant[alternatives], plant[alternatives + 1], 2):
        unit, dur = plant[k], plant[k + 1]
        place = _behind(plant, op, unit, dur, tail[unit], ready, st, crowd)
        if place[2] < 0 and tail[unit] >= 0:
            dur = st[tail[unit] * ST + DUR]
        done = _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], place[1] + dur - 1)
        setup = place[1] - place[0]
        if done < best_end or (done == best_end and setup < best_setup):
            chosen, best_end, best_setup = unit, done, setup
            best = place
    return chosen, best[0], best[1], best[2]


@compiled()
def _soonest(plant: Ints, queue: int, tail: Ints, st: Ints) -> int:
    """The first minute at which a unit of the queue is free."""
    soonest = FOREVER
    row = plant[QUEUES] + queue
    for k in range(plant[row], plant[row + 1]):
        soonest = min(soonest, _free_at(plant, plant[k], tail[plant[k]], st))
    return soonest


@compiled()
def _take_most_urgent(
    plant: Ints,
    queue: int,
    now: int,
    head: Ints,
    behind: Ints,
    free: Ints,
    open_units: int,
    base: Floats,
    latest: Ints,
    k1: float,
    k2: float,
    tail: Ints,
    st: Ints,
) -> int:
    """Take the waiting operation of highest priority out of its queue."""
    families = plant[FAMILIES]
    best, before_best = NONE, NONE
    best_value = 0.0
    before, op = NONE, head[queue]
    while op >= 0:
        if plant[BUFFERS] > 0 and _entry_room(plant, op, st) > now:
            before, op = op, behind[op]
            continue
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
    if best < 0:
        return best
    if before_best < 0:
        head[queue] = behind[best]
    else:
        behind[before_best] = behind[best]
    return best


@compiled()
def _soonest_room(plant: Ints, queue: int, head: Ints, behind: Ints, st: Ints) -> int:
    """The first minute at which one of a queue has room in its buffer; FOREVER when others must go first."""
    soonest = FOREVER
    op = head[queue]
    while op >= 0:
        soonest = min(soonest, _entry_room(plant, op, st))
        op = behind[op]
    return soonest


@compiled()
def _wake_queues(
    plant: Ints,
    op: int,
    now: int,
    head: Ints,
    behind: Ints,
    tail: Ints,
    st: Ints,
    pending: Ints,
    times: Ints,
    names: Ints,
    size: int,
) -> int:
    """Let all queues look again when an entry leaves places in a buffer; the heap's size."""
    while op >= 0 and plant[plant[TAKES] + op * TA + A_BUFFER] < 0:
        op = _behind_in_chain(plant, op)
    if op < 0:
        return size
    spare = 3 * plant[COUNT] + 2 * plant[QUEUE_COUNT]
    for queue in range(plant[QUEUE_COUNT]):
        if head[queue] >= 0 and size + spare < len(times):
            size = _decide_later(plant, queue, now, head, behind, tail, st, pending, times, names, size)
    return size


@compiled()
def _count_missing(plant: Ints, missing: Ints, waits: Ints) -> None:
    """How many operations each one waits for that are neither started nor locked; whether it is free."""
    if plant[TIES] > 0:
        for op in range(plant[COUNT]):
            waits[op] = 1 - plant[plant[OPS] + op * OP + FIXED] if _head(plant, op) == op else ZERO
            row = plant[ENTRY_PREDECESSORS] + op
            missing[op] = plant[row + 1] - plant[row]
        return
    for op in range(plant[COUNT]):
        waits[op] = 1 - plant[plant[OPS] + op * OP + FIXED]
        row = plant[PREDECESSORS] + op
        for k in range(plant[row], plant[row + 1], 2):
            if plant[plant[OPS] + plant[k] * OP + FIXED] == 0:
                missing[op] += 1


@compiled()
def _behind_all(
    plant: Ints, op: int, unit: int, tail: Ints, st: Ints, crowd: Ints
) -> tuple[int, int, int, int]:
    """A unit, and the place of an operation behind what that has."""
    dur = _minutes(plant, op, unit)
    place = _behind(plant, op, unit, dur, tail[unit], _ready(plant, op, st), st, crowd)
    return unit, place[0], place[1], place[2]


@compiled()
def _place_next(
    plant: Ints,
    op: int,
    position: int,
    on: tuple[int, int, int, int],
    perm: Ints,
    unit_of: Ints,
    missing: Ints,
    tail: Ints,
    st: Ints,
    crowd: Ints,
) -> None:
    """Place an operation as the next one of the permutation; those behind it miss one less.

    Args:
        on: Its unit and its place there.
    """
    dur = _minutes(plant, op, on[0])
    if on[3] < 0 and tail[on[0]] >= 0:
        dur = st[tail[on[0]] * ST + DUR]
    _settle(plant, op, on[0], dur, (on[1], on[2], on[3]), tail, st, crowd)
    perm[position] = op
    unit_of[op] = on[0]
    st[~op] = position
    if plant[BUFFERS] > 0:
        _number_next(plant, op, st)
    if plant[TIES] > 0:
        _choose_followers(plant, op, position, unit_of, tail, st, crowd)
    row = _followers(plant) + op
    for k in range(plant[row], plant[row + 1]):
        missing[plant[k]] -= 1


@compiled()
def _followers(plant: Ints) -> int:
    """Where the lists are of what waits for entries of the permutation."""
    return plant[ENTRY_SUCCESSORS] if plant[TIES] > 0 else plant[SUCCESSORS]


@compiled()
def _open_units(plant: Ints, queue: int, now: int, tail: Ints, st: Ints, free: Ints) -> int:
    """Fill `free` with the units of a queue that are free now; their number."""
    count = 0
    row = plant[QUEUES] + queue
    for k in range(plant[row], plant[row + 1]):
        if _free_at(plant, plant[k], tail[plant[k]], st) <= now:
            free[count] = plant[k]
            count += 1
    return count


@compiled()
def _arrive(
    plant: Ints, op: int, missing: Ints, waits: Ints, st: Ints, times: Ints, names: Ints, size: int
) -> int:
    """Let an operation that misses nothing any more come to its queue when it is ready; the heap's size."""
    if missing[op] == 0 and waits[op]:
        waits[op] = 0
        size = _push(times, names, size, _arrival(plant, op, st), op)
    return size


@compiled()
def _arrive_behind(
    plant: Ints, op: int, missing: Ints, waits: Ints, st: Ints, times: Ints, names: Ints, size: int
) -> int:
    """Let those come that waited for a placed operation alone; the heap's size."""
    row = _followers(plant) + op
    for k in range(plant[row], plant[row + 1]):
        size = _arrive(plant, plant[k], missing, waits, st, times, names, size)
    return size


@compiled()
def _events(plant: Ints) -> int:
    """Room for all that a dispatch waits for at once."""
    size = 4 * plant[COUNT] + 4 * plant[QUEUE_COUNT] + 8
    if plant[BUFFERS] > 0:
        size += 8 * (plant[COUNT] + plant[QUEUE_COUNT])
    return size + 2 * MOST_WAITS * plant[COUNT] if plant[TIES] > 0 else size


@compiled()
def _come_again(plant: Ints, op: int, now: int, st: Ints, times: Ints, names: Ints, size: int) -> int:
    """Let one that a batch cannot take, its buffer being full, come to its queue again; the heap's size."""
    st[~op] = -1
    if _arrival(plant, op, st) > now:
        return size  # it has not come yet
    return _push(times, names, size, now, op)


@compiled()
def _decide_later(
    plant: Ints,
    queue: int,
    now: int,
    head: Ints,
    behind: Ints,
    tail: Ints,
    st: Ints,
    pending: Ints,
    times: Ints,
    names: Ints,
    size: int,
) -> int:
    """Let a queue decide as soon as one of its units is free; the heap's size."""
    due = max(now, _soonest(plant, queue, tail, st))
    if plant[BUFFERS] > 0:
        due = max(due, _soonest_room(plant, queue, head, behind, st))
    if due < pending[queue]:
        pending[queue] = due
        size = _push(times, names, size, due, plant[COUNT] + queue)
    return size


@compiled()
def _pick_there(
    plant: Ints,
    chosen: int,
    unit: int,
    room: int,
    now: int,
    head: Ints,
    behind: Ints,
    queue: int,
    base: Floats,
    latest: Ints,
    k1: float,
) -> int:
    """Take the most urgent operation out of a queue that can be in one batch with another; -1 for none."""
    recipes = plant[plant[BATCHES] + unit * BA + 1]
    best, before_best, best_value = NONE, NONE, 0.0
    before, op = NONE, head[queue]
    while op >= 0:
        if plant[recipes + op] == plant[recipes + chosen] and plant[plant[OP_PLACES] + op] <= room:
            value = base[op] - max(0, latest[op] - now) * k1
            if best < 0 or value > best_value or (value == best_value and op < best):
                best, best_value, before_best = op, value, before
        before, op = op, behind[op]
    if best >= 0:
        if before_best < 0:
            head[queue] = behind[best]
        else:
            behind[before_best] = behind[best]
    return best


@compiled()
def _pick_coming(
    plant: Ints,
    chosen: int,
    unit: int,
    room: int,
    until: int,
    queue: int,
    times: Ints,
    names: Ints,
    size: int,
    st: Ints,
) -> int:
    """The first to come by a minute that can be in one batch with another; -1 for none."""
    recipes = plant[plant[BATCHES] + unit * BA + 1]
    best, best_time = NONE, until + 1
    for i in range(size):
        op = names[i]
        if op < plant[COUNT] and times[i] <= until and plant[plant[QUEUE_OF] + op] == queue:
            if st[~op] < 0 and plant[recipes + op] == plant[recipes + chosen]:
                if plant[plant[OP_PLACES] + op] <= room:
                    if times[i] < best_time or (times[i] == best_time and op < best):
                        best, best_time = op, times[i]
    return best


@compiled()
def _fill_batch(
    plant: Ints,
    chosen: int,
    on: tuple[int, int, int, int],
    wait: float,
    now: int,
    head: Ints,
    behind: Ints,
    base: Floats,
    latest: Ints,
    k1: float,
    times: Ints,
    names: Ints,
    size: int,
    batch: Ints,
    st: Ints,
) -> int:
    """Fill `batch` with an operation and those that go with it, who comes last first; their number.

    Those that are there go before those that come within `wait` runs after it could begin.

    Args:
        on: Its unit and its place there.
    """
    batch[0] = chosen
    unit = on[0]
    if plant[BATCHES] == 0 or on[3] < 0 or plant[plant[BATCHES] + unit * BA] == 0:
        return 1
    start = _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], on[2])
    room = plant[plant[BATCHES] + unit * BA] - plant[plant[OP_PLACES] + chosen]
    queue = plant[plant[QUEUE_OF] + chosen]
    until = start + int(wait * _minutes(plant, chosen, unit))
    count = 1
    st[~chosen] = 0  # taken
    is_open = True
    while is_open and room > 0:
        op = _pick_there(plant, chosen, unit, room, now, head, behind, queue, base, latest, k1)
        if op < 0:
            op = _pick_coming(plant, chosen, unit, room, until, queue, times, names, size, st)
        is_open = op >= 0
        if is_open:
            st[~op] = 0
            room -= plant[plant[OP_PLACES] + op]
            ready = _arrival(plant, op, st)
            i = count
            while i > 0 and _arrival(plant, batch[i - 1], st) < ready:
                batch[i] = batch[i - 1]
                i -= 1
            batch[i] = op
            count += 1
    return count


@entry(f"int64({_A}, {_A}, float64[::1], {_A}, float64, float64, float64, {_A}, {_A}, {_A}, {_A})")
def dispatch(
    plant: Ints,
    first: Ints,
    base: Floats,
    latest: Ints,
    k1: float,
    k2: float,
    wait: float,
    perm: Ints,
    unit_of: Ints,
    st: Ints,
    crowd: Ints,
) -> int:
    """Priority dispatch; fills `perm`, `unit_of` and `st`, and returns what the plan costs.

    The priority of an operation is base - max(0, latest - minute) * k1 - set-up * k2.

    Args:
        first: Operations placed before all others, in this order.
        latest: The minute at which an operation begins to be urgent.
        wait: How long a batch waits for more to come, in runs of its own.
        crowd: As for `retime`.
    """
    _place_fixed(plant, st, crowd)
    count, queues = plant[COUNT], plant[QUEUE_COUNT]
    tail, head = np.full(plant[UNIT_COUNT], -1, np.int64), np.full(queues, -1, np.int64)
    _leave_out(plant, tail)
    free, batch = np.zeros(plant[UNIT_COUNT] + 1, np.int64), np.zeros(count + 1, np.int64)
    missing, waits, waited = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    _count_missing(plant, missing, waits)
    behind, pending = np.full(count, -1, np.int64), np.full(queues, FOREVER, np.int64)
    # one heap: arrivals (name < count) come before decisions (count + queue) of the same minute
    times, names = np.zeros(_events(plant), np.int64), np.zeros(_events(plant), np.int64)
    size, placed = ZERO, ZERO + len(first)
    for i in range(len(first)):
        waits[first[i]] = 0
        if plant[BUFFERS] > 0 and _entry_room(plant, first[i], st) >= FOREVER:
            return IMPOSSIBLE
        on = _best_unit(plant, first[i], tail, st, crowd)
        _place_next(plant, first[i], i, on, perm, unit_of, missing, tail, st, crowd)
    for op in range(count):
        size = _arrive(plant, op, missing, waits, st, times, names, size)
    while size > 0:
        now, name = times[0], names[0]
        size = _pop(times, names, size)
        if name < count and st[~name] >= 0:
            continue  # a batch has waited for it
        if name < count:
            queue = plant[plant[QUEUE_OF] + name]
            behind[name] = head[queue]
            head[queue] = name
            size = _decide_later(plant, queue, now, head, behind, tail, st, pending, times, names, size)
            continue
        queue = name - count
        if pending[queue] != now:
            continue  # decided at another minute meanwhile
        pending[queue] = FOREVER
        if head[queue] < 0:
            continue
        open_units = _open_units(plant, queue, now, tail, st, free)
        if open_units > 0:
            best = _take_most_urgent(
                plant, queue, now, head, behind, free, open_units, base, latest, k1, k2, tail, st
            )
            if best < 0:
                size = _decide_later(plant, queue, now, head, behind, tail, st, pending, times, names, size)
                continue
            on = _best_unit(plant, best, tail, st, crowd)
            begin = _chain_begin(plant, best, on, waited, unit_of, tail, st, crowd)
            if begin > now:
                size = _push(times, names, size, begin, best)
                size = _decide_later(plant, queue, now, head, behind, tail, st, pending, times, names, size)
                continue
            together = _fill_batch(
                plant,
                best,
                on,
                wait,
                now,
                head,
                behind,
                base,
                latest,
                k1,
                times,
                names,
                size,
                batch,
                st,
            )
            for i in range(together):
                op = batch[i]
                if plant[BUFFERS] > 0 and _entry_room(plant, op, st) >= FOREVER:
                    size = _come_again(plant, op, now, st, times, names, size)
                    continue
                if together > 1:
                    on = _behind_all(plant, op, on[0], tail, st, crowd)
                _place_next(plant, op, placed, on, perm, unit_of, missing, tail, st, crowd)
                placed += 1
                if plant[BUFFERS] > 0:
                    size = _wake_queues(plant, op, now, head, behind, tail, st, pending, times, names, size)
                size = _arrive_behind(plant, op, missing, waits, st, times, names, size)
        if head[queue] >= 0:
            size = _decide_later(plant, queue, now, head, behind, tail, st, pending, times, names, size)
    return _cost(plant, st) if placed == len(perm) else IMPOSSIBLE


# --- annealing --------------------------------------------------------------------------------
# A move takes one operation out of its unit's sequence and puts it somewhere else; the permutation
# is mended between the two places, and what the move touches is timed again in the order of the
# permutation. The threshold of acceptance is drawn before, so that a bad move is given up as soon as
# it costs more, or will: who ends later by more than its slack makes its order late, long before the
# order's last operation is timed.

# Entries of `io`: seed and counters, then the move at hand.
SEED, MOVES, ACCEPTED, LATE_COUNT, STAMP, HIGH, LOGGED, TOUCHED, CURRENT, BEST, SAVED_AT, TIMED, WAITING = (
    range(13)
)
MAKESPAN, LONGEST, RENEWED = range(13, 16)
MOVED, TO_UNIT, TO_DUR, TARGET, BEFORE, GOES_BACK, BY_PEOPLE, TO, LOW, FAR_END = range(16, 26)
OLD_UNIT_OF, OLD_DUR, OLD_PREV, OLD_NEXT, OLD_WEND = range(26, 31)
HALT = 31
"""Not 0 once the search is to end: another thread writes it while the kernel runs."""
IO = 32

# Entries of `tuning`.
HEAT, CHILL, CRITICAL, REACH, OTHER_UNIT, HOPE, SAME_FAMILY, GUIDED = range(8)

# Columns of an order in a search: its end, that after the move at hand, what is still hoped for (or
# feared, where it is below 0), whether the move touches it, and where it is in the list of late orders.
# Behind the rows are the list of late orders and that of touched ones.
OE = 5
E_END, E_NEW, E_HOPE, E_FLAG, E_LATE_AT = range(5)

LOG = 7
"""Columns of a log row: operation, its start, end, working end, set-up, begin and wanted begin before."""

BIT_MODULUS = 37
"""2^0 .. 2^35 all differ modulo 37: the position of a lone bit is found by one division."""

PEOPLE_SHARE = 0.7
"""Share of moves of an operation that waits for people in which it goes before one that has them."""

FAR = 600
"""Positions that a search for a neighbour in the permutation may cost."""


@compiled()
def _mark(op: int, st: Ints, words: Ints, io: Ints) -> None:
    """Say that an operation has to be timed again."""
    position = st[~op]
    word = position >> 5
    words[word] |= 1 << (position & 31)
    if word > io[HIGH]:
        io[HIGH] = word


@compiled()
def _wake(
    plant: Ints, op: int, c: int, begin: int, end: int, st: Ints, words: Ints, crowd: Ints, io: Ints
) -> None:
    """Time later operations again that waited for people in the working minutes [begin, end)."""
    if begin >= end:
        return
    position = st[~op]
    start, stop = _at(plant, c, begin), _at(plant, c, end - 1) + 1
    row = plant[NEEDS] + plant[plant[OPS] + op * OP + NEED] * NE
    if plant[plant[row + N_DRAW_END] - DR + D_STAYS]:  # a tool was held in the pauses on both sides, too
        stop = _at(plant, c, end)
        if begin > 0:
            start = _at(plant, c, begin - 1) + 1
    stop = min(stop, plant[HORIZON])
    head = _first_bucket(plant, op, crowd)
    bucket, last = head, head + 1 + ((stop - 1) >> BUCKET)
    while bucket <= last:
        node = crowd[bucket]
        while node >= 0:
            e = node // SLOTS
            row = e * ST
            if st[row + BEGIN] > st[row + WANTED] and st[~e] > position:
                if st[row + WANTED] < stop and start < st[row + END]:
                    _mark(e, st, words, io)
            node = crowd[crowd[C_NODES] + node]
        bucket = max(bucket + 1, head + 1 + (start >> BUCKET))


@compiled()
def _mark_woken(st: Ints, words: Ints, crowd: Ints, io: Ints) -> None:
    """Time again whoever gave way."""
    for i in range(crowd[C_WOKEN_COUNT]):
        _mark(crowd[crowd[C_WOKEN] + i], st, words, io)
    crowd[C_WOKEN_COUNT] = 0


@compiled()
def _place_again(
    plant: Ints, op: int, place: tuple[int, int, int], st: Ints, words: Ints, crowd: Ints, io: Ints
) -> None:
    """Write down another place of an operation that has needed people, or does; wake who waited for the
    old one.
    """
    row = op * ST
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    old_end = st[row + WEND]
    old_begin = old_end - st[row + DUR] - st[row + SETUP]
    _dismiss(plant, op, crowd)
    _write(plant, op, place, st)
    if place[2] < 0:
        if old_end >= 0:
            _wake(plant, op, c, old_begin, old_end, st, words, crowd, io)
        return
    _enlist(plant, op, st, crowd)
    _hold(plant, op, TAKE, st, crowd)
    if old_end >= 0:
        _wake(plant, op, c, old_begin, min(old_end, place[0]), st, words, crowd, io)
        _wake(plant, op, c, max(old_begin, st[row + WEND]), old_end, st, words, crowd, io)


@compiled(inline=True)
def _time_again(plant: Ints, op: int, st: Ints, words: Ints, log: Ints, crowd: Ints, io: Ints) -> int:
    """Time one operation again; the change of its own cost, FOREVER when its times stay."""
    row = op * ST
    unit, dur = st[row + UNIT], st[row + DUR]
    op_row = plant[OPS] + op * OP
    counted = crowd[C_MODE] != NOBODY and plant[op_row + NEED] >= 0
    if counted and st[row + HAS] == 1:
        _hold(plant, op, GIVE, st, crowd)
    place = _behind(plant, op, unit, dur, st[row + PREV], _ready(plant, op, st), st, crowd)
    begin, run, wanted = place
    setup = run - begin
    stays = run + dur == st[row + WEND] and setup == st[row + SETUP] and st[row + START] >= 0
    if wanted < 0 and _rides(plant, op, st):
        counted = False  # it had nothing and needs nothing
    if plant[BATCHES] != 0 and min(wanted, -1) != min(st[row + BEGIN], -1):
        stays = False
        if st[row + NEXT] >= 0:
            _mark(st[row + NEXT], st, words, io)
    if stays and not counted:
        return FOREVER
    at = io[LOGGED] * LOG
    io[LOGGED] += 1
    log[at] = op
    log[at + 1] = st[row + START]
    log[at + 2] = st[row + END]
    log[at + 3] = st[row + WEND]
    log[at + 4] = st[row + SETUP]
    if _keeps_begins(plant, crowd):
        log[at + 5] = st[row + BEGIN]
        log[at + 6] = st[row + WANTED]
    old_setup, old_start = st[row + SETUP], st[row + START]
    if counted:
        _mark_woken(st, words, crowd, io)
        _place_again(plant, op, place, st, words, crowd, io)
        if stays:
            return FOREVER
    else:
        _write(plant, op, place, st)
    delta = plant[W_SETUP] * (setup - old_setup)
    if plant[op_row + OLD_UNIT] >= 0:
        cap, was = plant[SHIFT_CAP], plant[op_row + OLD_START]
        shift = min(cap, abs(st[row + START] - was)) - min(cap, abs(old_start - was))
        delta += plant[W_SHIFT] * shift
    return delta


@compiled()
def _mark_room(plant: Ints, op: int, turn: int, st: Ints, words: Ints, io: Ints) -> None:
    """Time again who waits for a place that an operation leaves at another minute.

    Args:
        turn: How many have been left before it.
    """
    take = plant[TAKES] + op * TA
    row = plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF
    state, position = plant[row + F_STATE], st[~op]
    late = plant[row + F_LOCKED_END] - plant[row + F_LOCKED] + plant[row + F_OWN]
    first = turn + plant[row + F_PLACES]
    last = min(first + late + 1, st[state + F_TAKEN])
    for n in range(max(first, plant[row + F_FACTS]), last):
        e = st[plant[row + F_TAKER] + n - plant[row + F_FACTS]]
        if st[~e] > position:
            _mark(e, st, words, io)
    until = st[plant[take + A_SLOT]] + plant[take + A_COUNT]
    if turn + 1 == until and until < st[state + F_GONE]:
        e = st[plant[row + F_WHO] + until]
        if st[~e] > position:
            _mark(e, st, words, io)


@compiled()
def _note_leaves(plant: Ints, op: int, st: Ints) -> None:
    """Log when an operation, which is about to be timed again, leaves its places."""
    take = plant[TAKES] + op * TA
    if plant[take + A_BUFFER] < 0:
        return
    log, turn = plant[plant[BUFFERS] + BUFFERS_LOG], st[plant[take + A_SLOT]]
    left = plant[plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF + F_LEFT]
    for i in range(left + turn, left + turn + plant[take + A_COUNT]):
        st[log + 1 + 2 * st[log]] = i
        st[log + 2 + 2 * st[log]] = st[i]
        st[log] += 1


@compiled()
def _spread_leaves(plant: Ints, head: int, at: int, st: Ints, words: Ints, io: Ints) -> None:
    """Time again who waits for places that a chain leaves at another minute than the log says from `at`."""
    log, op = plant[plant[BUFFERS] + BUFFERS_LOG], head
    while op >= 0:
        take = plant[TAKES] + op * TA
        if plant[take + A_BUFFER] >= 0:
            turn = st[plant[take + A_SLOT]]
            for i in range(turn, turn + plant[take + A_COUNT]):
                if st[st[log + 1 + 2 * at]] != st[log + 2 + 2 * at]:
                    _mark_room(plant, op, i, st, words, io)
                at += 1
        op = _tie(plant, op, I_BEHIND)


@compiled()
def _leave_again(plant: Ints, op: int, st: Ints, words: Ints, io: Ints) -> None:
    """Time again who waits for the places of an operation, where it leaves them at another minute."""
    take = plant[TAKES] + op * TA
    if plant[take + A_BUFFER] < 0:
        return
    row = plant[BUFFERS] + BUFFER_ROWS + plant[take + A_BUFFER] * BF
    minute, turn = _left_at(plant, op, st), st[plant[take + A_SLOT]]
    log, left = plant[plant[BUFFERS] + BUFFERS_LOG], plant[row + F_LEFT]
    for i in range(turn, turn + plant[take + A_COUNT]):
        if st[left + i] != minute:
            st[log + 1 + 2 * st[log]] = left + i
            st[log + 2 + 2 * st[log]] = st[left + i]
            st[log] += 1
            st[left + i] = minute
            _mark_room(plant, op, i, st, words, io)


@compiled()
def _number_again(plant: Ints, perm: Ints, st: Ints, io: Ints) -> bool:
    """Give new numbers between the two places of a move; False when one of them waits in vain."""
    if io[LOW] == io[FAR_END]:
        st[plant[plant[BUFFERS] + BUFFERS_MOVED]] = 0
        return True
    return _number(plant, perm, io[LOW], io[FAR_END], st)


@compiled()
def _undo_leaves(plant: Ints, st: Ints) -> None:
    """Make the minutes at which places are left as they were when the log was empty."""
    log = plant[plant[BUFFERS] + BUFFERS_LOG]
    for i in range(st[log] - 1, -1, -1):
        st[st[log + 1 + 2 * i]] = st[log + 2 + 2 * i]
    st[log] = 0


@compiled(inline=True)
def _order_change(
    plant: Ints, op: int, old_end: int, delay: int, slack: Ints, st: Ints, od: Ints, io: Ints
) -> tuple[int, int]:
    """How the cost of an operation's order changes with its end, and how what is expected of it does.

    Args:
        delay: Working minutes by which it ends later.
        slack: By how many each could; see `_slacks`.
    """
    order = plant[plant[OPS] + op * OP + ORDER]
    at = order * OE
    if od[at + E_FLAG] == 0:
        od[at + E_FLAG] = 1
        od[plant[ORDER_COUNT] * (OE + 1) + io[TOUCHED]] = order
        io[TOUCHED] += 1
    end, was, expected = st[op * ST + END], od[at + E_NEW], od[at + E_HOPE]
    behind = plant[SUCCESSORS] + op
    if plant[behind] == plant[behind + 1] or was < end or was == old_end:
        now = _order_end(plant, order, st)
        od[at + E_HOPE] = 0
        od[at + E_NEW] = now
        return _order_cost(plant, order, now) - _order_cost(plant, order, was), -expected
    row = plant[ORDERS] + order * OR
    if end < old_end:
        gain = min(old_end - end, max(0, od[at + E_END] - plant[row + O_DUE]))
        gain = gain * plant[row + O_PRICE] + plant[row + O_FLOW] * (old_end - end)
        if gain > expected:
            od[at + E_HOPE] = gain
            return 0, gain - expected
    elif delay > slack[op]:
        loss = (delay - slack[op]) * plant[row + O_PRICE]
        od[at + E_HOPE] = -loss
        return 0, -loss - expected
    return 0, 0


@compiled(inline=True)
def _propagate(
    plant: Ints,
    perm: Ints,
    st: Ints,
    words: Ints,
    log: Ints,
    od: Ints,
    slack: Ints,
    first_word: int,
    threshold: float,
    hope_weight: float,
    crowd: Ints,
    io: Ints,
) -> int:
    """Time what is marked, in order; the change of cost, or FOREVER when it is given up.

    Args:
        slack: Working minutes by which each operation could end later, as they were some moves ago.
        threshold: What the change may come to, with what is still hoped for and feared.
    """
    delta, hope = 0, 0
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
        old_end, old_wend = st[row + END], st[row + WEND]
        change = _time_again(plant, op, st, words, log, crowd, io)
        if plant[BUFFERS] > 0:
            _leave_again(plant, op, st, words, io)
        if change == FOREVER:
            at = plant[plant[OPS] + op * OP + ORDER] * OE + E_HOPE
            hope -= od[at]
            od[at] = 0
            continue
        delta += change
        if st[row + WEND] != old_wend and st[row + NEXT] >= 0:
            _mark(st[row + NEXT], st, words, io)
        if st[row + END] == old_end and (plant[OVERLAPS] == 0 or op != io[MOVED]):
            continue  # what a unit has made by then may differ from what another one has
        behind = plant[SUCCESSORS] + op
        for k in range(plant[behind], plant[behind + 1]):
            if plant[plant[OPS] + plant[k] * OP + FIXED] == 0:
                _mark(plant[k], st, words, io)
        delay = st[row + WEND] - old_wend if old_wend > -FOREVER else ZERO
        change, more = _order_change(plant, op, old_end, delay, slack, st, od, io)
        delta += change
        hope += more
        if delta - hope * hope_weight > threshold:
            for w in range(word, io[HIGH] + 1):
                words[w] = 0
            return FOREVER
    return delta


@compiled()
def _take_again(
    plant: Ints, op: int, at: int, st: Ints, words: Ints, log: Ints, crowd: Ints, io: Ints
) -> None:
    """Take people for one of a chain, which has its place; wake who waited for the old one.

    Args:
        at: The row of the log that has its old place.
    """
    row = op * ST
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    old_end = log[at + 3]
    old_begin = old_end - st[row + DUR] - log[at + 4]
    if log[at + 5] < -1:
        old_end = NONE  # it had nobody
    if _rides(plant, op, st):
        if old_end >= 0:
            _wake(plant, op, c, old_begin, old_end, st, words, crowd, io)
        return
    _enlist(plant, op, st, crowd)
    _hold(plant, op, TAKE, st, crowd)
    if old_end >= 0:
        begin = st[row + K_BEGIN]
        _wake(plant, op, c, old_begin, min(old_end, begin), st, words, crowd, io)
        _wake(plant, op, c, max(old_begin, st[row + WEND]), old_end, st, words, crowd, io)


@compiled()
def _time_chain_again(
    plant: Ints, head: int, st: Ints, words: Ints, log: Ints, crowd: Ints, io: Ints
) -> None:
    """Time a chain again, and log the old places of all of it."""
    first, left = io[LOGGED], ZERO
    has_people = crowd[C_MODE] != NOBODY
    if plant[BUFFERS] > 0:
        left = st[plant[plant[BUFFERS] + BUFFERS_LOG]]
    op = head
    while op >= 0:
        if plant[BUFFERS] > 0:
            _note_leaves(plant, op, st)
        row, at = op * ST, io[LOGGED] * LOG
        io[LOGGED] += 1
        log[at] = op
        log[at + 1] = st[row + START]
        log[at + 2] = st[row + END]
        log[at + 3] = st[row + WEND]
        log[at + 4] = st[row + SETUP]
        log[at + 5] = st[row + BEGIN]
        log[at + 6] = st[row + WANTED]
        if has_people and plant[plant[OPS] + op * OP + NEED] >= 0:
            if st[row + HAS] == 1:
                _hold(plant, op, GIVE, st, crowd)
            _dismiss(plant, op, crowd)
        op = _tie(plant, op, I_BEHIND)
    _fit_chain(plant, head, st, crowd)
    if plant[BUFFERS] > 0:
        _spread_leaves(plant, head, left, st, words, io)
    if not has_people:
        return
    _mark_woken(st, words, crowd, io)
    for i in range(first, io[LOGGED]):
        op = log[i * LOG]
        if plant[plant[OPS] + op * OP + NEED] >= 0:
            _take_again(plant, op, i * LOG, st, words, log, crowd, io)


@compiled()
def _mark_elsewhere(op: int, position: int, st: Ints, words: Ints, io: Ints) -> None:
    """Mark an operation unless it is at a position that has just been timed."""
    if op >= 0 and st[~op] != position:
        _mark(op, st, words, io)


@compiled()
def _rode(begin: int) -> int:
    """What the batch had taken of one that rode in it, as its begin is written; -1 of others."""
    return min(begin, NONE)


@compiled()
def _own_change(plant: Ints, op: int, at: int, st: Ints, log: Ints) -> int:
    """How the cost of an operation itself has changed since its row of the log."""
    row, op_row = op * ST, plant[OPS] + op * OP
    delta = plant[W_SETUP] * (st[row + SETUP] - log[at + 4])
    if plant[op_row + OLD_UNIT] >= 0:
        cap, was = plant[SHIFT_CAP], plant[op_row + OLD_START]
        shift = min(cap, abs(st[row + START] - was)) - min(cap, abs(log[at + 1] - was))
        delta += plant[W_SHIFT] * shift
    return delta


@compiled()
def _spread(plant: Ints, op: int, at: int, st: Ints, words: Ints, log: Ints, io: Ints) -> bool:
    """Mark what one of a chain touches that has moved since its log row; whether orders change."""
    row = op * ST
    position = st[~op]
    if st[row + WEND] != log[at + 3] or _rode(st[row + BEGIN]) != _rode(log[at + 5]):
        _mark_elsewhere(st[row + NEXT], position, st, words, io)
    if st[row + END] == log[at + 2] and (plant[OVERLAPS] == 0 or op != io[MOVED]):
        return False
    behind = plant[SUCCESSORS] + op
    for k in range(plant[behind], plant[behind + 1]):
        if plant[plant[OPS] + plant[k] * OP + FIXED] == 0:
            _mark_elsewhere(plant[k], position, st, words, io)
    return True


@compiled()
def _propagate_chains(
    plant: Ints,
    perm: Ints,
    st: Ints,
    words: Ints,
    log: Ints,
    od: Ints,
    slack: Ints,
    first_word: int,
    threshold: float,
    hope_weight: float,
    crowd: Ints,
    io: Ints,
) -> int:
    """As `_propagate`, where entries of the permutation are chains."""
    delta, hope = 0, 0
    word = first_word
    bit_of = plant[DIRTY_BIT]
    while word <= io[HIGH]:
        bits = words[word]
        if bits == 0:
            word += 1
            continue
        low = bits & -bits
        words[word] = bits ^ low
        head = perm[(word << 5) + plant[bit_of + low % BIT_MODULUS]]
        io[TIMED] += 1
        first = io[LOGGED]
        _time_chain_again(plant, head, st, words, log, crowd, io)
        stays = True
        for i in range(first, io[LOGGED]):
            at = i * LOG
            op = log[at]
            row = op * ST
            same = st[row + WEND] == log[at + 3] and st[row + SETUP] == log[at + 4] and log[at + 1] >= 0
            if same and _rode(st[row + BEGIN]) == _rode(log[at + 5]):
                continue
            stays = False
            delta += _own_change(plant, op, at, st, log)
            if _spread(plant, op, at, st, words, log, io):
                delay = st[row + WEND] - log[at + 3] if log[at + 3] > -FOREVER else ZERO
                change, more = _order_change(plant, op, log[at + 2], delay, slack, st, od, io)
                delta += change
                hope += more
        if stays:
            at = plant[plant[OPS] + head * OP + ORDER] * OE + E_HOPE
            hope -= od[at]
            od[at] = 0
        elif delta - hope * hope_weight > threshold:
            for w in range(word, io[HIGH] + 1):
                words[w] = 0
            return FOREVER
    return delta


@compiled()
def _detach(op: int, st: Ints, unit_head: Ints) -> None:
    """Take an operation out of its unit's sequence."""
    row = op * ST
    before, after = st[row + PREV], st[row + NEXT]
    if before >= 0:
        st[before * ST + NEXT] = after
    elif unit_head[st[row + UNIT]] != NO_TURNS:
        unit_head[st[row + UNIT]] = after
    if after >= 0:
        st[after * ST + PREV] = before


@compiled()
def _attach(op: int, unit: int, before: int, st: Ints, unit_head: Ints) -> None:
    """Put an operation behind `before` on a unit; -1 is the head."""
    row = op * ST
    st[row + UNIT] = unit
    after = unit_head[unit]
    if after == NO_TURNS:
        after = NONE
    elif before >= 0:
        after = st[before * ST + NEXT]
        st[before * ST + NEXT] = op
    else:
        unit_head[unit] = op
    st[row + PREV] = before
    st[row + NEXT] = after
    if after >= 0:
        st[after * ST + PREV] = op


@compiled()
def _take_along(plant: Ints, e: int, to: int, step: int, st: Ints, mark: Ints, moved: Ints, io: Ints) -> bool:
    """Let an entry go along with a move, if it stands on its way; whether it stands where that ends."""
    if mark[e] == io[STAMP] or plant[plant[OPS] + e * OP + FIXED]:
        return False
    at = st[~e]
    if (at - to) * step > 0:
        return False
    mark[e] = io[STAMP]
    moved[moved[0]] = e
    moved[0] += 1
    return at == to


@compiled()
def _gather(plant: Ints, op: int, to: int, step: int, st: Ints, mark: Ints, moved: Ints, io: Ints) -> bool:
    """Gather what goes along with a detached operation to a position; False when what is there does.

    Args:
        step: 1 for all that waits for it, before it on a unit or in an order; -1 for all that it waits for.
        moved: Gets their number, plus 1, and then they themselves, in the order of the permutation.
    """
    io[STAMP] += 1
    side, links, width = NEXT, plant[SUCCESSORS], 1
    if plant[TIES] > 0:
        links = plant[ENTRY_SUCCESSORS]
    if step < 0:
        side, links, width = PREV, plant[PREDECESSORS], 2
        if plant[TIES] > 0:
            links, width = plant[ENTRY_PREDECESSORS], 1
    mark[op] = io[STAMP]
    moved[0], moved[1] = 2, op
    k = 1
    while k < moved[0]:
        e = moved[k]
        k += 1
        for i in range(plant[links + e], plant[links + e + 1], width):
            if _take_along(plant, plant[i], to, step, st, mark, moved, io):
                return False
        while e >= 0 and k > 2:
            beside = st[e * ST + side]
            if beside >= 0 and _take_along(plant, _head(plant, beside), to, step, st, mark, moved, io):
                return False
            e = _behind_in_chain(plant, e)
    for i in range(2, moved[0]):
        e, k = moved[i], i
        while (st[~moved[k - 1]] - st[~e]) * step > 0:
            moved[k] = moved[k - 1]
            k -= 1
        moved[k] = e
    return True


@compiled()
def _tell_positions(plant: Ints, perm: Ints, low: int, high: int, st: Ints) -> None:
    """Give all of the chains between two positions those of their heads."""
    for i in range(low, high + 1):
        op = perm[i]
        while op >= 0:
            st[~op] = i
            op = _tie(plant, op, I_BEHIND)


@compiled()
def _shift(plant: Ints, op: int, to: int, perm: Ints, st: Ints, mark: Ints, moved: Ints, io: Ints) -> bool:
    """Move a detached operation back to position `to` with all that it waits for, or on to it with all
    that waits for it.

    False, and nothing changed, when what is at `to` is among those.
    """
    at = put = st[~op]
    step = -1 if to < at else 1
    if not _gather(plant, op, to, step, st, mark, moved, io):
        return False
    count = moved[0]
    for k in range(1, count):
        i = st[~moved[k]] + step
        end = st[~moved[k + 1]] if k + 1 < count else to + step
        while i != end:
            e = perm[i]
            perm[put] = e
            st[~e] = put
            put += step
            i += step
    for k in range(1, count):
        perm[put] = moved[k]
        st[~moved[k]] = put
        put += step
    if plant[TIES] > 0:
        _tell_positions(plant, perm, min(at, to), max(at, to), st)
    return True


@compiled()
def _late_list(plant: Ints, order: int, od: Ints, io: Ints) -> None:
    """Keep the list of late orders true for one order."""
    late = plant[ORDER_COUNT] * OE
    row = order * OE
    is_late = od[row + E_END] > plant[plant[ORDERS] + order * OR + O_DUE]
    at = od[row + E_LATE_AT]
    if is_late and at < 0:
        od[late + io[LATE_COUNT]] = order
        od[row + E_LATE_AT] = io[LATE_COUNT]
        io[LATE_COUNT] += 1
    elif not is_late and at >= 0:
        io[LATE_COUNT] -= 1
        moved = od[late + io[LATE_COUNT]]
        od[late + at] = moved
        od[moved * OE + E_LATE_AT] = at
        od[row + E_LATE_AT] = -1


@compiled()
def _costly_order(plant: Ints, od: Ints, io: Ints) -> int:
    """The costlier of two late orders drawn at random; without any, the later of two orders."""
    chosen, worst = -1, -1.0
    for _ in range(2):
        if io[LATE_COUNT] > 0:
            order = od[plant[ORDER_COUNT] * OE + int(_random(io) * io[LATE_COUNT])]
            row = plant[ORDERS] + order * OR
            price = float((od[order * OE + E_END] - plant[row + O_DUE]) * plant[row + O_PRICE])
        else:
            order = int(_random(io) * plant[ORDER_COUNT])
            if plant[W_MAKESPAN]:
                for e in range(plant[ORDER_COUNT]):
                    if od[e * OE + E_END] > od[order * OE + E_END]:
                        order = e
            price = float(od[order * OE + E_END])
        if price > worst:
            chosen, worst = order, price
    return chosen


@compiled()
def _blocker(plant: Ints, op: int, st: Ints, crowd: Ints, io: Ints) -> int:
    """An operation before this one in the permutation that has people for whom it waits; -1 for none."""
    row = op * ST
    minute = st[row + BEGIN] - 1
    if _random(io) < 0.5:
        minute = st[row + WANTED] + int(_random(io) * (st[row + BEGIN] - st[row + WANTED]))
    if minute >= plant[HORIZON]:
        return -1
    head = _first_bucket(plant, op, crowd)
    found, count = -1, 0
    for k in range(2):
        node = crowd[head + k * (1 + (minute >> BUCKET))]
        while node >= 0:
            e = node // SLOTS
            at = e * ST
            if st[~e] < st[~op] and st[at + BEGIN] <= minute < st[at + END]:
                count += 1
                if _random(io) * count < 1.0:
                    found = e
            node = crowd[crowd[C_NODES] + node]
    return found


@compiled()
def _waits_for_people(plant: Ints, op: int, st: Ints, crowd: Ints) -> bool:
    """Whether an operation begins later than it would if people were there."""
    if crowd[C_MODE] == NOBODY or plant[plant[OPS] + op * OP + NEED] < 0:
        return False
    return st[op * ST + BEGIN] > st[op * ST + WANTED]


@compiled()
def _bottleneck(plant: Ints, od: Ints, st: Ints, crowd: Ints, io: Ints) -> int:
    """An operation that keeps a late order waiting: it, or one before it in line, had to queue."""
    chosen = _costly_order(plant, od, io)
    io[WAITING] = chosen
    row = plant[ORDERS] + chosen * OR
    op = NONE
    for k in range(plant[row + O_LAST], plant[row + O_LAST_END]):
        if st[plant[k] * ST + END] == od[chosen * OE + E_END]:
            op = plant[k]
    found, count = -1, 0
    for _ in range(80):
        if op < 0 or plant[plant[OPS] + op * OP + FIXED]:
            break
        at = op * ST
        prev = st[at + PREV]
        if prev >= 0 and _rides(plant, op, st):
            count += 1
            if _random(io) * count < 1.0:
                found = op
            op = prev
            continue
        begin = st[at + WEND] - st[at + DUR] - st[at + SETUP]
        if prev >= 0 and st[prev * ST + WEND] == begin:
            count += 1
            if _random(io) * count < 1.0:
                found = op
            op = prev
            continue
        if _waits_for_people(plant, op, st, crowd):
            count += 1
            if _random(io) * count < 1.0:
                found = op
            blocker = _blocker(plant, op, st, crowd, io)
            if blocker >= 0:
                op = blocker
                continue
        before, latest = -1, -1
        for k in range(plant[plant[PREDECESSORS] + op], plant[plant[PREDECESSORS] + op + 1], 2):
            end = st[plant[k] * ST + END] + max(0, plant[k + 1])
            if end > latest:
                before, latest = plant[k], end
        op = before
    return found


@compiled()
def _slack_of(plant: Ints, op: int, st: Ints, slack: Ints) -> int:
    """The slack of an operation, from that of those that wait for it."""
    own = FOREVER
    behind = plant[SUCCESSORS] + op
    for k in range(plant[behind], plant[behind + 1]):
        e = plant[k]
        if plant[plant[OPS] + e * OP + FIXED]:
            continue
        c = plant[plant[UNITS] + st[e * ST + UNIT] * UN + U_TIME]
        gap = _work(plant, c, st[e * ST + START]) - _work(plant, c, st[op * ST + END])
        own = min(own, max(0, gap) + slack[e])
    if own == FOREVER:
        order = plant[plant[OPS] + op * OP + ORDER]
        own = max(0, plant[plant[ORDERS] + order * OR + O_DUE] - st[op * ST + END])
    return own


@compiled()
def _slacks_of_chains(plant: Ints, perm: Ints, st: Ints, slack: Ints) -> None:
    """As `_slacks`, where entries of the permutation are chains."""
    for i in range(len(perm) - 1, -1, -1):
        op = perm[i]
        while _tie(plant, op, I_BEHIND) >= 0:
            op = _tie(plant, op, I_BEHIND)
        while op >= 0:
            slack[op] = _slack_of(plant, op, st, slack)
            op = _tie(plant, op, I_BEFORE)


@compiled()
def _slacks(plant: Ints, perm: Ints, st: Ints, slack: Ints) -> None:
    """By how many working minutes each operation could end later before its order does, or is late."""
    if plant[TIES] > 0:
        _slacks_of_chains(plant, perm, st, slack)
        return
    for i in range(len(perm) - 1, -1, -1):
        slack[perm[i]] = _slack_of(plant, perm[i], st, slack)


@compiled()
def _best_before(
    plant: Ints, op: int, st: Ints, od: Ints, slack: Ints, reach: float, least: int, io: Ints
) -> int:
    """Before which operation of its unit a waiting one should go: what it gains against what those
    gain slack or lose that it overtakes, estimated and with some noise; -1 when that is unknown.
    """
    row = op * ST
    late_order = io[WAITING]
    order_row = plant[ORDERS] + late_order * OR
    lateness = od[late_order * OE + E_END] - plant[order_row + O_DUE]
    if lateness <= 0:
        return -1
    price = plant[order_row + O_PRICE]
    c = plant[plant[UNITS] + st[row + UNIT] * UN + U_TIME]
    earliest = _ready(plant, _head(plant, op), st)
    floor = _work(plant, c, earliest)
    begin = st[row + WEND] - st[row + DUR] - st[row + SETUP]
    push = st[row + DUR] + st[row + SETUP]
    noise = 2.0 * _random(io)
    loss = 0.0
    best, target = 0.0, -1
    e = st[row + PREV]
    for _ in range(int(2.0 * reach)):
        if e < 0 or st[~e] < least:
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
def _neighbour(perm: Ints, st: Ints, unit: int, position: int, least: int) -> int:
    """The last operation on a unit before a position; -1 if there is none, -2 if none is near."""
    i = position
    for _ in range(FAR):
        if i < least:
            return -1
        if st[perm[i] * ST + UNIT] == unit:
            return perm[i]
        i -= 1
    return -2


@compiled()
def _neighbour_in_chains(plant: Ints, perm: Ints, st: Ints, unit: int, position: int) -> int:
    """As `_neighbour`, where entries of the permutation are chains."""
    i = position
    for _ in range(FAR):
        if i < 0:
            return -1
        op, found = perm[i], NONE
        while op >= 0:
            if st[op * ST + UNIT] == unit:
                found = op
            op = _tie(plant, op, I_BEHIND)
        if found >= 0:
            return found
        i -= 1
    return -2


@compiled()
def _further(
    plant: Ints, op: int, target: int, steps: int, tuning: Floats, is_guided: bool, st: Ints, io: Ints
) -> int:
    """Where a move that begins at `target` ends after some steps along the unit's sequence."""
    family = -1
    if is_guided:
        return target
    if _random(io) < tuning[SAME_FAMILY]:
        steps = int(2.0 * tuning[REACH])
        family = plant[plant[OPS] + op * OP + FAMILY]
    earliest = _ready(plant, _head(plant, op), st)
    while steps > 0:
        steps -= 1
        if io[GOES_BACK]:
            e = st[target * ST + PREV]
            if e >= 0 and st[e * ST + END] <= earliest:
                break  # before that it could not run anyway
        else:
            e = st[target * ST + NEXT]
        if e < 0 or (family >= 0 and plant[plant[OPS] + e * OP + FAMILY] == family):
            break
        target = e
    return target


@compiled()
def _choose_operation(
    plant: Ints, perm: Ints, st: Ints, od: Ints, tuning: Floats, crowd: Ints, io: Ints
) -> bool:
    """Choose the operation to move; whether it is one that keeps a late order waiting."""
    least = plant[FIRST_COUNT]
    op = NONE
    if _random(io) < tuning[CRITICAL]:
        op = _bottleneck(plant, od, st, crowd, io)
        if op >= 0 and st[~op] < least:
            op = -1
    is_critical = op >= 0
    if op < 0:
        op = perm[least + int(_random(io) * (len(perm) - least))]
        while _behind_in_chain(plant, op) >= 0 and _random(io) < 0.5:
            op = _behind_in_chain(plant, op)
    io[MOVED] = op
    row = op * ST
    io[OLD_UNIT_OF] = st[row + UNIT]
    io[OLD_DUR] = st[row + DUR]
    io[OLD_PREV] = st[row + PREV]
    io[OLD_NEXT] = st[row + NEXT]
    io[OLD_WEND] = st[row + WEND]
    return is_critical


@compiled()
def _choose_unit(plant: Ints, op: int, share: float, io: Ints) -> None:
    """Choose the unit to move to: another one as often as `share` says."""
    io[TO_UNIT], io[TO_DUR] = io[OLD_UNIT_OF], io[OLD_DUR]
    first = plant[plant[ALTERNATIVES] + op]
    choices = (plant[plant[ALTERNATIVES] + op + 1] - first) // 2
    if choices > 1 and _random(io) < share:
        k = first + 2 * int(_random(io) * choices)
        io[TO_UNIT], io[TO_DUR] = plant[k], plant[k + 1]


@compiled()
def _elsewhere(plant: Ints, perm: Ints, st: Ints, steps: int, unit_head: Ints, io: Ints) -> int:
    """Where a move to another unit begins there: target -1 leaves its position; -2 gives up."""
    if unit_head[io[TO_UNIT]] == NO_TURNS:
        io[BEFORE] = -1
        return -1
    at = st[~io[MOVED]]
    if plant[TIES] > 0:
        found = _neighbour_in_chains(plant, perm, st, io[TO_UNIT], at - 1)
    else:
        found = _neighbour(perm, st, io[TO_UNIT], at - 1, 0)
    io[BEFORE] = found
    if found == -2:
        return -2
    if steps < 1:
        return -1
    if io[GOES_BACK]:
        return found
    return st[found * ST + NEXT] if found >= 0 else unit_head[io[TO_UNIT]]


@compiled()
def _choose_target(
    plant: Ints,
    perm: Ints,
    st: Ints,
    od: Ints,
    slack: Ints,
    unit_head: Ints,
    tuning: Floats,
    is_critical: bool,
    crowd: Ints,
    io: Ints,
) -> bool:
    """Choose the operation before (going back) or behind which the moved one goes; False gives up."""
    op = io[MOVED]
    r = _random(io)
    steps = int(r * r * tuning[REACH])
    goes_back = is_critical or _random(io) < 0.5
    io[GOES_BACK] = 1 if goes_back else 0
    io[BY_PEOPLE] = 0
    io[BEFORE] = io[OLD_PREV]
    io[TO] = st[~op]
    is_guided = False
    if io[TO_UNIT] != io[OLD_UNIT_OF]:
        target = _elsewhere(plant, perm, st, steps, unit_head, io)
        if target == -2:
            return False
        if target < 0:
            return True
        steps -= 1
    else:
        if _waits_for_people(plant, op, st, crowd) and _random(io) < PEOPLE_SHARE:
            target = _blocker(plant, op, st, crowd, io)
            if target >= 0:
                io[BY_PEOPLE] = io[GOES_BACK] = 1
                return _aim(plant, target, st, io)
        target = io[OLD_PREV] if goes_back else io[OLD_NEXT]
        if target < 0:
            return False
        if is_critical and _random(io) < tuning[GUIDED]:
            guided = _best_before(plant, op, st, od, slack, tuning[REACH], plant[FIRST_COUNT], io)
            if guided >= 0:
                target, is_guided = guided, True
    target = _further(plant, op, target, steps, tuning, is_guided, st, io)
    return _aim(plant, target, st, io)


@compiled()
def _aim(plant: Ints, target: int, st: Ints, io: Ints) -> bool:
    """Note the position to move to; False when it is held or too far."""
    to = st[~target]
    io[TARGET] = target
    io[TO] = to
    if io[GOES_BACK] and to < plant[FIRST_COUNT]:
        return False
    return abs(to - st[~io[MOVED]]) <= 4 * FAR


@compiled()
def _last_before(
    plant: Ints, unit: int, start: int, head: int, position: int, st: Ints, unit_head: Ints
) -> int:
    """The last operation on a unit before a position or at it: one of a chain goes behind it; -1 for none.

    Args:
        start: An operation of the unit to begin with.
    """
    before = start
    while before >= 0 and _tie(plant, before, I_HEAD) == head:
        before = st[before * ST + K_PREV]
    while before >= 0 and st[~before] > position:
        before = st[before * ST + PREV]
    after = st[before * ST + NEXT] if before >= 0 else unit_head[unit]
    while after >= 0 and st[~after] <= position:
        before = after
        after = st[after * ST + NEXT]
    return before


@compiled()
def _detach_chain(plant: Ints, head: int, st: Ints, unit_head: Ints) -> None:
    op = head
    while op >= 0:
        _detach(op, st, unit_head)
        op = _tie(plant, op, I_BEHIND)


@compiled()
def _put_chain_back(plant: Ints, head: int, st: Ints, unit_head: Ints, io: Ints) -> None:
    """Attach a detached chain where it was before the move."""
    op = head
    while op >= 0:
        unit = io[OLD_UNIT_OF] if op == io[MOVED] else st[op * ST + UNIT]
        _attach(op, unit, st[op * ST + K_PREV], st, unit_head)
        op = _tie(plant, op, I_BEHIND)


@compiled()
def _rearrange_chain(
    plant: Ints,
    perm: Ints,
    st: Ints,
    mark: Ints,
    moved: Ints,
    keep: Ints,
    unit_head: Ints,
    io: Ints,
) -> bool:
    """As `_rearrange`: all of a chain go, and are on their units in the order of the permutation."""
    head, to = _tie(plant, io[MOVED], I_HEAD), io[TO]
    at = st[~head]
    op = head
    while op >= 0:
        st[op * ST + K_PREV] = st[op * ST + PREV]
        st[op * ST + K_NEXT] = st[op * ST + NEXT]
        op = _tie(plant, op, I_BEHIND)
    _detach_chain(plant, head, st, unit_head)
    io[LOW], io[FAR_END] = min(at, to), max(at, to)
    for i in range(io[LOW], io[FAR_END] + 1):
        keep[i - io[LOW]] = perm[i]
    if to != at and not _shift(plant, head, to, perm, st, mark, moved, io):
        _put_chain_back(plant, head, st, unit_head, io)
        return False
    position = st[~head]
    op = head
    while op >= 0:
        unit, start = st[op * ST + UNIT], st[op * ST + K_PREV]
        if op == io[MOVED] and io[TO_UNIT] != io[OLD_UNIT_OF]:
            unit, start = io[TO_UNIT], io[BEFORE]
        _attach(op, unit, _last_before(plant, unit, start, head, position, st, unit_head), st, unit_head)
        op = _tie(plant, op, I_BEHIND)
    if plant[BUFFERS] > 0 and not _number_again(plant, perm, st, io):
        _detach_chain(plant, head, st, unit_head)
        _put_chain_back(plant, head, st, unit_head, io)
        _put_positions_back(plant, perm, st, keep, io)
        _tell_positions(plant, perm, io[LOW], io[FAR_END], st)
        return False
    return True


@compiled()
def _mark_beside_chain(plant: Ints, moved: int, st: Ints, words: Ints, io: Ints) -> int:
    """Mark what was behind the moved chain on its units, and what is; the first word that has marks."""
    first = st[~moved] >> 5
    op = _tie(plant, moved, I_HEAD)
    while op >= 0:
        was, now = st[op * ST + K_NEXT], st[op * ST + NEXT]
        for e in (was, now):
            if e >= 0:
                _mark(e, st, words, io)
                first = min(first, st[~e] >> 5)
        op = _tie(plant, op, I_BEHIND)
    return first


@compiled()
def _rearrange(
    plant: Ints,
    perm: Ints,
    st: Ints,
    mark: Ints,
    moved: Ints,
    keep: Ints,
    unit_head: Ints,
    io: Ints,
) -> bool:
    """Make the move in the sequences; False, and nothing changed, when links forbid it."""
    if plant[TIES] > 0:
        return _rearrange_chain(plant, perm, st, mark, moved, keep, unit_head, io)
    op, to = io[MOVED], io[TO]
    at = st[~op]
    _detach(op, st, unit_head)
    io[LOW], io[FAR_END] = min(at, to), max(at, to)
    for i in range(io[LOW], io[FAR_END] + 1):
        keep[i - io[LOW]] = perm[i]
    before = io[BEFORE]
    if to != at:
        if not _shift(plant, op, to, perm, st, mark, moved, io):
            _attach(op, io[OLD_UNIT_OF], io[OLD_PREV], st, unit_head)
            return False
        if io[BY_PEOPLE]:
            before = io[OLD_PREV]
            while before >= 0 and st[~before] > st[~op]:
                before = st[before * ST + PREV]
        else:
            before = io[TARGET] if to > at else st[io[TARGET] * ST + PREV]
    _attach(op, io[TO_UNIT], before, st, unit_head)
    if plant[BUFFERS] > 0 and not _number_again(plant, perm, st, io):
        _detach(op, st, unit_head)
        _attach(op, io[OLD_UNIT_OF], io[OLD_PREV], st, unit_head)
        _put_positions_back(plant, perm, st, keep, io)
        return False
    return True


@compiled()
def _put_positions_back(plant: Ints, perm: Ints, st: Ints, keep: Ints, io: Ints) -> None:
    """Make the permutation, and the numbers in it, as they were before a move."""
    low = io[LOW]
    for i in range(low, io[FAR_END] + 1):
        perm[i] = keep[i - low]
        st[~perm[i]] = i
    if plant[BUFFERS] > 0:
        _number_again(plant, perm, st, io)


@compiled()
def _mark_waiting(plant: Ints, perm: Ints, st: Ints, words: Ints, crowd: Ints, io: Ints) -> None:
    """Time again what waited for people between the two places of a move."""
    for i in range(io[LOW], io[FAR_END] + 1):
        op = perm[i]
        while op >= 0:
            if _waits_for_people(plant, op, st, crowd):
                _mark(op, st, words, io)
            op = _behind_in_chain(plant, op)


@compiled()
def _mark_numbered(plant: Ints, st: Ints, words: Ints, io: Ints) -> int:
    """Time again what has other numbers in its buffers; the first word that has marks."""
    first = FOREVER
    moved = plant[plant[BUFFERS] + BUFFERS_MOVED]
    for i in range(1, st[moved] + 1):
        e = st[moved + i]
        _mark(e, st, words, io)
        first = min(first, st[~e] >> 5)
    st[plant[plant[BUFFERS] + BUFFERS_LOG]] = 0
    return first


@compiled()
def _change_unit(plant: Ints, op: int, st: Ints, words: Ints, crowd: Ints, io: Ints) -> None:
    """Forget the place of a moved operation on its old unit."""
    row = op * ST
    if crowd[C_MODE] != NOBODY and plant[plant[OPS] + op * OP + NEED] >= 0 and not _rides(plant, op, st):
        st[row + UNIT] = io[OLD_UNIT_OF]
        _hold(plant, op, GIVE, st, crowd)
        c = plant[plant[UNITS] + io[OLD_UNIT_OF] * UN + U_TIME]
        begin = io[OLD_WEND] - io[OLD_DUR] - st[row + SETUP]
        _wake(plant, op, c, begin, io[OLD_WEND], st, words, crowd, io)
        st[row + UNIT] = io[TO_UNIT]
    st[row + WEND] = -FOREVER  # the same number on another unit is another time
    st[row + DUR] = io[TO_DUR]


@compiled()
def _evaluate(
    plant: Ints,
    perm: Ints,
    st: Ints,
    words: Ints,
    log: Ints,
    od: Ints,
    slack: Ints,
    threshold: float,
    hope: float,
    crowd: Ints,
    io: Ints,
) -> int:
    """Time what a move touches; the change of cost, FOREVER when it is above the threshold."""
    op = io[MOVED]
    row = op * ST
    io[HIGH] = io[LOGGED] = io[TOUCHED] = 0
    extra = 0
    first_word = st[~op] >> 5
    if io[TO_UNIT] != io[OLD_UNIT_OF]:
        was = plant[plant[OPS] + op * OP + OLD_UNIT]
        if was >= 0:
            extra = plant[W_MOVED] * (int(io[TO_UNIT] != was) - int(io[OLD_UNIT_OF] != was))
        _change_unit(plant, op, st, words, crowd, io)
    _mark(op, st, words, io)
    if io[OLD_NEXT] >= 0:
        _mark(io[OLD_NEXT], st, words, io)
        first_word = min(first_word, st[~io[OLD_NEXT]] >> 5)
    if st[row + NEXT] >= 0:
        _mark(st[row + NEXT], st, words, io)
    if crowd[C_MODE] != NOBODY:
        _mark_waiting(plant, perm, st, words, crowd, io)
        first_word = min(first_word, io[LOW] >> 5)
    if plant[BUFFERS] > 0:
        first_word = min(first_word, _mark_numbered(plant, st, words, io))
    if plant[TIES] > 0:
        first_word = min(first_word, _mark_beside_chain(plant, op, st, words, io))
        delta = _propagate_chains(
            plant, perm, st, words, log, od, slack, first_word, threshold - extra, hope, crowd, io
        )
    else:
        delta = _propagate(
            plant, perm, st, words, log, od, slack, first_word, threshold - extra, hope, crowd, io
        )
    if delta == FOREVER:
        return FOREVER
    delta += extra
    if plant[W_MAKESPAN]:
        longest = 0
        for order in range(plant[ORDER_COUNT]):
            longest = max(longest, od[order * OE + E_NEW])
        io[LONGEST] = longest
        delta += plant[W_MAKESPAN] * (longest - io[MAKESPAN])
    return delta


@compiled()
def _keep_move(plant: Ints, delta: int, od: Ints, crowd: Ints, io: Ints) -> None:
    """What was tried holds."""
    io[ACCEPTED] += 1
    io[CURRENT] += delta
    io[MAKESPAN] = io[LONGEST]
    crowd[C_LOGGED] = 0
    touched = plant[ORDER_COUNT] * (OE + 1)
    for i in range(io[TOUCHED]):
        order = od[touched + i]
        row = order * OE
        od[row + E_FLAG] = od[row + E_HOPE] = 0
        od[row + E_END] = od[row + E_NEW]
        _late_list(plant, order, od, io)


@compiled()
def _take_back(
    plant: Ints,
    perm: Ints,
    st: Ints,
    log: Ints,
    od: Ints,
    keep: Ints,
    unit_head: Ints,
    crowd: Ints,
    io: Ints,
) -> None:
    """Make everything as it was before the move."""
    touched = plant[ORDER_COUNT] * (OE + 1)
    for i in range(io[TOUCHED]):
        row = od[touched + i] * OE
        od[row + E_FLAG] = od[row + E_HOPE] = 0
        od[row + E_NEW] = od[row + E_END]
    if crowd[C_MODE] != NOBODY:
        _undo_claims(plant, st, crowd)
        crowd[C_WOKEN_COUNT] = 0
    for i in range(io[LOGGED]):
        at = i * LOG
        op = log[at]
        row = op * ST
        counted = crowd[C_MODE] != NOBODY and plant[plant[OPS] + op * OP + NEED] >= 0
        if counted:
            _dismiss(plant, op, crowd)
        st[row + START] = log[at + 1]
        st[row + END] = log[at + 2]
        st[row + WEND] = log[at + 3]
        st[row + SETUP] = log[at + 4]
        if _keeps_begins(plant, crowd):
            st[row + BEGIN] = log[at + 5]
            st[row + WANTED] = log[at + 6]
        if counted and not _rides(plant, op, st):
            _enlist(plant, op, st, crowd)
    op = io[MOVED]
    if plant[TIES] > 0:
        _detach_chain(plant, _tie(plant, op, I_HEAD), st, unit_head)
        _put_chain_back(plant, _tie(plant, op, I_HEAD), st, unit_head, io)
    else:
        _detach(op, st, unit_head)
        _attach(op, io[OLD_UNIT_OF], io[OLD_PREV], st, unit_head)
    st[op * ST + DUR] = io[OLD_DUR]
    st[op * ST + WEND] = io[OLD_WEND]
    if plant[BUFFERS] > 0:
        _undo_leaves(plant, st)
    _put_positions_back(plant, perm, st, keep, io)
    if plant[TIES] > 0:
        _tell_positions(plant, perm, io[LOW], io[FAR_END], st)


@compiled()
def _save(plant: Ints, perm: Ints, st: Ints, best_perm: Ints, best_unit: Ints, io: Ints) -> None:
    """The present plan is the best one."""
    io[BEST] = io[CURRENT]
    io[SAVED_AT] = io[MOVES]
    for i in range(len(perm)):
        best_perm[i] = perm[i]
        best_unit[perm[i]] = st[perm[i] * ST + UNIT]
    if plant[TIES] > 0:
        for op in range(plant[COUNT]):
            best_unit[op] = st[op * ST + UNIT]


@compiled()
def _open_crowd(plant: Ints, perm: Ints, st: Ints, crowd: Ints) -> None:
    """Make known who works when, for a search."""
    if crowd[C_MODE] == NOBODY:
        return
    crowd[C_MODE] = SEARCHED
    crowd[C_LOGGED] = crowd[C_WOKEN_COUNT] = 0
    for k in range(crowd[C_HEADS], crowd[C_NODES] + 3 * SLOTS * plant[COUNT]):
        crowd[k] = -1
    for i in range(len(perm)):
        op = perm[i]
        while op >= 0:
            if plant[plant[OPS] + op * OP + NEED] >= 0 and not _rides(plant, op, st):
                _enlist(plant, op, st, crowd)
            op = _behind_in_chain(plant, op)


@entry(f"int64({_A}, {_A}, {_A}, {_A}, {_A}, {_A}, {_A}, float64[::1], {_A}, int64)")
def anneal(
    plant: Ints,
    perm: Ints,
    st: Ints,
    od: Ints,
    best_perm: Ints,
    best_unit: Ints,
    crowd: Ints,
    tuning: Floats,
    io: Ints,
    moves: int,
) -> int:
    """Make `moves` moves on a timed permutation; the best plan met is in the `best_` arrays.

    Args:
        od: What the search knows of orders; filled by `begin_annealing`.
        crowd: The people as the timed permutation leaves them.
        tuning: Temperature at the beginning and at the end of these moves, in points; share of
            moves on critical operations; reach in places of a unit's sequence; share of moves to
            another unit; weight of gains hoped for and losses feared before a move is given up; share
            of moves next to an operation of the same family; share of critical moves that go where it
            seems best.
        io: Seed and counters; see the constants.

    Returns:
        What the best plan costs.
    """
    count, free = plant[COUNT], len(perm)
    words = np.zeros((free >> 5) + 2, np.int64)
    log = np.zeros((count + 1) * LOG, np.int64)
    mark = np.zeros(count, np.int64)
    moved = np.zeros(free + 2, np.int64)
    keep = np.zeros(free + 1, np.int64)
    unit_head = np.full(plant[UNIT_COUNT], -1, np.int64)
    for i in range(free):
        op = perm[i]
        while op >= 0:
            if st[op * ST + PREV] < 0:
                unit_head[st[op * ST + UNIT]] = op
            op = _behind_in_chain(plant, op)
    _leave_out(plant, unit_head)
    io[STAMP] = 0
    slack = np.zeros(count, np.int64)
    _slacks(plant, perm, st, slack)
    _open_crowd(plant, perm, st, crowd)
    io[RENEWED] = io[ACCEPTED]
    temperature = tuning[HEAT]
    cooling = math.exp(math.log(tuning[CHILL] / tuning[HEAT]) * 64.0 / max(64, moves))
    if free <= plant[FIRST_COUNT]:
        moves = 0
    for move in range(moves):
        if io[HALT] != 0:
            break
        if move & 63 == 63:
            temperature *= cooling
            if io[ACCEPTED] - io[RENEWED] > (free >> 4):
                io[RENEWED] = io[ACCEPTED]
                _slacks(plant, perm, st, slack)
        io[MOVES] += 1
        is_critical = _choose_operation(plant, perm, st, od, tuning, crowd, io)
        _choose_unit(plant, io[MOVED], tuning[OTHER_UNIT], io)
        if not _choose_target(plant, perm, st, od, slack, unit_head, tuning, is_critical, crowd, io):
            continue
        if not _rearrange(plant, perm, st, mark, moved, keep, unit_head, io):
            continue
        threshold = -temperature * math.log(_random(io))
        delta = _evaluate(plant, perm, st, words, log, od, slack, threshold, tuning[HOPE], crowd, io)
        if delta < FOREVER and delta <= threshold:
            _keep_move(plant, delta, od, crowd, io)
            if io[CURRENT] < io[BEST] and io[MOVES] - io[SAVED_AT] > (free >> 5):
                _save(plant, perm, st, best_perm, best_unit, io)
        else:
            _take_back(plant, perm, st, log, od, keep, unit_head, crowd, io)
    if io[CURRENT] < io[BEST]:
        _save(plant, perm, st, best_perm, best_unit, io)
    if crowd[C_MODE] != NOBODY:
        crowd[C_MODE] = COUNTED
    return io[BEST]


@entry(f"void({_A}, {_A}, {_A}, {_A})")
def begin_annealing(plant: Ints, st: Ints, od: Ints, io: Ints) -> None:
    """Fill what the annealing keeps about orders."""
    io[LATE_COUNT] = 0
    io[MAKESPAN] = 0
    for order in range(plant[ORDER_COUNT]):
        at = order * OE
        end = _order_end(plant, order, st)
        od[at + E_END] = od[at + E_NEW] = end
        od[at + E_HOPE] = od[at + E_FLAG] = 0
        od[at + E_LATE_AT] = -1
        io[MAKESPAN] = max(io[MAKESPAN], end)
        row = plant[ORDERS] + order * OR
        if plant[row + O_LAST] < plant[row + O_LAST_END]:
            _late_list(plant, order, od, io)
    io[LONGEST] = io[MAKESPAN]


@compiled()
def _chains_in_turn(
    plant: Ints, perm: Ints, key: Ints, st: Ints, found: Ints, missing: Ints, times: Ints, names: Ints
) -> None:
    """As `in_turn`, where entries of the permutation are chains."""
    size, done = ZERO, 0
    for i in range(len(perm)):
        head = op = perm[i]
        row = plant[ENTRY_PREDECESSORS] + head
        missing[head] = plant[row + 1] - plant[row]
        while op >= 0:
            before = st[op * ST + PREV]
            if before >= 0 and _tie(plant, before, I_HEAD) != head:
                missing[head] += 1
            op = _tie(plant, op, I_BEHIND)
        if missing[head] == 0:
            size = _push(times, names, size, key[head], head)
    while size > 0:
        head = op = names[0]
        size = _pop(times, names, size)
        found[done] = head
        done += 1
        row = plant[ENTRY_SUCCESSORS] + head
        for k in range(plant[row], plant[row + 1]):
            size = _lacks_one_less(plant[k], missing, key, times, names, size)
        while op >= 0:
            after = st[op * ST + NEXT]
            if after >= 0 and _tie(plant, after, I_HEAD) != head:
                after = _tie(plant, after, I_HEAD)
                size = _lacks_one_less(after, missing, key, times, names, size)
            op = _tie(plant, op, I_BEHIND)


@compiled()
def _lacks_one_less(op: int, missing: Ints, key: Ints, times: Ints, names: Ints, size: int) -> int:
    """Note that one of those is done that an operation comes behind; the size of the heap."""
    missing[op] -= 1
    if missing[op] == 0:
        size = _push(times, names, size, key[op], op)
    return size


@entry(f"void({_A}, {_A}, {_A}, {_A}, {_A})")
def in_turn(plant: Ints, perm: Ints, key: Ints, st: Ints, found: Ints) -> None:
    """Sort a timed permutation by a key, each operation behind what it waits for on way and unit."""
    count, free = plant[COUNT], len(perm)
    missing = np.full(count, -1, np.int64)
    times, names = np.zeros(free + 1, np.int64), np.zeros(free + 1, np.int64)
    if plant[TIES] > 0:
        _chains_in_turn(plant, perm, key, st, found, missing, times, names)
        return
    for i in range(free):
        missing[perm[i]] = 0
    size = ZERO
    for i in range(free):
        op = perm[i]
        row = plant[PREDECESSORS] + op
        for k in range(plant[row], plant[row + 1], 2):
            if missing[plant[k]] >= 0:
                missing[op] += 1
        if st[op * ST + PREV] >= 0:
            missing[op] += 1
        if missing[op] == 0:
            size = _push(times, names, size, key[op], op)
    done = 0
    while size > 0:
        op = names[0]
        size = _pop(times, names, size)
        found[done] = op
        done += 1
        row = plant[SUCCESSORS] + op
        for k in range(plant[row], plant[row + 1] + 1):
            after = st[op * ST + NEXT]
            if k < plant[row + 1]:
                after = plant[k]
            if after >= 0 and missing[after] > 0:
                missing[after] -= 1
                if missing[after] == 0:
                    size = _push(times, names, size, key[after], after)


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
T_ITERATION, T_IMPROVED, T_BEST, T_CURRENT, T_VALUE, T_TIES, T_ANY_TIES, T_UNTIL = range(1, 9)
T_KIND, T_ANY = 9, 13
"""Where the chosen move and a random one begin: kind (to the end of its block, to its beginning, to
another unit), operation, target, unit."""

ON, BACK = GIVE, TAKE
"""Steps along an order of operations."""


@compiled()
def _setup_of(plant: Ints, unit: int, before: int, op: int) -> int:
    """Set-up of an operation behind another one, or behind what the unit is set up for (-1)."""
    if plant[FAMILIES] == 1:
        return 0
    row = plant[UNITS] + unit * UN
    family = plant[row + U_FAMILY]
    if before >= 0:
        family = plant[plant[OPS] + before * OP + FAMILY]
    return plant[plant[row + U_SETUP] + family * plant[FAMILIES] + plant[plant[OPS] + op * OP + FAMILY]]


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
    """The longest way behind an operation, its unit left out."""
    own = 0
    row = plant[SUCCESSORS] + op
    for k in range(plant[row], plant[row + 1]):
        e = plant[k]
        links = plant[PREDECESSORS] + e
        for j in range(plant[links], plant[links + 1], 2):
            if plant[j] == op:
                own = max(own, plant[j + 1] + dur[e] + tail[e])
    return own


@compiled()
def _sort_out(plant: Ints, prev: Ints, after: Ints, order: Ints, place: Ints, left: Ints) -> None:
    """Fill `order` with all operations, each behind those it waits for, and `place` with where they are."""
    done, size = 0, 0
    for op in range(plant[COUNT]):
        row = plant[PREDECESSORS] + op
        left[op] = (plant[row + 1] - plant[row]) // 2
        if prev[op] >= 0:
            left[op] += 1
        if left[op] == 0:
            order[size] = op
            size += 1
    while done < size:
        op = order[done]
        place[op] = done
        done += 1
        row = plant[SUCCESSORS] + op
        for k in range(plant[row], plant[row + 1] + 1):
            e = after[op]
            if k < plant[row + 1]:
                e = plant[k]
            if e >= 0:
                left[e] -= 1
                if left[e] == 0:
                    order[size] = e
                    size += 1


@compiled()
def _measure(
    plant: Ints,
    unit_of: Ints,
    dur: Ints,
    prev: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    order: Ints,
    low: int,
    high: int,
) -> int:
    """Longest ways to the operations from place `low` on, and behind those up to `high`; the makespan."""
    for i in range(low, len(order)):
        op = order[i]
        before = prev[op]
        start = _setup_of(plant, unit_of[op], before, op)
        if before >= 0:
            start += head[before] + dur[before]
        head[op] = max(start, _job_head(plant, op, head, dur))
    for i in range(high, -1, -1):
        op = order[i]
        own = _job_tail(plant, op, tail, dur)
        e = after[op]
        if e >= 0:
            own = max(own, _setup_of(plant, unit_of[op], op, e) + dur[e] + tail[e])
        tail[op] = own
    makespan = 0
    for op in range(len(order)):
        makespan = max(makespan, head[op] + dur[op])
    return makespan


@compiled()
def _marks(
    plant: Ints, op: int, to: int, step: int, stamp: int, order: Ints, place: Ints, beside: Ints, mark: Ints
) -> bool:
    """Mark what comes behind an operation (or before it, `step` BACK) up to a place; False if that is there.

    Args:
        beside: The neighbours on the units that a mark comes from.
    """
    links, width = plant[PREDECESSORS], 2
    if step < 0:
        links, width = plant[SUCCESSORS], 1
    mark[op] = stamp
    i = place[op]
    while i != to:
        i += step
        e = order[i]
        if beside[e] >= 0 and mark[beside[e]] == stamp:
            mark[e] = stamp
            continue
        for k in range(plant[links + e], plant[links + e + 1], width):
            if mark[plant[k]] == stamp:
                mark[e] = stamp
                break
    return mark[order[to]] != stamp


@compiled()
def _bring(at: int, to: int, step: int, stamp: int, order: Ints, place: Ints, mark: Ints, line: Ints) -> None:
    """Put what is marked between two places to the second one, and the others before it."""
    others, put, i = 0, to, to
    while True:
        e = order[i]
        if mark[e] == stamp:
            order[put] = e
            place[e] = put
            put -= step
        else:
            line[others] = e
            others += 1
        if i == at:
            break
        i -= step
    for k in range(others):
        order[put] = line[k]
        place[line[k]] = put
        put -= step


@compiled()
def _comes_in(
    plant: Ints,
    op: int,
    stamp: int,
    prev: Ints,
    after: Ints,
    order: Ints,
    place: Ints,
    mark: Ints,
    line: Ints,
) -> bool:
    """Mend the order for an operation that is linked to other neighbours; False for a circle."""
    at = place[op]
    if prev[op] >= 0 and place[prev[op]] > at:
        to = place[prev[op]]
        if not _marks(plant, op, to, ON, stamp, order, place, prev, mark):
            return False
        _bring(at, to, ON, stamp, order, place, mark, line)
    elif after[op] >= 0 and place[after[op]] < at:
        to = place[after[op]]
        if not _marks(plant, op, to, BACK, stamp, order, place, after, mark):
            return False
        _bring(at, to, BACK, stamp, order, place, mark, line)
    return True


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


@compiled()
def _longest_way(
    plant: Ints, unit_of: Ints, dur: Ints, prev: Ints, head: Ints, makespan: int, path: Ints, io: Ints
) -> int:
    """Fill `path` with one longest way, from its end to its beginning; how many it has."""
    op, ties = NONE, 0
    for e in range(plant[COUNT]):
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
            before >= 0 and head[before] + dur[before] + _setup_of(plant, unit_of[op], before, op) == head[op]
        )
        found = -1
        row = plant[PREDECESSORS] + op
        for k in range(plant[row], plant[row + 1], 2):
            if head[plant[k]] + dur[plant[k]] + plant[k + 1] == head[op]:
                found = plant[k]
        if by_unit and (found < 0 or _random(io) < 0.5):
            found = before
        op = found
    return size


@compiled()
def _offer(io: Ints, is_tabu: bool, estimate: int, kind: int, op: int, target: int, unit: int) -> None:
    """Take a move into account: the best one that is not forbidden, and any one at random."""
    io[T_ANY_TIES] += 1
    if _random(io) * io[T_ANY_TIES] < 1.0:
        io[T_ANY] = kind
        io[T_ANY + 1] = op
        io[T_ANY + 2] = target
        io[T_ANY + 3] = unit
    if is_tabu and estimate >= io[T_BEST]:
        return
    if estimate < io[T_VALUE]:
        io[T_VALUE], io[T_TIES] = estimate, 0
    if estimate == io[T_VALUE]:
        io[T_TIES] += 1
        if _random(io) * io[T_TIES] < 1.0:
            io[T_KIND] = kind
            io[T_KIND + 1] = op
            io[T_KIND + 2] = target
            io[T_KIND + 3] = unit


@compiled()
def _is_safe(plant: Ints, u: int, v: int, to_end: bool, dur: Ints, head: Ints, tail: Ints) -> bool:
    """Whether `u` can go to the side of `v` at its block's end without a circle for sure."""
    if to_end:
        row = plant[SUCCESSORS] + u
        for k in range(plant[row], plant[row + 1]):
            if tail[v] + dur[v] < tail[plant[k]] + dur[plant[k]]:
                return False
        return True
    row = plant[PREDECESSORS] + u
    for k in range(plant[row], plant[row + 1], 2):
        if head[v] + dur[v] < head[plant[k]] + dur[plant[k]]:
            return False
    return True


@compiled()
def _is_forbidden(
    u: int, first: int, last: int, to_end: bool, count: int, after: Ints, pairs: Ints, now: int
) -> bool:
    """Whether `u` may not yet go past one of the operations from `first` to `last` again."""
    e = first
    while e != last:
        if to_end:
            if e != first and pairs[e * count + u] > now:
                return True
        elif pairs[u * count + e] > now:
            return True
        e = after[e]
    return to_end and pairs[last * count + u] > now


@compiled()
def _offer_in_block(
    plant: Ints,
    u: int,
    v: int,
    to_end: bool,
    unit: int,
    dur: Ints,
    prev: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    line: Ints,
    heads: Ints,
    pairs: Ints,
    io: Ints,
) -> None:
    """Offer the move of `u` to the end of its block, or to its beginning; `v` is there."""
    first, last = (u, v) if to_end else (v, u)
    if not _is_safe(plant, u, v, to_end, dur, head, tail):
        # only the neighbour, which on a longest way never makes a circle
        first, last = (u, after[u]) if to_end else (prev[u], u)
    is_tabu = _is_forbidden(u, first, last, to_end, plant[COUNT], after, pairs, io[T_ITERATION])
    estimate = _block_estimate(plant, unit, first, last, to_end, dur, prev, after, head, tail, line, heads)
    kind, target = (1, last) if to_end else (2, first)
    _offer(io, is_tabu, estimate, kind, u, target, unit)


@compiled()
def _offer_elsewhere(
    plant: Ints,
    u: int,
    unit: int,
    dur: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    unit_first: Ints,
    places: Ints,
    io: Ints,
) -> None:
    """Offer the moves of an operation to other units, between what must be before and behind."""
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
    row = plant[ALTERNATIVES] + u
    for k in range(plant[row], plant[row + 1], 2):
        other, minutes = plant[k], plant[k + 1]
        if other == unit:
            continue
        is_tabu = places[u * plant[UNIT_COUNT] + other] > io[T_ITERATION]
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
            _offer(io, is_tabu, start + minutes + rest, 3, u, before, other)
            if e < 0 or head[e] >= ceiling:
                break
            before, e = e, after[e]


@compiled()
def _choose_shift(
    plant: Ints,
    size: int,
    path: Ints,
    unit_of: Ints,
    dur: Ints,
    prev: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    line: Ints,
    heads: Ints,
    unit_first: Ints,
    pairs: Ints,
    places: Ints,
    io: Ints,
) -> bool:
    """Choose the best move of a longest way, any one if all are forbidden; False when there is none."""
    io[T_KIND] = io[T_ANY] = io[T_ANY_TIES] = 0
    io[T_VALUE] = FOREVER
    i = size - 1
    while i >= 0:  # path is from the end to the beginning: blocks from the beginning on
        j = i
        unit = unit_of[path[i]]
        while j > 0 and unit_of[path[j - 1]] == unit and prev[path[j - 1]] == path[j]:
            j -= 1
        for a in range(i, j - 1, -1):
            u = path[a]
            for side in range(2):
                v = path[j] if side == 0 else path[i]
                if v != u:
                    _offer_in_block(
                        plant, u, v, side == 0, unit, dur, prev, after, head, tail, line, heads, pairs, io
                    )
            row = plant[ALTERNATIVES] + u
            if plant[row + 1] - plant[row] > 2:
                _offer_elsewhere(plant, u, unit, dur, after, head, tail, unit_first, places, io)
        i = j - 1
    if io[T_KIND] == 0:
        for k in range(4):
            io[T_KIND + k] = io[T_ANY + k]
    return io[T_KIND] != 0


@compiled()
def _forbid(
    units: int, count: int, tenure: int, unit_of: Ints, after: Ints, pairs: Ints, places: Ints, io: Ints
) -> None:
    """Forbid to undo the chosen move for some iterations."""
    mover, target = io[T_KIND + 1], io[T_KIND + 2]
    until = io[T_ITERATION] + tenure + int(_random(io) * tenure)
    io[T_UNTIL] = until
    if io[T_KIND] == 1:
        e = after[mover]
        while True:
            pairs[mover * count + e] = until
            if e == target:
                break
            e = after[e]
    elif io[T_KIND] == 2:
        e = target
        while e != mover:
            pairs[e * count + mover] = until
            e = after[e]
    else:
        places[mover * units + unit_of[mover]] = until


@compiled()
def _make_shift(
    plant: Ints,
    unit_of: Ints,
    dur: Ints,
    prev: Ints,
    after: Ints,
    head: Ints,
    tail: Ints,
    order: Ints,
    place: Ints,
    mark: Ints,
    line: Ints,
    unit_first: Ints,
    places: Ints,
    io: Ints,
) -> int:
    """Make the chosen move; the makespan, or -1, and nothing changed, when it makes a circle."""
    kind, mover, target, to_unit = io[T_KIND], io[T_KIND + 1], io[T_KIND + 2], io[T_KIND + 3]
    unit, old_prev, old_next = unit_of[mover], prev[mover], after[mover]
    _unlink(mover, unit, prev, after, unit_first)
    before = target
    if kind == 2:
        before = prev[target]
    _link(mover, to_unit, before, prev, after, unit_first)
    if not _comes_in(plant, mover, io[T_ITERATION], prev, after, order, place, mark, line):
        _unlink(mover, to_unit, prev, after, unit_first)
        _link(mover, unit, old_prev, prev, after, unit_first)
        if kind == 3:
            places[mover * plant[UNIT_COUNT] + to_unit] = io[T_UNTIL]
        return -1
    unit_of[mover] = to_unit
    dur[mover] = _minutes(plant, mover, to_unit)
    low = high = place[mover]
    for e in (after[mover], old_next):
        if e >= 0:
            low = min(low, place[e])
    for e in (prev[mover], old_prev):
        if e >= 0:
            high = max(high, place[e])
    return _measure(plant, unit_of, dur, prev, after, head, tail, order, low, high)


@compiled()
def _string_up(
    plant: Ints,
    perm: Ints,
    unit_of: Ints,
    dur: Ints,
    prev: Ints,
    after: Ints,
    unit_first: Ints,
    unit_last: Ints,
) -> None:
    """Make the units' sequences of a permutation."""
    for unit in range(plant[UNIT_COUNT]):
        unit_first[unit] = -1
        unit_last[unit] = -1
    for i in range(len(perm)):
        op = perm[i]
        unit = unit_of[op]
        dur[op] = _minutes(plant, op, unit)
        _link(op, unit, unit_last[unit], prev, after, unit_first)
        unit_last[unit] = op


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
    dur, order = np.zeros(count, np.int64), np.zeros(count, np.int64)
    prev, after = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    head, tail = np.zeros(count, np.int64), np.zeros(count, np.int64)
    left, path = np.zeros(count, np.int64), np.zeros(count, np.int64)
    place, mark = np.zeros(count, np.int64), np.zeros(count, np.int64)
    line, heads = np.zeros(count + 2, np.int64), np.zeros(count + 2, np.int64)
    unit_first, unit_last = np.zeros(units, np.int64), np.zeros(units, np.int64)
    _string_up(plant, perm, unit_of, dur, prev, after, unit_first, unit_last)
    _sort_out(plant, prev, after, order, place, left)
    makespan = _measure(plant, unit_of, dur, prev, after, head, tail, order, ZERO, count - 1)
    patience = 3000 + 20 * count
    tenure = 8 + count // max(1, units) // 2
    for _ in range(iterations):
        if io[HALT] != 0:
            break
        io[T_ITERATION] += 1
        size = _longest_way(plant, unit_of, dur, prev, head, makespan, path, io)
        is_found = _choose_shift(
            plant,
            size,
            path,
            unit_of,
            dur,
            prev,
            after,
            head,
            tail,
            line,
            heads,
            unit_first,
            pairs,
            places,
            io,
        )
        if not is_found:
            break  # a single chain of one job's steps: nothing shortens it
        _forbid(units, count, tenure, unit_of, after, pairs, places, io)
        found = _make_shift(
            plant, unit_of, dur, prev, after, head, tail, order, place, mark, line, unit_first, places, io
        )
        if found >= 0:
            makespan = found
        if makespan < io[T_BEST]:
            io[T_BEST] = makespan
            io[T_IMPROVED] = io[T_ITERATION]
            for k in range(count):
                best_perm[k] = order[k]
                best_unit[k] = unit_of[k]
        elif io[T_ITERATION] - io[T_IMPROVED] > patience:
            # back to the best plan: the tabu list is what makes the next way another one
            io[T_IMPROVED] = io[T_ITERATION]
            for k in range(count):
                unit_of[k] = best_unit[k]
            _string_up(plant, best_perm, unit_of, dur, prev, after, unit_first, unit_last)
            _sort_out(plant, prev, after, order, place, left)
            makespan = _measure(plant, unit_of, dur, prev, after, head, tail, order, ZERO, count - 1)
    for k in range(count):
        perm[k] = order[k]
    io[T_CURRENT] = makespan
    return io[T_BEST]


# --- mending ----------------------------------------------------------------------------------
# After a breakdown most of a plan can stay as it is: only what would begin later is taken out, with all
# that waits for it, and put into gaps; nobody else is moved (one run more in a full sequence delays the
# whole plant). Who has to wait long for a gap may be the wrong one: orders are taken out together with some
# that are before them, and put into gaps again, the late ones first. People and tools are not looked at in
# gaps: `retime` afterwards does.
#
# Source:
#     Schrimpf, Schneider, Stamm-Wilbrandt, Dueck, J. Comput. Phys. 159 (2000): ruin and recreate.

MOST_TOGETHER = 4
"""Orders that are taken out together."""

DEAREST_OF = 6
"""Of so many orders, drawn at random, the costliest one is taken out first."""

PLACES_BACK = 60
"""Places of a unit's sequence by which others that are taken out may be before it, at the most."""

BLIND = 0.05
"""Share of units that are not looked at when an operation is put into a gap: the next try differs."""


@compiled()
def _is_cut_off(plant: Ints, op: int, st: Ints) -> bool:
    """Whether something that an operation waits for has no place."""
    row = plant[PREDECESSORS] + op
    found = False
    for k in range(plant[row], plant[row + 1], 2):
        if st[plant[k] * ST + UNIT] < 0:
            found = True
    return found


@compiled()
def _is_waited_for(plant: Ints, op: int, st: Ints) -> bool:
    """Whether something that waits for an operation begins before its end."""
    row = plant[SUCCESSORS] + op
    found = False
    for k in range(plant[row], plant[row + 1]):
        after = plant[k] * ST
        if st[after + UNIT] >= 0 and st[after + START] < st[op * ST + END]:
            found = True
    return found


@compiled()
def _begin_in_gap(plant: Ints, op: int, c: int, begin: int, setup: int, dur: int) -> int:
    """The working minute from `begin` in which a set-up begins that no pause parts from a whole run."""
    if plant[plant[OPS] + op * OP + RESUMABLE]:
        return begin
    while True:
        w = _window_of(plant, c, begin + setup)
        room = plant[w + 2] + plant[w + 1] - plant[w] - begin - setup
        if room >= dur:
            return begin
        begin += room


@compiled()
def _gap(plant: Ints, op: int, unit: int, dur: int, held: int, tail: Ints, st: Ints) -> tuple[int, int, int]:
    """The earliest place of an operation on a unit that moves no run there.

    Args:
        held: Nothing goes before an operation of a lower position.

    Returns:
        Begin of its set-up and of its run, and the operation before it (-1 for none).
    """
    c = plant[plant[UNITS] + unit * UN + U_TIME]
    ready = _work(plant, c, _ready(plant, op, st))
    if plant[OVERLAPS] > 0:
        ready = max(ready, _passed_on(plant, op, c, dur, st))
    found = (NONE, NONE, NONE)
    limit = FOREVER
    before = tail[unit]
    while True:
        end, _ = _last_of(plant, unit, before, st)
        setup = _setup_of(plant, unit, before, op)
        begin = max(end, ready - setup)
        if begin + setup + dur <= limit:
            begin = _begin_in_gap(plant, op, c, begin, setup, dur)
            if begin + setup + dur <= limit:
                found = (begin, begin + setup, before)
        if before < 0 or st[~before] < held or end <= ready:
            return found
        row = before * ST
        limit = st[row + WEND] - st[row + DUR] - _setup_of(plant, unit, op, before)
        before = st[row + PREV]


@compiled()
def _set_up_behind(plant: Ints, unit: int, before: int, op: int, st: Ints) -> int:
    """Write down the set-up of an operation behind another one; by how much it changes."""
    setup = _setup_of(plant, unit, before, op)
    change = setup - st[op * ST + SETUP]
    st[op * ST + SETUP] = setup
    return change


@compiled()
def _take_out(plant: Ints, op: int, tail: Ints, st: Ints) -> int:
    """Take an operation out of its unit's sequence; the change of set-ups, FOREVER when that of the one
    behind it no longer fits.
    """
    row = op * ST
    unit, before, after = st[row + UNIT], st[row + PREV], st[row + NEXT]
    st[row + UNIT] = -1
    change = -st[row + SETUP]
    if before >= 0:
        st[before * ST + NEXT] = after
    if after < 0:
        tail[unit] = before
        return change
    st[after * ST + PREV] = before
    change += _set_up_behind(plant, unit, before, after, st)
    end, _ = _last_of(plant, unit, before, st)
    if end + st[after * ST + SETUP] > st[after * ST + WEND] - st[after * ST + DUR]:
        return FOREVER
    return change


@compiled()
def _put_in(plant: Ints, op: int, unit: int, before: int, tail: Ints, st: Ints) -> int:
    """Put an operation behind `before` on a unit, -1 for the head; the change of the next one's set-up."""
    row = op * ST
    after = NONE
    if before >= 0:
        after = st[before * ST + NEXT]
        st[before * ST + NEXT] = op
    else:
        e = tail[unit]
        while e >= 0:
            after = e
            e = st[e * ST + PREV]
    st[row + UNIT] = unit
    st[row + PREV] = before
    st[row + NEXT] = after
    if after < 0:
        tail[unit] = op
        return ZERO
    st[after * ST + PREV] = op
    return _set_up_behind(plant, unit, op, after, st)


@compiled()
def _put_in_gap(plant: Ints, op: int, held: int, tail: Ints, st: Ints, blind: float, io: Ints) -> int:
    """Put an operation into the gap of any unit in which it ends first, and its times with it.

    Args:
        blind: Share of units that are not looked at.

    Returns:
        The change of the next one's set-up, FOREVER when no unit was looked at.
    """
    chosen, best_end, best_dur = NONE, FOREVER, NONE
    best = (NONE, NONE, NONE)
    row = plant[ALTERNATIVES] + op
    for k in range(plant[row], plant[row + 1], 2):
        if blind > 0.0 and _random(io) < blind:
            continue
        unit, dur = plant[k], plant[k + 1]
        place = _gap(plant, op, unit, dur, held, tail, st)
        end = _at(plant, plant[plant[UNITS] + unit * UN + U_TIME], place[1] + dur - 1)
        if end < best_end:
            chosen, best_end, best_dur = unit, end, dur
            best = place
    if chosen < 0:
        return FOREVER
    change = _put_in(plant, op, chosen, best[2], tail, st)
    st[op * ST + DUR] = best_dur
    st[~op] = FOREVER
    _write(plant, op, (best[0], best[1], best[0]), st)
    return change


@entry(f"int64({_A}, {_A}, {_A}, {_A}, int64, int64, {_A}, {_A})")
def mend(
    plant: Ints, perm: Ints, unit_of: Ints, starts: Ints, held: int, slip: int, st: Ints, crowd: Ints
) -> int:
    """Time a permutation, but what would begin later than it did goes into gaps; fills `st` and `unit_of`.

    Args:
        starts: Minute in which each operation began before.
        held: So many of the first operations keep their units and their order, however late.
        slip: Minutes by which an operation may begin later and keep its place.

    Returns:
        How many operations went into gaps.
    """
    _place_fixed(plant, st, crowd)
    tail = np.full(plant[UNIT_COUNT], -1, np.int64)
    lifted, luck = np.zeros(len(perm) + 1, np.int64), np.zeros(1, np.int64)
    count = 0
    for position in range(len(perm)):
        op = perm[position]
        unit = unit_of[op]
        stays = position < held or not _is_cut_off(plant, op, st)
        if stays:
            dur = _minutes(plant, op, unit)
            place = _behind(plant, op, unit, dur, tail[unit], _ready(plant, op, st), st, crowd)
            c = plant[plant[UNITS] + unit * UN + U_TIME]
            stays = position < held or _at(plant, c, place[1]) <= starts[op] + slip
        if stays:
            _settle(plant, op, unit, dur, place, tail, st, crowd)
            st[~op] = position
        else:
            lifted[count] = op
            count += 1
    urgency = np.zeros(count, np.int64)
    for i in range(count):
        order = plant[plant[OPS] + lifted[i] * OP + ORDER]
        urgency[i] = order - plant[plant[ORDERS] + order * OR + O_PRICE] * plant[ORDER_COUNT]
    turn = np.argsort(urgency, kind="mergesort")  # the costliest order first, its steps as they come
    left = count
    while left > 0:
        for i in range(count):
            op = lifted[turn[i]]
            if st[op * ST + UNIT] < 0 and not _is_cut_off(plant, op, st):
                _put_in_gap(plant, op, held, tail, st, 0.0, luck)
                unit_of[op] = st[op * ST + UNIT]
                left -= 1
    return count


@compiled()
def _steps_of_orders(plant: Ints, starts: Ints, heads: Ints, steps: Ints) -> None:
    """Fill `steps` with the operations of each order, as they come in `starts`, and `heads` with where each
    begins.
    """
    count, orders = plant[COUNT], plant[ORDER_COUNT]
    for op in range(count):
        heads[plant[plant[OPS] + op * OP + ORDER] + 2] += 1
    for order in range(2, orders + 2):
        heads[order] += heads[order - 1]
    for i in range(count):
        order = plant[plant[OPS] + starts[i] * OP + ORDER]
        steps[heads[order + 1]] = starts[i]
        heads[order + 1] += 1


@compiled()
def _draw_together(
    plant: Ints, heads: Ints, steps: Ints, free: Ints, costs: Ints, chosen: Ints, st: Ints, io: Ints
) -> int:
    """Fill `chosen` with a costly order and some that are before it on its units; their number."""
    first, worst = NONE, NONE
    for _ in range(DEAREST_OF):
        order = int(_random(io) * plant[ORDER_COUNT])
        if heads[order + 1] > heads[order] and free[steps[heads[order + 1] - 1]]:
            if costs[order] > worst:
                first, worst = order, costs[order]
    if first < 0:
        return 0
    chosen[0] = first
    size = 1
    wanted = 2 + int(_random(io) * (MOST_TOGETHER - 1))
    for _ in range(3 * wanted):
        e = steps[heads[first] + int(_random(io) * (heads[first + 1] - heads[first]))]
        if free[e] == 0 or size == wanted:
            continue
        for _ in range(1 + int(_random(io) * _random(io) * PLACES_BACK)):
            if st[e * ST + PREV] >= 0:
                e = st[e * ST + PREV]
        order = plant[plant[OPS] + e * OP + ORDER]
        is_new = free[e] != 0
        for k in range(size):
            is_new = is_new and chosen[k] != order
        if is_new:
            chosen[size] = order
            size += 1
    return size


@compiled()
def _lift_order(
    plant: Ints,
    order: int,
    heads: Ints,
    steps: Ints,
    free: Ints,
    log: Ints,
    logged: int,
    tail: Ints,
    st: Ints,
) -> tuple[int, int]:
    """Take the free steps of an order out; what that saves in set-ups and distance (FOREVER when something
    no longer fits), and rows of the log.
    """
    saved = 0
    for i in range(heads[order + 1] - 1, heads[order] - 1, -1):
        op = steps[i]
        if free[op] == 0 or saved == FOREVER:
            continue
        row = op * ST
        saved += _own_cost(plant, op, st[row + UNIT], st[row + START], ZERO)
        log[logged * (ST + 1)] = op
        for column in range(ST):
            log[logged * (ST + 1) + 1 + column] = st[row + column]
        logged += 1
        change = _take_out(plant, op, tail, st)
        saved = FOREVER if change == FOREVER else saved - plant[W_SETUP] * change
    return saved, logged


@compiled()
def _fill_order(
    plant: Ints,
    order: int,
    held: int,
    heads: Ints,
    steps: Ints,
    put: Ints,
    count: int,
    tail: Ints,
    st: Ints,
    io: Ints,
) -> tuple[int, int]:
    """Put the steps of an order into gaps; what its set-ups and distances cost (FOREVER when it cannot be),
    and how many are put in.
    """
    cost = 0
    for i in range(heads[order], heads[order + 1]):
        op = steps[i]
        row = op * ST
        if st[row + UNIT] >= 0:
            continue
        if _is_cut_off(plant, op, st):
            return FOREVER, count
        change = _put_in_gap(plant, op, held, tail, st, BLIND, io)
        if change == FOREVER:
            return FOREVER, count
        put[count] = op
        count += 1
        if _is_waited_for(plant, op, st):
            return FOREVER, count
        cost += plant[W_SETUP] * change + _own_cost(
            plant, op, st[row + UNIT], st[row + START], st[row + SETUP]
        )
    return cost, count


@compiled()
def _put_back(plant: Ints, log: Ints, logged: int, put: Ints, count: int, tail: Ints, st: Ints) -> None:
    """Make everything as it was before orders were taken out."""
    for i in range(count - 1, -1, -1):
        _take_out(plant, put[i], tail, st)
    for i in range(logged - 1, -1, -1):
        at = i * (ST + 1)
        op = log[at]
        _put_in(plant, op, log[at + 1 + UNIT], log[at + 1 + PREV], tail, st)
        for column in range(ST):
            if column != NEXT:
                st[op * ST + column] = log[at + 1 + column]


@entry(f"int64({_A}, {_A}, {_A}, {_A}, {_A}, int64)")
def recreate(plant: Ints, perm: Ints, unit_of: Ints, st: Ints, io: Ints, trials: int) -> int:
    """Take orders out of a timed plan and put them into gaps again, `trials` times; what that saves.

    Args:
        unit_of: Filled with the units.
        st: The places; changed.
        io: Seed and counters: those that saved something are counted as accepted.
    """
    count, orders, held = plant[COUNT], plant[ORDER_COUNT], plant[FIRST_COUNT]
    tail = np.full(plant[UNIT_COUNT], -1, np.int64)
    free = np.zeros(count, np.int64)
    for i in range(len(perm)):
        free[perm[i]] = int(i >= held)
        if st[perm[i] * ST + NEXT] < 0:
            tail[st[perm[i] * ST + UNIT]] = perm[i]
    heads, steps = np.zeros(orders + 2, np.int64), np.zeros(count, np.int64)
    _steps_of_orders(plant, np.argsort(st[START : count * ST : ST], kind="mergesort"), heads, steps)
    costs = np.zeros(orders, np.int64)
    for order in range(orders):
        costs[order] = _order_cost(plant, order, _order_end(plant, order, st))
    log, put = np.zeros((count + 1) * (ST + 1), np.int64), np.zeros(count + 1, np.int64)
    chosen = np.zeros(MOST_TOGETHER, np.int64)
    total = 0
    for _ in range(trials):
        io[MOVES] += 1
        size = _draw_together(plant, heads, steps, free, costs, chosen, st, io)
        delta, logged, inside = 0, ZERO, ZERO
        for k in range(size):
            if delta < FOREVER:
                saved, logged = _lift_order(plant, chosen[k], heads, steps, free, log, logged, tail, st)
                delta = FOREVER if saved == FOREVER else delta - saved - costs[chosen[k]]
        for k in range(size):
            if delta < FOREVER:
                cost, inside = _fill_order(plant, chosen[k], held, heads, steps, put, inside, tail, st, io)
                end = _order_end(plant, chosen[k], st)
                delta = FOREVER if cost == FOREVER else delta + cost + _order_cost(plant, chosen[k], end)
        if delta <= 0:
            total -= delta
            io[ACCEPTED] += 1
            for k in range(size):
                costs[chosen[k]] = _order_cost(plant, chosen[k], _order_end(plant, chosen[k], st))
        else:
            _put_back(plant, log, logged, put, inside, tail, st)
    for i in range(len(perm)):
        unit_of[perm[i]] = st[perm[i] * ST + UNIT]
    return total
