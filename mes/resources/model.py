"""The plant's own things: equipment, calendars, people, skills, reasons, policy."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaterialId, PersonId, ToolId

AS_ROUTED = 100
"""Percent: a unit takes the time of the routing."""


class EquipmentLevel(StrEnum):
    """Place in the role-based equipment hierarchy (ISA-95 part 1)."""

    ENTERPRISE = "enterprise"
    SITE = "site"
    AREA = "area"
    WORK_CENTER = "work_center"
    WORK_UNIT = "work_unit"


class ReasonKind(StrEnum):
    """What a reason explains."""

    SCRAP = "scrap"
    STOP = "stop"
    HOLD = "hold"
    REVERSAL = "reversal"
    LOT = "lot"
    ABSENCE = "absence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """One node of the hierarchy.

    Args:
        scope: Path below the site, such as `MACH/MC/CNC-2`; empty for the site itself.
        work_center: Of a unit: the work centre whose units replace each other.
        skill: Skill that work here needs; of a unit: its work centre's.
        calendar: Code of the working calendar.
        assigns_serial: Whether pieces get their serial number here (work centres).
        time_percent: Of a unit: a piece takes so much of the routing's run time here, 10 to 1000; a faster
            machine has less than 100. Set-ups and maintenance take their own time.
    """

    id: EquipmentId
    level: EquipmentLevel
    name: str
    scope: str
    parent: EquipmentId | None = None
    work_center: EquipmentId | None = None
    cost_center: str = ""
    skill: str | None = None
    calendar: str | None = None
    assigns_serial: bool = False
    position: int = 0
    time_percent: int = AS_ROUTED

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", EquipmentLevel(self.level))


@dataclass(frozen=True, slots=True, kw_only=True)
class EquipmentStatus:
    """What a unit does at the moment, as intake last told it.

    Args:
        state: PackML state name, such as `Execute`; `Undefined` before the first reading.
        back_at: When it is expected to run again, if it stands and somebody said so.
    """

    equipment: EquipmentId
    state: str
    since: datetime | None
    reason: str | None
    back_at: datetime | None = None


FAULT_STATES = frozenset({"Aborting", "Aborted"})
"""PackML states of a fault: the unit makes nothing until somebody acts (ISA-TR88.00.02)."""
STOP_STATES = frozenset({"Stopping", "Stopped", "Clearing"})
"""PackML states that are a stop when a reason came with them, and else the end of the day's work."""


RUNNING_STATES = frozenset({"Execute", "Starting"})
"""PackML states in which a unit makes something or is set up for it (ISO 22400 AUPT)."""


