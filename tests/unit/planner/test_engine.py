"""The compiled engine behind the planner's public face."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import warm
from planner.anneal import Budget, Engine
from planner.checker import check
from planner.confidence import Confidence, Pace
from planner.effort import Effort
from planner.pack import pack
from planner.problem import Problem
from planner.schedule import Schedule
from planner.solve import LEAST_OPERATIONS, solve
from tests.unit.planner.plants import FAMILIES, people, plant, step


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
    seen: list[int] = []

    def note(_plan: Schedule, cost: int) -> None:
        seen.append(cost)

    found = solve(problem, Effort(seconds=0.02, kernel=True, workers=1), on_better=note)
    assert check(problem, found.schedule) == []
    assert found.solver in {"annealing", "cp-sat"}
    assert found.score.total < found.dispatch_objective
    assert seen == sorted(seen, reverse=True)


def test_the_same_effort_gives_the_same_plan() -> None:
    problem = busy(20)
    plans = [Engine(pack(problem)).search(Budget(moves=3_000, seed=3)) for _ in range(2)]
    assert plans[0].cost == plans[1].cost
    assert (plans[0].perm == plans[1].perm).all()


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


def test_nobody_waits_for_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert not warm.is_warm()
    marker = warm.marker()
    assert marker is not None
    with warm.alone(marker.with_suffix(".busy")) as is_first:
        assert is_first
        with warm.alone(marker.with_suffix(".busy")) as is_second:
            assert not is_second
    marker.write_text("True")
    assert warm.is_warm()


def test_compiled_code_lies_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path))
    assert warm.cache_folder() == tmp_path / "cache" / "numba"


def test_a_floor_that_keeps_its_standards_keeps_the_planned_dates() -> None:
    engine = Engine(pack(busy(20)))
    sure = Confidence(engine, engine.grid(), Pace(deviation=0, first_time_share=1), lives=3)
    assert [sure.latest(minute) for minute in (10, 200, 5_000)] == [10, 200, 5_000]


def test_a_slow_floor_ends_later_than_planned() -> None:
    engine = Engine(pack(busy(20)))
    sure = Confidence(engine, engine.grid(), Pace(mean=1.5))
    assert sure.latest(200) > 200
    assert sure.latest(200, 0.95) >= sure.latest(200, 0.5)
