"""Another way to a date is taken, kept, and survives the next plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from mes.dispatching.model import (
    PlanInterval,
    PlanMasterOperation,
    PlanNeed,
    PlanningSnapshot,
    PlanReceipt,
    PlanStock,
)
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.settings import Planner
from planner import rows, store
from planner.agreed import Kept
from planner.answering import Asked, picture_of
from planner.checker import check
from planner.command_line import report
from planner.effort import Effort
from planner.objective import order_ends, score
from planner.reading import Reading, labels_of
from planner.replan import as_published, replan
from planner.solve import solve
from planner.view import View, as_order, with_agreed
from tests.unit.planner.snapshots import NOW, at, job, order, snapshot, unit

NAME = "PROMISE-1"
POLICY = Planner(frozen_min=0)


def work(order_of: str, minutes: int, begins: int, on: str = "CNC-1", **changes: object) -> Any:
    """A job that is published to begin at a minute; nobody has to be there for it."""
    place = {"equipment": EquipmentId(on), "planned_start": at(begins)}
    rates = {"run_s": Decimal(15 * minutes), "family": None, "skill": None}
    return job(order_of, 10, **place, **rates, **changes)


def master(minutes: int, skill: str | None = None) -> PlanMasterOperation:
    return PlanMasterOperation(
        operation=10,
        name="Step",
        work_center=EquipmentId("MC"),
        skill=skill,
        family=None,
        run_s=Decimal(15 * minutes),
        setup_s=Decimal(0),
        components=(),
    )


@dataclass
class Floor:
    """A plant in which dates are asked for and kept.

    Args:
        step: How four pieces of what is asked for are made.
    """

    facts: PlanningSnapshot
    step: PlanMasterOperation

    def asked(self, priority: int = 5, wanted: datetime | None = None) -> Asked:
        view = View(Reading(self.facts, POLICY), labels_of(self.facts), None)
        picture = picture_of(view, (self.step,))
        return Asked(picture, MaterialId("PUMP-40"), Decimal(4), (self.step,), priority, wanted)

    def way(self, kind: str, asked: Asked) -> dict[str, Any]:
        return next(way for way in asked.answer()["alternatives"] if way["kind"] == kind)

    def after(self, said: dict[str, Any], priority: int = 5) -> PlanningSnapshot:
        """The facts as the next plan reads them."""
        agreed = [store.Terms(said["option"])] if "option" in said else []
        return with_agreed(self.facts, agreed, self.kept(said, priority))

    def kept(self, said: dict[str, Any], priority: int = 5) -> list[Kept]:
        """What is held, as the next plan reads it."""
        hold = store.Hold(
            id=uuid4(),
            name=NAME,
            material="PUMP-40",
            quantity=Decimal(4),
            priority=priority,
            customer_order=None,
            promised_at=NOW,
            places={},
            begins_at=NOW,
            held_until=NOW,
            accepted_at=NOW,
            accepted_by="account:p",
            option=said.get("option"),
        )
        parts = [
            replace(
                hold,
                name=part["name"],
                quantity=Decimal(part["quantity"]),
                promised_at=datetime.fromisoformat(part["date"]),
                places=part["places"],
            )
            for part in said["parts"]
        ]
        return [as_order(row, (self.step,)) for row in parts]


def planned_again(facts: PlanningSnapshot) -> dict[str, int]:
    """When each order ends by the next plan, which moves nobody."""
    problem = Reading(facts, POLICY).problem
    found = replan(problem, Effort(0.0)).kept.schedule
    assert check(problem, found) == []
    assert order_ends(problem, as_published(problem)) == order_ends(problem, found)
    return order_ends(problem, found)


def is_told(facts: PlanningSnapshot, delayed: frozenset[str]) -> bool:
    """Whether the next plan, which has everybody where he was agreed to be, is news to the floor."""
    view = View(Reading(facts, POLICY), labels_of(facts), None, delayed=delayed)
    found = report(view.problem, solve(view.problem, Effort(0.0), known=as_published(view.problem)))
    return rows.is_news(view, rows.plan_row(view, found, [], NOW))


def minute(date: str) -> int:
    return int((datetime.fromisoformat(date) - at(0)).total_seconds() // 60)


def one_unit(*jobs: Any) -> PlanningSnapshot:
    """Eight hours without a break, and as many on the next day; two people are there in both."""
    days = (PlanInterval(at(0), at(480)), PlanInterval(at(1440), at(1920)))
    people = tuple(replace(person, present=days) for person in snapshot().people)
    return snapshot(*jobs, equipment=(unit("CNC-1", calendar=days),), people=people, until=at(2880))


def test_overtime_that_is_taken_is_in_the_calendar_of_the_next_plan() -> None:
    floor = Floor(one_unit(work("WO-1", 480, 0)), master(60, "MACHINING"))
    asked = floor.asked()
    assert minute(asked.answer()["date"]) == 1500
    way = floor.way("overtime", asked)
    assert (minute(way["date"]), way["params"]["minutes"], way["price"]) == (540, 60, 600)
    said = asked.hold(NAME, None, way)
    assert asked.hold(NAME, None, way) == said
    facts = floor.after(said)
    assert planned_again(facts)[NAME] == 540
    problem = Reading(facts, POLICY).problem
    assert score(problem, as_published(problem)).overtime == 60
    (crew,) = [crew for crew in problem.crews if crew.id.startswith("overtime")]
    assert [(w.start, w.end) for w in crew.windows] == [(480, 540)]
    later = Floor(facts, floor.step).asked()
    assert minute(floor.way("overtime", later)["date"]) == 600


def test_both_parts_keep_their_dates_and_as_much_as_can_be_comes_when_it_is_wanted() -> None:
    floor = Floor(one_unit(work("WO-1", 30, 0)), master(40))
    asked = floor.asked()
    half = floor.way("split", asked)["params"]
    assert (half["quantity"], minute(half["first"])) == ("2", 50)
    asked = floor.asked(wanted=at(64))
    way = floor.way("split", asked)
    assert (way["params"]["quantity"], minute(way["params"]["first"])) == ("3", 60)
    assert floor.way("split", floor.asked(wanted=at(5)))["params"]["quantity"] == "2"
    said = asked.hold(NAME, None, way)
    assert [part["quantity"] for part in said["parts"]] == ["3", "1"]
    ends = planned_again(floor.after(said))
    assert (ends[f"{NAME}-A"], ends[f"{NAME}-B"]) == (60, 70)


def test_the_step_stays_on_the_unit_that_was_agreed_on() -> None:
    facts = snapshot(work("WO-1", 30, 0), work("WO-2", 40, 0, "CNC-2"), people=())
    floor = Floor(facts, master(20))
    asked = floor.asked()
    way = floor.way("unit", asked)
    assert (minute(way["date"]), way["params"]) == (60, {"unit": "CNC-2"})
    said = asked.hold(NAME, None, way)
    after = floor.after(said)
    assert planned_again(after)[NAME] == 60
    (step,) = [o for o in Reading(after, POLICY).problem.operations if o.order == NAME]
    assert [a.unit for a in step.alternatives] == ["CNC-2"]


def test_who_makes_room_goes_later_in_the_next_plan_at_the_price_that_was_told() -> None:
    facts = one_unit(work("WO-1", 30, 0), work("WO-2", 30, 30))
    facts = replace(facts, work_orders=(order("WO-1", 40, 1), order("WO-2", 60, 5)))
    floor = Floor(facts, master(20))
    asked = floor.asked(priority=2)
    way = floor.way("delay", asked)
    words = {"order": "WO-2", "customer": "Linde", "later": 20, "late": 20, "weight": 1, "points": 100}
    assert (minute(way["date"]), way["price"], way["params"]) == (50, 2000, words)
    said = asked.hold(NAME, None, way)
    assert said["option"]["kept"]["version"] is None
    ends = planned_again(floor.after(said, priority=2))
    assert (ends[NAME], ends["WO-2"]) == (50, 80)
    after = floor.after(said, priority=2)
    assert [is_told(after, jobs) for jobs in (frozenset[str](), frozenset({"WO-2-10"}))] == [False, True]
    assert all(way["kind"] != "delay" for way in floor.asked(priority=5).answer()["alternatives"])


def set_up(minutes: int, until: int) -> PlanningSnapshot:
    """Two orders on one unit, which needs ten minutes before each; the second begins late."""
    jobs = [
        replace(work(name, long, begins, not_before=at(begins)), family=family, setup_s=Decimal(600))
        for name, long, begins, family in (("WO-1", minutes, 0, "40"), ("WO-2", 30, until, "65"))
    ]
    return replace(one_unit(*jobs), setups=())


@pytest.mark.parametrize(
    ("kind", "minutes", "until", "told"),
    [
        (None, 30, 95, 85),
        (None, 30, 90, 165),
        ("split", 30, 90, 150),
        ("overtime", 400, 420, 495),
    ],
)
def test_a_product_that_nobody_has_ordered_yet_is_told_its_own_set_up(
    kind: str | None, minutes: int, until: int, told: int
) -> None:
    step = replace(master(30), family="90", setup_s=Decimal(900))
    floor = Floor(set_up(minutes, until), step)
    asked = floor.asked()
    way = floor.way(kind, asked) if kind else None
    assert minute((way or asked.answer())["date"]) == told
    said = asked.hold(NAME, None, way)
    ends = planned_again(floor.after(said))
    assert max(end for name, end in ends.items() if name.startswith(NAME)) == told
    assert ends["WO-2"] == until + 30


STEEL = MaterialId("STEEL")


def some_steel(pieces: int) -> Floor:
    """Each piece needs one of steel; more of it comes in the minute 400."""
    facts = replace(
        one_unit(work("WO-1", 30, 0)),
        stock=(PlanStock(material=STEEL, quantity=Decimal(pieces)),),
        receipts=(PlanReceipt(purchase="PO-1", material=STEEL, quantity=Decimal(100), expected_at=at(400)),),
    )
    needs = (PlanNeed(material=STEEL, quantity=Decimal(1)),)
    return Floor(facts, replace(master(20), components=needs))


@pytest.mark.parametrize("kind", [None, "split"])
def test_no_two_accepted_dates_are_told_of_the_same_stock(kind: str | None) -> None:
    floor = some_steel(4)
    asked = floor.asked()
    way = floor.way(kind, asked) if kind else None
    said = asked.hold(NAME, None, way)
    assert [minute(part["date"]) for part in said["parts"]] == ([40, 50] if kind else [50])
    assert asked.hold(NAME, None, way) == said
    assert minute(asked.answer()["date"]) == 420
    assert asked.hold("PROMISE-2", at(70).isoformat())["parts"] is None
    second = asked.hold("PROMISE-2", None)
    assert minute(second["date"]) == 420
    ends = planned_again(with_agreed(floor.facts, [], [*floor.kept(said), *floor.kept(second)]))
    told = {part["name"]: minute(part["date"]) for one in (said, second) for part in one["parts"]}
    assert ends == {"WO-1": 30, **told}


def test_an_accepted_date_takes_no_material_of_a_published_order_and_gives_none_away() -> None:
    """Neither while it is only a date, nor when its order has come, whoever is due before whom."""
    floor = some_steel(4)
    needs = (PlanNeed(material=STEEL, quantity=Decimal(4)),)
    (first,) = floor.facts.job_orders
    floor.facts = replace(
        floor.facts,
        job_orders=(replace(first, components=needs),),
        work_orders=(replace(order("WO-1", 900), received_at=at(-9)),),
        receipts=tuple(
            PlanReceipt(
                purchase=f"PO-{minutes}", material=STEEL, quantity=Decimal(4), expected_at=at(minutes)
            )
            for minutes in (100, 300)
        ),
    )
    said = floor.asked().hold(NAME, None)
    assert minute(said["date"]) == 120
    after = floor.after(said)
    assert planned_again(after) == {"WO-1": 30, NAME: 120}
    rush = replace(order("WO-2", 119), received_at=at(9))
    job_of_it = replace(work("WO-2", 20, 0), equipment=None, planned_start=None, components=needs)
    with_rush = replace(
        after,
        work_orders=(
            rush,
            *(
                replace(row, due_at=min(row.due_at, at(118 if row.id == "WO-1" else 120)))
                for row in after.work_orders
            ),
        ),
        job_orders=(*after.job_orders, job_of_it),
    )
    assert planned_again(with_rush)[NAME] == 120
    ordered = tuple(
        replace(row, accepted=False, received_at=at(10)) if row.id == NAME else row
        for row in with_rush.work_orders
    )
    assert planned_again(replace(with_rush, work_orders=ordered))[NAME] == 120


def test_what_is_left_of_the_stock_is_the_next_ones() -> None:
    asked = some_steel(9).asked()
    said = [minute(asked.hold(f"PROMISE-{number}", None)["date"]) for number in (1, 2, 3)]
    assert said == [50, 70, 420]


def test_a_date_that_was_accepted_is_never_delayed_and_a_delay_that_is_taken_keeps_all_dates() -> None:
    facts = one_unit(work("WO-1", 30, 0), work("WO-2", 30, 30))
    facts = replace(facts, work_orders=(order("WO-1", 40, 1), order("WO-2", 90, 5)))
    floor = Floor(facts, master(20))
    first = floor.asked(priority=9).hold(NAME, None)
    kept = floor.kept(first, priority=9)
    asked = Floor(with_agreed(facts, [], kept), floor.step).asked(priority=2)
    ways = [way for way in asked.answer()["alternatives"] if way["kind"] == "delay"]
    assert [way["params"]["order"] for way in ways] == ["WO-2"]
    second = asked.hold("PROMISE-2", None, ways[0])
    kept = [*kept, *floor.kept(second, priority=2)]
    ends = planned_again(with_agreed(facts, [store.Terms(second["option"])], kept))
    assert (minute(first["date"]), minute(second["date"])) == (80, 50)
    assert ends == {"WO-1": 30, "PROMISE-2": 50, NAME: 70, "WO-2": 100}
    assert ends["WO-2"] <= 60 + ways[0]["params"]["later"]


@pytest.mark.parametrize(
    "change", [{"date": at(499).isoformat()}, {"kind": "unit"}, {"params": {"unit": "X"}}]
)
def test_an_offer_that_is_no_more_is_refused_with_what_can_be_had(change: dict[str, Any]) -> None:
    floor = Floor(one_unit(work("WO-1", 480, 0)), master(60))
    asked = floor.asked()
    told = floor.way("overtime", asked)
    said = asked.hold(NAME, None, {**told, **change})
    assert said["parts"] is None
    assert told in said["alternatives"]
    assert floor.way("overtime", asked) == told
