"""Each rule of the CP-SAT model on a plant so small that the best plan is known."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from planner.cp import RULES
from planner.cp.search import build, improve, sequence, solver_of
from planner.decoder.proposal import Choice, decode
from planner.effort import Effort
from planner.objective import score
from planner.problem import (
    Alternative,
    Crew,
    Link,
    Lock,
    Order,
    Problem,
    Published,
    Release,
    Started,
    Weights,
    Window,
)
from planner.solve import solve
from tests.unit.planner.plants import (
    FAMILIES,
    HORIZON,
    hardening,
    oven,
    people,
    plant,
    shifts,
    step,
    store,
    through,
)

LATE_ONLY = Weights(setup=0, moved=0, shift=0, flow=0)


def best(problem: Problem, expected: int) -> None:
    """The optimum is found from the worst start, proved, and the same in every order of rules."""
    worst = decode(problem, [Choice(o.id, o.alternatives[-1].unit) for o in problem.operations[::-1]])
    found = improve(problem, worst, Effort(seconds=5, workers=1))
    assert found.status == "OPTIMAL"
    assert found.schedule is not None
    assert found.cost == found.bound == expected == score(problem, found.schedule).total


def test_capacity_puts_the_short_order_first() -> None:
    due = {"A": 0, "B": 0}
    best(plant(step("A-1", 30), step("B-1", 10), due=due, weights=LATE_ONLY), 100 * (10 + 40))


def test_two_units_share_the_work() -> None:
    due = {"A": 10, "B": 10}
    both = (step("A-1", 10, "M", "N"), step("B-1", 10, "M", "N"))
    best(plant(*both, due=due, weights=LATE_ONLY), 0)


def test_precedence_adds_up() -> None:
    due = {"A": 0}
    best(plant(step("A-1"), step("A-2", 5, "N", after="A-1"), due=due, weights=LATE_ONLY), 1500)


def test_sub_lots_let_steps_overlap() -> None:
    link = Link("A-1", 3, 4)
    for second, end in ((20, 48), (5, 45)):
        rows = (step("A-1", 40), step("A-2", second, "N", predecessors=(link,)))
        best(plant(*rows, due={"A": 0}, weights=LATE_ONLY), 100 * end)


def test_a_break_lengthens_a_resumable_run_only() -> None:
    hours = shifts((0, 10), (15, 100))
    best(plant(step("A-1", 20), due={"A": 0}, weights=LATE_ONLY, **hours), 2500)
    held = step("A-1", 20, resumable=False)
    best(plant(held, due={"A": 0}, weights=LATE_ONLY, **hours), 3500)


def test_one_person_runs_one_unit_at_a_time() -> None:
    due = {"A": 0, "B": 0}
    both = (step("A-1", 10, "M", skill="X"), step("B-1", 10, "N", skill="Y"))
    best(plant(*both, due=due, weights=LATE_ONLY, crews=(people(1, "X", "Y"),)), 3000)
    best(plant(*both, due=due, weights=LATE_ONLY, crews=(people(2, "X", "Y"),)), 2000)


def test_a_full_buffer_holds_the_step_before_back() -> None:
    rows = (*through("A", 10, 50), *through("B", 10, 50), *through("C", 10, 50))
    due = dict.fromkeys("ABC", 0)
    best(plant(*rows, due=due, weights=LATE_ONLY, **store(1)), 100 * (60 + 110 + 160))
    third = replace(rows[4], alternatives=(Alternative("M", 60),))
    late = plant(*rows[:4], third, rows[5], due=due, weights=LATE_ONLY, **store(1))
    best(late, 100 * (60 + 110 + 170))


def test_a_batch_waits_for_more_or_goes() -> None:
    due = {"A": 10, "B": 10, "C": 10}
    both = (step("A-1", 100), step("B-1", 100, releases=(Release(5),)))
    best(plant(*both, due=due, weights=LATE_ONLY, **oven(2)), 2 * 100 * 95)
    far = replace(both[1], releases=(Release(150),))
    best(plant(both[0], far, due=due, weights=LATE_ONLY, **oven(2)), 100 * 90 + 100 * 240)
    full = (*both, step("C-1", 10, places=2))
    best(plant(*full, due=due, weights=LATE_ONLY, **oven(2)), 2 * 100 * 100)
    families = (step("A-1", 10, family="40"), step("B-1", 10, family="40"))
    cold = {**FAMILIES, **oven(2)}
    best(plant(*families, due=due, weights=Weights(flow=0), **cold), 2 * 1000 + 100)


def test_a_subcontractor_does_any_number_at_once_with_people_of_his_own() -> None:
    due = {"A": 0, "B": 0, "C": 0}
    rows = tuple(step(f"{name}-1", 10, "H", skill="X") for name in due)
    best(plant(*rows, due=due, weights=LATE_ONLY, crews=(people(1, "X"),), **hardening()), 3 * 1000)
    either = (step("A-1", 10, "M", "H", skill="X"), *rows[1:])
    best(plant(*either, due=due, weights=LATE_ONLY, **hardening((0, 5))), 3 * 1500)


def test_people_who_come_later_delay_the_start() -> None:
    late_shift = Crew("C", ("X",), (Window(30, HORIZON),))
    best(plant(step("A-1", skill="X"), due={"A": 0}, weights=LATE_ONLY, crews=(late_shift,)), 4000)


def test_families_are_run_together() -> None:
    rows = (step("A-1", family="40"), step("B-1", family="65"), step("C-1", family="40"))
    best(plant(*rows, weights=Weights(flow=0), **FAMILIES), 10 * 20)


def test_released_material_comes_first_in_time() -> None:
    best(plant(step("A-1", releases=(Release(40),)), due={"A": 0}, weights=LATE_ONLY), 5000)


def test_a_lock_and_work_under_way_stay_where_they_are() -> None:
    rows = (step("A-1", 10, started=Started("M")), step("B-1", 10, lock=Lock("M", 50)))
    best(plant(*rows, due={"A": 0, "B": 0}, weights=LATE_ONLY), 100 * (10 + 60))


def test_frozen_work_is_not_overtaken() -> None:
    held = step("A-1", 30, published=Published("M", 0), frozen=True)
    best(plant(held, step("B-1", 10), due={"A": 0, "B": 0}, weights=LATE_ONLY), 100 * (30 + 40))


def test_maintenance_costs_nothing_within_its_window() -> None:
    rows = (step("P-1", 30), step("A-1", 10), step("B-1", 10))
    orders = (Order("P", 60, kind="maintenance"), Order("A", 15), Order("B", 60))
    best(plant(*rows, orders=orders), 10 + 20)
    orders = (Order("P", 45, kind="maintenance"), Order("A", 10), Order("B", 60))
    best(plant(*rows, orders=orders), 10 + 50)


def test_kept_work_keeps_its_order_among_itself() -> None:
    rows = (
        step("A-1", 30, published=Published("M", 0), kept=True),
        step("B-1", 10, published=Published("M", 30), kept=True),
        step("C-1", 5),
    )
    due = {"A": 0, "B": 0, "C": 0}
    best(plant(*rows, due=due, weights=LATE_ONLY), 100 * (5 + 35 + 45))


def test_stability_keeps_the_published_place_when_nothing_is_gained() -> None:
    rows = (
        step("A-1", 10, "M", "N", published=Published("N", 0)),
        step("B-1", 10, "M", "N", published=Published("M", 0)),
    )
    best(plant(*rows, weights=Weights(flow=0)), 0)


@pytest.mark.parametrize("turn", range(len(RULES)))
def test_the_order_of_the_rules_does_not_matter(turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.cp.RULES", RULES[turn:] + RULES[:turn])
    test_families_are_run_together()


def test_the_same_problem_gives_the_same_plan_with_workers_that_take_turns() -> None:
    rows = [
        step(f"{name}-1", 7 + 3 * i, "M", "N", family="40" if i % 2 else "65")
        for i, name in enumerate("ABCDEFGH")
    ]
    problem = plant(*rows, due=dict.fromkeys("ABCDEFGH", 20), **FAMILIES)
    one, two = (solve(problem, Effort(seconds=0.5, workers=4)) for _ in range(2))
    assert one.schedule == two.schedule
    assert one.bound == two.bound
    assert one.score.total <= one.dispatch_objective


def test_only_a_clocked_effort_looks_at_a_clock() -> None:
    problem = plant(step("A-1"))
    model = build(problem, decode(problem, []))
    counted = solver_of(model, Effort(seconds=2)).parameters
    assert counted.max_time_in_seconds == inf
    assert 0 < counted.max_deterministic_time < 2
    assert counted.interleave_search
    assert solver_of(model, Effort(seconds=2, clocked=True)).parameters.max_deterministic_time == inf


def test_a_solution_is_read_as_a_proposal_in_the_order_of_starts() -> None:
    problem = plant(step("A-1"), step("A-2", 5, "N", after="A-1"))
    plan = decode(problem, [])
    model = build(problem, plan)

    class Hinted:
        def value(self, variable: object) -> int:
            return next(value(plan) for known, value in model.hints if known is variable)

        def boolean_value(self, variable: object) -> bool:
            return bool(self.value(variable))

    assert sequence(model, Hinted()) == [Choice("A-1", "M"), Choice("A-2", "N")]
