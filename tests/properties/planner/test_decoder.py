"""The decoder and the checker agree, though they share no code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.checker import check
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, proposal_of
from planner.dispatch import best_dispatch, dispatch, edd
from planner.effort import Effort
from planner.explain import Cause, Explainer
from planner.fixes import remedies
from planner.form import problem_from_json, problem_to_json, schedule_from_json, schedule_to_json
from planner.objective import order_ends, points_by_order, score
from planner.problem import Operation, Order, Problem, Published, Unit, Window
from planner.promise import Desk
from planner.replan import as_published, repair, replan
from planner.schedule import Schedule
from tests.benchmarks.planner import synthetic
from tests.properties.planner.strategies import SKILLS, crews, locked, operations, problems
from tests.unit.planner.plants import plant, shifts, step

RUNS = settings(max_examples=50, deadline=None)


def shuffled(problem: Problem, random: Random) -> list[Choice]:
    names = list(problem.operations)
    random.shuffle(names)
    return [Choice(o.id, random.choice(o.alternatives).unit) for o in names]


@RUNS
@given(problems())
def test_a_dispatched_plan_is_feasible(problem: Problem) -> None:
    assert check(problem, dispatch(problem, edd(problem))) == []


@RUNS
@given(problems())
def test_a_plan_with_batches_that_wait_is_feasible(problem: Problem) -> None:
    assert check(problem, dispatch(problem, edd(problem), wait=1.0)) == []


@RUNS
@given(problems(), st.randoms(use_true_random=False))
def test_any_order_of_operations_is_timed_feasibly(problem: Problem, random: Random) -> None:
    assert check(problem, decode(problem, shuffled(problem, random))) == []


@st.composite
def staffed(draw: st.DrawFn) -> Problem:
    """Steps on three units with a break, and a few people for them."""
    skills = st.sampled_from(SKILLS)
    rows = draw(st.lists(st.tuples(st.integers(1, 15), st.sampled_from("MNO"), skills), max_size=12))
    steps = (step(f"A{i}-1", minutes, unit, skill=skill) for i, (minutes, unit, skill) in enumerate(rows))
    units = tuple(Unit(name, "W", "always") for name in "MNO")
    return plant(*steps, units=units, crews=draw(crews()), horizon=200, **shifts((0, 30), (40, 200)))


def lacks_people(problem: Problem, plan: Schedule) -> bool:
    """Whether more work in some minute than there are people: counted for each minute and union of skills."""
    calendars = {calendar.id: calendar.windows for calendar in problem.calendars}
    units = {unit.id: (calendars[unit.calendar], unit.stops) for unit in problem.units}
    needs = [(row, problem.operation_by_id[row.operation].skill) for row in plan.assignments]
    for minute in range(problem.horizon):
        working = [
            skill
            for row, skill in needs
            if skill and row.setup_start <= minute < row.end and is_open(*units[row.unit], minute)
        ]
        there = [crew for crew in problem.crews if any(w.start <= minute < w.end for w in crew.windows)]
        for size in range(1, len(set(working)) + 1):
            for union in combinations(set(working), size):
                able = sum(crew.count for crew in there if not set(crew.skills).isdisjoint(union))
                if sum(skill in union for skill in working) > able:
                    return True
    return False


def is_open(windows: tuple[Window, ...], stops: tuple[Window, ...], minute: int) -> bool:
    inside = (any(w.start <= minute < w.end for w in rows) for rows in (windows, stops))
    return next(inside) and not next(inside)


@RUNS
@given(staffed())
def test_a_plan_is_refused_when_some_minute_has_too_few_people(problem: Problem) -> None:
    alone = replace(problem, operations=tuple(replace(o, skill=None) for o in problem.operations))
    plan = dispatch(alone, edd(alone))
    assert bool(check(problem, plan)) == lacks_people(problem, plan)


@RUNS
@given(locked(), st.randoms(use_true_random=False))
def test_locks_are_kept_or_refused(problem: Problem, random: Random) -> None:
    proposal = shuffled(problem, random)
    refusal: LocksConflict | None = None
    try:
        plan = decode(problem, proposal)
    except LocksConflict as conflict:
        refusal = conflict
    if refusal is None:
        assert check(problem, plan) == []
    else:
        assert refusal.operation in problem.operation_by_id
        assert refusal.remedy


@RUNS
@given(problems())
def test_the_same_problem_gives_the_same_plan(problem: Problem) -> None:
    assert best_dispatch(problem) == best_dispatch(problem)


@RUNS
@given(problems())
def test_a_plan_timed_again_is_still_feasible(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    assert check(problem, decode(problem, proposal_of(problem, plan))) == []


class MinuteByMinute(Explainer):
    """Asks every minute what held in it, where the explainer asks at every change."""

    def _waits(self, operation: Operation, ready: int, until: int) -> Iterator[Cause]:
        row = self._schedule.by_operation[operation.id]
        if not operation.started:
            free = self._previous_end(row)
            for minute in range(ready, row.start):
                yield self._cause_at(operation, row, minute, free)
        for minute in range(max(ready, 0 if operation.started else row.start), until):
            if not self._is_open(row.unit, minute):
                yield self._closed_at(row.unit, minute)
            elif minute >= self._slow_from(operation, row):
                yield Cause("slow", 1, row.unit, operation.order)


@RUNS
@given(problems(), st.randoms(use_true_random=False))
def test_the_minutes_why_an_order_is_late_add_up(problem: Problem, random: Random) -> None:
    plan = decode(problem, shuffled(problem, random))
    explainer, walker = Explainer(problem, plan), MinuteByMinute(problem, plan)
    for order, end in order_ends(problem, plan).items():
        lateness = max(0, end - problem.order_by_id[order].due)
        causes = explainer.why_late(order)
        assert sum(cause.minutes for cause in causes) == lateness
        assert all(cause.minutes > 0 for cause in causes)
        assert causes == walker.why_late(order)


@settings(max_examples=25, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_what_is_offered_to_a_late_order_saves_what_it_says(problem: Problem, random: Random) -> None:
    plan = decode(problem, shuffled(problem, random))
    ends = order_ends(problem, plan)
    for order, end in ends.items():
        due = problem.order_by_id[order].due
        found = remedies(problem, plan, order)
        for remedy in found:
            assert check(remedy.problem, remedy.plan) == []
            then = order_ends(remedy.problem, remedy.plan)[order]
            assert max(0, end - due) - max(0, then - due) == remedy.fix.saves > 0
            assert remedy.fix.minutes > 0
            rate = problem.weights.overtime if remedy.fix.code == "overtime" else 0
            others = [o for o in ends if o != order]
            parts = points_by_order(problem, plan), points_by_order(remedy.problem, remedy.plan)
            lost = sum(max(0, parts[1][o].total - parts[0][o].total) for o in others)
            assert remedy.fix.price >= rate * remedy.fix.minutes + lost
        prices = [remedy.fix.price for remedy in found]
        assert prices == sorted(prices)


@RUNS
@given(problems(), st.randoms(use_true_random=False))
def test_the_points_of_the_orders_add_up_to_the_objective(problem: Problem, random: Random) -> None:
    plan = decode(problem, shuffled(problem, random))
    whole = score(problem, plan)
    points = sum(order.total for order in points_by_order(problem, plan).values())
    assert points + problem.weights.makespan * whole.makespan == whole.total


@RUNS
@given(problems())
def test_problems_and_plans_survive_their_json_form(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    assert problem_from_json(problem_to_json(problem)) == problem
    assert schedule_from_json(schedule_to_json(plan)) == plan


@st.composite
def quotes(draw: st.DrawFn) -> tuple[Problem, tuple[Operation, ...]]:
    problem = draw(problems())
    stock, centers = problem.materials, problem.work_centers
    asked = operations("NEW", problem.units, problem, there=problem.tools, stock=stock, centers=centers)
    return problem, draw(asked)


@RUNS
@given(quotes())
def test_a_promise_holds_and_moves_nobody(quote: tuple[Problem, tuple[Operation, ...]]) -> None:
    problem, steps = quote
    plan = dispatch(problem, edd(problem))
    order = Order("NEW", 10 * problem.horizon)  # its materials are pegged last, as a desk does it
    whole = Problem(
        problem.origin,
        problem.horizon,
        problem.calendars,
        problem.work_centers,
        problem.units,
        problem.crews,
        (*problem.orders, order),
        (*problem.operations, *steps),
        tools=problem.tools,
        materials=problem.materials,
        buffers=problem.buffers,
    )
    desk = Desk(whole, plan)
    given_date = desk.accept(steps)
    new = desk.decoder.schedule()
    assert check(whole, new) == []
    skills = {o.skill for o in steps if o.skill}
    assert Desk(problem, plan, skills).quote(steps).end == given_date.end
    assert given_date.end == max(new.by_operation[s.id].end for s in steps)
    for row in plan.assignments:
        kept = new.by_operation[row.operation]
        assert (kept.unit, kept.start, kept.end) == (row.unit, row.start, row.end)


@RUNS
@given(problems())
def test_a_repair_keeps_everybody_on_the_published_unit(problem: Problem) -> None:
    for way in (repair, as_published):
        try:
            plan = way(problem)
        except LocksConflict:
            assert problem.buffers  # on their units they wait for each other's places
            continue
        assert check(problem, plan) == []
        for operation in problem.operations:
            if operation.published and not operation.started:
                assert plan.by_operation[operation.id].unit == operation.published.unit


@RUNS
@given(st.integers(0, 10_000))
def test_frozen_work_keeps_its_order_whenever_a_unit_stands_still(seed: int) -> None:
    random = Random(seed)
    problem = synthetic.plant(150, 9, seed, load=1.0, slack=0.3)
    at = dispatch(problem, edd(problem)).by_operation
    start = random.randrange(max(row.end for row in at.values()))
    until = start + random.randrange(480)
    rows = tuple(
        replace(o, published=Published(at[o.id].unit, at[o.id].start), frozen=at[o.id].start < until)
        for o in problem.operations
    )
    stop = Window(start, start + random.randrange(1, 1440))
    stopped = random.choice(problem.units)
    units = tuple(replace(unit, stops=(stop,)) if unit is stopped else unit for unit in problem.units)
    after = replace(problem, operations=rows, units=units)
    for way in (repair, as_published):
        assert check(after, way(after)) == []


@RUNS
@given(problems())
def test_a_plan_in_force_makes_nobody_later_while_nothing_happens(problem: Problem) -> None:
    """Be it of people, tools, batches, buffers or chains: what an order of its steps does not say of it."""
    plan = dispatch(problem, edd(problem))
    at = plan.by_operation
    rows = tuple(
        o if o.started else replace(o, published=Published(at[o.id].unit, at[o.id].start))
        for o in problem.operations
    )
    read = replace(problem, operations=rows)
    assert score(read, as_published(read)).tardiness <= score(read, plan).tardiness


@settings(max_examples=20, deadline=None)
@given(problems())
def test_replanning_says_which_operations_it_would_move(problem: Problem) -> None:
    found = replan(problem, Effort(seconds=0.1, workers=1))
    assert check(problem, found.kept.schedule) == []
    if found.better and found.changes:
        assert check(problem, found.better.schedule) == []
        assert found.better.score.total < found.kept_objective
        stayed = {o.id for o in problem.operations if o.published and not o.started}
        stayed -= {move.operation for move in found.changes.moved}
        for name in stayed:
            before, after = found.kept.schedule, found.better.schedule
            assert before.by_operation[name].unit == after.by_operation[name].unit


@RUNS
@given(quotes())
def test_a_quote_reserves_nothing(quote: tuple[Problem, tuple[Operation, ...]]) -> None:
    problem, steps = quote
    plan = dispatch(problem, edd(problem))
    desk = Desk(problem, plan, {o.skill for o in steps if o.skill})
    first = desk.quote(steps)
    again = desk.quote(steps)
    assert (first.end, first.binding) == (again.end, again.binding)
    assert desk.decoder.schedule() == plan
