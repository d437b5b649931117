"""What is to be planned: a frozen picture of the plant, in whole minutes after `origin`.

Minute 0 is `origin` ("now"); `horizon` is the minute up to which calendars, attendance and
receipts are known. Beyond it the plant counts as open, fully staffed and with tools for all, so
that every operation can be placed; nothing there is dispatched before a later plan knows better.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby, pairwise
from typing import Literal

from planner.fault import InvalidProblem
from planner.material import Material, MaterialUse, Supply
from planner.ties import Ties
from planner.validation import faults_of


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
    (its set-up, where there is one: so it can always deliver) until the other starts its run. A step that
    takes from and delivers to the same buffer puts what it makes where its own work lay. Work under way, what
    is `stored` and the work of locked steps hold their places from minute 0, be they more than there are.
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
            operation at a time. Nobody joins a batch that runs, or one that a lock made, but by a lock to the
            same minute.
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
            After a step that runs, is locked or is frozen the operation comes as soon as it can. On each
            unit that both can use it must leave time for the set-up between them.

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
    """Where the plan in force has it.

    Args:
        start: When its run begins, after the set-up.
    """

    unit: str
    start: int


Recipe = tuple[str | None, int, str | None, frozenset[ToolUse], bool, str]
"""Family, minutes, skill, tools, whether it may pause, and the name of what is done alone."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of an order.

    Args:
        family: What its unit must be set up for. None needs no set-up, and leaves a unit that is set up for
            nothing that is known: the next family costs what its row from any other says, else the most that
            a row to it says.
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
        moved: An operation on another unit than published. As dear as ten late minutes, because material,
            program and people are at the old one (decision 61).
        shift: A minute of start against the published start, at most `shift_cap` minutes.
        flow: A minute until an order is complete.
        makespan: A minute until everything is complete; for campaigns and public instances.
        overtime: A minute for which a unit is kept open beyond its calendar, with one person. It is the
            price of dates and remedies that need it; a plan decides on none by itself.
    """

    tardiness: int = 100
    setup: int = 10
    moved: int = 1000
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
        faults = list(faults_of(self))
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
