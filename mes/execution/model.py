"""What happens at a unit: reports, consumption, intervals of work, and why something is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    LotNumber,
    MaterialId,
    PersonId,
    SerialNumber,
    WorkOrderNumber,
)
from mes.workorders.model import OVER, STARTED, JobOrder, JobOrderStatus, Line

HOURS = Decimal("0.000001")
"""Booked hours are kept to the millionth (3.6 ms)."""
COMING = timedelta(minutes=15)
"""So long after the answer a terminal shows who is coming; a call that waited longer calls nobody."""
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR = Decimal(3_600_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityReport:
    """Good and scrap of one job, in one gesture, in the job's unit.

    Args:
        good: Pieces, not negative.
        scrap: Pieces, not negative; one of both is greater than zero.
        reason: Why the scrap; required with scrap.
        serials: Numbers of the good pieces; the next ones when empty.
        scrap_serials: Numbers of the lost pieces; the next ones after the good when empty.
    """

    job_order: JobOrderId
    good: Decimal = Decimal(0)
    scrap: Decimal = Decimal(0)
    reason: str | None = None
    serials: tuple[SerialNumber, ...] = ()
    scrap_serials: tuple[SerialNumber, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LotUse:
    """A lot used for a job.

    Args:
        quantity: In the material's unit, > 0; what is still required when None.
        serial: The piece it went into, if known.
        person: Who works at the unit, where a device tells of it; who acts when None.
    """

    job_order: JobOrderId
    lot: LotNumber
    quantity: Decimal | None = None
    serial: SerialNumber | None = None
    person: PersonId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One line of the report ledger; a reversal is a line of its own with negative quantities."""

    id: UUID
    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    equipment: EquipmentId
    person: PersonId
    good: Decimal
    scrap: Decimal
    uom: str
    reason: str | None
    serials: tuple[SerialNumber, ...]
    scrap_serials: tuple[SerialNumber, ...]
    at: datetime
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "serials", tuple(self.serials))
        object.__setattr__(self, "scrap_serials", tuple(self.scrap_serials))


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialActual:
    """One use of material (ISA-95 MaterialActual); a return is negative and names what it undoes."""

    id: UUID
    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    equipment: EquipmentId
    person: PersonId
    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str
    serial: SerialNumber | None
    movement: UUID
    at: datetime
    reverses: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpCall:
    """Somebody at a unit asked for somebody to come.

    Args:
        person: Who called.
        answered_by: Name of who said that somebody comes; the call is open while nobody has.
        late: It waited at the terminal for so long that it is only noted: it is not open.
        withdrawn: It was taken back by `answered_by`: nobody comes.
    """

    id: UUID
    equipment: EquipmentId
    job_order: JobOrderId | None
    person: PersonId
    person_name: str
    since: datetime
    answered_by: str | None
    answered_at: datetime | None
    withdrawn: bool = False
    late: bool = False


class ScanOutcome(StrEnum):
    """What became of a code that the scanner of a unit read."""

    BOOKED = "booked"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A code of a unit's own scanner that fits the job there.

    Args:
        outcome: `booked`: material was used; `confirmed`: it is of this job, nothing is to book.
    """

    outcome: ScanOutcome
    job_order: JobOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A person or a unit at work on a job; open while `ended_at` is None."""

    id: UUID
    job_order: JobOrderId
    resource: str
    equipment: EquipmentId
    started_at: datetime
    ended_at: datetime | None


