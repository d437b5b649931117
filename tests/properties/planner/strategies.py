"""Small random plants: calendars with breaks, stops, set-ups, people, subcontractors, work under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from hypothesis import strategies as st

from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import placed_order
from planner.fault import InvalidProblem
from planner.material import Material, MaterialUse, Receipt
from planner.problem import (
    After,
    Alternative,
    Away,
    Buffer,
    Calendar,
    Crew,
    Link,
    Lock,
    Operation,
    Order,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Tool,
    ToolUse,
    Unit,
    Window,
    WorkCenter,
)

HORIZON = 200
ORIGIN = datetime(2026, 11, 2, 6, tzinfo=UTC)
FAMILIES = (None, "40", "65", "80")
SETUPS = (
    (Setup("40", 6), Setup("65", 3, "40"), Setup("80", 2, "65")),
    (Setup("40", 35), Setup("65", 20, "40"), Setup("80", 5)),
)
"""Short ones, and some that take longer than what they are for, or than the step before it."""

SKILLS = (None, "MACHINING", "TESTING", "PACKING")


@st.composite
def windows(draw: st.DrawFn, most: int = 4) -> tuple[Window, ...]:
    marks = draw(st.lists(st.integers(0, HORIZON), unique=True, max_size=2 * most))
    marks = sorted(marks)[: len(marks) // 2 * 2]
    return tuple(Window(a, b) for a, b in zip(marks[::2], marks[1::2], strict=True))


@st.composite
def units(draw: st.DrawFn) -> tuple[Unit, ...]:
    count = draw(st.integers(1, 4))
    ours = tuple(
        Unit(
            f"U{i}",
            draw(st.sampled_from(("MC", "AS"))),
            draw(st.sampled_from(("day", "night", "never"))),
            draw(st.sampled_from(FAMILIES)),
            draw(windows(most=1)),
            draw(st.sampled_from((None, None, 2, 3))),
        )
        for i in range(count)
    )
    if draw(st.booleans()):
        return ours
    calendar = draw(st.sampled_from(("day", "night")))
    return (*ours, Unit("HARD", "AS", calendar, stops=draw(windows(most=1)), subcontractor=True))


@st.composite
def crews(draw: st.DrawFn) -> tuple[Crew, ...]:
    able = st.lists(st.sampled_from(SKILLS[1:]), min_size=1, max_size=2, unique=True)
    return tuple(
        Crew(f"C{i}", tuple(draw(able)), draw(windows(most=2)), draw(st.integers(1, 2)))
        for i in range(draw(st.integers(0, 4)))
    )


@st.composite
def tools(draw: st.DrawFn) -> tuple[Tool, ...]:
    """Up to three kinds of tools, some of which are away for a while."""
    made: list[Tool] = []
    for i in range(draw(st.integers(0, 3))):
        count = draw(st.integers(1, 3))
        gone = draw(windows(most=1))
        away = tuple(Away(w.start, w.end, draw(st.integers(1, count))) for w in gone)
        made.append(Tool(f"T{i}", count, away))
    return tuple(made)


@st.composite
def uses(draw: st.DrawFn, there: tuple[Tool, ...]) -> tuple[ToolUse, ...]:
    """What one step needs of the tools."""
    if not there or draw(st.booleans()):
        return ()
    kinds = draw(st.lists(st.sampled_from(there), unique=True, min_size=1, max_size=2))
    return tuple(ToolUse(tool.id, draw(st.integers(1, tool.count))) for tool in kinds)


@st.composite
def materials(draw: st.DrawFn) -> tuple[Material, ...]:
    """Up to two materials, of which some is there and some comes."""
    receipts = st.builds(Receipt, st.integers(0, HORIZON + 20), st.integers(1, 6))
    return tuple(
        Material(f"X{i}", draw(st.integers(0, 4)), tuple(draw(st.lists(receipts, max_size=3))))
        for i in range(draw(st.integers(0, 2)))
    )


@st.composite
def ingredients(draw: st.DrawFn, known: tuple[Material, ...]) -> tuple[MaterialUse, ...]:
    """What one step uses up."""
    used = draw(st.lists(st.sampled_from(known), unique=True, max_size=2)) if known else []
    return tuple(MaterialUse(material.id, draw(st.integers(1, 4))) for material in used)


def links(before: str) -> st.SearchStrategy[Link]:
    """A step after another one, at times after its first sub-lot or soon after its end."""
    plain = st.builds(Link, st.just(before), st.integers(0, 5), st.sampled_from((1, 1, 2, 3, 30)))
    tied = st.builds(Link, st.just(before), st.integers(0, 5), st.just(1), st.integers(5, 30))
    return st.one_of(plain, tied)


def places(unit: str) -> st.SearchStrategy[Published | None]:
    return st.none() | st.builds(Published, st.just(unit), st.integers(-5, 100))


def afters() -> st.SearchStrategy[After | None]:
    """For one first step of six, a step before it that is complete."""
    over = st.builds(After, st.just("BEFORE"), st.integers(-30, 0), st.integers(0, 60))
    return st.sampled_from(range(6)).flatmap(lambda turn: st.none() if turn else over)


@st.composite
def operations(
    draw: st.DrawFn,
    order: str,
    plant: tuple[Unit, ...],
    known: Problem | None = None,
    *,
    there: tuple[Tool, ...] = (),
    stock: tuple[Material, ...] = (),
    centers: tuple[WorkCenter, ...] = (),
) -> tuple[Operation, ...]:
    """A route of a few steps; re-entrant ones come by themselves.

    Args:
        known: Use only its skills, and publish nothing: an order that is only asked for.
        there: The tools of the plant.
        stock: Its materials.
        centers: Its work centres, those with buffers.
    """
    skills = SKILLS if known is None else (None, *{o.skill for o in known.operations if o.skill})
    family = draw(st.sampled_from(FAMILIES))
    made: list[Operation] = []
    buffers = {center.id: center.buffer for center in centers}
    before = {unit.id: buffers.get(unit.work_center) for unit in plant}
    for step in range(draw(st.integers(1, 4))):
        able = draw(st.lists(st.sampled_from(plant), min_size=1, unique=True))
        able = [unit for unit in able if before[unit.id] == before[able[0].id]]
        in_batches = any(u.places for u in able)  # then more of them are alike
        minutes = st.sampled_from((7, 11)) if in_batches else st.integers(1, 25)
        way = [draw(links(made[-1].id))] if made else []
        release = Release(draw(st.integers(0, HORIZON + 20)), "material", "SEAL")
        made.append(
            Operation(
                f"{order}-{step}",
                order,
                tuple(Alternative(u.id, draw(minutes)) for u in able),
                tuple(way),
                family,
                draw(st.sampled_from(skills[:2] if in_batches else skills)),
                in_batches or draw(st.booleans()),
                draw(st.sampled_from(((), (release,)))),
                published=draw(st.none() if known else places(able[0].id)),
                tools=() if in_batches and draw(st.booleans()) else draw(uses(there)),
                materials=draw(ingredients(stock)),
                places=draw(st.sampled_from((1, 1, 2))),
                after=None if made or known else draw(afters()),
                stored=not (made or known or before[able[0].id] is None) and draw(st.booleans()),
            )
        )
    return tuple(made)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    plant = draw(units())
    orders = tuple(
        Order(f"O{i}", draw(st.integers(-50, HORIZON)), draw(st.integers(1, 5)))
        for i in range(draw(st.integers(0, 4)))
    )
    there, stock = draw(tools()), draw(materials())
    store, centers = draw(buffers())
    has = partial(operations, plant=plant, there=there, stock=stock, centers=centers)
    rows = [o for order in orders for o in draw(has(order.id))]
    if not store:
        rows = [*rows[:1], *(_joined(draw, row, rows[:i]) for i, row in enumerate(rows) if i)]
    maintained, at_units = draw(upkeep(plant))
    made = Problem(
        ORIGIN,
        HORIZON,
        (
            Calendar("day", draw(windows())),
            Calendar("night", draw(windows())),
            Calendar("never", ()),
        ),
        centers,
        plant,
        draw(crews()),
        (*orders, *maintained),
        tuple(_under_way(draw, plant, [*rows, *at_units])),
        tools=there,
        materials=stock,
        buffers=store,
    )
    return with_room(made)


@st.composite
def buffers(draw: st.DrawFn) -> tuple[tuple[Buffer, ...], tuple[WorkCenter, ...]]:
    """Buffers of a few places, each before one of the work centres or both, and the work centres."""
    store = tuple(Buffer(f"B{i}", draw(st.integers(1, 3))) for i in range(draw(st.integers(0, 2))))
    names = [buffer.id for buffer in store]
    before = st.sampled_from([None, *names])
    return store, (
        WorkCenter(
            "MC",
            SETUPS[0] if store else draw(st.sampled_from(SETUPS)),
            draw(st.sampled_from(names)) if names else None,
        ),
        WorkCenter("AS", (), draw(before)),
    )


def with_room(problem: Problem) -> Problem:
    """The plant; without its buffers where what is frozen can never get past one another in them."""
    try:
        placed_order(problem, [])
    except LocksConflict:
        return without_buffers(problem)
    return problem


def without_buffers(problem: Problem) -> Problem:
    return replace(
        problem,
        buffers=(),
        work_centers=tuple(replace(center, buffer=None) for center in problem.work_centers),
        operations=tuple(replace(row, stored=False) for row in problem.operations),
    )


def _joined(draw: st.DrawFn, row: Operation, earlier: list[Operation]) -> Operation:
    """Let some steps wait for a step of another order, too."""
    others = [o.id for o in earlier if o.order != row.order]
    if not row.predecessors or not others or draw(st.integers(0, 3)):
        return row
    return replace(row, predecessors=(*row.predecessors, Link(draw(st.sampled_from(others)))))


@st.composite
def upkeep(draw: st.DrawFn, plant: tuple[Unit, ...]) -> tuple[list[Order], list[Operation]]:
    """Maintenance of up to two units, with or without a window."""
    orders: list[Order] = []
    rows: list[Operation] = []
    for i in range(draw(st.integers(0, 2))):
        ours = [unit for unit in plant if not unit.subcontractor]
        unit, minutes = draw(st.sampled_from(ours)).id, draw(st.integers(1, 25))
        earliest = draw(st.integers(0, HORIZON))
        limit = draw(st.integers(earliest + minutes if earliest else -50, HORIZON + 40))
        orders.append(Order(f"PM{i}", limit, draw(st.integers(1, 5)), "maintenance"))
        rows.append(
            Operation(
                f"PM{i}-0",
                f"PM{i}",
                (Alternative(unit, minutes),),
                skill=draw(st.sampled_from(SKILLS)),
                resumable=draw(st.booleans()),
                releases=(Release(earliest, "maintenance"),),
                published=draw(places(unit)),
            )
        )
    return orders, rows


def _under_way(draw: st.DrawFn, plant: tuple[Unit, ...], rows: list[Operation]) -> list[Operation]:
    """Start some first steps, one a unit or one batch; freeze some whose predecessors are held."""
    busy: dict[str, Operation] = {}
    outside = {unit.id for unit in plant if unit.subcontractor}
    places = {unit.id: unit.places or 1 for unit in plant}

    def recipe(operation: Operation, on: str) -> object:
        alone = operation.id if operation.id.startswith("PM") else ""
        held = operation.skill, operation.tools, operation.resumable
        return operation.family, operation.minutes_on(on), held, alone

    held: set[str] = set()
    taken: set[tuple[str, int]] = set()
    made: list[Operation] = []
    for row in rows:
        operation = row
        unit = row.alternatives[0].unit
        other = busy.get(unit)
        together = other and recipe(other, unit) == recipe(row, unit) and row.places < places[unit]
        fits = other is None or together or unit in outside
        if not row.predecessors and fits and draw(st.booleans()):
            slow = draw(st.integers(0, row.minutes_on(unit)))
            operation = replace(row, started=Started(unit, draw(st.integers(-9, 0)), slow), stored=False)
            busy[unit] = row
            places[unit] -= row.places
        elif row.published and all(link.operation in held for link in row.predecessors):
            place = (row.published.unit, row.published.start)
            later = all(
                made_row.published is None or row.published.start > made_row.published.start
                for made_row in made
                if made_row.order == row.order or made_row.id in {x.operation for x in row.predecessors}
            )
            if place not in taken and later and draw(st.booleans()):
                operation = replace(row, frozen=True)
                taken.add(place)
        if operation.started or operation.frozen:
            held.add(row.id)
        made.append(operation)
    return made


@st.composite
def locked(draw: st.DrawFn) -> Problem:
    """A plant in which a person has locked a few operations, wisely or not."""
    problem = draw(problems())
    rows = []
    for row in problem.operations:
        if not row.started and not row.frozen and draw(st.integers(0, 3)) == 0:
            unit = draw(st.sampled_from(row.alternatives)).unit
            lock = Lock(unit, draw(st.integers(0, HORIZON + 40)))
            rows.append(replace(row, lock=lock))
        else:
            rows.append(row)
    return replace(problem, operations=tuple(rows))


@st.composite
def anchored(draw: st.DrawFn) -> Problem:
    """A plant in which what is published stays on its unit and in its order."""
    problem = draw(problems())
    rows = tuple(
        replace(row, kept=True) if row.published and not row.started and not row.frozen else row
        for row in problem.operations
    )
    try:
        return with_room(replace(problem, operations=rows))
    except InvalidProblem:  # the published order contradicts a route
        return problem
