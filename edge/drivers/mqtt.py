"""MQTT devices that send JSON: values are picked out of their messages by path.

A device that is switched off or a broker that starts anew may lose a message. A device that
repeats its last entries in each message, numbered, loses nothing: map the list with `each`, and
the number with `number`; entries that were read before are skipped.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from edge.driver import NO_SOURCE_TIME, BrowseNode, Sink
from edge.tags import Endpoint, Tag
from mes.kernel.bus import Bus, Received
from mes.kernel.clock import utc_now
from mes.kernel.messages import BAD, Kind, Value

MAX_PAYLOAD = 256 * 1024
WATCH_S = 0.1
LATEST_MS = 253_402_300_800_000
"""A source time is before the year 10000."""
SHOWN = 200
"""Characters of a value that browsing shows."""
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\['([^']+)'\]")


class BadPath(ValueError):
    """A JSON path that is none: `$`, then `.name`, `['name']` or `[0]`, as often as needed."""


class NotThere(LookupError):
    """A message has nothing at this path."""


def parse_path(path: str) -> tuple[str | int, ...]:
    """Return the steps of a JSON path.

    Raises:
        BadPath: It is none.
    """
    if not path.startswith("$"):
        raise BadPath(path)
    steps: list[str | int] = []
    rest = path[1:]
    while rest:
        found = _STEP.match(rest)
        if found is None:
            raise BadPath(path)
        name, index, quoted = found.groups()
        steps.append(int(index) if index is not None else name or quoted)
        rest = rest[found.end() :]
    return tuple(steps)


def pick(document: Any, steps: Sequence[str | int]) -> Any:
    """Return what `document` has at `steps`.

    Raises:
        NotThere: It has nothing there.
    """
    for step in steps:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError) as error:
            raise NotThere from error
    return document


class Mapping:
    """How one tag is read out of a message.

    Raises:
        BadPath: One of the tag's paths is none.
    """

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        self._each = parse_path(tag.each) if tag.each else None
        self._value = parse_path(tag.path)
        self._time = parse_path(tag.time) if tag.time else None
        self._number = parse_path(tag.number) if tag.number else None

    def read(self, document: Any, now_ms: int) -> Iterator[tuple[Value, int, int]]:
        """Yield value, source time and number of each entry that `document` has.

        Raises:
            NotThere: The message has no such path.
            ValueError: A time or a number cannot be read.
        """
        for entry in [document] if self._each is None else self._entries(document):
            value = pick(entry, self._value)
            if isinstance(value, list | dict):
                value = json.dumps(value, separators=(",", ":"))
            at = now_ms if self._time is None else read_time(pick(entry, self._time))
            number = -1 if self._number is None else _within(int(pick(entry, self._number)), 2**63)
            yield value, at, number

    def _entries(self, document: Any) -> list[Any]:
        found = pick(document, self._each or ())
        if not isinstance(found, list):
            raise ValueError("no list")
        return found


def read_time(value: object) -> int:
    """Return a time as milliseconds since 1970 UTC.

    Args:
        value: ISO 8601 text with an offset, or milliseconds since 1970 UTC.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, bool):
        raise ValueError("no time")
    if isinstance(value, int | float):
        return _within(value, LATEST_MS)
    if isinstance(value, str):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("a time without its offset")
        return _within(at.astimezone(UTC).timestamp() * 1000, LATEST_MS)
    raise ValueError("no time")


def _within(value: float, limit: int) -> int:
    if not 0 <= value < limit:
        raise ValueError("out of range")
    return int(value)


