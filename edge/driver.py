"""The port to a machine's protocol: what a driver is given, and what it has to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from edge.spool import Mark
from edge.tags import Endpoint, Tag
from mes.kernel.messages import GOOD, Value

DRIVERS = "edge.drivers"
NO_SOURCE_TIME = "a total without a source time: nobody knows which pieces it counts"
"""Why a total is refused that the machine does not date.

The edge's own clock would say that a total which was read late counts what came after it, and pieces
that are there would be told as doubled.
"""


class UnknownDriver(LookupError):
    """No installed package offers a driver of this name."""


@dataclass(frozen=True, slots=True)
class BrowseNode:
    """One entry of an endpoint's address space."""

    address: str
    name: str
    leaf: bool
    datatype: str = ""
    value: str = ""


class Sink(Protocol):
    """Where a driver puts what it reads. All calls are quick and never block."""

    def reading(self, tag: Tag, value: Value, time_ms: int, quality: int = GOOD, *, number: int = -1) -> None:
        """Take one reading.

        Args:
            tag: The tag that was read.
            value: As the device sent it; the tag scales and types it.
            time_ms: Time at the source, milliseconds since 1970 UTC.
            quality: 192 good, 64 uncertain, 0 bad (OPC classic).
            number: The device's own running number of it, -1 when it has none.
        """

    def mark(self, tag: Tag) -> Mark | None:
        """Return how far `tag` was read already, for a driver that can ask for what it missed."""

    def malformed(self, endpoint: str, source: str, payload: bytes, reason: str) -> None:
        """Quarantine what a device sent and nobody can read.

        Args:
            endpoint: The connection that it came by.
            source: What sent it, such as a topic.
            payload: What was sent.
            reason: A word, then the tag where it is about one.
        """

    def understood(self, endpoint: str, source: str, tag: str = "") -> None:
        """Say that what a source sends can be read again: a tag of it that could not, or messages at all."""

    def connected(self, endpoint: str) -> None:
        """Say that the endpoint answers; called once for each connection."""

    def disconnected(self, endpoint: str, reason: str) -> None:
        """Say that the endpoint is away; called once for each loss."""

    def missed(self, tag: Tag, time_ms: int, reason: str) -> None:
        """Declare that values of `tag` before this moment were lost at the device."""

    def refused(self, tag: Tag, reason: str, *, read_until: int | None = None) -> None:
        """Say that the endpoint does not know `tag`, or cannot read it; the others go on.

        It is over with the next reading of the tag that is not bad.

        Args:
            tag: The tag.
            reason: Why, in the words of the endpoint.
            read_until: When the tag was there the last time, milliseconds since 1970 UTC; None: until now.
        """


class Driver(Protocol):
    """One connection to a machine's side.

    `run` lasts until it is cancelled and survives every fault of the device: it connects, reads,
    reports a loss once and the return once, and reads again.
    """

    def __init__(self, endpoint: Endpoint, sink: Sink) -> None: ...

    async def run(self) -> None:
        """Read the tags until cancelled."""

    async def apply(self, tags: Sequence[Tag]) -> None:
        """Read these tags from now on, without a new connection."""

    async def browse(self, node: str) -> list[BrowseNode]:
        """Return what lies below `node`; an empty text is the top.

        Raises:
            ConnectionError: The endpoint does not answer.
        """


def driver_class(name: str) -> type[Driver]:
    """Return the installed driver `name`.

    Raises:
        UnknownDriver: No package offers it.
    """
    for entry in entry_points(group=DRIVERS):
        if entry.name == name:
            found: type[Driver] = entry.load()
            return found
    raise UnknownDriver(name)
