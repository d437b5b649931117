"""Twenty days on the floor: breakdowns, absence, scrap and rush orders, planned again as they come.

The plant follows the plan in force until the next event. Nobody knows an event before it happens;
a stop's end is known when it begins. What runs, goes on running. The planner is the product's own `replan` at
the product's own weights; its proposals are accepted at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np

from planner.anneal import Engine
from planner.decoder.proposal import decode
from planner.effort import Effort
from planner.objective import order_ends
from planner.pack import pack
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
from planner.replan import replan
from planner.schedule import Schedule
from planner.worktime import WorkTime
from tests.benchmarks.planner.synthetic import DAY, HORIZON, plant

DAYS = 20
SHIFT_MIN = 480
"""A published start that changes by more is counted as moved."""
BUSY = 100
"""So many operations that an event does not touch: towards the end few are left to move."""
LOAD, SLACK, OPERATORS = 1.2, 0.1, 1.1
"""Plants in which 10 to 30 % of orders are late under the rules: where nobody is, a ratio says little."""

Planner = Callable[[Problem], Schedule]


@dataclass(frozen=True)
class Event:
    """Something that happens at a minute: "stop", "absence", "scrap" or "rush"."""

    minute: int
    kind: str
    seed: int


def events(seed: int) -> list[Event]:
    """Two or three a day."""
    random = Random(seed)
    kinds = ("stop", "stop", "absence", "scrap", "rush")
    found = [
        Event(day * DAY + random.randrange(360, 1200), random.choice(kinds), random.randrange(1 << 30))
        for day in range(DAYS)
        for _ in range(random.randint(2, 3))
    ]
    return sorted(found, key=lambda event: event.minute)


@dataclass
class Floor:
    """The plant as it is, in minutes after its first day."""

    whole: Problem
    done: dict[str, int] = field(default_factory=dict)
    running: dict[str, tuple[str, int]] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    stops: dict[str, list[Window]] = field(default_factory=dict)
    gone: list[tuple[str, Window]] = field(default_factory=list)
    family: dict[str, str | None] = field(default_factory=dict)
    plan: dict[str, Published] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    shares: list[float] = field(default_factory=list)
    busy_shares: list[float] = field(default_factory=list)

    def advance(self, plan: Schedule, since: int, now: int) -> None:
        """Do what the plan made at minute `since` says until `now`."""
        for a in plan.assignments:
            start, end = since + a.start, since + a.end
            if (
                since + a.setup_start < now or a.operation in self.running
            ):  # who sets up, does not begin again
                first = self.running.pop(a.operation, (a.unit, start))
                operation = self.whole.operation_by_id[a.operation]
                self.family[a.unit] = operation.family
                if end <= now:
                    self.done[a.operation] = end
                else:
                    self.running[a.operation] = first

    def happen(self, event: Event) -> None:
        """Let an event change the plant; `touched` are the orders and units that it is about."""
        random = Random(event.seed)
        self.touched = set()
        now = event.minute
        if event.kind == "stop":
            unit = random.choice(self.whole.units).id
            stop = Window(now, now + random.choice((60, 120, 240, 480)))
            self.stops.setdefault(unit, []).append(stop)
            self.touched.add(unit)
        elif event.kind == "absence":
            crew = random.choice(self.whole.crews).id
            self.gone.append((crew, Window(now, now + SHIFT_MIN)))
        elif event.kind == "scrap":
            left = sorted(self.running)
            if left:
                name = random.choice(left)
                minutes = self.whole.operation_by_id[name].minutes_on(self.running[name][0])
                self.added[name] = self.added.get(name, 0) + max(1, minutes // 2)
                self.touched.add(self.whole.operation_by_id[name].order)
        else:
            self._rush(random, now)

    def _rush(self, random: Random, now: int) -> None:
        """An order like another one, due in three days and heavy."""
        model = random.choice([o for o in self.whole.orders if not o.id.startswith("R")]).id
        name = f"R{now}"
        steps = [o for o in self.whole.operations if o.order == model]
        ids = {o.id: f"{name}-{k}" for k, o in enumerate(steps)}
        rows = [
            replace(
                o,
                id=ids[o.id],
                order=name,
                releases=(),
                predecessors=tuple(replace(x, operation=ids[x.operation]) for x in o.predecessors),
            )
            for o in steps
        ]
        if name not in self.whole.order_by_id:
            self.whole = replace(
                self.whole,
                orders=(*self.whole.orders, Order(name, now + 3 * DAY, 8)),
                operations=(*self.whole.operations, *rows),
            )
            self.touched.add(name)

    def snapshot(self, now: int) -> Problem:
        """What is left to plan, in minutes after `now`."""
        horizon = HORIZON - now
        times = {unit.id: self._time(unit) for unit in self.whole.units}
        rows = tuple(self._operation(o, now, times) for o in self.whole.operations if o.id not in self.done)
        busy = {o.order for o in rows}
        return replace(
            self.whole,
            horizon=horizon,
            calendars=tuple(Calendar(c.id, _from(c.windows, now)) for c in self.whole.calendars),
            units=tuple(self._unit(unit, now) for unit in self.whole.units),
            crews=tuple(x for crew in self.whole.crews for x in self._crew(crew, now)),
            orders=tuple(replace(o, due=o.due - now) for o in self.whole.orders if o.id in busy),
            operations=rows,
        )

    def _time(self, unit: Unit) -> WorkTime:
        stops = tuple(sorted(_joined(self.stops.get(unit.id, [])), key=lambda w: w.start))
        return WorkTime.of(self.whole, replace(unit, stops=stops))

    def _unit(self, unit: Unit, now: int) -> Unit:
        stops = _from(tuple(_joined(self.stops.get(unit.id, []))), now)
        return replace(unit, stops=stops, family=self.family.get(unit.id, unit.family))

    def _crew(self, crew: Crew, now: int) -> list[Crew]:
        """The crew, less one person while somebody is away."""
        windows = _from(crew.windows, now)
        away = [w for name, w in self.gone if name == crew.id and w.end > now]
        if not away:
            return [replace(crew, windows=windows)]
        until = max(w.end for w in away) - now
        alone = tuple(Window(max(w.start, until), w.end) for w in windows if w.end > until)
        rest = [replace(crew, windows=windows, count=crew.count - 1)] if crew.count > 1 else []
        return [*rest, replace(crew, id=f"{crew.id}-back", windows=alone, count=1)]

    def _operation(self, o: Operation, now: int, times: dict[str, WorkTime]) -> Operation:
        links = tuple(x for x in o.predecessors if x.operation not in self.done)
        releases = tuple(replace(r, at=r.at - now) for r in o.releases if r.at > now)
        place = self.plan.get(o.id)
        published = Published(place.unit, place.start - now) if place else None
        row = replace(o, predecessors=links, releases=releases, published=published)
        if o.id in self.running:
            unit, start = self.running[o.id]
            worked = times[unit].work(now) - times[unit].work(start)
            left = max(1, o.minutes_on(unit) + self.added.get(o.id, 0) - worked)
            started = Started(unit, min(start - now, 0))
            row = replace(row, alternatives=(Alternative(unit, left),), started=started)
        return row

    def publish(self, problem: Problem, plan: Schedule, now: int) -> None:
        """Put a plan in force, and note how much of what the event does not touch has moved."""
        moved = seen = 0
        for o in problem.operations:
            a = plan.by_operation[o.id]
            old = self.plan.get(o.id)
            if old and not o.started and o.order not in self.touched and old.unit not in self.touched:
                seen += 1
                moved += a.unit != old.unit or abs(now + a.start - old.start) > SHIFT_MIN
            if not o.started:
                self.plan[o.id] = Published(a.unit, now + a.start)
        if seen and now:
            self.shares.append(moved / seen)
        if seen >= BUSY and now:
            self.busy_shares.append(moved / seen)


def _joined(windows: list[Window]) -> list[Window]:
    found: list[Window] = []
    for window in sorted(windows, key=lambda w: w.start):
        if found and found[-1].end >= window.start:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return found


def _from(windows: tuple[Window, ...], now: int) -> tuple[Window, ...]:
    return tuple(Window(max(0, w.start - now), w.end - now) for w in windows if w.end > now)


@dataclass(frozen=True)
class Rolled:
    """Twenty days.

    Args:
        late: Weighted late minutes of all orders.
        moved: Median share of what an event does not touch that the plan after it moves.
        busy_moved: The same of the events at which much is planned.
    """

    late: int
    moved: float
    busy_moved: float


def roll(seed: int, planner: Planner) -> Rolled:
    """Run twenty days."""
    floor = Floor(plant(1_500, 50, seed, load=LOAD, slack=SLACK, operators=OPERATORS))
    now = 0
    problem = floor.snapshot(now)
    plan = planner(problem)
    floor.publish(problem, plan, now)
    for event in events(seed):
        floor.advance(plan, now, event.minute)
        now = event.minute
        floor.happen(event)
        problem = floor.snapshot(now)
        plan = planner(problem)
        floor.publish(problem, plan, now)
    ends = {name: now + end for name, end in order_ends(problem, plan).items()}
    for name, end in floor.done.items():
        order = floor.whole.operation_by_id[name].order
        ends[order] = max(end, ends.get(order, end))
    late = sum(max(0, ends[o.id] - o.due) * o.weight for o in floor.whole.orders if o.id in ends)
    moved, busy = (float(np.median(rows)) if rows else 0.0 for rows in (floor.shares, floor.busy_shares))
    return Rolled(late, moved, busy)


def by_rules(problem: Problem) -> Schedule:
    """The cheapest plan of the grid of ATCS rules, whatever was published."""
    bare = replace(problem, weights=Weights(moved=0, shift=0))
    engine = Engine(pack(bare))
    return decode(problem, engine.choices(engine.grid()))


def by_replanning(cpu_seconds: float, seed: int) -> Planner:
    """The product: what is published is put right, and what moves published work for a gain is accepted."""
    effort = Effort(cpu_seconds, seed=seed, kernel=True, chains=1, clocked=True)

    def plan(problem: Problem) -> Schedule:
        found = replan(problem, effort)
        return (found.better or found.kept).schedule

    return plan
