"""Job shops: what is one, how short a plan can be at all, and who searches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planner.anneal import Budget, Engine
from planner.bound import one_after_the_other
from planner.checker import check
from planner.cp.search import improve
from planner.decoder.proposal import decode
from planner.effort import Effort
from planner.pack import pack
from planner.problem import Problem, Release, Tool, ToolUse, Weights, Window
from planner.progress import Progress
from planner.readers import read_fjsp, read_jsp
from planner.shop import is_job_shop
from planner.shorten import least_makespan
from planner.solve import solve
from tests.unit.planner.plants import people, plant, shifts, step

DATA = Path(__file__).parents[2] / "data" / "planner"

SHORT = Weights(0, 0, 0, 0, 30, 0, makespan=1)

pytestmark = pytest.mark.usefixtures("compiled_kernel")


def stored(name: str) -> Problem:
    read = read_jsp if name.startswith("jsp") else read_fjsp
    return read((DATA / name).read_text())


def test_only_routes_units_releases_and_setups_make_a_job_shop() -> None:
    bare = plant(step("A-1"), step("A-2", releases=(Release(5),)), weights=SHORT)
    assert is_job_shop(bare)
    assert not is_job_shop(replace(bare, weights=Weights()))
    assert not is_job_shop(plant(step("A-1"), weights=SHORT, **shifts((0, 50), (60, 100))))
    skilled = plant(step("A-1", skill="X"), crews=(people(1, "X"),), weights=SHORT)
    assert not is_job_shop(skilled)
    held = replace(bare, tools=(Tool("T"),), operations=(step("A-1", tools=(ToolUse("T"),)),))
    assert not is_job_shop(held)
    unit = replace(bare.units[0], stops=(Window(0, 5),))
    assert not is_job_shop(replace(bare, units=(unit, *bare.units[1:])))


def test_a_machine_does_one_thing_after_the_other() -> None:
    assert one_after_the_other([]) == 0
    assert one_after_the_other([(0, 3, 0), (0, 4, 0)]) == 7
    assert one_after_the_other([(0, 3, 1), (0, 4, 9)]) == 13  # the longer way behind goes first
    assert one_after_the_other([(0, 10, 0), (2, 3, 20)]) == 25  # what comes later interrupts
    assert one_after_the_other([(9, 1, 0), (0, 2, 0)]) == 10  # and nothing is done meanwhile


def test_no_plan_is_shorter_than_a_job_or_than_a_machine_with_its_heads_and_tails() -> None:
    rows = (step("A-1", 5), step("A-2", 4, "N", after="A-1"), step("B-1", 7), step("C-1", 2, "M", "N"))
    assert least_makespan(pack(plant(*rows, weights=SHORT))) == 5 + 7
    late = (step("A-1", 5, releases=(Release(20),)), step("A-2", 4, "N", after="A-1"))
    assert least_makespan(pack(plant(*late, weights=SHORT))) == 29
    assert least_makespan(pack(stored("jsp/ta31.txt"))) == 1764


def test_a_job_shop_is_solved_and_proved() -> None:
    found = solve(stored("jsp/ft06.txt"), Effort(seconds=2, workers=1))
    assert (found.score.makespan, found.bound, found.status) == (55, 55, "optimal")
    assert found.cp is not None
    assert (found.cp.before, found.cp.after, found.cp.bound) == (found.dispatch_objective, 55, 55)
    assert (found.solver, found.cp_share) == ("cp-sat", 1)


@pytest.mark.parametrize("chains", [1, 2])
def test_the_portfolio_gives_the_same_plan_twice_and_never_a_worse_one(chains: int) -> None:
    problem = stored("jsp/la16.txt")
    effort = Effort(seconds=0.2, workers=1, kernel=True, chains=chains)
    told: list[int] = []
    one = solve(problem, effort, on_better=lambda event: told.append(event.objective))
    two = solve(problem, effort)
    assert check(problem, one.schedule) == []
    assert one.schedule == two.schedule
    assert told == sorted(told, reverse=True)
    assert told[-1] == one.score.total
    assert 945 <= one.score.makespan < one.dispatch_objective
    assert one.bound <= one.score.total
    assert one.cp is not None
    assert one.cp.after <= one.cp.before <= one.dispatch_objective
    assert one.cp_share is not None
    assert 0 <= one.cp_share <= 1
    assert (one.cp, one.cp_share) == (two.cp, two.cp_share)


@pytest.mark.parametrize("kernel", [True, False])
def test_a_portfolio_that_is_stopped_by_a_better_plan_ends_with_that_one(*, kernel: bool) -> None:
    problem = stored("jsp/la16.txt")
    told: list[Progress] = []
    effort = Effort(seconds=3600, workers=1, kernel=kernel)
    found = solve(problem, effort, on_better=told.append, stop=lambda: len(told) > 1)
    assert check(problem, found.schedule) == []
    assert found.score.total == told[-1].objective < told[0].objective
    assert (found.status, found.solver) == ("stopped", told[-1].solver)
    assert (told[-1].solver == "tabu search") is kernel


def test_a_clocked_effort_plans_too() -> None:
    problem = stored("fjsp/mk01.txt")
    found = solve(problem, Effort(seconds=0.3, workers=1, kernel=True, clocked=True))
    assert check(problem, found.schedule) == []
    assert 40 <= found.score.makespan <= found.dispatch_objective


def test_where_no_plan_can_be_shorter_the_search_ends() -> None:
    problem = stored("fjsp/mk08.txt")
    engine = Engine(pack(problem))
    found = engine.search(Budget(moves=10_000_000, chains=2))
    assert found.cost == engine.least_makespan == 523
    assert engine.report.moves < 10_000_000


def test_chains_of_the_annealing_meet_and_give_the_same_plan_twice() -> None:
    rows = [
        step(f"O{i}-{k}", 3 + (i * 7 + k) % 5, "M", "N", after=f"O{i}-{k - 1}" if k else "", skill="X")
        for i in range(15)
        for k in range(3)
    ]
    due = {f"O{i}": 20 + 9 * i for i in range(15)}
    engine = Engine(pack(plant(*rows, due=due, crews=(people(1, "X"),))))
    one, two = (engine.search(Budget(moves=6_000, seed=3, chains=3)) for _ in range(2))
    assert one.cost == two.cost == engine.retime(one)
    assert (one.perm == two.perm).all()
    assert check(engine.packed.problem, decode(engine.packed.problem, engine.choices(one))) == []


def test_cp_sat_of_a_clocked_effort_keeps_what_it_has_when_the_time_is_up() -> None:
    problem = stored("jsp/la16.txt")
    engine = Engine(pack(problem))
    first = decode(problem, engine.choices(engine.grid()))
    found = improve(problem, first, Effort(seconds=0.05, workers=1, clocked=True))
    assert found.status != "INFEASIBLE"
    assert found.bound <= 945
