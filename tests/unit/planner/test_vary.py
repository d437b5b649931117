"""Where CP-SAT's model is done, small plants are searched on with the decoder's own times."""

from __future__ import annotations

from hypothesis import given, settings

from planner.checker import check
from planner.dispatch import dispatch, edd
from planner.effort import Effort
from planner.objective import score
from planner.problem import Alternative, Calendar, Link, Problem, Release, Setup, Unit, Window, WorkCenter
from planner.solve import solve
from planner.vary import varied
from tests.properties.planner.strategies import problems
from tests.unit.planner.plants import plant, step


def breaks_in_setups() -> Problem:
    """Five steps on units with breaks, in which a set-up goes on after a break.

    The cheapest plan costs 21,741 points: counted by trying all orders and units.
    """
    windows = ((4, 60), (75, 130), (140, 220), (300, 420), (500, 900))
    setups = (Setup("A", 5), Setup("B", 15), Setup("A", 23, "B"))
    last = (Alternative("U0", 16), Alternative("U1", 19))
    return plant(
        step("O-1", 10, "U0", family="B", resumable=False),
        step("O-2", 41, "U0", family="B", resumable=False, predecessors=(Link("O-1", 21),)),
        step("P-1", 35, "U0", family="A", releases=(Release(44),)),
        step("P-2", alternatives=last, family="B", releases=(Release(75),), after="P-1"),
        step("Q-1", 26, "U0", family="B", resumable=False),
        due={"O": 72, "P": 101, "Q": 77},
        horizon=1200,
        calendars=(
            Calendar("breaks", tuple(Window(*row) for row in windows)),
            Calendar("always", (Window(0, 1200),)),
        ),
        work_centers=(WorkCenter("W", setups),),
        units=(Unit("U0", "W", "breaks", "B", (Window(30, 55),)), Unit("U1", "W", "always")),
    )


def test_a_plan_that_cp_sat_cannot_better_is_searched_on() -> None:
    problem = breaks_in_setups()
    found = solve(problem, Effort(seconds=2.0, kernel=False))
    assert found.cp is not None
    assert found.score.total == 21_741 < found.cp.after
    assert found.solver == "annealing"
    assert solve(problem, Effort(seconds=2.0, kernel=False)) == found, "the same seed, the same plan"


@settings(max_examples=40)
@given(problems())
def test_what_is_met_beside_a_plan_is_feasible_and_costs_no_more(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    told: list[int] = []
    found = varied(problem, plan, bound=0, tries=60, seed=1, stop=lambda: False, on_better=told.append)
    assert check(problem, found) == []
    assert score(problem, found).total == min([score(problem, plan).total, *told])