def is_down(state: str, reason: str | None) -> bool:
    """Say whether a unit in this state cannot be planned for the time being."""
    return state in FAULT_STATES or (state in STOP_STATES and bool(reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A repeated stretch of work.

    Args:
        starts: Local time of the site.
        minutes: Length, 1 to 1440; it may pass midnight.
        days: ISO weekdays (1 = Monday) on which it starts.
    """

    name: str
    starts: time
    minutes: int
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A pause in every shift, in minutes after the shift's start."""

    after_minutes: int
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When a unit or a crew may work: shifts less their breaks."""

    code: str
    shifts: tuple[Shift, ...]
    breaks: tuple[Break, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One stretch of a calendar on the clock, aware UTC, end not included.

    Args:
        kind: `work` or `break`.
        shift: Name of the shift it belongs to.
    """

    starts_at: datetime
    ends_at: datetime
    kind: str
    shift: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who works here. HR owns name and employment, the plant crew and skills.

    Args:
        crew: Name of the shift the person works in, such as `A`.
        rate_class: Labour cost class; never a wage.
        skills: Codes valid at the time of asking.
    """

    id: PersonId
    name: str
    crew: str | None
    rate_class: str
    active: bool
    skills: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "skills", tuple(self.skills))


@dataclass(frozen=True, slots=True)
class PersonCard:
    """What a terminal shows of a person."""

    id: PersonId
    name: str
    skills: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAvailability:
    """When a person can be planned: shift windows less breaks and known absence."""

    person: PersonId
    skills: tuple[str, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterEntry:
    """A person of the site, whether at work, and the shift of the crew.

    Args:
        excused: Left this shift with a reason; does not come back before the next.
    """

    id: PersonId
    name: str
    crew: str | None
    skills: tuple[str, ...]
    clocked_in: bool
    on_shift: bool
    excused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftNow:
    """The shift that runs: its name and its ends; None between shifts."""

    name: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who works in the shift that runs, and who is there."""

    shift: ShiftNow | None
    people: tuple[RosterEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason code; its words live in the pages' translations."""

    kind: ReasonKind
    code: str
    loss: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", ReasonKind(self.kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRule:
    """Seconds to change a work centre from one setup family to another."""

    work_center: EquipmentId
    from_family: str
    to_family: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A kind of tool, mould or fixture; its `count` pieces, 1 or more, replace each other."""

    id: ToolId
    name: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTool:
    """So many pieces of a tool, 1 or more, are held from the set-up to the end of a job."""

    tool: ToolId
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the plant knows of a step of a product's routing, and the ERP does not.

    Args:
        operation: Its number in the routing, 10, 20, ...
        lag_min: Minutes that must pass after the step before it: drying, cooling; 0 or more.
        most_min: Minutes that it may begin at the latest after the step before it has ended: paint after
            washing; `lag_min` or more. None: it may wait as long as it likes.
        transfer: So many pieces, in the product's unit, come on from the step before it at a time: it
            begins with the first of them. None: it waits for all of a job.
        resumable: A break or the end of a shift may interrupt it, and it goes on afterwards.
    """

    material: MaterialId
    operation: int
    tools: tuple[StepTool, ...] = ()
    lag_min: int = 0
    most_min: int | None = None
    transfer: Decimal | None = None
    resumable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOut:
    """Pieces of a tool that are out of service: at repair, or lent.

    Args:
        until: When they are expected back; from then on they count as there.
        by: Who said so.
    """

    id: UUID
    tool: ToolId
    count: int
    since: datetime
    until: datetime
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStatus:
    """A tool of the plant, and which of its pieces are out of service."""

    id: ToolId
    name: str
    count: int
    out: tuple[ToolOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceRule:
    """Maintenance of a unit that is wanted again and again.

    Args:
        minutes: Of the unit's working time, 1 or more.
        every_days: From the day it was done to the day on which it is due again, 1 or more.
        window_days: On so many days it may be done, the one on which it is due is the last of them; 1 to
            `every_days`.
        first_due: Day of the site on which it is due for the first time.
        weight: Price of a minute beyond that day against orders, 1 to 100: 8 is that of the most urgent one.
    """

    id: str
    unit: EquipmentId
    name: str
    minutes: int
    every_days: int
    first_due: date
    window_days: int = 1
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How this site runs its orders.

    Args:
        auto_release: Work orders are released as soon as they are received.
        dispatch_horizon_min: Jobs that start within so many minutes go to the terminals.
        close_after_min: Completed orders are closed so many minutes later.
        serial_prefix: What serial numbers start with.
        over_percent: Good pieces beyond what is ordered that may be made, in percent, 0 to 100.
    """

    auto_release: bool = False
    dispatch_horizon_min: int = 480
    close_after_min: int = 10
    serial_prefix: str = "SN-"
    over_percent: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDraft:
    """A person as HR sends it; sending it again changes only what differs."""

    id: PersonId
    name: str
    active: bool = True
    erp_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPlacement:
    """What the plant knows of a person: crew, cost class, skills."""

    id: PersonId
    crew: str | None
    skills: tuple[str, ...]
    rate_class: str = "L1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDraft:
    """A standard rate from `valid_from` on.

    Args:
        kind: `labour` (code is a rate class) or `machine` (code is a work centre).
        per_hour: Money per hour, not negative.
    """

    kind: str
    code: str
    per_hour: Decimal
    currency: str
    valid_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantDefinition:
    """Everything of a plant that the MES itself owns, as a file describes it."""

    site: str
    timezone: str
    equipment: tuple[Equipment, ...]
    calendars: tuple[Calendar, ...]
    skills: tuple[str, ...]
    people: tuple[PersonPlacement, ...]
    families: dict[MaterialId, str]
    setups: tuple[SetupRule, ...]
    reasons: tuple[Reason, ...]
    rates: tuple[RateDraft, ...] = ()
    policy: Policy = field(default_factory=Policy)
    tools: tuple[Tool, ...] = ()
    steps: tuple[Step, ...] = ()
    maintenance: tuple[MaintenanceRule, ...] = ()


@dataclass(frozen=True, slots=True)
class PlantFault:
    """One thing wrong in a plant file: the row it is in, what it is, and how to mend it."""

    row: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.row}: {self.what}. {self.remedy}."


class PlaceUnknown(PlantError):
    """There is no such place in the plant."""

    http_status = 404
    remedy = "Give its path below the site, such as MACH/MC; `lineside plant show` has the codes."


class EquipmentUnknown(PlantError):
    """There is no such equipment."""

    http_status = 404
    remedy = "Scan the label of the machine, or choose it from the list."


class EquipmentOutOfService(PlantError):
    """This machine is out of service."""

    http_status = 409
    remedy = "Take another machine, or have the plant engineer put it into the plant file again."


class PersonNotInPlant(PlantError):
    """This person does not work in this plant any more."""

    http_status = 409
    remedy = "Have HR or the plant engineer put the person back first."


class PersonUnknown(PlantError):
    """There is no such person."""

    http_status = 404
    remedy = "Scan a badge of this plant, or ask HR to send the person."


class PersonLacksSkill(PlantError):
    """This person does not have the skill for this work."""

    http_status = 403
    remedy = "Let somebody with the skill do it, or have the supervisor record the training."


class PersonNotClockedIn(PlantError):
    """This person is not clocked in."""

    http_status = 409
    remedy = "Clock in first, then do it again."


class PersonClockedInAlready(PlantError):
    """This person is clocked in already."""

    http_status = 409
    remedy = "Nothing to do. Clock out first if the time is wrong."


class ReasonUnknown(PlantError):
    """There is no such reason for this."""

    http_status = 422
    remedy = "Choose one of the reasons shown."


class ReasonMissing(PlantError):
    """This needs a reason."""

    http_status = 422
    remedy = "Choose a reason, then send it again."


class ToolUnknown(PlantError):
    """There is no such tool in the plant."""

    http_status = 404
    remedy = "Take one of the list, or have the plant engineer add it to the plant file."


class ToolsNotThere(PlantError):
    """Not so many of this tool are in service."""

    http_status = 409
    remedy = "Give a smaller number, or put those back first that are there again."


class ToolNotOut(PlantError):
    """This tool is in service."""

    http_status = 409
    remedy = "Nothing to do."


class EquipmentNotDown(PlantError):
    """This unit does not stand by a fault or a stop."""

    http_status = 409
    remedy = "Nothing to do: it is planned as it is."


class BackInThePast(PlantError):
    """It cannot be expected back at a time that is over."""

    http_status = 422
    remedy = "Give a later time, or put it back when it is there again."


class PlantFileNotValid(PlantError):
    """The plant file cannot be used."""

    http_status = 422
    remedy = "Correct the place named in the file, then load it again."


class PlantNotDefined(PlantError):
    """No plant is defined here yet."""

    http_status = 404
    remedy = "Write a plant file, then load it with `lineside plant load FILE.toml`."


class SiteDiffers(PlantError):
    """The database holds the plant of another site than the settings name."""

    http_status = 409
    remedy = "Set `site` in lineside.toml (LINESIDE_SITE) to the plant's, or use a database of its own."


class TimezoneDiffers(PlantError):
    """The plant in the database is in another time zone than the settings name."""

    http_status = 409
    remedy = "Set `site_tz` in lineside.toml (LINESIDE_SITE_TZ) to the plant's time zone, then start again."
