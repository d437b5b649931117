"""The compiled engine behind the planner's public face."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from planner.anneal import Budget, Engine, Tuning, Walk, most_moves_between_looks, side_by_side
from planner.checker import check
from planner.child import delays_in_child
from planner.confidence import drawn, learn, live, live_through, places, spread
from planner.decoder.proposal import decode
from planner.dispatch import best_dispatch
from planner.effort import Effort
from planner.form import problem_to_json
from planner.objective import score
from planner.pace import Pace, Paces
from planner.pack import pack
from planner.pool import SolverPool
from planner.problem import Problem, Published, Window
from planner.progress import Progress
from planner.replan import as_published, replan
from planner.schedule import Schedule
from planner.solve import LEAST_OPERATIONS, MOST_OPERATIONS, Solution, solve
from tests.benchmarks.planner.disturbed import promised, published
from tests.unit.planner.plants import FAMILIES, oven, people, plant, step

pytestmark = pytest.mark.usefixtures("compiled_kernel")

EXACT = Pace(deviation=0, first_time_yield=1, scrapping=0)
"""A floor that keeps its standards."""


def busy(orders: int) -> Problem:
    """Two units, three families, five steps an order, people for one and a half units."""
    rows = [
        step(
            f"O{i}-{k}",
            3 + (i * 7 + k) % 5,
            "M",
            "N",
            after=f"O{i}-{k - 1}" if k else "",
            family=str(40 + i % 3),
            skill="TURN" if k % 2 else None,
        )
        for i in range(orders)
        for k in range(5)
    ]
    due = {f"O{i}": 30 + 12 * i for i in range(orders)}
    return plant(*rows, due=due, crews=(people(1, "TURN"),), **FAMILIES)


def test_a_large_plant_is_annealed_from_the_best_rule() -> None:
    problem = busy(LEAST_OPERATIONS // 5 + 20)
    told: list[Progress] = []
    found = solve(problem, Effort(seconds=0.02, kernel=True, workers=1), on_better=told.append)
    assert check(problem, found.schedule) == []
    assert found.solver in {"annealing", "cp-sat"}
    assert found.score.total < found.dispatch_objective
    seen = [event.objective for event in told]
    assert seen == sorted(set(seen), reverse=True)
    assert seen[-1] == found.score.total
    assert [told[0].solver, told[-1].solver] == ["dispatch", found.solver]
    assert all(event.bound <= event.objective for event in told)


def test_the_same_seed_gives_the_same_plan_on_a_busy_machine() -> None:
    problem = busy(20)
    budget = Budget(moves=20_000, seed=3)
    calm = Engine(pack(problem)).search(budget)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        hurried = Engine(pack(problem)).search(budget)
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert calm.cost == hurried.cost
    assert (calm.perm == hurried.perm).all()
    assert (calm.unit_of == hurried.unit_of).all()


def test_the_command_finds_the_same_plan_twice(tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(problem_to_json(busy(MOST_OPERATIONS // 5 + 1))))
    command = [sys.executable, "-m", "planner", "solve", str(file), "--moves", "4000"]
    said = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert said[0] == said[1]
    assert json.loads(said[0])["solver"] == "annealing"


def test_after_a_stop_the_kernel_moves_nobody_and_costs_less_than_the_old_sequences() -> None:
    problem = busy(LEAST_OPERATIONS // 5 + 10)
    plan = best_dispatch(problem)[1].by_operation
    stopped = replace(
        problem,
        units=(replace(problem.units[0], stops=(Window(50, 400),)), *problem.units[1:]),
        operations=tuple(
            replace(o, published=Published(plan[o.id].unit, plan[o.id].start), frozen=plan[o.id].start < 100)
            for o in problem.operations
        ),
    )
    told: list[Solution] = []
    effort = Effort(seconds=0.0, kernel=True)
    replan(stopped, effort, consider_moving=False, on_repaired=told.append)
    quick, pushed = told[0], as_published(stopped)
    assert quick.score.moved == 0
    assert quick.score.total < score(stopped, pushed).total
    frozen = [o.id for o in stopped.operations if o.frozen]
    rows = [[plan.by_operation[name] for name in frozen] for plan in (quick.schedule, pushed)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("seed", [11, 12])
def test_accepted_dates_are_kept_by_the_next_plan_where_nothing_else_has_changed(seed: int) -> None:
    asked = promised(published(seed, 0.3, 600, 16), seed, 10)
    found = replan(asked.whole, Effort(seconds=0.0, kernel=True), consider_moving=False)
    assert asked.share(found.kept.schedule) == 1.0


def test_an_empty_plant_has_an_empty_plan() -> None:
    found = Engine(pack(plant())).search(Budget(moves=100))
    assert len(found.perm) == 0


def test_a_search_ends_when_it_is_told_to() -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 60

    found = Engine(pack(busy(20))).search(Budget(seconds=3600), stop=stop)
    assert len(found.perm) == 100
    assert len(asked) <= 65


def test_a_search_that_is_stopped_before_it_begins_has_the_plan_of_the_first_rule() -> None:
    engine = Engine(pack(busy(20)))
    found = engine.search(Budget(seconds=3600), stop=lambda: True)
    assert (engine.report.dispatches, engine.report.moves) == (1, 0)
    assert found.cost == engine.retime(found)
    problem = busy(LEAST_OPERATIONS // 5 + 1)
    plan = solve(problem, Effort(seconds=3600, kernel=True), stop=lambda: True)
    assert (plan.solver, plan.status) == ("dispatch", "stopped")
    assert check(problem, plan.schedule) == []


@pytest.mark.parametrize("chains", [1, 2])
def test_a_search_that_is_stopped_by_a_better_plan_ends_with_that_one(chains: int) -> None:
    engine = Engine(pack(busy(20)))
    told: list[int] = []
    found = engine.search(
        Budget(moves=1 << 40, chains=chains), on_better=told.append, stop=lambda: len(told) > 2
    )
    assert found.cost <= told[-1] < told[0]
    assert engine.report.moves <= chains * most_moves_between_looks(100)


def test_the_kernel_ends_after_the_move_at_hand() -> None:
    engine = Engine(pack(busy(20)))
    walk = Walk(engine, engine.grid(), seed=1)
    side_by_side([partial(walk.go, 1 << 40, 10.0, 1.0, Tuning())], lambda: True, [walk.io])
    assert walk.best_cost <= engine.report.grid


def test_a_floor_that_keeps_its_standards_keeps_the_planned_dates() -> None:
    engine = Engine(pack(busy(20)))
    kept = spread([live_through(engine, engine.grid(), Paces(EXACT), lives=3)])
    assert [kept.latest(minute) for minute in (10, 200, 5_000)] == [10, 200, 5_000]


def test_a_batch_is_together_on_a_floor_of_any_pace() -> None:
    engine = Engine(pack(plant(*(step(f"O{i}-1", 60) for i in range(4)), **oven(2))))
    plan = engine.grid()
    starts, ends = places(engine, plan)
    assert sorted(ends.tolist()) == [60, 60, 120, 120]
    lived = live(engine, plan, starts, drawn(engine, plan, Paces(), np.random.default_rng(1)))
    assert len(set(lived.tolist())) == 2


def test_a_slow_floor_ends_later_than_planned() -> None:
    engine = Engine(pack(busy(20)))
    lived = [live_through(engine, engine.grid(), Paces(Pace(mean=1.5)))]
    assert spread(lived).latest(200) > 200
    assert spread(lived, 0.95).latest(200) >= spread(lived, 0.5).latest(200)


def test_a_slow_work_centre_makes_dates_later_and_an_empty_plan_has_none() -> None:
    problem = busy(20)
    plan = Engine(pack(problem)).grid()
    schedule = decode(problem, Engine(pack(problem)).choices(plan))
    slow = Paces(EXACT, {problem.work_centers[0].id: replace(EXACT, mean=1.5)})
    end = max(row.end for row in schedule.assignments)
    assert learn(problem, schedule, slow).latest(end) > learn(problem, schedule, Paces(EXACT)).latest(end)
    assert learn(replace(problem, orders=(), operations=()), Schedule(()), slow).latest(70) == 70


def test_delays_are_learned_in_a_process_of_their_own() -> None:
    problem = busy(10)
    there = asyncio.run(delays_in_child(SolverPool(), problem, Paces()))
    assert there == learn(problem, as_published(problem), Paces())
