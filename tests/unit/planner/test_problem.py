"""What is wrong in a problem is said with its row and how to mend it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from planner.fault import InvalidProblem
from planner.form import problem_from_json, problem_to_json
from planner.material import Material, MaterialUse, Receipt
from planner.problem import (
    Alternative,
    Away,
    Buffer,
    Calendar,
    Crew,
    Link,
    Lock,
    Order,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Tool,
    ToolUse,
    Unit,
    Weights,
    Window,
    WorkCenter,
)
from planner.ranges import LONGEST_MIN
from tests.unit.planner.plants import FAMILIES, hardening, oven, plant, step, store

ALWAYS = Calendar("always", (Window(0, 10),))


@pytest.mark.parametrize(
    ("rows", "changes", "said"),
    [
        ([step("A-1")], {"horizon": 0}, "problem: horizon is 0. Give at least one minute"),
        ([step("A-1")], {"origin": datetime(2026, 1, 1)}, "origin has no time zone"),  # noqa: DTZ001
        ([step("A-1"), step("A-1")], {}, "operations A-1: is there 2 times. Keep one row"),
        ([step("A-1")], {"orders": ()}, "operations A-1: belongs to no order A. Add the order"),
        ([], {"orders": (Order("A", 0, 0),)}, "orders A: has weight 0. Give 1 to 100"),
        ([], {"calendars": (Calendar("always", (Window(5, 2),)),)}, "has the window 5 to 2"),
        ([], {"calendars": (Calendar("always", (Window(0, 5), Window(5, 9))),)}, "touch at 5"),
        ([], {"units": (Unit("M", "W", "never"),)}, "units M: has no calendar never"),
        ([], {"units": (Unit("M", "X", "always"),)}, "units M: has no work centre X"),
        ([], {"units": (Unit("M", "W", "always", stops=(Window(0, 5000),)),)}, "units M stops"),
        ([], {"crews": (Crew("C", (), (), 0),)}, "crews C: counts 0 people"),
        ([], {"tools": (Tool("T", 0),)}, "tools T: counts 0 pieces. Give 1 or more"),
        ([], {"tools": (Tool("T"), Tool("T"))}, "tools T: is there 2 times. Keep one row"),
        ([], {"tools": (Tool("T", 1, (Away(5, 2),)),)}, "tools T: is away from 5 to 2. Keep it"),
        ([], {"tools": (Tool("T", 1, (Away(1, 2, 2),)),)}, "tools T: has 2 of its 1 away. Give 1 to 1"),
        ([step("A-1", tools=(ToolUse("T"),))], {}, "operations A-1: needs the tool T, which is not there"),
        (
            [step("A-1", tools=(ToolUse("T", 3),))],
            {"tools": (Tool("T", 2),)},
            "needs 3 of the tool T, of which there are 2. Give 1 to 2, or the tool a higher count",
        ),
        (
            [step("A-1", tools=(ToolUse("T"), ToolUse("T")))],
            {"tools": (Tool("T", 2),)},
            "names the tool T 2 times. Give one row with their sum",
        ),
        ([], {"materials": (Material("X", -1),)}, "materials X: has a stock of -1. Give 0 or more"),
        ([], {"materials": (Material("X", 0, (Receipt(5, 0),)),)}, "materials X: receives 0 at minute 5"),
        ([], {"materials": (Material("X", 0, (Receipt(-5, 1),)),)}, "in the past. Add it to the stock"),
        (
            [step("A-1", materials=(MaterialUse("X"),))],
            {},
            "operations A-1: needs the material X, of which nothing is known. Add the material",
        ),
        (
            [step("A-1", materials=(MaterialUse("X", 0), MaterialUse("X")))],
            {"materials": (Material("X"),)},
            "operations A-1: names the material X 2 times. Give one row with their sum",
        ),
        (
            [step("A-1", materials=(MaterialUse("X", 0),))],
            {"materials": (Material("X"),)},
            "operations A-1: needs 0 of X. Give 1 or more, or drop it",
        ),
        ([], {"work_centers": (WorkCenter("W", (Setup("40", -1),)),)}, "takes -1 minutes"),
        ([replace(step("A-1"), alternatives=())], {}, "has no unit that can do it. Give its work"),
        ([step("A-1", 0)], {}, "takes 0 minutes on M. Round up to at least 1"),
        ([step("A-1", 5, "Z")], {}, "names no unit Z"),
        ([step("A-1", alternatives=(Alternative("M", 1), Alternative("M", 2)))], {}, "M 2 times"),
        ([step("A-1", after="A-0")], {}, "waits for A-0, which is not planned. Drop the link"),
        ([step("A-1"), step("A-2", predecessors=(Link("A-1", -1),))], {}, "has the lag -1"),
        (
            [step("A-1"), step("A-2", predecessors=(Link("A-1", sublots=0),))],
            {},
            "operations A-2: gets 0 sub-lots from A-1. Give 1 to wait for its end, or more to overlap",
        ),
        (
            [step("A-1", 5, "M", "N")],
            {"orders": (Order("A", 50, kind="maintenance"),)},
            "operations A-1: is maintenance of 2 units. Name one, and give each of the others",
        ),
        (
            [step("A-1", 20, releases=(Release(40),))],
            {"orders": (Order("A", 50, kind="maintenance"),)},
            "operations A-1: takes 20 minutes between 40 and 50, its limit. Release it at minute 30, or",
        ),
        ([step("A-1", after="A-2"), step("A-2", after="A-1")], {}, "wait for one another"),
        ([step("A-1", started=Started("N"))], {}, "is held on N, which cannot do it. Move it to"),
        ([step("A-1", started=Started(""))], {}, "is held on , which cannot do it. Move it to"),
        ([step("A-1", lock=Lock("", 5))], {}, "is held on , which cannot do it. Move it to"),
        ([step("A-1", started=Started("M", 5))], {}, "started at minute 5. That is in the future. Give"),
        ([step("A-1", 9, started=Started("M", 0, 10))], {}, "is slow by 10 minutes. Give at least 0"),
        ([step("A-1", lock=Lock("M", -1))], {}, "locked at minute -1. That is in the past. Move the lock"),
        ([step("A-1", lock=Lock("M", 1), started=Started("M"))], {}, "is started and locked"),
        ([step("A-1", frozen=True)], {}, "is held but has no published place"),
        (
            [step("A-1"), step("A-2", after="A-1", frozen=True, published=Published("M", 5))],
            {},
            "is frozen but waits for A-1, which is free",
        ),
        (
            [step("A-1", started=Started("M")), step("B-1", started=Started("M"))],
            {},
            "operations B-1: runs on M together with A-1. Hold or complete one of the two",
        ),
        (
            [step("A-1", started=Started("M")), step("B-1", 9, started=Started("M"))],
            oven(2),
            "B-1: runs on M together with A-1, which is no batch of one family and minutes in its places",
        ),
        ([], oven(0), "units M: has 0 places. Give 1 or more, or leave it out for one operation at a time"),
        ([step("A-1", places=0)], {}, "operations A-1: takes 0 places. Give 1 or more"),
        (
            [step("A-1", places=3)],
            oven(2),
            "operations A-1: takes 3 places on M, which has 2. Give 1 to 2, or do it on another unit",
        ),
        ([], {"horizon": 10**12}, "problem: horizon is 1000000000000. Give at most 5270400, ten years"),
        ([], {"weights": Weights(shift=0, shift_cap=10**30)}, "Give at most 1000000000"),
        ([], {"weights": Weights(tardiness=-5)}, "weights: tardiness is -5. Give 0 or more"),
        (
            [step("A-1")],
            {"weights": Weights(tardiness=10**9), "orders": (Order("A", 5 * 10**9),)},
            "points for a plan. Give smaller ones: 1152921504606846976 can be counted",
        ),
        (
            [],
            {"work_centers": (WorkCenter("W", (Setup("40", 5), Setup("40", 9))),)},
            "work_centers W: has 2 set-ups from any family to 40. Keep the one that holds",
        ),
        (
            [],
            {"tools": (Tool("T", 2, (Away(0, 9, 2), Away(5, 20))),)},
            "tools T: has 3 of its 2 away at minute 5. Join the rows that speak of the same pieces",
        ),
        (
            [step("A-1", 10**12)],
            {},
            "operations A-1: takes 1000000000000 minutes on M. Give at most 5270400",
        ),
        ([step("A-1", lock=Lock("M", 10**9))], {}, "operations A-1: is locked at minute 1000000000"),
        (
            [step("A-1", releases=(Release(-5),))],
            {},
            "operations A-1: waits (order) until minute -5. That is in the past. Drop it, or give the minute",
        ),
        ([], {"buffers": (Buffer("R", 0),)}, "buffers R: has 0 places. Give 1 to 1000000, or drop the row"),
        (
            [],
            {"work_centers": (WorkCenter("W", buffer="Z"),)},
            "work_centers W: has no buffer Z. Add the buffer with its places, or drop it here",
        ),
        (
            [step("A-1", 5, "M", "N")],
            store(1),
            "operations A-1: waits before RACK, no buffer. Give the work centres of its units one buffer",
        ),
        (
            [step("A-1", stored=True)],
            store(1),
            "operations A-1: lies in a buffer, but its work centre has none. Give the work centre a buffer",
        ),
        (
            [step("A-1", 5, "N", stored=True, started=Started("N"))],
            store(1),
            "operations A-1: is started and lies in a buffer. Drop the word: it has left its place",
        ),
        (
            [step("A-1"), step("A-2"), step("A-3", 5, "N", predecessors=(Link("A-1"), Link("A-2")))],
            store(1),
            "operations A-3: takes 2 places of RACK at once, which has 1. Give the buffer 2 places",
        ),
        (
            [
                *(step("A-1"), step("A-2", 5, "N", after="A-1"), step("A-4", 5, "N", after="A-3")),
                step("A-3", predecessors=(Link("A-2", most=5),)),
                step("A-0", 5, "N", predecessors=(Link("A-2"),)),
            ],
            store(1),
            "operations A-3: wants 2 places of RACK, which has 1, together with what those leave there that",
        ),
        (
            [
                *(step("A-1"), step("A-2", 5, "N", after="A-1"), step("A-4", 5, "N", after="A-3")),
                step("A-3", 5, family="65", predecessors=(Link("A-2", most=4),)),
            ],
            {
                **store(1),
                "work_centers": (
                    replace(FAMILIES["work_centers"][0], id="W"),
                    WorkCenter("P", buffer="RACK"),
                ),
            },
            "operations A-3: comes at most 9 minutes after the start of A-2, whose place in RACK it may need",
        ),
        ([], {"crews": (Crew("", (), ()),)}, "crews[0]: has an empty id. Give it a name of its own"),
        (
            [],
            {"units": (Unit("M", "W", "always", subcontractor=True),), **FAMILIES},
            "units M: is a subcontractor, but its work centre W has set-ups. Give it a work centre of its",
        ),
        (
            [],
            {"units": (Unit("M", "W", "always", places=2, subcontractor=True),)},
            "units M: is a subcontractor and has 2 places. Leave the places out: he makes his batches",
        ),
        (
            [step("A-1", 10, "H")],
            {"orders": (Order("A", 50, kind="maintenance"),), **hardening()},
            "operations A-1: is maintenance of H, a subcontractor. Give the unit a stop while he is closed",
        ),
    ],
)
def test_a_contradiction_is_refused(rows: list[Any], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidProblem) as refusal:
        plant(*rows, **changes)
    assert said in str(refusal.value)


def test_more_minutes_than_can_be_counted_are_refused() -> None:
    links = [Link(f"A-{i}", LONGEST_MIN) for i in range(500)]
    with pytest.raises(InvalidProblem, match=r"could take 657487671900 minutes, one step"):
        plant(*(step(f"A-{i}", 1, predecessors=tuple(links[:i])) for i in range(500)))


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InvalidProblem) as refusal:
        plant(step("A-1", 0), step("B-1", 5, "Z"))
    assert len(refusal.value.faults) == 2


def form(**changes: Any) -> dict[str, Any]:
    return problem_to_json(plant(step("A-1"))) | changes


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "problem: is a list. Give an object with named fields"),
        (form(speed=1), "problem: has the unknown field speed"),
        (form(horizon="soon"), "problem horizon: is text. Give a whole number"),
        (form(horizon=True), "problem horizon: is true or false. Give a whole number"),
        (form(origin="today"), "problem origin: is 'today'. Give an ISO time"),
        (form(units={}), "problem units: is an object. Give a list"),
        (form(units=[{"id": "M"}]), "problem units M: has no work_center. Add the field"),
        (form(orders=[{"id": "A", "due": None}]), "problem orders A due: is None"),
        (form(orders=[{"id": "A", "due": 9, "kind": "rest"}]), "kind: is 'rest'. Use one of work, main"),
        (form(orders=[{"id": " ", "due": 9}]), "problem orders[0] id: is blank. Give it a name, or leave it"),
        (form(orders=[{"id": "A\ud800", "due": 9}]), "orders[0] id: has half of a character"),
        (form(orders=[{"id": ["A"], "due": 9}]), "problem orders[0] id: is a list. Give text"),
        (form(crews=[{"id": "C", "skills": ["\t"], "windows": []}]), "crews C skills[0]: is blank"),
        (
            form(units=[{"id": "M", "work_center": "W", "calendar": "always", "family": ""}]),
            "M family: is",
        ),
    ],
)
def test_a_fault_of_form_names_its_row(data: Any, said: str) -> None:
    with pytest.raises(InvalidProblem) as refusal:
        problem_from_json(data)
    assert said in str(refusal.value)


def test_the_json_form_leaves_defaults_out() -> None:
    written = problem_to_json(plant(step("A-1")))
    assert written["operations"] == [
        {"id": "A-1", "order": "A", "alternatives": [{"unit": "M", "minutes": 10}]}
    ]
    assert isinstance(problem_from_json(written), Problem)
