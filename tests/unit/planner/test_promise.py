"""Other ways to a date: in parts, with overtime, on another unit, before an order of less weight."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from planner.checker import check
from planner.decoder.proposal import Choice, decode
from planner.dispatch import dispatch, edd
from planner.objective import score
from planner.problem import (
    Alternative,
    Calendar,
    Crew,
    Operation,
    Order,
    Problem,
    Published,
    Started,
    Unit,
    Weights,
    Window,
)
from planner.promise import Desk, Overtime
from planner.replan import as_published, published_plant
from planner.stands import says_less
from planner.worktime import merged
from tests.properties.planner.strategies import problems
from tests.unit.planner.plants import plant, shifts, step


def desk(problem: Problem, *first: str) -> Desk:
    units = {o.id: o.alternatives[0].unit for o in problem.operations}
    return Desk(problem, decode(problem, [Choice(name, units[name]) for name in first]))


def test_a_part_is_there_sooner_than_the_whole() -> None:
    asked = desk(plant(step("A-1", 30)))
    half = asked.quote_parts([(step("P-1", 10),), (step("Q-1", 10),)])
    assert [quote.end for quote in half] == [40, 50]
    assert asked.quote((step("W-1", 20),)).end == 50


def test_the_step_that_waits_longest_may_go_elsewhere() -> None:
    asked = desk(plant(step("A-1", 30, "M"), step("B-1", 40, "N")))
    found = asked.on_another_unit((step("W-1", 10, "M", "N"),))
    assert found is not None
    assert (found.end, found.params) == (50, {"unit": "N"})
    assert asked.on_another_unit((step("W-1", 10, "M"),)) is None


def test_overtime_is_told_in_minutes() -> None:
    asked = desk(plant(step("A-1", 80), **shifts((0, 100), (400, 600))))
    assert asked.quote((step("W-1", 50),)).end == 430
    found = asked.with_overtime((step("W-1", 50),))
    assert found is not None
    assert (found.end, found.params) == (130, {"unit": "M", "minutes": 30, "first": 100})
    assert found.price == 30 * asked.decoder.problem.weights.overtime
    assert asked.with_overtime((step("W-1", 20),)) is None


def test_a_minute_of_overtime_has_a_price_of_its_own() -> None:
    dear = replace(plant(step("A-1", 80), **shifts((0, 100), (400, 600))), weights=Weights(overtime=7))
    found = desk(dear).with_overtime((step("W-1", 50),))
    assert found is not None
    assert found.price == 30 * 7


def test_a_unit_that_stands_still_is_not_opened_by_overtime() -> None:
    closed = plant(step("A-1", 80), **shifts((0, 100), (400, 600)))
    stands = replace(closed, units=tuple(replace(u, stops=(Window(105, 300),)) for u in closed.units))
    found = desk(stands).with_overtime((step("W-1", 50),))
    assert found is not None
    assert (found.end, found.params["minutes"]) == (425, 5)


def test_an_option_that_is_taken_is_in_the_way_of_the_next() -> None:
    asked = desk(plant(step("A-1", 80), **shifts((0, 100), (400, 600))))
    way = (step("W-1", 50),)
    found = asked.with_overtime(way)
    assert found is not None
    assert asked.take(found, way).quotes[0].end == 130
    more = asked.with_overtime((step("X-1", 50),))
    assert more is not None
    assert (more.end, more.params["minutes"]) == (180, 50)
    assert asked.quote((step("Y-1", 20),)).end == 420


def test_who_stays_goes_first_to_work_under_way_that_nobody_is_on_record_for() -> None:
    """With the overtime in its calendars every plan would give him to A, and put the new order off."""
    running = step("A-1", 130, "M", skill="MILLING", started=Started("M", 0), resumable=True)
    hours = (Calendar("always", (Window(0, 1000),)), Calendar("day", (Window(0, 100), Window(400, 600))))
    units = (Unit("M", "W", "always"), Unit("N", "W", "day"))
    closed = plant(running, calendars=hours, units=units, crews=())
    asked = desk(closed)
    way = (step("W-1", 50, "N", skill="MILLING"),)
    found = asked.with_overtime(way)
    assert found is not None
    assert found.overtime is not None
    assert (found.overtime.windows, found.end) == ((Window(130, 180),), 180)
    asked.take(found, way)
    whole = replace(closed, orders=(*closed.orders, Order("W", 1000)), operations=(*closed.operations, *way))
    assert check(_opened(whole, found.overtime), asked.decoder.schedule()) == []


def test_what_is_reserved_is_in_the_way_of_every_other_way() -> None:
    asked = desk(plant(step("A-1", 40), **shifts((0, 100), (400, 600))))
    asked.reserve((step("R-1", 40),))
    found = asked.with_overtime((step("W-1", 50),))
    assert found is not None
    assert (found.end, found.params["minutes"]) == (130, 30)


def test_work_under_way_on_a_unit_that_is_repaired_after_its_shift_has_the_extra_hours_first() -> None:
    problem = plant(step("A-1", 30, started=Started("M")), **shifts((0, 60), (400, 600)))
    (unit, *others) = problem.units
    stands = replace(problem, units=(replace(unit, stops=(Window(0, 100),)), *others))
    asked = Desk(stands, dispatch(stands, edd(stands)))
    new = (step("W-1", 20),)
    assert asked.quote(new).end == 450
    assert asked.with_overtime(new) is None


def test_an_order_of_less_weight_makes_room_and_its_lateness_is_the_price() -> None:
    problem = plant(step("A-1", 30), step("B-1", 30), due={"A": 40, "B": 60})
    urgent = replace(problem, orders=(replace(problem.orders[0], weight=9), problem.orders[1]))
    asked = desk(urgent, "A-1", "B-1")
    found = list(asked.instead_of_others((step("W-1", 20),), weight=4))
    (way,) = found
    price = {"late": 20, "weight": 1, "points": urgent.weights.tardiness}
    assert (way.end, way.params) == (50, {"order": "B", "later": 20, **price})
    assert way.price == 20 * urgent.weights.tardiness
    assert asked.quote((step("W-1", 20),)).end == 80
    assert list(asked.instead_of_others((step("W-1", 20),), weight=1)) == []
    firm = Desk(urgent, asked.decoder.schedule(), accepted=("B",))
    assert list(firm.instead_of_others((step("W-1", 20),), weight=4)) == []
    taken = asked.take(way, (step("W-1", 20),))
    assert (taken.quotes[0].end, taken.moved.end if taken.moved else 0) == (50, 80)
    assert asked.quote((step("X-1", 20),)).end == 100
    upkeep = replace(urgent.orders[1], kind="maintenance")
    asked = desk(replace(urgent, orders=(urgent.orders[0], upkeep)), "A-1", "B-1")
    assert list(asked.instead_of_others((step("W-1", 20),), weight=4)) == []


def test_an_order_makes_room_on_the_unit_that_it_is_on() -> None:
    """M and N keep the same hours, and B could be on either."""
    problem = plant(step("A-1", 30, "M"), step("B-1", 30, "M", "N"))
    asked = Desk(problem, decode(problem, [Choice("A-1", "M"), Choice("B-1", "N")]))
    with asked.lifted("B") as steps:
        assert [row.id for row in steps] == ["B-1"]
        assert asked.quote((step("W-1", 20, "N"),)).end == 20
    assert asked.quote((step("W-1", 20, "N"),)).end == 50


@settings(max_examples=25, deadline=None)
@given(problems())
def test_overtime_that_is_taken_is_a_calendar_that_the_checker_accepts(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    asked = Desk(problem, plan)
    skill = next((o.skill for o in problem.operations if o.skill), None)
    for unit in problem.units:
        new = (Operation("NEW-0", "NEW", _on(unit.id), skill=skill),)
        way = asked.with_overtime(new)
        assert asked.decoder.schedule() == plan
        if way is None or way.overtime is None:
            continue
        assert Desk(problem, plan).take(way, new).quotes[0].end == way.end
        asked.take(way, new)
        orders, rows = (*problem.orders, Order("NEW", 100)), (*problem.operations, *new)
        whole = replace(problem, orders=orders, operations=rows)
        assert check(_opened(whole, way.overtime), asked.decoder.schedule()) == []
        return


def _opened(problem: Problem, overtime: Overtime) -> Problem:
    """The plant in which the overtime is a fact of the calendars."""
    unit = problem.unit_by_id[overtime.unit]
    windows = merged([*problem.calendar_by_id[unit.calendar].windows, *overtime.windows])
    crew = Crew("overtime", (overtime.skill or "none",), overtime.windows)
    return replace(
        problem,
        calendars=(*problem.calendars, Calendar("open longer", windows)),
        units=tuple(replace(u, calendar="open longer") if u is unit else u for u in problem.units),
        crews=(*problem.crews, crew),
    )


@settings(max_examples=40, deadline=None)
@given(problems())
def test_whoever_makes_room_gets_a_place_that_the_checker_accepts(problem: Problem) -> None:
    plan = dispatch(problem, edd(problem))
    asked = Desk(problem, plan)
    for order in problem.orders:
        before = problem.buffer_before
        alike = [u.id for u in problem.units if before.get(u.id) == before.get(problem.units[0].id)]
        new = Operation("NEW-0", "NEW", tuple(a for name in alike for a in _on(name)))
        whole = replace(
            problem, orders=(*problem.orders, Order("NEW", 100)), operations=(*problem.operations, new)
        )
        with asked.lifted(order.id) as steps:
            if steps:
                then, moved = asked.accept((new,)), asked.accept(steps)
                if asked.is_sound():
                    assert check(whole, asked.decoder.schedule()) == []
                for fit in reversed((*then.placed, *moved.placed)):
                    asked.decoder.take_back(fit)
        assert asked.decoder.schedule() == plan


def _on(unit: str) -> tuple[Alternative, ...]:
    return (Alternative(unit, 7),)


@settings(max_examples=60)
@given(problems())
def test_a_plan_with_a_promise_in_it_goes_on_as_it_was_told(problem: Problem) -> None:
    asked = Desk(problem, dispatch(problem, edd(problem)))
    skill = next((o.skill for o in problem.operations if o.skill), None)
    asked.reserve((Operation("NEW-0", "NEW", _on(problem.units[0].id), skill=skill),))
    told = asked.decoder.schedule()
    rows = (*problem.operations, *asked.reserved.values())
    places = told.by_operation
    at = {name: Published(row.unit, row.start) for name, row in places.items()}
    held = tuple(replace(o, published=None if o.started else at[o.id], frozen=False) for o in rows)
    whole = replace(problem, orders=(*problem.orders, Order("NEW", places["NEW-0"].end)), operations=held)
    if check(published_plant(whole), told) or not says_less(whole):
        return  # without what was frozen, somebody else gets the material
    assert score(whole, as_published(whole)).tardiness <= score(whole, told).tardiness
