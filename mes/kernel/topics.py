"""Topics of the edge stream, version 1, and nothing else knows their spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

ROOT = "lineside/v1"
EDGE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
"""Lower case letters, digits and hyphens: safe in MQTT, in NATS and in a file name."""


class Stream(StrEnum):
    """The two ordered streams of an edge."""

    EVENTS = "events"
    """Scans, states, counts: never dropped."""
    TELEMETRY = "telemetry"
    """Measured values: thinned only by rule, with a gap record."""


class Up(StrEnum):
    """What an edge says beside its streams; none of it is kept."""

    HEALTH = "health"
    BROWSED = "browsed"


class Down(StrEnum):
    """What an edge is told."""

    WATERMARK = "watermark"
    REPLAY = "replay"
    BIRTH = "birth"
    CONFIG = "config"
    BROWSE = "browse"


RETAINED = frozenset({Down.WATERMARK, Down.CONFIG})
"""Downlink topics whose last message waits for an edge that is away."""


class BadTopic(ValueError):
    """A topic or an edge's name that the edge stream does not know."""


@dataclass(frozen=True, slots=True)
class Address:
    """An uplink topic, taken apart."""

    edge: str
    channel: Stream | Up


def up(edge: str, channel: Stream | Up) -> str:
    """Return the topic on which `edge` publishes `channel`.

    Raises:
        BadTopic: `edge` is no edge name.
    """
    return f"{ROOT}/{_checked(edge)}/{channel.value}"


def down(edge: str, what: Down) -> str:
    """Return the topic on which `edge` is told `what`.

    Raises:
        BadTopic: `edge` is no edge name.
    """
    return f"{ROOT}/{_checked(edge)}/down/{what.value}"


def every_up(channel: Stream | Up) -> str:
    """Return the subscription filter for `channel` of every edge."""
    return f"{ROOT}/+/{channel.value}"


def every_down(edge: str) -> str:
    """Return the subscription filter for all that `edge` is told."""
    return f"{ROOT}/{_checked(edge)}/down/+"


def parse_up(topic: str) -> Address:
    """Take an uplink topic apart.

    Raises:
        BadTopic: It is no uplink topic of version 1.
    """
    parts = topic.removeprefix(ROOT + "/").split("/")
    if not topic.startswith(ROOT + "/") or len(parts) != 2 or not EDGE_NAME.fullmatch(parts[0]):
        raise BadTopic(topic)
    for kind in (Stream, Up):
        if parts[1] in [item.value for item in kind]:
            return Address(parts[0], kind(parts[1]))
    raise BadTopic(topic)


def parse_down(topic: str) -> Down:
    """Return what a downlink topic tells.

    Raises:
        BadTopic: It is no downlink topic of version 1.
    """
    last = topic.rsplit("/", 1)[-1]
    if "/down/" not in topic or last not in [item.value for item in Down]:
        raise BadTopic(topic)
    return Down(last)


def _checked(edge: str) -> str:
    if not EDGE_NAME.fullmatch(edge):
        raise BadTopic(f"{edge!r} is no edge name")
    return edge
