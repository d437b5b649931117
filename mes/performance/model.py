"""Machine states, counts and figures of a unit, and what makes them refusable."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from mes.execution.model import HelpCall
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId
from mes.performance.iso22400 import Elements, NoValue

PACKML: Final = (
    "Undefined",
    "Clearing",
    "Stopped",
    "Starting",
    "Idle",
    "Suspended",
    "Execute",
    "Stopping",
    "Aborting",
    "Aborted",
    "Holding",
    "Held",
    "Unholding",
    "Suspending",
    "Unsuspending",
    "Resetting",
    "Completing",
    "Complete",
)
"""State names by their number (ISA-TR88.00.02-2022; OPC 30050 numbers them so too)."""

UNDEFINED: Final = "Undefined"


class TimeKind(StrEnum):
    """What planned busy time in a state counts as while an order is loaded."""

    PRODUCTION = "production"
    SETUP = "setup"
    DELAY = "delay"
    UNKNOWN = "unknown"


TIME_KINDS: Final[Mapping[str, TimeKind]] = dict.fromkeys(PACKML, TimeKind.DELAY) | {
    "Execute": TimeKind.PRODUCTION,
    "Starting": TimeKind.SETUP,
    UNDEFINED: TimeKind.UNKNOWN,
}
"""PackML state -> ISO 22400 element with an order loaded; without one it is down time (ADOT).

Held and its neighbours are delays of the unit itself, Suspended and its neighbours delays from
outside: both are ADET (OPC 40001-1, annex C.2).
"""

DOWN: Final = frozenset(
    {"Aborting", "Aborted", "Clearing", "Stopping", "Stopped", "Holding", "Held", "Suspending", "Suspended"}
)
"""States that a machine's own fault text explains."""


