"""From messages of the edge stream to rows of the databases; nothing here speaks to one."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from mes.kernel.messages import (
    AGAIN,
    GOOD,
    BadMessage,
    Batch,
    Definition,
    Gap,
    Kind,
    Note,
    NoteSample,
    Sample,
    Value,
    read_properties,
    read_samples,
    read_value,
)
from mes.kernel.proto.sparkplug_b_pb2 import Payload
from mes.kernel.topics import Stream

POSTGRES_EPOCH_MS = 946_684_800_000
"""2000-01-01 UTC, where PostgreSQL's binary timestamps begin, in milliseconds since 1970."""
FUTURE_MS = 600_000
"""A source time further ahead than ten minutes is wrong, and its value goes to quarantine."""
MINUTE_MS = 60_000
NO_TAG = 0
"""No tag's number: they begin at 1."""
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_TRAILER = struct.pack(">h", -1)
ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("time_size", ">i4"),
        ("time", ">i8"),
        ("tag_size", ">i4"),
        ("tag", ">i4"),
        ("value_size", ">i4"),
        ("value", ">f8"),
        ("quality_size", ">i4"),
        ("quality", ">i2"),
    ]
)
"""One row of COPY BINARY into `sample`."""


@dataclass(frozen=True, slots=True)
class Take:
    """One accepted message: a batch, or the declaration that batches are gone.

    Args:
        before: The cursor that it follows.
        names: What the aliases of a batch mean.
    """

    edge: str
    stream: Stream
    message: Batch | Gap
    before: int
    names: Aliases | None = None

    @property
    def seq(self) -> int:
        """The cursor after it."""
        return self.message.to_seq if isinstance(self.message, Gap) else self.message.seq


@dataclass(slots=True)
class Aliases:
    """What the aliases of one birth mean.

    Args:
        definitions: By alias.
        doubles: Tag id by alias, for those that are plain numbers.
        tag_ids: Tag id by alias, for all of telemetry.
    """

    definitions: dict[int, Definition]
    doubles: dict[int, int] = field(default_factory=dict)
    tag_ids: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that cannot be stored where it belongs, with the reason."""

    edge: str
    stream: str
    reason: str
    payload: bytes
    epoch: UUID | None = None
    seq: int | None = None
    idx: int = -1
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Columns:
    """Samples of many batches, as columns."""

    tags: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    qualities: list[int] = field(default_factory=list)
    nulls: list[tuple[datetime, int, int]] = field(default_factory=list)
    texts: list[tuple[datetime, int, str, int]] = field(default_factory=list)
    strange: list[Quarantined] = field(default_factory=list)
    gaps: list[tuple[Take, Gap]] = field(default_factory=list)
    by_edge: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self.tags) + len(self.nulls) + len(self.texts)


class TallyKey(NamedTuple):
    """What is counted: the pieces, states or scans of one machine."""

    edge: str
    equipment: str
    metric: str


@dataclass(frozen=True, slots=True)
class TallyStep:
    """A moment at which a machine told its own total.

    Args:
        added: What the stream brought since the step before.
        total: What the machine has counted.
    """

    key: TallyKey
    added: Decimal
    total: Decimal
    at: datetime


class Tally:
    """What the streams brought, against what the machines themselves have counted."""

    def __init__(self) -> None:
        self.added: dict[TallyKey, Decimal] = {}
        """Brought since the last total of each."""
        self.steps: list[TallyStep] = []

    def add(self, key: TallyKey, quantity: Decimal) -> None:
        """Note what one event brings."""
        self.added[key] = self.added.get(key, Decimal(0)) + quantity

    def check(self, key: TallyKey, total: Decimal, at: datetime) -> None:
        """Note what the machine itself has counted up to here."""
        self.steps.append(TallyStep(key, self.added.pop(key, Decimal(0)), total, at))


@dataclass(slots=True)
class Inbox:
    """What a group of event batches means to the MES database.

    Args:
        rows: Columns of `mes.edge_inbox`, in the order of `INBOX_COLUMNS`.
        acknowledged: Edges and the configuration that they have applied.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    acknowledged: list[tuple[str, int]] = field(default_factory=list)


INBOX_COLUMNS = (
    "edge",
    "epoch",
    "seq",
    "idx",
    "equipment",
    "metric",
    "kind",
    "value",
    "source_time",
    "quality",
)


