"""The MQTT JSON driver, with a device behind a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edge.tags import Endpoint, Tag
from mes.kernel.bus import Bus
from mes.kernel.messages import Kind, Value
from tests.conformance.driver_suite import DriverSuite
from tests.fixtures.edge import RunningBroker

TOPIC = "devices/press/report"
PLACES = {"state": "int", "good": "int", "load": "double", "scan": "string"}


class MqttSource:
    """A press that reports its last numbered changes in each message."""

    driver = "mqtt"
    keeps_history = True

    def __init__(self, broker: RunningBroker) -> None:
        self._broker = broker
        self._report: dict[str, Any] = {"changes": []}

    async def start(self) -> None:
        self._broker.start()

    async def kill(self) -> None:
        self._broker.kill()

    async def set(self, signal: str, value: Value, time_ms: int, *, good: bool = True) -> None:
        if signal in {"state", "scan"}:
            changes = self._report["changes"]
            changes.append({"n": len(changes) + 1, signal: value, "time": time_ms})
        else:
            shown = value if good else "sensor failure"
            self._report[signal] = {"value": shown, "time": time_ms}
        await self._publish(json.dumps(self._report).encode())

    async def spoil(self) -> None:
        await self._publish(b"\xff{")

    async def _publish(self, payload: bytes) -> None:
        async with Bus(self._broker.url("device"), name="press") as bus:
            async with asyncio.timeout(60):
                await bus.connected.wait()
            await bus.publish(TOPIC, payload)

    def endpoint(self) -> Endpoint:
        return Endpoint(name="devices", driver="mqtt", url=self._broker.url("edge"))

    def tag(self, signal: str, kind: Kind) -> Tag:
        row: dict[str, Any] = {
            "name": f"PRESS-1/{signal}",
            "kind": kind.value,
            "endpoint": "devices",
            "address": TOPIC,
            "datatype": PLACES[signal],
            "path": f"$.{signal}.value",
            "time": f"$.{signal}.time",
        }
        if signal in {"state", "scan"}:
            row |= {"each": "$.changes", "path": f"$.{signal}", "time": "$.time", "number": "$.n"}
        return Tag.model_validate(row)

    def missing_tag(self) -> Tag:
        return self.tag("load", Kind.ANALOG).model_copy(update={"name": "PRESS-1/ghost", "path": "no path"})


class TestMqtt(DriverSuite):
    """The numbered cases."""

    @pytest.fixture
    async def source(self, tmp_path: Path) -> AsyncIterator[MqttSource]:
        broker = RunningBroker("mosquitto", tmp_path)
        broker.start()
        yield MqttSource(broker)
        broker.kill()
