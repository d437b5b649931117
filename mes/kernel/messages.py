"""What travels on the edge stream: births, batches and gaps up; watermarks and requests down.

Up, everything is a Sparkplug B payload (see `proto/sparkplug_b.proto`) used so:

- `uuid` is the epoch, `seq` the 64-bit number of the batch in it, from 1;
- a payload without `seq` is a birth: it defines aliases, and repeating it changes nothing;
- the first metric of a batch, `birth`, names the birth that its aliases are to be read by;
- quality is a property, and only there when it is not good (OPC classic: 192 good, 64, 0);
- metrics without an alias are notes of the edge itself: `gap`, `malformed`, `config`, `link`.

Down, everything is JSON: it is small, rare, and read by people when something is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from google.protobuf.message import DecodeError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mes.kernel.proto.sparkplug_b_pb2 import Payload

GOOD = 192
UNCERTAIN = 64
BAD = 0
MAX_BYTES = 4 * 1024 * 1024
"""Largest payload that is read; an edge's batches stay far below."""

Value = bool | int | float | str | None


class DataType(IntEnum):
    """Sparkplug B data types that Lineside uses (specification, table of data types)."""

    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


class Kind(StrEnum):
    """What a tag is to the plant; it decides its stream and how its values are read."""

    ANALOG = "analog"
    STATE = "state"
    COUNT = "count"
    SCAN = "scan"
    FAULT = "fault"
    TOTAL = "total"


EVENT_KINDS = frozenset(Kind) - {Kind.ANALOG}
"""Kinds on the stream `events`; the rest is telemetry."""


class Note(StrEnum):
    """Metrics by which the edge speaks of itself."""

    BIRTH = "birth"
    GAP = "gap"
    MALFORMED = "malformed"
    CONFIG = "config"
    LINK = "link"


NEW_SPOOL: Final = "spool_new"
"""Reason of a gap: the edge begins with nothing, though others may have read its machines before."""
UNREAD: Final = "unread"
"""Reason of a gap: the machine answers, but a unit's state cannot be read until it is told again."""
AGAIN: Final = "again"
"""Property of a state that was told before, and is told because nobody knew whether it lasted."""


