"""Random plants: work centres of alternative units, shift calendars, families, due dates, crews.

Sources:
    The plants of a published comparison are not to be had with calendars, set-ups and due dates
    together; these have the shape of a machining plant: three calendars (round the clock on six
    days, two shifts with breaks, one shift with lunch), routes of 3 to 11 operations, eight
    families, set-ups of 10 to 60 minutes, weights of 1 to 8.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from planner.problem import (
    Alternative,
    Calendar,
    Crew,
    Link,
    Operation,
    Order,
    Problem,
    Release,
    Setup,
    Tool,
    ToolUse,
    Unit,
    Window,
    WorkCenter,
)
from planner.worktime import WorkTime

DAY = 1440
DAYS = 90
HORIZON = DAYS * DAY
SKILLS = 6
FAMILIES = tuple(f"F{i}" for i in range(8))
ORIGIN = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday

SHIFTS = {
    "round": (6, ((0, 1440),)),
    "two": (5, ((360, 600), (615, 840), (840, 1080), (1095, 1320))),
    "one": (5, ((420, 720), (750, 960))),
}
"""Calendar -> working days a week, and the windows of a day in minutes."""


def windows(days: int, daily: tuple[tuple[int, int], ...]) -> tuple[Window, ...]:
    """The windows of all working days, joined where they touch."""
    found: list[list[int]] = []
    for day in range(DAYS):
        if day % 7 < days:
            for start, end in daily:
                one, two = day * DAY + start, day * DAY + end
                if found and found[-1][1] == one:
                    found[-1][1] = two
                else:
                    found.append([one, two])
    return tuple(Window(a, b) for a, b in found)


def plant(
    operations: int,
    units: int,
    seed: int,
    *,
    load: float = 1.1,
    slack: float = 0.2,
    operators: float = 0.0,
) -> Problem:
    """A random plant.

    Args:
        load: Work per working hour of the units while orders come in; above 1 it piles up.
        slack: An order has at most this share of ten days beyond what it takes alone and a tenth.
        operators: People per running unit; 0 needs nobody.
    """
    random = Random(seed)
    centers, rows = _units(units, random)
    jobs = _routes(operations, _capacity(centers, rows), random)
    skills = [f"S{center % SKILLS}" for center in range(len(centers))] if operators else []
    orders, steps = _orders(jobs, (centers, rows), random, (load, slack), skills)
    names = sorted(SHIFTS)
    return Problem(
        ORIGIN,
        HORIZON,
        tuple(Calendar(name, windows(*SHIFTS[name])) for name in names),
        tuple(WorkCenter(f"W{i}", _setups(random)) for i in range(len(centers))),
        rows,
        _crews(centers, rows, operators, random),
        orders,
        steps,
    )


def with_moulds(problem: Problem, share: float) -> Problem:
    """The plant in which every operation needs a mould of its family.

    Args:
        share: Moulds of each family for a unit that would run it if all families were as frequent.
    """
    count = max(1, round(share * len(problem.units) / len(FAMILIES)))
    return replace(
        problem,
        tools=tuple(Tool(family, count) for family in FAMILIES),
        operations=tuple(replace(o, tools=(ToolUse(o.family or ""),)) for o in problem.operations),
    )


def _units(count: int, random: Random) -> tuple[list[list[str]], tuple[Unit, ...]]:
    centers: list[list[str]] = []
    rows: list[Unit] = []
    while len(rows) < count:
        size = min(random.randint(1, 8), count - len(rows))
        calendar = random.choices(("round", "two", "one"), (3, 4, 2))[0]
        names = [f"U{len(rows) + i}" for i in range(size)]
        rows += [Unit(name, f"W{len(centers)}", calendar, random.choice(FAMILIES)) for name in names]
        centers.append(names)
    return centers, tuple(rows)


def _setups(random: Random) -> tuple[Setup, ...]:
    return tuple(Setup(b, random.randint(10, 60), a) for a in FAMILIES for b in FAMILIES if a != b)


def _weekly(calendar: str) -> int:
    days, daily = SHIFTS[calendar]
    return days * sum(end - start for start, end in daily)


def _capacity(centers: list[list[str]], units: tuple[Unit, ...]) -> list[int]:
    """Minutes a week of each centre."""
    calendar = {unit.id: unit.calendar for unit in units}
    return [sum(_weekly(calendar[name]) for name in names) for names in centers]


def _routes(operations: int, capacity: list[int], random: Random) -> list[list[int]]:
    """Centres by order; the more a centre can do, the more it is asked for."""
    jobs: list[list[int]] = []
    left = operations
    while left > 0:
        size = min(left, random.randint(3, 11))
        jobs.append(random.choices(range(len(capacity)), capacity, k=size))
        left -= size
    return jobs


def _orders(
    jobs: list[list[int]],
    shop: tuple[list[list[str]], tuple[Unit, ...]],
    random: Random,
    pressure: tuple[float, float],
    skills: list[str],
) -> tuple[tuple[Order, ...], tuple[Operation, ...]]:
    """Orders with due dates, and their steps.

    Args:
        shop: The units of each centre, and all units.
        pressure: Load and slack.
        skills: Skill of each centre; empty when nobody is needed.
    """
    (centers, units), (load, slack) = shop, pressure
    calendar = {unit.id: unit.calendar for unit in units}
    times = {name: WorkTime(windows(*shift), HORIZON) for name, shift in SHIFTS.items()}
    work = [[random.randint(20, 180) for _ in job] for job in jobs]
    minutes_asked = sum(m + 20 for row in work for m in row)
    span = minutes_asked / sum(_capacity(centers, units)) * 7 * DAY / load
    orders, steps = [], []
    for i, (job, minutes) in enumerate(zip(jobs, work, strict=True)):
        release = int(random.uniform(0, span))
        alone = release
        for c, m in zip(job, minutes, strict=True):
            time = times[calendar[centers[c][0]]]
            alone = time.after(time.work(alone) + m)
        due = int(alone + 0.1 * (alone - release) + slack * random.uniform(0, 10) * DAY)
        orders.append(Order(f"O{i}", due, random.choice((1, 1, 1, 2, 2, 4, 8))))
        family = random.choice(FAMILIES)
        for k, (center, m) in enumerate(zip(job, minutes, strict=True)):
            steps.append(
                Operation(
                    f"O{i}-{k}",
                    f"O{i}",
                    tuple(Alternative(unit, m) for unit in centers[center]),
                    (Link(f"O{i}-{k - 1}"),) if k else (),
                    family,
                    skills[center] if skills else None,
                    releases=(Release(release),) if not k and release else (),
                )
            )
    return tuple(orders), tuple(steps)


def _crews(
    centers: list[list[str]], units: tuple[Unit, ...], operators: float, random: Random
) -> tuple[Crew, ...]:
    """Crews of one or two neighbouring skills, in three shifts with fewer people at night."""
    if not operators:
        return ()
    shifts = {
        "early": windows(6, ((360, 840),)),
        "late": windows(6, ((840, 1320),)),
        "night": windows(6, ((0, 360), (1320, 1440))),
    }
    calendar = {unit.id: unit.calendar for unit in units}
    share = {
        "early": {"round": 1.0, "two": 1.0, "one": 1.0},
        "late": {"round": 1.0, "two": 1.0, "one": 0.3},
        "night": {"round": 1.0, "two": 0.0, "one": 0.0},
    }
    found = []
    for skill in range(min(SKILLS, len(centers))):
        names = [u for c, row in enumerate(centers) if c % SKILLS == skill for u in row]
        both = random.random() < 0.3
        for shift, presence in share.items():
            people = sum(presence[calendar[u]] for u in names) * operators
            skills = (f"S{skill}", f"S{(skill + 1) % SKILLS}") if both else (f"S{skill}",)
            if people >= 0.5:
                found.append(Crew(f"C{skill}-{shift}", skills, shifts[shift], max(1, round(people))))
    return tuple(found)
