"""What is to be planned: a frozen picture of the plant, in whole minutes after `origin`.

Minute 0 is `origin` ("now"); `horizon` is the minute up to which calendars, attendance and
receipts are known. Beyond it the plant counts as open, fully staffed and with tools for all, so
that every operation can be placed; nothing there is dispatched before a later plan knows better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby, pairwise
from typing import Literal

from planner.fault import Fault, InvalidProblem
from planner.material import Material, MaterialUse, Supply
from planner.ranges import range_faults
from planner.tied_places import tied_place_faults
from planner.ties import Ties


@dataclass(frozen=True, slots=True)
class Window:
    """The minutes from `start` to `end`, `end` not included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working time: sorted windows that do not touch; the breaks are the gaps between them."""

    id: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """Minutes of work to change a unit from one family to another.

    `from_family` None is any other family, and what holds when the present one is not known.
    """

    to_family: str
    minutes: int
    from_family: str | None = None


@dataclass(frozen=True, slots=True)
class Buffer:
    """A rack, lane or store between steps, with room for so many; when it is full, nothing can be delivered.

    What one step makes for one other takes a place, however many pieces it is, from when the first begins
    (its set-up, where there is one: so it can always deliver) until the other starts its run.
    """

    id: str
    places: int


@dataclass(frozen=True, slots=True)
class WorkCenter:
    """Units that do the same work.

    Args:
        buffer: What stands before it: all that it works on, and that other steps made, waits there; None
            is room for all. Several work centres may share one.
    """

    id: str
    setups: tuple[Setup, ...] = ()
    buffer: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One machine or station.

    Args:
        family: What it is set up for at minute 0; None when that is not known.
        stops: When it stands still though its calendar is open: breakdown, maintenance.
        places: How much it takes at once in a batch (oven, autoclave, washer); None when it does one
            operation at a time.
        subcontractor: A firm outside that does any number of operations at once, each with a begin and an
            end of its own: its minutes are lead time on his calendar (a stop: he is closed), a lag of the
            links is the way there and back, and what is there needs none of our people, tools and set-ups.
            One who takes at most so many at once is as many ordinary units of one work centre.
    """

    id: str
    work_center: str
    calendar: str
    family: str | None = None
    stops: tuple[Window, ...] = ()
    places: int | None = None
    subcontractor: bool = False


