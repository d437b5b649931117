"""Tiny plants in a few words, for tests of single rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from planner.problem import (
    Alternative,
    Buffer,
    Calendar,
    Crew,
    Link,
    Operation,
    Order,
    Problem,
    Setup,
    Unit,
    Window,
    WorkCenter,
)

ORIGIN = datetime(2026, 11, 2, 6, tzinfo=UTC)
HORIZON = 1000
ALWAYS = (Window(0, HORIZON),)


def step(name: str, minutes: int = 10, *units: str, after: str = "", **changes: object) -> Operation:
    """An operation `<order>-<number>` on the units named (M when none is)."""
    row = Operation(
        name,
        name.partition("-")[0],
        tuple(Alternative(unit, minutes) for unit in units or ("M",)),
        (Link(after),) if after else (),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def plant(*operations: Operation, due: dict[str, int] | None = None, **changes: object) -> Problem:
    """One unit M (and N) of one work centre, always open; an order for each name in use."""
    names = dict.fromkeys(operation.order for operation in operations)
    whole = {
        "origin": ORIGIN,
        "horizon": HORIZON,
        "calendars": (Calendar("always", ALWAYS),),
        "work_centers": (WorkCenter("W"),),
        "units": (Unit("M", "W", "always"), Unit("N", "W", "always")),
        "crews": (),
        "orders": tuple(Order(name, (due or {}).get(name, HORIZON)) for name in names),
        "operations": operations,
        **changes,
    }
    return Problem(**whole)  # type: ignore[arg-type]


def shifts(*windows: tuple[int, int]) -> dict[str, Any]:
    """Working windows of both units."""
    return {"calendars": (Calendar("always", tuple(Window(*w) for w in windows)),)}


def people(count: int, *skills: str, until: int = HORIZON) -> Crew:
    return Crew("C-" + "-".join(skills), skills, (Window(0, until),), count)


def store(places: int) -> dict[str, Any]:
    """What N works on waits in a rack before it; nothing waits before M."""
    return {
        "buffers": (Buffer("RACK", places),),
        "work_centers": (WorkCenter("W"), WorkCenter("P", buffer="RACK")),
        "units": (Unit("M", "W", "always"), Unit("N", "P", "always")),
    }


def through(name: str, first: int, second: int, **changes: Any) -> tuple[Operation, Operation]:
    """An order that goes over M and then N."""
    return (
        step(f"{name}-1", first, "M", **changes),
        step(f"{name}-2", second, "N", after=f"{name}-1"),
    )


def oven(places: int) -> dict[str, Any]:
    """M takes several operations at once; N does one at a time."""
    return {"units": (Unit("M", "W", "always", places=places), Unit("N", "W", "always"))}


def hardening(*closed: tuple[int, int]) -> dict[str, Any]:
    """H is a subcontractor of a work centre of his own; M is ours."""
    stops = tuple(Window(*times) for times in closed)
    outside = Unit("H", "OUT", "always", stops=stops, subcontractor=True)
    return {
        "work_centers": (WorkCenter("W"), WorkCenter("OUT")),
        "units": (Unit("M", "W", "always"), outside),
    }


FAMILIES: dict[str, Any] = {"work_centers": (WorkCenter("W", (Setup("40", 10), Setup("65", 10))),)}
