"""Tags: which signal of which machine, how its values are read, and CONFIG.toml of an edge."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge.counter import CounterRule
from mes.kernel.messages import BAD, EVENT_KINDS, DataType, Definition, Kind, Value
from mes.kernel.topics import EDGE_NAME, Stream

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}$")]


class Tag(BaseModel):
    """One signal of one machine.

    The address is the driver's own: an OPC UA node id, or an MQTT topic with JSON paths.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """`<equipment>/<signal>`; the equipment is an ISA-95 unit of the plant."""
    kind: Kind
    endpoint: str
    address: str
    metric: str = ""
    """What the plant calls it (`state`, `count.good`); none: the signal."""
    unit: str = ""
    datatype: Literal["double", "int", "bool", "string"] = "double"
    deadband: Annotated[float, Field(ge=0)] = 0.0
    """Smallest change worth sending, in `unit` after scaling."""
    heartbeat_s: Annotated[float, Field(gt=0)] = 60.0
    """A value that does not change is sent again after this time."""
    scale: float = 1.0
    offset: float = 0.0
    numbers: dict[int, int] | None = None
    """Map from the machine's state numbers to PackML 2022."""
    modulus: Decimal | None = None
    max_step: Decimal = Decimal(1000)
    reader: str = ""
    """Name of the scanner; none: the equipment."""
    path: str = "$"
    """JSON path of the value (MQTT)."""
    each: str = ""
    """JSON path of a list; `path`, `time` and `number` are then relative to each entry."""
    time: str = ""
    """JSON path of the source time: ISO 8601, or milliseconds since 1970 UTC."""
    number: str = ""
    """JSON path of the device's own running number; known numbers are skipped."""

    @property
    def equipment(self) -> str:
        """The unit that the signal belongs to."""
        return self.name.partition("/")[0]

    @property
    def signal(self) -> str:
        """The part of the name after the equipment."""
        return self.name.partition("/")[2]

    @property
    def stream(self) -> Stream:
        """The stream that its values travel on."""
        return Stream.EVENTS if self.kind in EVENT_KINDS else Stream.TELEMETRY

    @property
    def counter(self) -> CounterRule:
        """How a count is read."""
        return CounterRule(self.modulus, self.max_step)

    def definition(self, alias: int) -> Definition:
        """Return what a birth says of this tag."""
        return Definition(
            alias=alias,
            name=self.name,
            kind=self.kind,
            equipment=self.equipment,
            metric=self.metric or self.signal,
            datatype=_DATATYPES[self.datatype],
            unit=self.unit,
        )

    def convert(self, raw: Value) -> Value:
        """Return `raw` scaled and in this tag's type, or none when it cannot be.

        A value of the wrong type is bad data, not an error of the machine's connection.
        """
        if raw is None or self.datatype == "string":
            return None if raw is None else storable(str(raw))
        if isinstance(raw, str):
            return None
        try:
            number = float(raw) * self.scale + self.offset if self.scaled else raw
            if self.datatype == "double":
                number = float(number)
                return number if isfinite(number) else None
            return self._whole(number)
        except (OverflowError, ValueError):
            return None

    def _whole(self, number: float) -> Value:
        """Return what is counted, or none for what no 64 bits hold; no number is a ValueError."""
        if self.datatype == "bool":
            return bool(number) if isfinite(number) else None
        whole = int(number)
        if self.numbers is not None:
            return self.numbers.get(whole)
        return whole if -(2**63) <= whole < 2**63 else None

    @property
    def scaled(self) -> bool:
        """Whether a value is more than passed on."""
        return self.scale != 1.0 or self.offset != 0.0