@dataclass(frozen=True, slots=True)
class Crew:
    """`count` people who have the same skills and are present in the same windows.

    Args:
        people: Their names, when work that starts soon is to be given to them by name.
    """

    id: str
    skills: tuple[str, ...]
    windows: tuple[Window, ...]
    count: int = 1
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Away:
    """`count` pieces of a tool are not there from `start` to `end`: repair, or lent."""

    start: int
    end: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Tool:
    """A kind of tool, mould or fixture, of which the plant has `count` that replace each other."""

    id: str
    count: int = 1
    away: tuple[Away, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Work for one customer or stock order, or maintenance that may be moved.

    Maintenance is an operation on the one unit that is maintained; a release says from when it may be, and
    `due` is its limit. Within that window it costs nothing, and the plan puts it where it disturbs least;
    beyond it each minute costs as a late order's does. The unit is set up for nothing that is known
    afterwards, or for the family that the operation names. Maintenance at a fixed time is a stop of the unit.

    Args:
        due: Minute it is due; negative when that is already past.
        weight: Price of a late minute against other orders, 1 to 100.
        kind: Who waits for it: somebody for "work", nobody for "maintenance".
    """

    id: str
    due: int
    weight: int = 1
    kind: Literal["work", "maintenance"] = "work"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A unit that can do the operation, and the working minutes it takes there (>= 1)."""

    unit: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Link:
    """A predecessor, and what lies between it and the operation.

    With several `sublots` the two overlap: what the predecessor makes is passed on in so many transfer
    batches of one size. The run may start when the first of them is made, which is when a sub-lot's share
    of the predecessor's working minutes is worked, and its own share for the last of them begins when the
    predecessor has ended, so that it does not run dry at its end. Shares are rounded up to whole minutes
    and pause when their units do. Whether each of the batches between is made in time is not looked at.
    Of work under way, what remains is passed on in as many: no sub-lot is believed made too soon.

    Args:
        lag: Least minutes between the end and the start (drying, cooling); of an overlap, for the first
            sub-lot and for the last.
        sublots: Transfer batches, at least 1; with 1 the operation waits for the end.
        most: Greatest minutes between the end and the start (paint that must not wait after washing, dough
            that must not stand), on the clock, breaks included; None when it may wait as long as it likes.
            After a step that runs, is locked or is frozen the operation comes as soon as it can.

    Source:
        Baker, Jia: "A comparative study of lot streaming procedures", OMEGA 21 (1993): consistent
        sub-lots of one size.
    """

    operation: str
    lag: int = 0
    sublots: int = 1
    most: int | None = None

    def share(self, minutes: int) -> int:
        """Working minutes of one sub-lot in a run of so many."""
        return -(-minutes // self.sublots)

    def way(self, before: int, own: int, tail: int) -> int:
        """Least minutes from the predecessor's start to the end of the order, by this link.

        Args:
            before: Minutes of the predecessor.
            own: Minutes of the operation.
            tail: Least minutes from its start to the end of the order.
        """
        if self.sublots == 1:
            return before + self.lag + tail
        first, last = self.share(before), before + self.share(own) - own
        return max(first, last) + self.lag + tail


@dataclass(frozen=True, slots=True)
class ToolUse:
    """So many of a tool are held from the beginning of the set-up to the end of the run.

    They stay where they are while the unit is closed in between: a mould is not taken out for a
    break.
    """

    tool: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Release:
    """The operation cannot start before minute `at`.

    Args:
        cause: "material", "order" or another word that the pages can translate.
        detail: What is waited for: the material, the purchase.
    """

    at: int
    cause: str = "order"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Work under way: on `unit` since minute `since` (<= 0); its minutes are what remains.

    Args:
        slow: So many of its minutes are beyond the standard, because it is slower than that.
    """

    unit: str
    since: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True)
class After:
    """A step before that is over, and that must not be waited after for longer than so many minutes.

    The operation goes before all free work as soon as nothing but an hour, at most, keeps it from its start;
    what it comes too late by is told with the plan.

    Args:
        ended: Minute it ended (<= 0).
        most: Greatest minutes between that and the start, on the clock, as of a `Link`.
    """

    operation: str
    ended: int
    most: int


@dataclass(frozen=True, slots=True)
class Lock:
    """A person's word: on this unit, its run starting at exactly this minute."""

    unit: str
    start: int


@dataclass(frozen=True, slots=True)
class Published:
    """Where the plan in force has it."""

    unit: str
    start: int


Recipe = tuple[str | None, int, str | None, frozenset[ToolUse], bool, str]
"""Family, minutes, skill, tools, whether it may pause, and the name of what is done alone."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of an order.

    Args:
        skill: What one person must be able to do to run it; None needs nobody.
        resumable: It may pause while its unit's calendar is closed and go on afterwards.
        frozen: It stays on its published unit, in the published order, before all that is not
            frozen there; its time may still shift with what really happens.
        kept: It stays on its published unit, in the published order among the kept ones there;
            free work may go between.
        tools: What it holds beside its unit, each kind once.
        materials: What it uses up, each material once; taken when its run starts.
        places: How many places of a batch it takes, on a unit that has places.
        stored: What it works on lies in the buffer of its work centre already.
        after: The step before that is complete, where it must follow that in time.
    """

    id: str
    order: str
    alternatives: tuple[Alternative, ...]
    predecessors: tuple[Link, ...] = ()
    family: str | None = None
    skill: str | None = None
    resumable: bool = True
    releases: tuple[Release, ...] = ()
    started: Started | None = None
    lock: Lock | None = None
    published: Published | None = None
    frozen: bool = False
    kept: bool = False
    tools: tuple[ToolUse, ...] = ()
    materials: tuple[MaterialUse, ...] = ()
    places: int = 1
    stored: bool = False
    after: After | None = None

    @property
    def release(self) -> int:
        """The minute before which none of its own releases lets it start."""
        return max((r.at for r in self.releases), default=0)

    def minutes_on(self, unit: str) -> int:
        """Working minutes of its run on `unit`; KeyError when the unit cannot do it."""
        for alternative in self.alternatives:
            if alternative.unit == unit:
                return alternative.minutes
        raise KeyError(unit)

    def may_share(self, other: Operation) -> bool:
        """Whether what is known of both lets them be in one batch: none joins what runs or is locked."""
        if self.lock and other.lock:
            return self.lock == other.lock
        held = bool(self.started or self.lock), bool(other.started or other.lock)
        return held == (False, False) or bool(self.started and other.started)

    @property
    def fixed_unit(self) -> str | None:
        """The only unit it may be on, or None when the planner chooses."""
        if self.started:
            return self.started.unit
        if self.lock:
            return self.lock.unit
        return self.published.unit if self.published and (self.frozen or self.kept) else None


@dataclass(frozen=True, slots=True)
class Weights:
    """What a plan costs: a minute of each kind, in points. The published objective.

    Args:
        tardiness: A minute late, times the order's weight.
        setup: A minute of set-up.
        moved: An operation on another unit than published.
        shift: A minute of start against the published start, at most `shift_cap` minutes.
        flow: A minute until an order is complete.
        makespan: A minute until everything is complete; for campaigns and public instances.
        overtime: A minute for which a unit is kept open beyond its calendar, with one person. It is the
            price of dates and remedies that need it; a plan decides on none by itself.
    """

    tardiness: int = 100
    setup: int = 10
    moved: int = 5
    shift: int = 1
    shift_cap: int = 30
    flow: int = 1
    makespan: int = 0
    overtime: int = 10


@dataclass(frozen=True)
class Problem:
    """The whole plant at one moment.

    Args:
        origin: Minute 0, with its time zone.
        horizon: The minute up to which calendars, attendance and receipts are known.
        named_until: Work that starts before this minute is given to people by name (`planner.named`).
        overtime: Minutes for which units are kept open beyond their calendars, as was agreed for accepted
            dates; their windows are in the calendars and crews already.

    Raises:
        InvalidProblem: Rows contradict each other; all faults are named at once.
    """

    origin: datetime
    horizon: int
    calendars: tuple[Calendar, ...] = ()
    work_centers: tuple[WorkCenter, ...] = ()
    units: tuple[Unit, ...] = ()
    crews: tuple[Crew, ...] = ()
    orders: tuple[Order, ...] = ()
    operations: tuple[Operation, ...] = ()
    weights: Weights = Weights()
    tools: tuple[Tool, ...] = ()
    materials: tuple[Material, ...] = ()
    buffers: tuple[Buffer, ...] = ()
    named_until: int = 0
    overtime: int = 0

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise InvalidProblem(faults)

    @cached_property
    def unit_by_id(self) -> dict[str, Unit]:
        return {unit.id: unit for unit in self.units}

    @cached_property
    def calendar_by_id(self) -> dict[str, Calendar]:
        return {calendar.id: calendar for calendar in self.calendars}

    @cached_property
    def order_by_id(self) -> dict[str, Order]:
        return {order.id: order for order in self.orders}

    @cached_property
    def operation_by_id(self) -> dict[str, Operation]:
        return {operation.id: operation for operation in self.operations}

    @cached_property
    def successors(self) -> dict[str, tuple[str, ...]]:
        """Operation id -> the operations that wait for it, in the order of their rows."""
        found: dict[str, list[str]] = {operation.id: [] for operation in self.operations}
        for operation in self.operations:
            for link in operation.predecessors:
                found[link.operation].append(operation.id)
        return {key: tuple(value) for key, value in found.items()}

    @cached_property
    def pegged(self) -> dict[str, tuple[Release, ...]]:
        """Operation id -> the receipts that it waits for: what is held is served first, then what is due."""
        return self._pegs[0]

    @property
    def left_over(self) -> Supply:
        """What is left of the materials for orders that are not in the problem; to be copied."""
        return self._pegs[1]

    @cached_property
    def _pegs(self) -> tuple[dict[str, tuple[Release, ...]], Supply]:
        supply = Supply(self.materials, self.horizon)
        needy = [(self._turn(o), row, o) for row, o in enumerate(self.operations) if o.materials]
        waits = {o.id: supply.take(o.materials) for _, _, o in sorted(needy, key=lambda row: row[:2])}
        releases = {name: tuple(Release(at, "material", m) for m, at in rows) for name, rows in waits.items()}
        return releases, supply

    def _turn(self, operation: Operation) -> tuple[int, int]:
        held = (operation.started, operation.lock, operation.frozen or None)
        rank = next((i for i, one in enumerate(held) if one is not None), len(held))
        return rank, self.order_by_id[operation.order].due

    def releases_of(self, operation: Operation) -> tuple[Release, ...]:
        """All that an operation waits for beside its predecessors: its releases, and its materials.

        Who is frozen with somebody at a greatest lag behind him waits for his published start, too.
        """
        pegged = self.pegged.get(operation.id)
        found = (*operation.releases, *pegged) if pegged else operation.releases
        wait = self._frozen_waits.get(operation.id)
        return found if wait is None else (*found, wait)

    @cached_property
    def ties(self) -> Ties:
        """The chains of steps between which greatest lags hold."""
        return Ties.of(self.operations)

    @cached_property
    def _frozen_waits(self) -> dict[str, Release]:
        found: dict[str, Release] = {}
        for operation in self.operations:
            for link in operation.predecessors:
                before = self.operation_by_id[link.operation]
                if link.most is not None and before.frozen and before.published and not before.lock:
                    found[before.id] = Release(max(0, before.published.start), "tied", operation.id)
        return found

    def release_of(self, operation: Operation) -> int:
        """The minute before which no release and no material lets an operation start."""
        return max((r.at for r in self.releases_of(operation)), default=0)

    @cached_property
    def setup_tables(self) -> dict[str, dict[tuple[str | None, str], int]]:
        """Unit id -> {(from family, to family): minutes} of its work centre."""
        centers = {
            center.id: {(s.from_family, s.to_family): s.minutes for s in center.setups}
            for center in self.work_centers
        }
        return {unit.id: centers[unit.work_center] for unit in self.units}

    @cached_property
    def buffer_before(self) -> dict[str, str]:
        """Unit id -> the buffer of its work centre; units without one are not there."""
        centers = {center.id: center.buffer for center in self.work_centers}
        found = ((unit.id, centers[unit.work_center]) for unit in self.units)
        return {unit: buffer for unit, buffer in found if buffer is not None}

    @cached_property
    def has_batches(self) -> bool:
        """Whether a unit takes several operations at once."""
        return any(unit.places is not None for unit in self.units)

    @cached_property
    def subcontractors(self) -> frozenset[str]:
        """The units where nothing waits for anything else that is there."""
        return frozenset(unit.id for unit in self.units if unit.subcontractor)

    def recipe(self, operation: Operation, unit: str) -> Recipe:
        """What all of one batch on `unit` have in common; KeyError when the unit cannot do it.

        Maintenance shares its unit with nothing.
        """
        order = self.order_by_id.get(operation.order)
        alone = operation.id if order and order.kind == "maintenance" else ""
        minutes, tools = operation.minutes_on(unit), frozenset(operation.tools)
        return operation.family, minutes, operation.skill, tools, operation.resumable, alone

    @cached_property
    def kept_order(self) -> dict[str, tuple[str, ...]]:
        """Kept operation id -> the kept operations right before it on its unit: one, or a batch."""
        rows: dict[str, list[tuple[int, str]]] = {}
        for operation in self.operations:
            place = operation.published
            if operation.kept and place and not operation.started and not operation.lock:
                rows.setdefault(place.unit, []).append((place.start, operation.id))
        found: dict[str, tuple[str, ...]] = {}
        for unit, row in rows.items():
            if unit in self.subcontractors:
                continue
            is_batched = self.unit_by_id[unit].places is not None
            turns = groupby(sorted(row), key=lambda place: place[0] if is_batched else place)
            together = [tuple(name for _, name in turn) for _, turn in turns]
            found |= {name: before for before, after in pairwise(together) for name in after}
        return found

    def setup_minutes(self, unit: str, before: str | None, after: str | None) -> int:
        """Minutes of set-up on `unit` between two families; None before: not known.

        A family that no row of the work centre speaks of needs no set-up.
        """
        if after is None or before == after:
            return 0
        table = self.setup_tables[unit]
        exact = table.get((before, after))
        if exact is None and before is None:
            return max((m for (_, to), m in table.items() if to == after), default=0)
        return exact if exact is not None else table.get((None, after), 0)


def _faults(problem: Problem) -> Iterator[Fault]:
    found = [
        *range_faults(problem),
        *_plant_faults(problem),
        *_crew_faults(problem),
        *_tool_faults(problem),
        *_material_faults(problem),
        *_buffer_faults(problem),
        *_operation_faults(problem),
    ]
    told: dict[tuple[str, str], Fault] = {}
    for fault in found:  # both ends of a window may be out of their range
        told.setdefault((fault.row, fault.what), fault)
    yield from told.values() if told else tied_place_faults(problem)


def _plant_faults(problem: Problem) -> Iterator[Fault]:
    if problem.origin.tzinfo is None:
        yield Fault("problem", "origin has no time zone", "Give an aware UTC time")
    rows: dict[str, list[str]] = {
        "calendars": [c.id for c in problem.calendars],
        "work_centers": [c.id for c in problem.work_centers],
        "units": [u.id for u in problem.units],
        "crews": [c.id for c in problem.crews],
        "tools": [t.id for t in problem.tools],
        "materials": [m.id for m in problem.materials],
        "buffers": [b.id for b in problem.buffers],
        "orders": [o.id for o in problem.orders],
        "operations": [o.id for o in problem.operations],
    }
    yield from _id_faults(rows)
    for calendar in problem.calendars:
        yield from _window_faults(f"calendars {calendar.id}", calendar.windows, problem.horizon)
    yield from _unit_faults(problem, set(rows["calendars"]), set(rows["work_centers"]))


def _id_faults(rows: dict[str, list[str]]) -> Iterator[Fault]:
    for kind, ids in rows.items():
        for name, times in Counter(ids).items():
            if not name:
                yield Fault(f"{kind}[{ids.index(name)}]", "has an empty id", "Give it a name of its own")
            elif times > 1:
                yield Fault(f"{kind} {name}", f"is there {times} times", "Keep one row")


def _unit_faults(problem: Problem, calendars: set[str], centers: set[str]) -> Iterator[Fault]:
    for unit in problem.units:
        row = f"units {unit.id}"
        if unit.calendar not in calendars:
            yield Fault(row, f"has no calendar {unit.calendar}", "Add the calendar or name another")
        if unit.work_center not in centers:
            yield Fault(row, f"has no work centre {unit.work_center}", "Add the work centre")
        yield from _window_faults(f"{row} stops", unit.stops, problem.horizon)
        if unit.subcontractor:
            yield from _subcontractor_faults(problem, row, unit)


def _subcontractor_faults(problem: Problem, row: str, unit: Unit) -> Iterator[Fault]:
    if unit.places is not None:
        remedy = "Leave the places out: he makes his batches himself"
        yield Fault(row, f"is a subcontractor and has {unit.places} places", remedy)
    if any(center.setups for center in problem.work_centers if center.id == unit.work_center):
        what = f"is a subcontractor, but its work centre {unit.work_center} has set-ups"
        yield Fault(row, what, "Give it a work centre of its own: his set-ups are in his lead time")


def _window_faults(row: str, windows: tuple[Window, ...], horizon: int) -> Iterator[Fault]:
    for window in windows:
        if not 0 <= window.start < window.end <= horizon:
            span = f"has the window {window.start} to {window.end}"
            yield Fault(row, span, f"Keep it between 0 and the horizon {horizon}, start first")
    for one, two in pairwise(windows):
        if one.end >= two.start:
            span = f"has windows that touch at {two.start}"
            yield Fault(row, span, "Sort them and join those that meet")


def _crew_faults(problem: Problem) -> Iterator[Fault]:
    for crew in problem.crews:
        row = f"crews {crew.id}"
        if crew.people and len(set(crew.people)) != crew.count:
            what = f"counts {crew.count} people but names {len(set(crew.people))}"
            yield Fault(row, what, "Name everybody once, or nobody")
        yield from _window_faults(row, crew.windows, problem.horizon)


def _tool_faults(problem: Problem) -> Iterator[Fault]:
    for tool in problem.tools:
        row = f"tools {tool.id}"
        for away in tool.away:
            if not 0 <= away.start < away.end <= problem.horizon:
                what = f"is away from {away.start} to {away.end}"
                yield Fault(row, what, f"Keep it between 0 and the horizon {problem.horizon}, start first")
            if away.count > tool.count:
                what = f"has {away.count} of its {tool.count} away"
                yield Fault(row, what, f"Give 1 to {tool.count}")
    counts = {tool.id: tool.count for tool in problem.tools}
    for operation in problem.operations:
        yield from _use_faults(f"operations {operation.id}", operation, counts)


def _use_faults(row: str, operation: Operation, counts: dict[str, int]) -> Iterator[Fault]:
    for name, times in Counter(use.tool for use in operation.tools).items():
        if times > 1:
            yield Fault(row, f"names the tool {name} {times} times", "Give one row with their sum")
    for use in operation.tools:
        there = counts.get(use.tool)
        if there is None:
            yield Fault(row, f"needs the tool {use.tool}, which is not there", "Add the tool or drop it here")
        elif use.count > there:
            what = f"needs {use.count} of the tool {use.tool}, of which there are {there}"
            yield Fault(row, what, f"Give 1 to {there}, or the tool a higher count")


def _material_faults(problem: Problem) -> Iterator[Fault]:
    known = {material.id for material in problem.materials}
    for operation in problem.operations:
        yield from _ingredient_faults(f"operations {operation.id}", operation, known)


def _ingredient_faults(row: str, operation: Operation, known: set[str]) -> Iterator[Fault]:
    for name, times in Counter(use.material for use in operation.materials).items():
        if times > 1:
            yield Fault(row, f"names the material {name} {times} times", "Give one row with their sum")
    for use in operation.materials:
        if use.material not in known:
            what = f"needs the material {use.material}, of which nothing is known"
            yield Fault(row, what, "Add the material with its stock and receipts, or drop it here")


def _buffer_faults(problem: Problem) -> Iterator[Fault]:
    places = {buffer.id: buffer.places for buffer in problem.buffers}
    before = {center.id: center.buffer for center in problem.work_centers}
    for name, named in before.items():
        if named is not None and named not in places:
            what = f"has no buffer {named}"
            yield Fault(f"work_centers {name}", what, "Add the buffer with its places, or drop it here")
    at_unit = {unit.id: before.get(unit.work_center) for unit in problem.units}
    for operation in problem.operations:
        row, found = f"operations {operation.id}", {at_unit.get(a.unit) for a in operation.alternatives}
        if len(found) > 1:
            what = f"waits before {', '.join(sorted(b or 'no buffer' for b in found))}"
            yield Fault(row, what, "Give the work centres of its units one buffer")
        yield from _stored_faults(row, operation, found)
    yield from _crowd_faults(problem, places, at_unit)


def _stored_faults(row: str, operation: Operation, found: set[str | None]) -> Iterator[Fault]:
    if operation.stored and found <= {None}:
        what = "lies in a buffer, but its work centre has none"
        yield Fault(row, what, "Give the work centre a buffer, or drop the word")
    if operation.stored and operation.started:
        yield Fault(row, "is started and lies in a buffer", "Drop the word: it has left its place")


def _crowd_faults(
    problem: Problem, places: dict[str, int], at_unit: dict[str, str | None]
) -> Iterator[Fault]:
    """Steps that need more places of a buffer at once than it has."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    for operation in problem.operations:
        for buffer in {at_unit.get(a.unit) for a in operation.alternatives}:
            if buffer is not None and buffer in places and not operation.started:
                rows = [link.operation for link in operation.predecessors]
                wanted[operation.id, "takes", buffer] += len(rows) + operation.stored
                wanted.update((name, "fills", buffer) for name in rows)
    for (name, does, buffer), count in wanted.items():
        if count > max(places[buffer], 1):
            what = f"{does} {count} places of {buffer} at once, which has {places[buffer]}"
            remedy = f"Give the buffer {count} places, or some of the steps another one"
            yield Fault(f"operations {name}", what, remedy)


def _operation_faults(problem: Problem) -> Iterator[Fault]:
    orders = {order.id for order in problem.orders}
    units = {unit.id for unit in problem.units}
    places = {unit.id: unit.places for unit in problem.units if unit.places is not None}
    known = {operation.id: operation for operation in problem.operations}
    for operation in problem.operations:
        row = f"operations {operation.id}"
        if operation.order not in orders:
            yield Fault(row, f"belongs to no order {operation.order}", "Add the order")
        yield from _alternative_faults(row, operation, units)
        yield from _place_faults(row, operation, places)
        yield from _link_faults(row, operation, known)
        yield from _fixed_faults(row, operation)
    yield from _maintenance_faults(problem)
    yield from _running_faults(problem)
    tie_faults = list(_tie_faults(problem, known))
    yield from tie_faults
    yield from _cycle_faults(problem, known, Ties() if tie_faults else Ties.of(problem.operations))
    if not tie_faults:
        yield from _common_unit_faults(problem, units)


def _alternative_faults(row: str, operation: Operation, units: set[str]) -> Iterator[Fault]:
    if not operation.alternatives:
        yield Fault(row, "has no unit that can do it", "Give its work centre a unit")
    named = Counter(alternative.unit for alternative in operation.alternatives)
    for name, times in named.items():
        if times > 1:
            yield Fault(row, f"names unit {name} {times} times", "Keep the shorter one")
    for alternative in operation.alternatives:
        if alternative.unit not in units:
            yield Fault(row, f"names no unit {alternative.unit}", "Add the unit or drop it here")


def _place_faults(row: str, operation: Operation, places: dict[str, int]) -> Iterator[Fault]:
    for alternative in operation.alternatives:
        there = places.get(alternative.unit, operation.places)
        if operation.places > max(there, 1):
            what = f"takes {operation.places} places on {alternative.unit}, which has {there}"
            yield Fault(row, what, f"Give 1 to {there}, or do it on another unit")


def _link_faults(row: str, operation: Operation, known: dict[str, Operation]) -> Iterator[Fault]:
    for link in operation.predecessors:
        if link.operation not in known:
            what = f"waits for {link.operation}, which is not planned"
            yield Fault(row, what, "Drop the link when it is complete, or add the operation")
    held = operation.frozen or operation.kept
    if held and not (operation.published or operation.lock or operation.started):
        yield Fault(row, "is held but has no published place", "Free it or publish it first")
    if operation.frozen and not operation.started:
        for link in operation.predecessors:
            before = known.get(link.operation)
            if before and not (before.frozen or before.started or before.lock):
                what = f"is frozen but waits for {before.id}, which is free"
                yield Fault(row, what, "Freeze that too, or free this one")


def _tie_faults(problem: Problem, known: dict[str, Operation]) -> Iterator[Fault]:
    """Greatest lags that no plan can keep, or that make no chain of single steps."""
    behind: dict[str, str] = {}
    for operation in problem.operations:
        row = f"operations {operation.id}"
        tied = [link for link in operation.predecessors if link.most is not None]
        names = [link.operation for link in tied] + ([operation.after.operation] if operation.after else [])
        if len(names) > 1:
            what = f"has greatest lags after {names[0]} and {names[1]}"
            yield Fault(row, what, "Keep one of them, after the step that ends last")
        for link in tied:
            yield from _most_faults(row, link)
            other = behind.setdefault(link.operation, operation.id)
            if other != operation.id and link.operation in known:
                what = f"has a greatest lag after {link.operation}, as {other} has"
                yield Fault(row, what, "Keep one of them, or let one of the two follow the other")


def _most_faults(row: str, link: Link) -> Iterator[Fault]:
    most = link.most or 0
    if 0 <= most < link.lag:
        what = f"may start at most {most} minutes after {link.operation}, and at least {link.lag}"
        yield Fault(row, what, f"Give {link.lag} or more, or leave it out")
    if link.sublots > 1:
        what = f"has a greatest lag after {link.operation} and gets {link.sublots} sub-lots of it"
        yield Fault(row, what, "Keep one of the two: who gets sub-lots begins before the end")


def _common_unit_faults(problem: Problem, units: set[str]) -> Iterator[Fault]:
    """Set-ups on a unit that does two steps of a chain, for which there is no time between them."""
    centers = {center.id for center in problem.work_centers}
    if any(unit.work_center not in centers for unit in problem.units):
        return
    for chain in problem.ties.chains.values():
        for first, one in enumerate(chain):
            room = 0
            for before, two in pairwise(chain[first:]):
                most = next(link.most or 0 for link in two.predecessors if link.operation == before.id)
                room += most + (0 if before is one else min(a.minutes for a in before.alternatives))
                common = {a.unit for a in one.alternatives} & {a.unit for a in two.alternatives}
                for unit in sorted(common & units):
                    minutes = problem.setup_minutes(unit, one.family, two.family)
                    if minutes > room:
                        what = f"comes at most {room} minutes after {one.id}, but its set-up behind that on"
                        what += f" {unit} takes {minutes}"
                        remedy = f"Allow {minutes} minutes, or do one of the two on another unit"
                        yield Fault(f"operations {two.id}", what, remedy)


def _fixed_faults(row: str, operation: Operation) -> Iterator[Fault]:
    units = {alternative.unit for alternative in operation.alternatives}
    fixed = operation.fixed_unit
    if fixed is None and operation.published:
        fixed = operation.published.unit
    if fixed is not None and fixed not in units:
        what = f"is held on {fixed}, which cannot do it"
        yield Fault(row, what, f"Move it to one of {', '.join(sorted(units)) or 'none'}")
    if operation.started and operation.lock:
        yield Fault(row, "is started and locked", "Drop the lock: it runs already")


def _maintenance_faults(problem: Problem) -> Iterator[Fault]:
    limits = {order.id: order.due for order in problem.orders if order.kind == "maintenance"}
    outside = problem.subcontractors
    for operation in problem.operations:
        if operation.order not in limits:
            continue
        row, limit = f"operations {operation.id}", limits[operation.order]
        if len(operation.alternatives) > 1:
            what = f"is maintenance of {len(operation.alternatives)} units"
            yield Fault(row, what, "Name one, and give each of the others an operation of its own")
        for alternative in operation.alternatives:
            if alternative.unit in outside:
                what = f"is maintenance of {alternative.unit}, a subcontractor"
                yield Fault(row, what, "Give the unit a stop while he is closed")
        least = min((a.minutes for a in operation.alternatives), default=0)
        if 0 < operation.release > limit - least:
            what = f"takes {least} minutes between {operation.release} and {limit}, its limit"
            yield Fault(row, what, f"Release it at minute {max(0, limit - least)}, or give it a later limit")


def _running_faults(problem: Problem) -> Iterator[Fault]:
    places = {unit.id: unit.places for unit in problem.units}
    running: dict[str, list[Operation]] = {}
    for operation in problem.operations:
        if not operation.started or operation.started.unit in problem.subcontractors:
            continue
        unit = operation.started.unit
        together = running.setdefault(unit, [])
        together.append(operation)
        if len(together) > 1 and not _is_batch(problem, together, unit, places.get(unit)):
            what = f"runs on {unit} together with {together[0].id}"
            if places.get(unit) is not None:
                what += ", which is no batch of one family and minutes in its places"
            yield Fault(f"operations {operation.id}", what, "Hold or complete one of the two")


def _is_batch(problem: Problem, together: list[Operation], unit: str, places: int | None) -> bool:
    """Whether work under way can be one batch."""
    if places is None or any(all(a.unit != unit for a in o.alternatives) for o in together):
        return False
    recipes = {problem.recipe(operation, unit) for operation in together}
    return len(recipes) == 1 and sum(operation.places for operation in together) <= places


def _cycle_faults(problem: Problem, known: dict[str, Operation], ties: Ties) -> Iterator[Fault]:
    waits: dict[str, set[str]] = {ties.head(name): set() for name in known}
    for operation in problem.operations:
        before = {link.operation for link in operation.predecessors if link.operation in known}
        before.update(problem.kept_order.get(operation.id, ()))
        waits[ties.head(operation.id)] |= ties.outside(operation.id, before)
    followers: dict[str, list[str]] = {key: [] for key in waits}
    for key, before in waits.items():
        for one in before:
            followers[one].append(key)
    free = [key for key, before in waits.items() if not before]
    done = 0
    left = {key: len(before) for key, before in waits.items()}
    while free:
        done += 1
        for key in followers[free.pop()]:
            left[key] -= 1
            if not left[key]:
                free.append(key)
    if done < len(waits):
        names = sorted(key for key, count in left.items() if count)
        what = f"wait for one another in a circle ({len(names)} operations)"
        remedy = "Take one of the links away"
        if any(name in ties.chains for name in names):
            remedy += ", or a greatest lag: what is between two steps that it ties waits for both"
        yield Fault(f"operations {', '.join(names[:5])}", what, remedy)
