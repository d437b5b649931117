"""Rows of the edge inbox, and why one of them may be refused."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId
from mes.kernel.messages import Kind
from mes.kernel.topics import EDGE_NAME
from mes.performance.model import Source

GOOD_QUALITY: Final = 64
"""OPC quality from here on says that a value may be used (192 good, 64 uncertain, 0 bad)."""

CLOCK_AHEAD: Final = timedelta(minutes=10)
"""A reading may be dated so far after its receipt; more means a wrong clock."""


NOT_UNDERSTOOD: Final = (ValidationError, ValueError, TypeError)
"""What an odd value leads to where nobody thought of it: its row waits, those behind it go on."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRead:
    """A code that a unit's own scanner read, and on which nobody has acted."""

    id: int
    equipment: EquipmentId
    reader: str
    scope: str
    at: datetime
    payload: str
    symbology: str | None
    edge: str | None
    epoch: UUID | None
    seq: int | None
    idx: int | None

    @property
    def key(self) -> str:
        """Idempotency key of what it leads to."""
        return f"{self.edge}/{self.epoch}/events/{self.seq}/{self.idx}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedScan:
    """A code that came to nothing, and why.

    Args:
        text: What it says; empty where that is a badge.
        refusal: Code of the refusal and its values.
    """

    id: int
    equipment: EquipmentId
    reader: str
    at: datetime
    text: str
    refusal: dict[str, Any]


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
    """A stretch of a stream that is lost, or of which nobody knows.

    Args:
        starts_at: None where the edge cannot say: since the machines were heard of last.
        equipment: Units that it is of; None for all that the edge reads.
    """

    stream: str
    reason: str
    starts_at: AwareDatetime | None = Field(alias="from", default=None)
    ends_at: AwareDatetime = Field(alias="to")
    from_seq: int | None = None
    to_seq: int | None = None
    equipment: tuple[EquipmentId, ...] | None = None


class TagRow(BaseModel):
    """What each tag of a configuration has; the edge itself knows what else there may be."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}$")]
    kind: Kind
    endpoint: Annotated[str, Field(min_length=1)]
    address: Annotated[str, Field(min_length=1)]


class TagList(BaseModel):
    """A configuration that an edge can read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: tuple[TagRow, ...]


def usable(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration that an edge can read.

    Raises:
        ValueError: It has another shape, or a value that no database holds.
    """
    TagList.model_validate(config)
    if "\\u0000" in json.dumps(config):
        raise ValueError("a text with a null character")
    return config


def edge_name(name: str) -> str:
    """Return the name of an edge.

    Raises:
        ValueError: No edge is called so.
    """
    if not EDGE_NAME.fullmatch(name):
        raise ValueError("lower case letters, digits and hyphens")
    return name


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


class ScanNotWaiting(PlantError):
    """This scan waits for nobody."""

    http_status = 409
    remedy = "Nothing to do: it was understood, or somebody has seen it."