class BadMessage(ValueError):
    """A payload that cannot be read.

    Args:
        reason: Code for the quarantine, such as `not_protobuf`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Definition:
    """One tag as a birth defines it."""

    alias: int
    name: str
    """`<equipment>/<signal>`, such as `CNC-1/spindle_load`."""
    kind: Kind
    equipment: str
    metric: str
    """What the plant calls the signal: `state`, `count.good`, `spindle_load`."""
    datatype: DataType = DataType.DOUBLE
    unit: str = ""


class Sample(NamedTuple):
    """One value of one tag."""

    alias: int
    value: Value
    time_ms: int
    """Time at the source, milliseconds since 1970 UTC."""
    quality: int = GOOD
    properties: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class NoteSample:
    """Something the edge says of itself, as JSON."""

    note: Note
    body: Mapping[str, Any]
    time_ms: int


@dataclass(frozen=True, slots=True)
class Birth:
    """Tag definitions of one epoch; aliases are never used again within it."""

    epoch: UUID
    number: int
    definitions: tuple[Definition, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches `from_seq` to `to_seq` that the edge no longer has, or has thinned away."""

    epoch: UUID
    from_seq: int
    to_seq: int
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted unit of a stream; its metrics stay encoded objects until a birth reads them."""

    epoch: UUID
    seq: int
    birth: int
    time_ms: int
    metrics: Sequence[Payload.Metric]


Message = Birth | Gap | Batch


def encode_birth(birth: Birth) -> bytes:
    """Return the payload that defines the aliases of `birth`."""
    payload = Payload(uuid=str(birth.epoch))
    payload.metrics.add(name=Note.BIRTH.value, datatype=DataType.INT64, long_value=birth.number)
    for definition in birth.definitions:
        metric = payload.metrics.add(
            name=definition.name, alias=definition.alias, datatype=definition.datatype, is_null=True
        )
        _set_properties(
            metric.properties,
            {
                "kind": definition.kind.value,
                "equipment": definition.equipment,
                "metric": definition.metric,
                "unit": definition.unit,
            },
        )
    return payload.SerializeToString()


def encode_batch(
    epoch: UUID, seq: int, birth: int, time_ms: int, samples: Iterable[Sample | NoteSample]
) -> bytes:
    """Return one batch.

    Args:
        seq: Number in the epoch, from 1.
        birth: Number of the birth that defines the aliases.
        time_ms: When the batch was closed, milliseconds since 1970 UTC.
    """
    payload = Payload(timestamp=time_ms, seq=seq, uuid=str(epoch))
    add = payload.metrics.add
    add(name=Note.BIRTH.value, long_value=birth)
    for sample in samples:
        if isinstance(sample, NoteSample):
            add(
                name=sample.note.value,
                timestamp=sample.time_ms,
                datatype=DataType.STRING,
                string_value=json.dumps(dict(sample.body), separators=(",", ":")),
            )
            continue
        alias, value, at, quality, properties = sample
        if type(value) is float:
            metric = add(alias=alias, timestamp=at, double_value=value)
        else:
            metric = add(alias=alias, timestamp=at)
            _set_value(metric, value)
        if quality != GOOD:
            properties = {**(properties or {}), "quality": quality}
        if properties:
            _set_properties(metric.properties, properties)
    return payload.SerializeToString()


def encode_gap(gap: Gap, time_ms: int) -> bytes:
    """Return the payload that stands in the stream for batches that are gone."""
    payload = Payload(timestamp=time_ms, seq=gap.to_seq, uuid=str(gap.epoch))
    body = {**gap.body, "from_seq": gap.from_seq, "to_seq": gap.to_seq}
    payload.metrics.add(
        name=Note.GAP.value, timestamp=time_ms, datatype=DataType.STRING, string_value=json.dumps(body)
    )
    return payload.SerializeToString()


def decode(data: bytes) -> Message:
    """Read one uplink payload.

    Raises:
        BadMessage: `too_large`, `not_protobuf`, `no_epoch`, `no_birth` or `bad_gap`.
    """
    payload = _parse(data)
    epoch = _epoch(payload)
    first = payload.metrics[0] if payload.metrics else None
    if first is None:
        raise BadMessage("no_birth")
    if first.name == Note.GAP.value and payload.HasField("seq"):
        return _gap(epoch, payload.seq, first.string_value)
    if first.name != Note.BIRTH.value:
        raise BadMessage("no_birth")
    if payload.HasField("seq"):
        if not 1 <= payload.seq < 2**63:
            raise BadMessage("bad_seq")
        return Batch(epoch, payload.seq, first.long_value, payload.timestamp, payload.metrics[1:])
    return Birth(epoch, first.long_value, tuple(_definition(metric) for metric in payload.metrics[1:]))


def read_samples(batch: Batch) -> Iterator[Sample | NoteSample]:
    """Yield what a batch says, in its order.

    Raises:
        BadMessage: `bad_note`, `no_value` or `unknown_note`.
    """
    for metric in batch.metrics:
        if metric.HasField("alias"):
            properties = read_properties(metric) if metric.HasField("properties") else {}
            quality = properties.pop("quality", GOOD)
            yield Sample(
                metric.alias,
                read_value(metric),
                metric.timestamp,
                quality if isinstance(quality, int) else BAD,
                properties or None,
            )
        else:
            yield read_note(metric)


def read_value(metric: Payload.Metric) -> Value:
    """Return a metric's value; integers are signed 64 bit.

    Raises:
        BadMessage: It has none and does not say that it is null.
    """
    name = metric.WhichOneof("value")
    if name is None:
        if metric.is_null:
            return None
        raise BadMessage("no_value")
    if name == "long_value":
        return _signed(metric.long_value)
    if name not in {"double_value", "float_value", "boolean_value", "string_value", "int_value"}:
        raise BadMessage("no_value")
    value: Value = getattr(metric, name)
    return value


def read_properties(metric: Payload.Metric) -> dict[str, Value]:
    """Return a metric's properties as a plain mapping."""
    found: dict[str, Value] = {}
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        name = value.WhichOneof("value")
        if name == "long_value":
            found[key] = _signed(value.long_value)
        elif name in {"boolean_value", "string_value", "double_value", "int_value", "float_value"}:
            found[key] = getattr(value, name)
    return found