def storable(text: str) -> str:
    """Return `text` without what neither a message nor a database can hold; it shows as an escape."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


_DATATYPES: Mapping[str, DataType] = {
    "double": DataType.DOUBLE,
    "int": DataType.INT64,
    "bool": DataType.BOOLEAN,
    "string": DataType.STRING,
}


class Deadband:
    """Report by exception: tells which readings of one tag are worth sending."""

    __slots__ = ("_at", "_band", "_heartbeat_ms", "_quality", "_value")

    def __init__(self, tag: Tag) -> None:
        self._band = tag.deadband
        self._heartbeat_ms = tag.heartbeat_s * 1000
        self._value: Value = None
        self._quality = BAD
        self._at = 0

    def passes(self, value: Value, time_ms: int, quality: int) -> bool:
        """Tell whether to send this reading, and remember it if so."""
        if quality == self._quality and time_ms - self._at < self._heartbeat_ms and self._within(value):
            return False
        self._value, self._quality, self._at = value, quality, time_ms
        return True

    def _within(self, value: Value) -> bool:
        if self._band and isinstance(value, float) and isinstance(self._value, float):
            return abs(value - self._value) < self._band
        return value == self._value


class Endpoint(BaseModel):
    """One connection of the edge to the machines' side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    driver: str
    url: str = Field(repr=False)
    security: Literal["SignAndEncrypt", "Sign", "None"] = "SignAndEncrypt"
    certificate: Path | None = None
    key: Path | None = None
    trust: Path | None = None
    """Folder of the certificates (DER) that this edge believes."""
    interval_ms: Annotated[int, Field(ge=20, le=60_000)] = 500
    """OPC UA publishing interval."""

    @property
    def place(self) -> str:
        """The address without its password, for logs."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class EdgeConfig(BaseModel):
    """CONFIG.toml: who this edge is, and whom it talks to. Its tags come from the MES."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    broker: str = Field(repr=False)
    spool: Path
    endpoints: tuple[Endpoint, ...] = ()
    batch_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Longest time that telemetry waits for its batch."""
    spool_mb: Annotated[int, Field(ge=8)] = 512
    """Above this the oldest telemetry is thinned; events never are."""
    keep_h: Annotated[float, Field(ge=0)] = 24.0
    """How long committed batches stay, for a database that comes back from a backup."""

    @field_validator("id")
    @classmethod
    def _named(cls, value: str) -> str:
        if not EDGE_NAME.fullmatch(value):
            raise ValueError("lower case letters, digits and hyphens")
        return value


class BadConfig(ValueError):
    """CONFIG.toml cannot be used."""


def load_config(path: Path) -> EdgeConfig:
    """Read CONFIG.toml; relative paths in it are relative to its folder.

    Raises:
        BadConfig: It is missing, no TOML, or has a key or value that is not known.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        config = EdgeConfig.model_validate(raw)
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadConfig(f"{path}: {error}") from error
    base = path.parent
    endpoints = tuple(
        endpoint.model_copy(
            update={
                key: base / value
                for key in ("certificate", "key", "trust")
                if (value := getattr(endpoint, key)) is not None
            }
        )
        for endpoint in config.endpoints
    )
    return config.model_copy(update={"spool": base / config.spool, "endpoints": endpoints})


def parse_tags(
    rows: Iterable[Mapping[str, Any]], endpoints: Sequence[Endpoint]
) -> tuple[list[Tag], list[dict[str, str]]]:
    """Read the tags of a numbered configuration.

    Returns:
        The tags that can be used, and for each other one its name and why not.
    """
    names = {endpoint.name for endpoint in endpoints}
    tags: dict[str, Tag] = {}
    refused: list[dict[str, str]] = []
    for row in rows:
        name = str(row.get("name", ""))
        try:
            tag = Tag.model_validate(row)
        except ValidationError as error:
            problem = error.errors()[0]
            refused.append({"tag": name, "reason": f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"})
            continue
        if tag.endpoint not in names:
            refused.append({"tag": name, "reason": f"no endpoint {tag.endpoint}"})
        elif name in tags:
            refused.append({"tag": name, "reason": "named twice"})
        else:
            tags[name] = tag
    return list(tags.values()), refused