def hours_in(lasted: timedelta) -> Decimal:
    """Return a length of time in hours, 6 decimals, never negative."""
    microseconds = max(lasted // _MICROSECOND, 0)
    return (Decimal(microseconds) / _MICROSECONDS_PER_HOUR).quantize(HOURS, ROUND_HALF_UP)


def why_not_startable(line: Line, job: JobOrder) -> str | None:
    """Return the code of what keeps a job from being started, or None."""
    return why_not_startable_from(job.status, line.available(job))


def why_not_startable_from(status: JobOrderStatus, available: Decimal) -> str | None:
    """Return the code of what keeps a job from being started, or None.

    `not-planned`: no plan has sent it to a unit. `running`, `held`, `over`: its status.
    `nothing-before`: no good piece has come from the operation before, or all are done.

    Args:
        available: Pieces that lie before the job and are not yet reported there.
    """
    if status in {JobOrderStatus.WAITING, JobOrderStatus.PENDING}:
        return "not-planned"
    if status is JobOrderStatus.RUNNING:
        return "running"
    if status in STARTED:
        return "held"
    if status in OVER:
        return "over"
    return None if available > 0 else "nothing-before"


class PlantInUse(PlantError):
    """Work still needs equipment or people that the plant file has no more."""

    http_status = 409
    remedy = (
        "Complete the jobs named (short, where pieces are missing) or move them, and let the people named "
        "stop; then load the file again."
    )


class JobOrderNotStartable(PlantError):
    """This job cannot be started now."""

    http_status = 409
    remedy = "Choose another job, or call the supervisor."


class JobOrderNotRunning(PlantError):
    """This job is not running."""

    http_status = 409
    remedy = "Start or resume the job on this terminal, then do it again."


class JobOrderNotHeld(PlantError):
    """This job is not held."""

    http_status = 409
    remedy = "Look at the job's status on the terminal."


class JobOrderElsewhere(PlantError):
    """This job runs at another unit."""

    http_status = 409
    remedy = "Go to that terminal, or choose a job of this one."


class JobOrderNotFinished(PlantError):
    """This job still has pieces to make."""

    http_status = 409
    remedy = "Report the rest, or complete it short with a reason."


class WrongEquipment(PlantError):
    """This job belongs to another work centre."""

    http_status = 409
    remedy = "Take the order to a unit of its work centre."


class EquipmentBusy(PlantError):
    """Another job runs on this unit."""

    http_status = 409
    remedy = "Complete or hold the running job first."


class PersonMissing(PlantError):
    """Nobody is named who does this work."""

    http_status = 409
    remedy = "Scan your badge at the terminal, then do it again."


class LotOutOfReach(PlantError):
    """No job here takes this lot, and none has used it here."""

    http_status = 403
    remedy = "Do it at a terminal where the lot is used, or ask a supervisor."


class MaterialNotOnBill(PlantError):
    """This material does not belong to this job."""

    http_status = 409
    remedy = "Put it back and scan a lot of a material that the job's list shows."


class MaterialNotNeeded(PlantError):
    """This job has all it needs of this material."""

    http_status = 409
    remedy = "Enter the quantity if more was really used."


class MoreThanRemaining(PlantError):
    """More pieces than this job has."""

    http_status = 409
    remedy = (
        "Count again; no more can leave a step than the step before made good, nor more leave the first step "
        "than the order may have."
    )


class NothingReported(PlantError):
    """A report needs good pieces or scrap."""

    http_status = 422
    remedy = "Enter how many were good and how many were scrap."


class ReportUnknown(PlantError):
    """There is no such report."""

    http_status = 404
    remedy = "Choose one of the job's last reports."


class ReportReversedAlready(PlantError):
    """This report was reversed before."""

    http_status = 409
    remedy = "Nothing to do."


class PiecesMovedOn(PlantError):
    """The next step has worked on these pieces already."""

    http_status = 409
    remedy = "Reverse the report of the next step first."


class WorkOrderFinished(PlantError):
    """This work order is closed; its reports stand."""

    http_status = 409
    remedy = "Tell the supervisor: finance corrects stock and costs in the ERP, with the order's number."


class HelpNotCalled(PlantError):
    """Nobody waits for help here now."""

    http_status = 409
    remedy = "Nothing to do: somebody has answered, or nobody called."


class NoJobHere(PlantError):
    """No job is running here."""

    http_status = 409
    remedy = "Start a job first, then scan again."


class OtherOrderRead(PlantError):
    """The label read is not of the order that runs here."""

    http_status = 409
    remedy = "See whose parts lie at the machine: take them where they belong, or hold the running job."


class NotForThisScanner(PlantError):
    """The scanner at the machine has no use for such a code."""

    http_status = 422
    remedy = "Scan badges and commands at the terminal; here the order, a lot or a piece."
