"""The compiled kernel times plans as the decoder does, and the checker agrees with both."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import kernel
from planner.anneal import Budget, Engine, Sequences, Tuning, Walk
from planner.checker import check
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, placed_order
from planner.mend import Mender, mended
from planner.objective import score
from planner.pack import Ints, Pack, pack
from planner.problem import Link, Order, Problem, Published, Release, Started, Window
from planner.readers import read_fjsp
from planner.replan import as_published, published_places, published_plant, with_the_rest
from planner.schedule import Schedule
from tests.properties.planner.strategies import anchored, locked, problems
from tests.unit.planner.plants import plant, step

pytestmark = pytest.mark.usefixtures("compiled_kernel")

RUNS = settings(max_examples=int(os.environ.get("KERNEL_EXAMPLES", "25")), deadline=None)


def shuffled(packed: Pack, random: Random) -> tuple[Ints, Ints]:
    """A random permutation that keeps all links, and a random unit for each operation."""
    plant, problem = packed.plant, packed.problem
    head, width = plant[kernel.PREDECESSORS], 2
    if plant[kernel.TIES]:
        head, width = plant[kernel.ENTRY_PREDECESSORS], 1
    done = {i for i, o in enumerate(problem.operations) if o.started or o.lock}
    done.update(packed.followers.tolist())
    perm = packed.first.tolist()
    done.update(perm)
    left = [i for i in range(len(problem.operations)) if i not in done]
    while left:
        waits = {i: plant[plant[head + i] : plant[head + i + 1] : width].tolist() for i in left}
        able = [i for i in left if done.issuperset(waits[i])]
        chosen = random.choice(able)
        perm.append(chosen)
        done.add(chosen)
        left.remove(chosen)
    unit_of = np.zeros(len(problem.operations), np.int64)
    head = plant[kernel.ALTERNATIVES]
    for i in range(len(unit_of)):
        unit_of[i] = random.choice(plant[plant[head + i] : plant[head + i + 1] : 2].tolist())
    return np.array(perm, np.int64), unit_of


def proposal(packed: Pack, perm: Ints, unit_of: Ints) -> list[Choice]:
    problem = packed.problem
    rows = packed.with_followers(perm).tolist()
    return [Choice(problem.operations[i].id, problem.units[unit_of[i]].id) for i in rows]


def same(packed: Pack, st_rows: Ints, plan: Schedule) -> None:
    rows = packed.rows(st_rows)
    for i, operation in enumerate(packed.problem.operations):
        a = plan.by_operation[operation.id]
        found = (rows[i, kernel.START], rows[i, kernel.END])
        assert found == (a.start, a.end), operation.id
        assert packed.problem.units[rows[i, kernel.UNIT]].id == a.unit


@RUNS
@given(problems() | locked() | anchored(), st.randoms(use_true_random=False))
def test_a_permutation_is_timed_as_the_decoder_times_it(problem: Problem, random: Random) -> None:
    try:
        packed = pack(problem)
    except LocksConflict:
        return
    if not problem.operations:
        return
    perm, unit_of = shuffled(packed, random)
    choices = proposal(packed, perm, unit_of)
    try:
        plan = decode(problem, choices)
    except LocksConflict:
        return
    rows = packed.state()
    cost = kernel.retime(packed.plant, perm, unit_of, rows, packed.crowd())
    if cost == kernel.IMPOSSIBLE:
        assert placed_order(problem, choices) != choices
        return
    same(packed, rows, plan)
    if not any(o.lock for o in problem.operations):
        assert cost == score(problem, plan).total


@RUNS
@given(problems() | locked() | anchored())
def test_what_the_kernel_dispatches_is_feasible(problem: Problem) -> None:
    try:
        packed = pack(problem)
    except LocksConflict:
        return
    count = len(problem.operations)
    base = -np.arange(count, dtype=np.float64)
    perm, unit_of = np.full(packed.free, -1, np.int64), np.full(count, -1, np.int64)
    zero = np.zeros(count, np.int64)
    rows = packed.state()
    rule = (base, zero, 0.0, 1.0, 0.5)
    cost = kernel.dispatch(packed.plant, packed.first, *rule, perm, unit_of, rows, packed.crowd())
    if cost == kernel.IMPOSSIBLE:
        assert problem.buffers
        return
    choices = proposal(packed, perm, unit_of)
    try:
        plan = decode(problem, choices)
    except LocksConflict:
        return
    assert check(problem, plan) == []
    if count:
        same(packed, rows, plan)


@RUNS
@given(problems() | locked() | anchored(), st.integers(1, 1000))
def test_what_annealing_finds_is_feasible_and_costs_what_it_says(problem: Problem, seed: int) -> None:
    try:
        engine = Engine(pack(problem))
    except LocksConflict:
        return
    found = engine.search(Budget(moves=300, seed=seed))
    try:
        plan = decode(problem, engine.choices(found))
    except LocksConflict:
        return
    assert check(problem, plan) == []
    if problem.operations and not any(o.lock for o in problem.operations):
        assert score(problem, plan).total == found.cost
        assert found.cost <= engine.report.grid


@RUNS
@given(problems() | anchored(), st.integers(1, 1000))
def test_timing_again_only_what_a_move_touches_is_timing_all_again(problem: Problem, seed: int) -> None:
    if not problem.operations:
        return
    engine = Engine(pack(problem))
    plan = engine.grid()
    walk = Walk(engine, plan, seed)
    for heat in (1e6, 100.0, 1.0):
        walk.go(100, heat, heat / 2, Tuning(hope=10.0))
        rows = engine.packed.rows(walk.st)
        now = Sequences(walk.perm.copy(), rows[:, kernel.UNIT].copy(), 0, "walk")
        assert engine.retime(now) == walk.io[kernel.CURRENT]
        free = slice(kernel.CROWD, kernel.CROWD + len(engine.packed.people))
        assert (engine.crowd[free] == walk.crowd[free]).all()
        again = engine.packed.rows(engine.st)
        for column in (kernel.START, kernel.END, kernel.SETUP, kernel.PREV, kernel.NEXT):
            assert (again[:, column] == rows[:, column]).all()
        assert ((again[:, kernel.HAS] == 1) == (rows[:, kernel.HAS] == 1)).all()


@RUNS
@given(problems(), st.integers(1, 1000))
def test_the_same_seed_gives_the_same_plan(problem: Problem, seed: int) -> None:
    plans = [Engine(pack(problem)).search(Budget(moves=200, seed=seed)) for _ in range(2)]
    assert plans[0].cost == plans[1].cost
    assert (plans[0].perm == plans[1].perm).all()
    assert (plans[0].unit_of == plans[1].unit_of).all()


@st.composite
def job_shops(draw: st.DrawFn) -> Problem:
    """Small job shops: several machines for a step, re-entrant routes, one machine alone."""
    machines = draw(st.integers(1, 3))
    jobs = draw(st.integers(1, 4))
    lines = [f"{jobs} {machines}"]
    for _ in range(jobs):
        steps = draw(st.integers(1, 4))
        words = [str(steps)]
        for _ in range(steps):
            able = draw(st.lists(st.integers(0, machines - 1), min_size=1, unique=True))
            words.append(str(len(able)))
            words += [f"{m} {draw(st.integers(1, 9))}" for m in able]
        lines.append(" ".join(words))
    return read_fjsp("\n".join(lines))


@RUNS
@given(job_shops(), st.integers(1, 1000))
def test_the_tabu_search_finds_feasible_plans_of_the_makespan_it_says(problem: Problem, seed: int) -> None:
    engine = Engine(pack(problem))
    assert engine.is_bare
    found = engine.search(Budget(moves=100, seed=seed))
    plan = decode(problem, engine.choices(found))
    assert check(problem, plan) == []
    assert score(problem, plan).makespan == score(problem, plan).total == found.cost


@st.composite
def disturbed(draw: st.DrawFn) -> tuple[Problem, int, int, int]:
    """A plant with work, a unit of it, and when it stands still."""
    problem = draw(problems().filter(lambda p: bool(p.operations)))
    start = draw(st.integers(0, 150))
    return problem, draw(st.integers(0, len(problem.units) - 1)), start, start + draw(st.integers(1, 60))


@RUNS
@given(disturbed(), st.integers(0, 200))
def test_a_mended_plan_is_feasible_and_leaves_what_is_frozen(
    case: tuple[Problem, int, int, int], frozen_until: int
) -> None:
    problem, unit, start, end = case
    engine = Engine(pack(problem))
    plan = engine.grid()
    mender = Mender(engine.packed, plan)
    end = min(end, problem.horizon)
    changed, repaired = mender.after_stop(unit, start, end, frozen_until)
    better = changed.search(Budget(moves=100), known=repaired.copy())
    assert better.cost <= repaired.cost
    row = problem.units[unit]
    stops = sorted([*row.stops, Window(start, end)], key=lambda w: w.start)
    broken = replace(row, stops=joined(stops))
    units = tuple(broken if u is row else u for u in problem.units)
    after = replace(problem, units=units)
    held = changed.packed.first
    for found in (repaired, better):
        choices = proposal(engine.packed, found.perm, found.unit_of)
        assert check(after, decode(after, choices)) == []
        assert (found.perm[: len(held)] == held).all()
        assert (found.unit_of[held] == plan.unit_of[held]).all()


@RUNS
@given(problems() | locked() | anchored())
def test_the_first_answer_after_an_event_is_feasible_moves_nobody_and_leaves_what_is_frozen(
    problem: Problem,
) -> None:
    """Whatever happened: nobody knows whether the published places came from a plan at all."""
    places = published_places(problem)
    try:
        plan = with_the_rest(problem, mended(published_plant(problem), places))
    except LocksConflict:
        return
    assert check(problem, plan) == []
    rows = plan.by_operation
    free = [o for o in problem.operations if o.published and not (o.started or o.lock)]
    assert all(rows[o.id].unit == places[o.id].unit for o in free)
    if not problem.buffers:  # where who waits for a place depends on who comes behind
        first = as_published(problem).by_operation
        assert all(rows[o.id] == first[o.id] for o in free if o.frozen)


def test_who_was_never_planned_and_must_follow_work_under_way_gets_a_place_in_the_first_answer() -> None:
    """A-2 has no place in the plan in force, A-3 behind it has one, and C is a chain."""
    problem = plant(
        step("A-1", 10, started=Started("M", -5)),
        step("A-2", 10, "N", predecessors=(Link("A-1", most=5),)),
        step("A-3", 10, after="A-2", published=Published("M", 30)),
        step("C-1", 10, "N"),
        step("C-2", 10, predecessors=(Link("C-1", most=9),), published=Published("M", 60)),
    )
    plan = mended(published_plant(problem), published_places(problem))
    assert plan.by_operation["A-2"].start == 10


def test_what_a_stop_does_not_touch_stays_where_it_is() -> None:
    """Pushing N to the right makes B late; dispatching N again puts Z before A, for which it waits."""
    problem = plant(
        step("A-1", 10),
        step("D-1", 50),
        step("A-2", 10, "N", after="A-1"),
        step("Z-1", 100, "N"),
        step("D-2", 10, "N", after="D-1"),
        step("B-1", 100, "N", releases=(Release(130),)),
        due={"A": 20, "B": 230},
    )
    engine = Engine(pack(problem))
    rows = [Choice(o.id, o.alternatives[0].unit) for o in problem.operations]
    mender = Mender(engine.packed, engine.sequences(decode(problem, rows)))
    changed, repaired = mender.after_stop(0, 20, 200, 0)
    changed.retime(repaired)
    starts = changed.packed.rows(changed.st)[:, kernel.START].tolist()
    assert dict(zip((o.id for o in problem.operations), starts, strict=True)) == {
        "A-1": 0, "D-1": 10, "A-2": 10, "Z-1": 20, "D-2": 240, "B-1": 130,
    }  # fmt: skip


@RUNS
@given(problems().filter(lambda p: bool(p.operations)), st.integers(1, 1000))
def test_what_is_put_into_gaps_makes_feasible_plans(problem: Problem, seed: int) -> None:
    engine = Engine(pack(problem))
    if not engine.sees_gaps:
        return
    plan = engine.gone_on({o.id: o.published for o in problem.operations if o.published})
    io = np.zeros(kernel.IO, np.int64)
    io[kernel.SEED] = seed
    better = engine.refilled(plan.copy(), 20, io)
    assert better.cost <= plan.cost
    held = engine.packed.first
    for found in (plan, better):
        after = decode(problem, engine.choices(found))
        assert check(problem, after) == []
        assert score(problem, after).total == found.cost
        assert (found.perm[: len(held)] == held).all()


def test_who_should_not_wait_for_a_gap_changes_places_with_who_may() -> None:
    """B is dearer than A, and has the gap behind it."""
    problem = plant(
        step("A-1", 50),
        step("B-1", 50),
        orders=(Order("A", 50), Order("B", 50, 8)),
    )
    engine = Engine(pack(problem))
    plan = engine.sequences(decode(problem, [Choice("A-1", "M"), Choice("B-1", "M")]))
    io = np.zeros(kernel.IO, np.int64)
    io[kernel.SEED] = 1
    found = engine.refilled(plan, 20, io)
    assert [problem.operations[op].id for op in found.perm.tolist()] == ["B-1", "A-1"]


def joined(windows: list[Window]) -> tuple[Window, ...]:
    """Windows that meet become one."""
    found: list[Window] = []
    for window in windows:
        if found and found[-1].end >= window.start:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return tuple(found)


@RUNS
@given(problems().filter(lambda p: bool(p.operations)), st.integers(0, 60))
def test_a_search_from_near_an_old_plan_is_feasible_and_never_worse(problem: Problem, shift: int) -> None:
    engine = Engine(pack(problem))
    known = engine.grid()
    engine.retime(known)
    starts = engine.packed.rows(engine.st)[:, kernel.START] - shift
    found = engine.search(Budget(moves=60), known=known.copy(), before=starts)
    assert found.cost <= known.cost
    for plan in (found, engine.near(starts)):
        if plan.cost < kernel.IMPOSSIBLE:
            after = decode(problem, engine.choices(plan))
            assert check(problem, after) == []
            assert score(problem, after).total == plan.cost