def _parse(data: bytes) -> Payload:
    if len(data) > MAX_BYTES:
        raise BadMessage("too_large")
    try:
        return Payload.FromString(data)
    except DecodeError as error:
        raise BadMessage("not_protobuf") from error


def _epoch(payload: Payload) -> UUID:
    try:
        return UUID(payload.uuid)
    except ValueError as error:
        raise BadMessage("no_epoch") from error


def _gap(epoch: UUID, seq: int, text: str) -> Gap:
    body = _json_object(text, "bad_gap")
    first = body.pop("from_seq", seq)
    body.pop("to_seq", None)
    if not isinstance(first, int) or not 1 <= first <= seq < 2**63:
        raise BadMessage("bad_gap")
    return Gap(epoch, first, seq, body)


def read_note(metric: Payload.Metric) -> NoteSample:
    """Return what the edge says of itself.

    Raises:
        BadMessage: `unknown_note` or `bad_note`.
    """
    if metric.name not in [note.value for note in Note]:
        raise BadMessage("unknown_note")
    return NoteSample(Note(metric.name), _json_object(metric.string_value, "bad_note"), metric.timestamp)


def _definition(metric: Payload.Metric) -> Definition:
    properties = read_properties(metric)
    try:
        return Definition(
            alias=metric.alias,
            name=metric.name,
            kind=Kind(str(properties.get("kind"))),
            equipment=str(properties.get("equipment", "")),
            metric=str(properties.get("metric", "")),
            datatype=DataType(metric.datatype),
            unit=str(properties.get("unit", "")),
        )
    except ValueError as error:
        raise BadMessage("bad_definition") from error


def _json_object(text: str, reason: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise BadMessage(reason) from error
    if not isinstance(body, dict):
        raise BadMessage(reason)
    return body


def _set_value(metric: Payload.Metric | Payload.PropertyValue, value: Value) -> None:
    if value is None:
        metric.is_null = True
    elif isinstance(value, bool):
        metric.boolean_value = value
    elif isinstance(value, int):
        metric.long_value = value & 0xFFFF_FFFF_FFFF_FFFF
    elif isinstance(value, float):
        metric.double_value = value
    else:
        metric.string_value = value


def _set_properties(target: Payload.PropertySet, properties: Mapping[str, Value]) -> None:
    for key, value in properties.items():
        target.keys.append(key)
        _set_value(target.values.add(type=_property_type(value)), value)


def _property_type(value: Value) -> int:
    if isinstance(value, bool):
        return DataType.BOOLEAN
    if isinstance(value, int):
        return DataType.INT64
    return DataType.DOUBLE if isinstance(value, float) else DataType.STRING


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


class Downlink(BaseModel):
    """A message to an edge; unknown keys are left for a newer edge to read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encode(self) -> bytes:
        """Return the JSON that is published."""
        return self.model_dump_json(exclude_none=True).encode()


DownlinkT = TypeVar("DownlinkT", bound=Downlink)


SHOWN_EPOCHS = 12
"""Epochs of one stream that a watermark names, the most recent ones."""


class Watermark(Downlink):
    """How far each epoch is committed; the edge may delete what is not above it.

    A stream is missing while its database has not told ingest yet.
    """

    ingest: str = ""
    """Changes when ingest, its connection or what it knows is another: what it was sent may be gone."""
    events: dict[UUID, int] | None = None
    telemetry: dict[UUID, int] | None = None


class Replay(Downlink):
    """Ingest wants batches of `epoch` again, from `from_seq` on."""

    stream: str
    epoch: UUID
    from_seq: int = Field(ge=1)


class BirthRequest(Downlink):
    """Ingest has a batch whose birth it does not know."""

    stream: str
    epoch: UUID
    number: int


class Browse(Downlink):
    """An engineer looks into an endpoint; the answer comes on `browsed` with the same token."""

    token: str
    endpoint: str
    node: str = ""


class Config(Downlink):
    """The numbered tag configuration of one edge."""

    version: int = Field(ge=1)
    tags: list[dict[str, Any]]


def decode_down(kind: type[DownlinkT], data: bytes) -> DownlinkT:
    """Read one downlink message.

    Raises:
        BadMessage: It is not the JSON that `kind` describes.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise BadMessage("bad_downlink") from error
