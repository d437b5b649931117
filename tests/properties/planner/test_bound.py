"""No plan costs less than the bound says, whatever the plant and the weights."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bound import least_cost
from planner.checker import check
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import decode
from planner.dispatch import dispatch, edd
from planner.objective import score
from planner.problem import Problem, Weights
from tests.properties.planner.strategies import anchored, locked, problems
from tests.properties.planner.test_decoder import shuffled

POINTS = st.sampled_from((0, 0, 1, 7, 100))
WEIGHTS = st.builds(Weights, POINTS, POINTS, POINTS, POINTS, st.integers(0, 40), POINTS, POINTS)
PLANTS = st.one_of(problems(), locked(), anchored())


@settings(max_examples=60, deadline=None)
@given(PLANTS, st.just(Weights()) | WEIGHTS, st.randoms(use_true_random=False))
def test_no_plan_costs_less_than_the_bound(problem: Problem, weights: Weights, random: Random) -> None:
    problem = replace(problem, weights=weights)
    least = least_cost(problem)
    assert least >= 0
    try:
        plans = [decode(problem, shuffled(problem, random)), dispatch(problem, edd(problem))]
    except LocksConflict:
        return
    for plan in plans:
        assert check(problem, plan) == []
        assert least <= score(problem, plan).total
