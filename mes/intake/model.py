"""Rows of the edge inbox, and why one of them may be refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId
from mes.performance.model import Source

GOOD_QUALITY: Final = 64
"""OPC quality from here on says that a value may be used (192 good, 64 uncertain, 0 bad)."""

CLOCK_AHEAD: Final = timedelta(minutes=10)
"""A reading may be dated so far after its receipt; more means a wrong clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One element of one batch of an edge's event stream.

    Args:
        id: Order of arrival.
        seq: Number of the batch in its epoch, `idx` of the element in the batch.
        kind: `state`, `count`, `scan`, `fault` or `gap`; others are no facts.
        value: As the edge sent it.
        quality: OPC quality, 192 is good.
    """

    id: int
    edge: str
    epoch: UUID
    seq: int
    idx: int
    equipment: EquipmentId
    metric: str
    kind: str
    value: Any
    source_time: datetime
    quality: int
    received_at: datetime

    @property
    def key(self) -> str:
        """Idempotency key of the fact that this row becomes."""
        return f"{self.edge}/{self.epoch}/events/{self.seq}/{self.idx}"

    @property
    def source(self) -> Source:
        """Where the fact was read."""
        return Source(self.edge, self.epoch, self.seq, self.idx)


@dataclass(frozen=True, slots=True)
class Absorbed:
    """How many rows of the inbox became facts, and how many wait in quarantine."""

    done: int
    quarantined: int

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return self.done + self.quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A row that became no fact, and why."""

    id: int
    edge: str
    epoch: UUID
    seq: int
    idx: int
    equipment: str
    metric: str
    kind: str
    value: Any
    source_time: datetime
    received_at: datetime
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """Tags and bindings of an edge, by number."""

    edge: str
    version: int
    config: dict[str, Any]
    acknowledged_at: datetime | None


class _Value(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


class CountValue(_Value):
    """What the edge says of a counter."""

    delta: Decimal
    raw: Annotated[Decimal | None, BeforeValidator(_none_if_empty)] = None
    doubtful: bool = False


class ScanValue(_Value):
    """What a reader sent: its bytes as text, and the AIM identifier where it sends one."""

    payload: str
    symbology: Annotated[str | None, BeforeValidator(_none_if_empty)] = None
    reader: str = ""


class GapValue(_Value):
    """A stretch of a stream that is lost, or of which nobody knows."""

    stream: str
    reason: str
    starts_at: AwareDatetime = Field(alias="from")
    ends_at: AwareDatetime = Field(alias="to")
    from_seq: int | None = None
    to_seq: int | None = None
    equipment: tuple[EquipmentId, ...] = ()


class ReadingNotUnderstood(PlantError):
    """The edge sent a value that nobody understands."""

    http_status = 422
    remedy = "Correct the tag's binding, then try the row again."


class ReadingRefused(PlantError):
    """The database refused the fact."""

    http_status = 409
    remedy = "See the reason; try the row again when it is mended."


class ClockAhead(PlantError):
    """The reading is dated in the future."""

    http_status = 422
    remedy = "Set the clock of the machine or the edge, then try the row again."


class NotInQuarantine(PlantError):
    """This row does not wait in quarantine."""

    http_status = 409
    remedy = "Nothing to do."


class EdgeConfigUnknown(PlantError):
    """This edge has no configuration yet."""

    http_status = 404
    remedy = "Send it one; the edge's identity is in its CONFIG.toml."