def read_events(takes: Sequence[Take]) -> Inbox:
    """Read what the takes of the events stream bring.

    Raises:
        BadMessage: A batch cannot be read, or uses an alias that its birth does not define.
    """
    inbox = Inbox()
    for take in takes:
        if isinstance(take.message, Gap):
            inbox.rows.append(_gap_row(take, take.message))
            continue
        for idx, sample in enumerate(read_samples(take.message)):
            if isinstance(sample, NoteSample):
                _read_note(inbox, take, idx, sample)
            else:
                _read_event(inbox, take, idx, sample)
    return inbox


def _read_event(inbox: Inbox, take: Take, idx: int, sample: Sample) -> None:
    definition = take.names.definitions.get(sample.alias) if take.names else None
    if definition is None:
        raise BadMessage("unknown_alias")
    at = when(sample.time_ms)
    key = TallyKey(take.edge, definition.equipment, definition.metric)
    properties = sample.properties or {}
    value: Any = sample.value
    if definition.kind is Kind.TOTAL:
        inbox.tally.check(key, _count(value), at)
        return
    if definition.kind is Kind.COUNT:
        doubtful = properties.get("doubtful") is True
        inbox.tally.add(key, _count(value))
        value = {"delta": str(value), "raw": str(properties.get("raw", "")), "doubtful": doubtful}
    elif definition.kind is Kind.SCAN:
        inbox.tally.add(key, Decimal(1))
        value = {"payload": value, **properties}
    elif definition.kind is Kind.STATE and properties.get(AGAIN) is not True:
        inbox.tally.add(key, Decimal(1))
    kind = definition.kind.value
    inbox.rows.append(
        (*_place(take, idx), key.equipment, key.metric, kind, json.dumps(value), at, sample.quality)
    )


def _count(value: Value) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise BadMessage("bad_count")
    return Decimal(str(value))


def _read_note(inbox: Inbox, take: Take, idx: int, sample: NoteSample) -> None:
    """Keep gaps, and the acknowledgement of a configuration; the rest is for logs and health."""
    version = sample.body.get("version")
    if sample.note is Note.CONFIG and isinstance(version, int):
        inbox.acknowledged.append((take.edge, version))
    elif sample.note is Note.GAP:
        at = when(sample.time_ms)
        body = {**sample.body, **_ends(sample.body, at)}
        inbox.rows.append((*_place(take, idx), "", "gap", "gap", json.dumps(body), at, GOOD))


def _gap_row(take: Take, gap: Gap) -> tuple[Any, ...]:
    now = datetime.now(UTC)
    numbers = {"from_seq": gap.from_seq, "to_seq": gap.to_seq}
    body = {**gap.body, "stream": take.stream.value, **numbers, **_ends(gap.body, now)}
    return (*_place(take, -1), "", "gap", "gap", json.dumps(body), now, GOOD)


def _place(take: Take, idx: int) -> tuple[str, UUID, int, int]:
    return take.edge, take.message.epoch, take.seq, idx


def when(time_ms: int) -> datetime:
    """Return a source time as an aware datetime.

    Raises:
        BadMessage: It is outside what a calendar holds.
    """
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise BadMessage("bad_time") from error


def _ends(body: Mapping[str, Any], at: datetime) -> dict[str, str]:
    """Return the ends of a gap, which ends at `at` where nothing is said; how it begins may be unknown."""
    said = {key: body.get(key) for key in ("from", "to")}
    ends = {key: when(value) for key, value in said.items() if isinstance(value, int)}
    return {key: moment.isoformat() for key, moment in {"to": at, **ends}.items()}


def read_telemetry(takes: Sequence[Take]) -> Columns:
    """Read the samples of the telemetry stream."""
    columns = Columns()
    for take in takes:
        before = columns.count
        if isinstance(take.message, Gap):
            columns.gaps.append((take, take.message))
        elif take.names is not None:
            _fill(columns, take, take.message, take.names)
        columns.by_edge[take.edge] = columns.by_edge.get(take.edge, 0) + columns.count - before
    return columns


