"""The decoder and the checker agree, though they share no code."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.checker import check
from planner.decoder import Choice, decode, proposal_of
from planner.dispatch import best_dispatch, dispatch, edd
from planner.problem import Problem
from tests.properties.planner.strategies import problems

RUNS = settings(max_examples=150, deadline=None)


@RUNS
@given(problems())
def test_a_dispatched_plan_is_feasible(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    assert check(problem, plan) == []


@RUNS
@given(problems(), st.randoms(use_true_random=False))
def test_any_order_of_operations_is_timed_feasibly(problem: Problem, random: object) -> None:
    names = list(problem.operations)
    random.shuffle(names)  # type: ignore[attr-defined]
    choices = [Choice(o.id, random.choice(o.alternatives).unit) for o in names]  # type: ignore[attr-defined]
    assert check(problem, decode(problem, choices)) == []


@RUNS
@given(problems())
def test_the_same_problem_gives_the_same_plan(problem: Problem) -> None:
    assert best_dispatch(problem) == best_dispatch(problem)


@RUNS
@given(problems())
def test_a_plan_timed_again_is_still_feasible(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    again = decode(problem, proposal_of(plan))
    assert check(problem, again) == []
