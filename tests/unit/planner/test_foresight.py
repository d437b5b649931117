"""Why nobody can say when, and that each cause has its own remedy."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mes.dispatching.model import PlanMasterOperation, PlanNeed
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.settings import Planner
from planner import answering, holding
from planner.decoder.proposal import decode
from planner.foresight import Missing, missing
from planner.problem import Calendar, Operation, Problem, Release, Unit, Window
from planner.promise import Desk
from planner.reading import Reading, labels_of
from planner.view import View
from tests.unit.planner.plants import HORIZON, people, plant, shifts, step
from tests.unit.planner.snapshots import job, snapshot, unit

MASTER = PlanMasterOperation(
    operation=10,
    name="Mill",
    work_center=EquipmentId("MC"),
    skill="MACHINING",
    family="40",
    run_s=Decimal(60),
    setup_s=Decimal(0),
    components=(PlanNeed(material=MaterialId("SEAL"), quantity=Decimal(1)),),
)


def lacks(problem: Problem, *steps: Operation) -> Missing:
    skills = {o.skill for o in steps if o.skill}
    return missing(problem, Desk(problem, decode(problem, []), skills).quote(steps))


def test_each_thing_that_is_missing_is_told_apart() -> None:
    some = plant()
    never = step("Q-1", releases=(Release(HORIZON, "material", "SEAL"),))
    assert lacks(some, never) == Missing("material", {"material": "SEAL"})
    assert lacks(plant(**shifts()), step("Q-1")) == Missing("calendar", {"unit": "M"})
    over = plant(**shifts((0, 10)))
    assert lacks(over, step("Q-1", 10), step("Q-2", 5, after="Q-1")) == Missing("calendar", {"unit": "M"})
    broken = plant(units=(Unit("M", "W", "always", stops=(Window(0, HORIZON),)),))
    assert lacks(broken, step("Q-1")) == Missing("unit", {"work_center": "W"})
    assert lacks(some, step("Q-1", skill="X")) == Missing("people", {"skill": "X"})
    gone = plant(crews=(people(1, "X", until=10),))
    waits = step("Q-1", skill="X", releases=(Release(20, "material", "SEAL"),))
    assert lacks(gone, waits) == Missing("people", {"skill": "X"})
    assert lacks(some, step("Q-1", HORIZON + 1)) == Missing("time", {})


def test_a_step_that_no_shift_is_long_enough_for_is_told_with_both_lengths() -> None:
    days = plant(**shifts((100, 300), (400, 600)))
    whole = step("Q-1", 250, resumable=False)
    told = {"unit": "M", "minutes": "250", "longest": "200"}
    assert lacks(days, whole) == Missing("window", told)


def test_a_unit_that_stands_is_no_matter_while_another_can_do_it() -> None:
    stands = Unit("M", "W", "always", stops=(Window(0, HORIZON),))
    problem = plant(
        units=(stands, Unit("N", "W", "short")),
        calendars=(Calendar("always", (Window(0, HORIZON),)), Calendar("short", (Window(0, 9),))),
    )
    assert lacks(problem, step("Q-1", 10, "M", "N")) == Missing("time", {})


def answered(master: PlanMasterOperation = MASTER, **changes: object) -> dict[str, Any]:
    """What is said of four pieces that need a seal each, of which there is none."""
    found = snapshot(job("WO-1", 10), **changes)
    view = View(Reading(found, Planner()), labels_of(found), None)
    picture = answering.picture_of(view, (master,))
    return answering.Asked(picture, MaterialId("PUMP-40"), Decimal(4), (master,), 9).answer()


@pytest.mark.parametrize(
    ("master", "changes", "refusal", "params"),
    [
        (MASTER, {}, holding.MaterialNotForeseen, {"material": "SEAL"}),
        (
            replace(MASTER, components=(), skill="GRINDING"),
            {},
            holding.SkillNotForeseen,
            {"skill": "GRINDING"},
        ),
        (
            replace(MASTER, components=(), work_center=EquipmentId("TB")),
            {},
            holding.UnitNotForeseen,
            {"work_center": "TB"},
        ),
        (
            replace(MASTER, components=(), skill=None, work_center=EquipmentId("TB")),
            {
                "equipment": (
                    unit("CNC-1"),
                    unit("TEST-1", work_center=EquipmentId("TB"), calendar=()),
                )
            },
            holding.WorkingTimeNotForeseen,
            {"unit": "TEST-1"},
        ),
        (
            replace(MASTER, components=(), run_s=Decimal(36_000)),
            {},
            holding.DateNotForeseeable,
            {},
        ),
    ],
)
def test_who_asks_in_vain_is_told_what_to_do(
    master: PlanMasterOperation,
    changes: dict[str, object],
    refusal: type[holding.DateNotForeseeable],
    params: dict[str, str],
) -> None:
    said = answered(master, **changes)
    with pytest.raises(holding.DateNotForeseeable) as told:
        holding.check_answer(said)
    assert type(told.value) is refusal
    assert told.value.params == {"until": "2026-11-03T06:00:00+00:00", **params}
    assert told.value.remedy
