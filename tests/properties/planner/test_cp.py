"""The CP-SAT model is a relaxation of the decoder, and prices a plan as the objective does."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bound import least_cost
from planner.checker import check
from planner.cp.cp_sat import cp_model
from planner.cp.search import build, improve
from planner.decoder.proposal import decode
from planner.dispatch import dispatch, edd
from planner.effort import Effort
from planner.objective import score
from planner.problem import Problem
from tests.properties.planner.strategies import problems
from tests.properties.planner.test_decoder import shuffled

RUNS = settings(max_examples=40, deadline=None)


@RUNS
@given(problems(), st.randoms(use_true_random=False))
def test_every_decoded_plan_satisfies_the_model_at_its_own_cost(problem: Problem, random: Random) -> None:
    if not problem.operations:
        return
    plan = decode(problem, shuffled(problem, random))
    model = build(problem, plan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.fix_variables_to_their_hinted_value = True
    assert solver.status_name(solver.solve(model.cp)) == "OPTIMAL"
    assert round(solver.objective_value) == score(problem, plan).total


@settings(max_examples=15, deadline=None)
@given(problems())
def test_what_the_search_finds_is_feasible_and_not_below_its_bound(problem: Problem) -> None:
    if not problem.operations:
        return
    plan = dispatch(problem, edd(problem))
    found = improve(problem, plan, Effort(seconds=0.2, workers=1))
    assert found.bound <= score(problem, plan).total
    if found.schedule is not None:
        assert check(problem, found.schedule) == []
        assert max(found.bound, least_cost(problem)) <= found.cost