class CountKind(StrEnum):
    """What a counter counts."""

    GOOD = "good"
    SCRAP = "scrap"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact was read: one element of one batch of an edge's event stream."""

    edge: str
    epoch: UUID
    seq: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReading:
    """A unit went into a state.

    Args:
        state: PackML state name.
        at: When, by the machine's or the edge's clock.
        reason: What the machine says why.
        read_at: When it was read, by our clock: the unit is in the state then, if it told no later one.
    """

    equipment: EquipmentId
    state: str
    at: datetime
    reason: str | None = None
    source: Source | None = None
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateInterval:
    """A stretch in one state; open while `ended_at` is None.

    Args:
        read: A machine told it; what is not read follows from what nobody saw.
    """

    id: UUID
    equipment: EquipmentId
    state: str
    reason: str | None
    started_at: datetime
    ended_at: datetime | None
    read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CountReading:
    """A counter went up.

    Args:
        delta: Pieces since the reading before, >= 0.
        raw: What the counter showed.
        doubtful: A reset or a jump that nobody can explain: waits for a person.
    """

    equipment: EquipmentId
    kind: CountKind
    delta: Decimal
    at: datetime
    raw: Decimal | None = None
    doubtful: bool = False
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """The job that ran on a unit at a moment."""

    job_order: JobOrderId
    material: MaterialId
    run_s: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtfulCount:
    """A count that a person has to decide on; `kind` is `good` or `scrap`."""

    id: int
    equipment: EquipmentId
    kind: str
    delta: Decimal
    raw: Decimal | None
    at: datetime
    job_order: JobOrderId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, end not included."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTime:
    """When a unit is planned to work and when to rest, within one window."""

    equipment: EquipmentId
    window: Window
    work: tuple[Window, ...]
    rest: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """Time elements of a unit by their ISO 22400 names, and time of which nobody knows; microseconds."""

    equipment: EquipmentId
    pot: int
    pdot: int
    apt: int
    aust: int
    adet: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOfItem:
    """What was made of one item: PRI in seconds per piece.

    Args:
        reported: The part of SQ that people reported, because the machine does not count scrap; it is among
            the pieces that the machine counted.
    """

    item: MaterialId
    pri_s: Decimal
    pq: Decimal
    gq: Decimal
    sq: Decimal
    reported: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Made:
    """What a unit's counters counted in planned time, of one item and standard time.

    Args:
        item: None, as `run_s`, for what was counted while no job ran.
        waiting: Doubtful pieces that nobody has decided on, in neither of the others.
        reported: Scrap that people reported of what the machine counted as good: it has no counter of scrap.
    """

    equipment: EquipmentId
    item: MaterialId | None
    run_s: Decimal | None
    good: Decimal
    scrap: Decimal
    waiting: Decimal
    reported: Decimal

    def __add__(self, other: Self) -> "Made":
        return replace(
            self,
            good=self.good + other.good,
            scrap=self.scrap + other.scrap,
            waiting=self.waiting + other.waiting,
            reported=self.reported + other.reported,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitElements:
    """What the figures of one unit are made of; times in seconds.

    Args:
        unattributed: Pieces counted while no job ran: in no figure, shown beside them.
        waiting: Doubtful pieces that nobody has decided on: in no figure either.
        items: The outputs of the elements, with their items.
    """

    equipment: EquipmentId
    elements: Elements
    unattributed: Decimal
    waiting: Decimal
    items: tuple[OutputOfItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """The figures of the board, each 0 or more (never capped) or None."""

    oee: Decimal | None
    availability: Decimal | None
    effectiveness: Decimal | None
    quality: Decimal | None
    reason: NoValue | None
    """Why the first figure without a value has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftName:
    """A shift and its ends."""

    name: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Pieces by kind."""

    good: Decimal
    scrap: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardUnit:
    """One tile of the board; `help` is the call that nobody has answered."""

    id: EquipmentId
    name: str
    work_center: EquipmentId | None
    state: str
    since: datetime | None
    reason: str | None
    job: JobOrderId | None
    material: MaterialId | None
    counts: Counted
    kpi: Kpi
    help: HelpCall | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link of the chain from machine to ERP.

    Args:
        lag_s: How far it is behind, in seconds; None when it never was there.
        state: `ok`, `late` or `down`.
    """

    name: str
    lag_s: float | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFault:
    """Something that an edge cannot read, or that was read and became no fact.

    Args:
        code: `tag_refused`: the machine does not know the tag, or cannot read it; `endpoint_down`: the
            machine does not answer; `clock_wrong`: the machine's clock is not the edge's; `quarantined`:
            readings wait for a person; `malformed` and `malformed_<why>`: what a device sends cannot be
            read.
        subject: The tag, the endpoint, the device's topic, or how many readings.
        reason: In the words of the machine or of the refusal; of a clock the seconds that it is behind
            (negative: ahead).
        since: None where the edge does not say.
    """

    edge: str
    code: str
    subject: str
    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the board shows.

    Args:
        finished: Good pieces that left their last operation in the running shift.
        faults: What the edges cannot read, worth a look of the plant engineer.
    """

    at: datetime
    shift: ShiftName | None
    equipment: tuple[BoardUnit, ...]
    finished: Decimal
    links: tuple[Link, ...]
    faults: tuple[EdgeFault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalEvidence:
    """A stretch in one state, as far as it lies in the window, and where it was read."""

    id: UUID
    state: str
    kind: TimeKind
    reason: str | None
    starts_at: datetime
    ends_at: datetime
    seconds: Decimal
    source: Source | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountEvidence:
    """A count in the window, and where it was read."""

    id: int
    kind: CountKind
    delta: Decimal
    raw: Decimal | None
    at: datetime
    job_order: JobOrderId | None
    item: MaterialId | None
    run_s: Decimal | None
    doubtful: bool
    accepted: bool | None
    source: Source | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapEvidence:
    """Scrap that a person reported at the unit in the window.

    Args:
        report: The report that says so.
        in_figure: It is taken from here; otherwise the machine counts its scrap itself.
    """

    report: UUID
    at: datetime
    quantity: Decimal
    reason: str
    job_order: JobOrderId
    item: MaterialId
    in_figure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A unit's figures in a window, the elements they are made of, and the evidence.

    Args:
        values: Every figure by its name, None where it has no value.
        reasons: Why those have none.
        elements: Times in seconds and quantities by their ISO 22400 names.
        counts_in_all: How many counts the window holds; `counts` shows the latest.
        scraps: What people reported as scrap, the latest of it, without what was undone.
    """

    equipment: EquipmentId
    starts_at: datetime
    ends_at: datetime
    values: Mapping[str, Decimal | None]
    reasons: Mapping[str, NoValue]
    elements: Mapping[str, Decimal]
    outputs: tuple[OutputOfItem, ...]
    intervals: tuple[IntervalEvidence, ...]
    counts: tuple[CountEvidence, ...]
    counts_in_all: int
    scraps: tuple[ScrapEvidence, ...]
    unattributed: Decimal
    waiting: Decimal


class StateUnknown(PlantError):
    """There is no such machine state."""

    http_status = 422
    remedy = "Correct the number map of this machine's state tag."


class CountNegative(PlantError):
    """A counter cannot count backwards."""

    http_status = 422
    remedy = "Correct the binding of this machine's counter tag."


class CountNotWaiting(PlantError):
    """This count waits for no decision."""

    http_status = 409
    remedy = "Nothing to do; somebody has decided on it."


class IntervalUnknown(PlantError):
    """There is no such stop of this unit."""

    http_status = 404
    remedy = "Choose one of the stops shown."


class WindowNotValid(PlantError):
    """The window ends before it begins, or is too long."""

    http_status = 422
    remedy = "Ask for at most 31 days, the end after the beginning."