def _fill(columns: Columns, take: Take, batch: Batch, names: Aliases) -> None:
    """Add the samples of one batch; the columns of plain numbers are the hot path."""
    latest = int(datetime.now(UTC).timestamp() * 1000) + FUTURE_MS
    metrics = batch.metrics
    times = [metric.timestamp for metric in metrics]
    doubles = names.doubles
    tags = [doubles.get(metric.alias, NO_TAG) for metric in metrics]
    rare = NO_TAG in tags or any(metric.HasField("properties") or metric.is_null for metric in metrics)
    if rare or min(times, default=1) <= 0 or max(times, default=1) >= latest:
        _fill_one_by_one(columns, take, batch, names, latest=latest)
        return
    columns.tags += tags
    columns.times += times
    columns.values += [metric.double_value for metric in metrics]
    columns.qualities += [GOOD] * len(times)


def _fill_one_by_one(columns: Columns, take: Take, batch: Batch, names: Aliases, *, latest: int) -> None:
    for idx, metric in enumerate(batch.metrics):
        tag = names.doubles.get(metric.alias)
        plain = not (metric.is_null or metric.HasField("properties"))
        if tag is not None and plain and 0 < metric.timestamp < latest:
            columns.tags.append(tag)
            columns.times.append(metric.timestamp)
            columns.values.append(metric.double_value)
            columns.qualities.append(GOOD)
        elif metric.HasField("alias"):
            _fill_rare(columns, take, idx, metric, latest=latest)


def _fill_rare(columns: Columns, take: Take, idx: int, metric: Payload.Metric, *, latest: int) -> None:
    """Add a sample that is no plain good number, or set it aside."""
    tag = take.names.tag_ids.get(metric.alias) if take.names else None
    quality = read_properties(metric).get("quality", GOOD)
    if tag is None or not 0 < metric.timestamp < latest or not isinstance(quality, int):
        reason = "unknown_alias" if tag is None else "time_in_future"
        columns.strange.append(_strange(take, idx, metric, reason))
        return
    try:
        value = read_value(metric)
    except BadMessage as error:
        columns.strange.append(_strange(take, idx, metric, error.reason))
        return
    if value is None:
        columns.nulls.append((when(metric.timestamp), tag, quality))
    elif isinstance(value, str):
        columns.texts.append((when(metric.timestamp), tag, json.dumps(value), quality))
    else:
        columns.tags.append(tag)
        columns.times.append(metric.timestamp)
        columns.values.append(float(value))
        columns.qualities.append(quality)


def _strange(take: Take, idx: int, metric: Payload.Metric, reason: str) -> Quarantined:
    payload = metric.SerializeToString()
    detail = {"alias": metric.alias, "time_ms": metric.timestamp}
    return Quarantined(
        take.edge, take.stream.value, reason, payload, take.message.epoch, take.seq, idx, detail
    )


Newest = tuple[int, float, int]
"""The newest value of a tag: milliseconds since 1970 UTC, value, quality."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Plain samples as PostgreSQL wants them.

    Args:
        copy: COPY BINARY of `sample(time, tag_id, value, quality)`.
        newest: For `last_value`, by tag; of equal times the last one.
        touched: Rollups that are out of date: tag * 2**32 + minute since 1970 UTC.
    """

    copy: bytes
    newest: dict[int, Newest]
    touched: set[int]


def pack(columns: Columns) -> Packed:
    """Pack the plain samples of `columns`, of which there is at least one."""
    ids = np.array(columns.tags, dtype=np.int32)
    times = np.array(columns.times, dtype=np.int64)
    values = np.array(columns.values, dtype=np.float64)
    qualities = np.array(columns.qualities, dtype=np.int16)
    rows = np.empty(len(ids), dtype=ROW)
    rows["fields"], rows["time_size"], rows["tag_size"] = 4, 8, 4
    rows["value_size"], rows["quality_size"] = 8, 2
    rows["time"] = (times - POSTGRES_EPOCH_MS) * 1000
    rows["tag"], rows["value"], rows["quality"] = ids, values, qualities
    order = np.lexsort((times, ids))
    last = order[np.append(np.flatnonzero(np.diff(ids[order])), len(order) - 1)]
    found = zip(times[last].tolist(), values[last].tolist(), qualities[last].tolist(), strict=True)
    newest = dict(zip(ids[last].tolist(), found, strict=True))
    touched = set(np.unique(ids.astype(np.int64) << 32 | times // MINUTE_MS).tolist())
    return Packed(COPY_HEADER + rows.tobytes() + COPY_TRAILER, newest, touched)


def split_bucket(bucket: int) -> tuple[int, int]:
    """Return tag and minute of a rollup."""
    return bucket >> 32, bucket & 0xFFFF_FFFF
