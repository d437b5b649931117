"""Each search of the kernel from one end to the other, on instances that plain Python plans in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planner.anneal import Budget, Engine, Sequences
from planner.checker import check
from planner.confidence import learn, live_through, spread
from planner.decoder.proposal import decode
from planner.effort import Effort
from planner.mend import Mender
from planner.objective import score
from planner.pace import Paces
from planner.pack import pack
from planner.problem import Problem, Published, Unit, Weights, Window
from planner.promise import Desk
from planner.readers import read_jsp
from planner.replan import replan
from planner.schedule import Schedule
from planner.solve import solve
from tests.unit.planner.plants import FAMILIES, people, plant, step

FT06 = Path(__file__).parents[2] / "data" / "planner" / "jsp" / "ft06.txt"

pytestmark = pytest.mark.usefixtures("compiled_kernel")


def busy(orders: int, steps: int = 4, *, skilled: bool = True) -> Problem:
    """Two units and three families; on every second step somebody works."""
    rows = [
        step(
            f"O{i}-{k}",
            3 + (i * 7 + k) % 5,
            "M",
            "N",
            after=f"O{i}-{k - 1}" if k else "",
            family=str(40 + i % 3),
            skill="TURN" if skilled and k % 2 else None,
        )
        for i in range(orders)
        for k in range(steps)
    ]
    crews = (people(1, "TURN"),) if skilled else ()
    return plant(*rows, due={f"O{i}": 20 + 9 * i for i in range(orders)}, crews=crews, **FAMILIES)


def re_entrant(steps: int) -> Problem:
    """One order that comes back to its two units again and again, another one twice."""
    rows = [step(f"A-{k}", 2, "MN"[k % 2], after=f"A-{k - 1}" if k else "") for k in range(steps)]
    rows += [step("B-0", 9, "M"), step("B-1", 9, "M", after="B-0")]
    return plant(*rows)


def planned(engine: Engine, plan: Sequences) -> Schedule:
    """The plan as the decoder times it: feasible, and at the price that the kernel says."""
    schedule = decode(engine.packed.problem, engine.choices(plan))
    assert check(engine.packed.problem, schedule) == []
    assert score(engine.packed.problem, schedule).total == plan.cost
    return schedule


@pytest.mark.parametrize("skilled", [False, True])
def test_chains_of_the_annealing(*, skilled: bool) -> None:
    engine = Engine(pack(busy(6, skilled=skilled)))
    found = engine.search(Budget(moves=150, chains=2))
    planned(engine, found)
    assert found.cost <= engine.report.grid


def test_the_tabu_search_of_a_job_shop() -> None:
    engine = Engine(pack(read_jsp(FT06.read_text())))
    found = engine.search(Budget(moves=300, chains=2))
    planned(engine, found)
    assert found.cost >= 55


def test_a_job_shop_is_proved_by_both_in_turns() -> None:
    found = solve(read_jsp(FT06.read_text()), Effort(seconds=0.05, workers=1, kernel=True))
    assert check(read_jsp(FT06.read_text()), found.schedule) == []
    assert found.score.makespan >= 55


@pytest.mark.parametrize("weights", [Weights(), Weights(0, 0, 0, 0, 30, 0, makespan=1)])
def test_a_re_entrant_route_of_two_hundred_operations(weights: Weights) -> None:
    engine = Engine(pack(replace(re_entrant(200), weights=weights)))
    assert engine.is_bare == bool(weights.makespan)
    planned(engine, engine.search(Budget(moves=40)))


def test_after_a_stop_the_search_goes_on_in_gaps() -> None:
    problem = busy(6, skilled=False)
    engine = Engine(pack(problem))
    changed, repaired = Mender(engine.packed, engine.grid()).after_stop(0, 20, 60, 10)
    assert changed.search(Budget(moves=300), known=repaired.copy()).cost <= repaired.cost


def test_a_replan_with_the_kernel() -> None:
    problem = busy(26, skilled=False)
    plan = solve(problem, Effort(seconds=0)).schedule
    rows = tuple(
        replace(o, published=Published(row.unit, row.start))
        for o in problem.operations
        for row in (plan.by_operation[o.id],)
    )
    stopped = Unit("M", "W", "always", stops=(Window(10, 80),))
    broken = replace(problem, operations=rows, units=(stopped, problem.units[1]))
    found = replan(broken, Effort(seconds=0.001, workers=1, kernel=True))
    assert check(broken, found.kept.schedule) == []
    assert found.better is not None
    assert check(broken, found.better.schedule) == []


def test_a_promise_and_how_sure_it_is() -> None:
    problem = busy(6)
    engine = Engine(pack(problem))
    plan = engine.grid()
    sure = spread([live_through(engine, plan, Paces(), lives=3)])
    asked = (step("Q-0", 5, "M", "N"), step("Q-1", 5, "M", "N", after="Q-0"))
    schedule = planned(engine, plan)
    quote = Desk(problem, schedule).quote(asked)
    assert sure.latest(quote.end) >= 10
    assert learn(problem, schedule, Paces(), expected=2).latest(quote.end) >= 10
