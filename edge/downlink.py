"""What the edge is told: watermarks and replays, its numbered configuration, and to look around."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from typing import Any

from edge.collector import Collector
from edge.driver import BrowseNode, Driver
from edge.epochs import Epochs
from edge.tags import Endpoint, parse_tags
from edge.uplink import Uplink
from mes.kernel.bus import BusDown, Received
from mes.kernel.log import get_logger
from mes.kernel.messages import (
    BadMessage,
    BirthRequest,
    Browse,
    Config,
    Note,
    Replay,
    Watermark,
    decode_down,
)
from mes.kernel.topics import BadTopic, Down, Stream, Up, parse_down

log = get_logger(__name__)


class Downlink:
    """Does what an edge is told.

    Args:
        endpoints: Connections that a configuration may use.
        drivers: Those of the endpoints, by name.
    """

    def __init__(
        self,
        endpoints: tuple[Endpoint, ...],
        drivers: Mapping[str, Driver],
        *,
        epochs: Epochs,
        collector: Collector,
        uplink: Uplink,
    ) -> None:
        self.version = 0
        """Number of the configuration in use; 0 for none."""
        self._endpoints = endpoints
        self._drivers = drivers
        self._epochs = epochs
        self._collector = collector
        self._uplink = uplink
        self._turn = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()

    def told(self, message: Received) -> None:
        """Take one message of the broker; one that cannot be read changes nothing."""
        try:
            self._obey(parse_down(message.topic), message.payload)
        except (BadMessage, BadTopic) as error:
            log.warning("downlink.unreadable", topic=message.topic, reason=str(error))

    def _obey(self, what: Down, payload: bytes) -> None:
        if what is Down.WATERMARK:
            self._uplink.take_watermark(decode_down(Watermark, payload))
        elif what is Down.REPLAY:
            self._uplink.replay(decode_down(Replay, payload))
        elif what is Down.BIRTH:
            self._uplink.give_birth(decode_down(BirthRequest, payload))
        elif what is Down.CONFIG:
            config = decode_down(Config, payload)
            if config.version != self.version:
                self._start(self.use(config, fresh=True))
        else:
            self._start(self._browse(decode_down(Browse, payload)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def use(self, config: Config, *, fresh: bool) -> None:
        """Apply a numbered configuration; a fresh one is kept, and acknowledged on `events`.

        One after another, in the order in which they came.
        """
        async with self._turn:
            await self._apply(config, fresh=fresh)

    async def _apply(self, config: Config, *, fresh: bool) -> None:
        self.version = config.version
        tags, refused = parse_tags(config.tags, self._endpoints)
        self._collector.use(tags)
        await self._epochs.define(tags)
        self._collector.call(self._epochs.current(Stream.TELEMETRY).aliases)
        for name, driver in self._drivers.items():
            await driver.apply(self._collector.tags_of(name))
        if fresh:
            await self._epochs.keep_config(config.version, json.dumps(config.tags))
            self._collector.note(
                Note.CONFIG, {"version": config.version, "tags": len(tags), "refused": refused}
            )
            log.info("config.applied", version=config.version, tags=len(tags), refused=len(refused))

    async def _browse(self, asked: Browse) -> None:
        body: dict[str, Any] = {"token": asked.token, "endpoint": asked.endpoint, "node": asked.node}
        driver = self._drivers.get(asked.endpoint)
        if driver is None:
            body["error"] = "unknown_endpoint"
        else:
            try:
                body["nodes"] = [_shown(node) for node in await driver.browse(asked.node)]
            except ConnectionError:
                body["error"] = "endpoint_away"
        try:
            self._uplink.publish(Up.BROWSED, json.dumps(body).encode())
        except BusDown:
            log.info("browse.unanswered", endpoint=asked.endpoint)


def _shown(node: BrowseNode) -> dict[str, Any]:
    return {
        "address": node.address,
        "name": node.name,
        "leaf": node.leaf,
        "type": node.datatype,
        "value": node.value,
    }