class MqttDriver:
    """Devices behind one MQTT broker."""

    def __init__(self, endpoint: Endpoint, sink: Sink) -> None:
        self._endpoint = endpoint
        self._sink = sink
        self._mappings: dict[str, list[Mapping]] = {}
        self._latest: dict[str, Any] = {}
        self._malformed_at: set[tuple[str, str]] = set()
        """Topics, and the tags of them that could not be read last; an empty name for whole messages."""
        self._changed = asyncio.Event()
        self._up = False

    async def run(self) -> None:
        """Listen until cancelled; another set of topics means another connection."""
        while True:
            self._changed.clear()
            topics = sorted(self._mappings)
            if topics:
                await self._listen(topics)
            else:
                await self._changed.wait()

    async def _listen(self, topics: list[str]) -> None:
        bus = Bus(
            self._endpoint.url,
            name=f"driver-{self._endpoint.name}",
            subscriptions=topics,
            on_message=self._heard,
            on_connect=self._connected,
        )
        async with bus:
            watch = asyncio.create_task(self._watch(bus))
            try:
                while not self._changed.is_set() or sorted(self._mappings) == topics:
                    self._changed.clear()
                    await self._changed.wait()
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
        self._lost("reconfigured")

    async def _connected(self) -> None:
        self._up = True
        self._sink.connected(self._endpoint.name)

    async def _watch(self, bus: Bus) -> None:
        while True:
            await bus.connected.wait()
            await bus.lost.wait()
            self._lost("broker away")
            await asyncio.sleep(WATCH_S)

    def _lost(self, reason: str) -> None:
        if self._up:
            self._up = False
            self._sink.disconnected(self._endpoint.name, reason)

    async def apply(self, tags: Sequence[Tag]) -> None:
        """Read these tags from now on."""
        mappings: dict[str, list[Mapping]] = {}
        for tag in tags:
            if tag.kind is Kind.TOTAL and not tag.time:
                self._sink.refused(tag, NO_SOURCE_TIME)
                continue
            try:
                mappings.setdefault(tag.address, []).append(Mapping(tag))
            except BadPath as error:
                self._sink.refused(tag, f"no JSON path: {error}")
        self._mappings = mappings
        self._malformed_at = set()
        self._changed.set()

    def _heard(self, message: Received) -> None:
        mappings = self._mappings.get(message.topic, [])
        now_ms = int(utc_now().timestamp() * 1000)
        if len(message.payload) > MAX_PAYLOAD:
            self._malformed(message, "too_large")
            return
        try:
            document = json.loads(message.payload)
        except (ValueError, RecursionError):
            self._malformed(message, "not_json")
            return
        self._latest[message.topic] = document
        self._understood(message.topic, "")
        for mapping in mappings:
            if self._read(mapping, document, message, now_ms):
                self._understood(message.topic, mapping.tag.name)

    def _understood(self, topic: str, tag: str) -> None:
        if (topic, tag) in self._malformed_at:
            self._malformed_at.discard((topic, tag))
            self._sink.understood(self._endpoint.name, topic, tag)

    def _read(self, mapping: Mapping, document: Any, message: Received, now_ms: int) -> bool:
        """Pass on what a message has for a tag; return whether all of it could be read."""
        tag = mapping.tag
        try:
            found = list(mapping.read(document, now_ms))
        except NotThere:
            return False
        except (ValueError, TypeError, OverflowError):
            self._malformed(message, "bad_entry", tag.name)
            return False
        understood = True
        for value, at, number in found:
            unusable = value is not None and tag.convert(value) is None and tag.numbers is None
            if unusable or not _fits(tag, value):
                self._malformed(message, "wrong_type", tag.name)
                understood = False
                if tag.kind is Kind.ANALOG:
                    self._sink.reading(tag, None, at, BAD)
                continue
            self._sink.reading(tag, value, at, number=number)
        return understood

    def _malformed(self, message: Received, reason: str, tag: str = "") -> None:
        self._malformed_at.add((message.topic, tag))
        why = f"{reason} {tag}".rstrip()
        self._sink.malformed(self._endpoint.name, message.topic, message.payload, why)

    async def browse(self, node: str) -> list[BrowseNode]:
        """Return the topics heard, or the values in the last message of one."""
        if not self._up:
            raise ConnectionError(self._endpoint.name)
        if not node:
            return [BrowseNode(topic, topic, leaf=False) for topic in sorted(self._latest)]
        topic, _, path = node.partition("#")
        try:
            inside = pick(self._latest.get(topic, {}), parse_path(path or "$"))
        except (BadPath, NotThere):
            return []
        return [_entry(topic, path or "$", name, value) for name, value in _children(inside)]


def _fits(tag: Tag, value: Value) -> bool:
    if tag.datatype == "string":
        return isinstance(value, str)
    return isinstance(value, bool | int | float)


def _children(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f".{key}", inner) for key, inner in value.items()]
    if isinstance(value, list):
        return [(f"[{index}]", inner) for index, inner in enumerate(value)]
    return []


def _entry(topic: str, path: str, name: str, value: Any) -> BrowseNode:
    leaf = not isinstance(value, dict | list)
    shown = json.dumps(value)[:SHOWN] if leaf else ""
    return BrowseNode(f"{topic}#{path}{name}", name.strip(".[]"), leaf, type(value).__name__, shown)
