"""A machine's server and an edge that end at any moment: each reading is in the stream once.

The broker is away all the while: what an edge has read is in its spool.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from edge.agent import Agent
from edge.drivers.opcua import OpcUaDriver
from edge.plant_sim.layout import SIGNALS, tags
from edge.plant_sim.machines import Machine
from edge.plant_sim.servers import CellServer, server_url
from edge.spool import Spool, Write
from edge.tags import EdgeConfig, Endpoint
from mes.kernel.messages import Batch, Birth, Sample, Value, decode, read_samples
from mes.kernel.topics import Stream
from tests.fixtures.edge import free_port, running, until

UNIT = "TEST-1"
SLOW_MS = 2000
"""A publishing interval in which much can happen."""


@asynccontextmanager
async def switched_on(machine: Machine, port: int) -> AsyncIterator[CellServer]:
    server = CellServer("test", {UNIT: machine}, port, None)
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await server.stop()


def press(folder: Path) -> Machine:
    folder.mkdir(exist_ok=True)
    return Machine(UNIT, signals=SIGNALS["TEST"], folder=folder, scans=True)


def config(folder: Path, port: int, interval_ms: int = 50) -> EdgeConfig:
    url = server_url("test", port)
    endpoint = Endpoint(name="test", driver="opcua", url=url, security="None", interval_ms=interval_ms)
    broker = f"mqtt://127.0.0.1:{free_port()}"
    return EdgeConfig(id="edge-test-1", broker=broker, spool=folder / "spool", endpoints=(endpoint,))


def configured(folder: Path) -> None:
    """Give a spool its configuration, as ingest would."""
    spool = Spool(folder / "spool")
    rows = [row for row in tags() if row["endpoint"] == "test"]
    spool.commit(Write(config=(1, json.dumps(rows))))
    spool.close()


def stream(folder: Path) -> Iterator[tuple[str, Value]]:
    """What is in the stream of a spool, in its order."""
    spool = Spool(folder / "spool")
    for epoch in spool.epochs():
        if epoch.stream is not Stream.EVENTS:
            continue
        names: dict[int, str] = {}
        for payload in spool.births(epoch.id).values():
            birth = decode(payload)
            assert isinstance(birth, Birth)
            names |= {found.alias: found.name.partition("/")[2] for found in birth.definitions}
        for _, payload in spool.read(epoch.id, 1, epoch.last, max_bytes=10_000_000):
            batch = decode(payload)
            assert isinstance(batch, Batch)
            for sample in read_samples(batch):
                if isinstance(sample, Sample):
                    yield names[sample.alias], sample.value
    spool.close()


def values(folder: Path, signal: str) -> list[Any]:
    return [value for name, value in stream(folder) if name == signal]


async def test_what_comes_by_history_and_by_subscription_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine goes on between an edge's subscription and its look at the history."""
    configured(tmp_path)
    port = free_port()
    machine = press(tmp_path / "memory")
    async with switched_on(machine, port):
        first = Agent(config(tmp_path, port))
        async with running(first):
            await until(lambda: first.links["test"].up)
            machine.scan("LOT:1")
            await until(lambda: values(tmp_path, "scan") == ["LOT:1"])
        look = OpcUaDriver._missed

        async def look_late(driver: OpcUaDriver) -> Any:
            for number in (2, 3, 4):
                machine.scan(f"LOT:{number}")
            await asyncio.sleep(0.1)
            return await look(driver)

        monkeypatch.setattr(OpcUaDriver, "_missed", look_late)
        second = Agent(config(tmp_path, port, SLOW_MS))
        async with running(second):
            await until(lambda: "LOT:4" in values(tmp_path, "scan"))
            machine.scan("LOT:5")
            await until(lambda: "LOT:5" in values(tmp_path, "scan"))
    assert values(tmp_path, "scan") == [f"LOT:{number}" for number in range(1, 6)]


async def test_a_machine_and_an_edge_that_end_together_count_on(tmp_path: Path) -> None:
    """Whatever of a machine's changes the edge has seen when both end, each is there once."""
    configured(tmp_path)
    port = free_port()
    made = 0
    for seen in (True, False):
        machine = press(tmp_path / "memory")
        async with switched_on(machine, port):
            agent = Agent(config(tmp_path, port))
            async with running(agent):
                await until(lambda agent=agent: agent.links["test"].up)  # type: ignore[misc]
                for _ in range(3):
                    made += 1
                    machine.scan(f"LOT:{made}")
                if seen:
                    await until(lambda wanted=f"LOT:{made}": wanted in values(tmp_path, "scan"))  # type: ignore[misc]
            machine.scan(f"LOT:{made + 1}")
            made += 1
    machine = press(tmp_path / "memory")
    async with switched_on(machine, port):
        agent = Agent(config(tmp_path, port))
        async with running(agent):
            await until(lambda: f"LOT:{made}" in values(tmp_path, "scan"))
            machine.tell_totals()
            await until(lambda: made in values(tmp_path, "total_scans"))
    assert values(tmp_path, "scan") == [f"LOT:{number}" for number in range(1, made + 1)]
    assert machine.totals.scans == made


async def test_the_history_is_there_before_anybody_can_ask(tmp_path: Path) -> None:
    machine = press(tmp_path / "memory")
    machine.scan("LOT:1")
    machine.scan("LOT:2")
    server = CellServer("test", {UNIT: machine}, free_port(), None)
    listen = server.server.start
    kept: list[object] = []

    async def start() -> None:
        storage = server.server.iserver.history_manager.storage
        found, _ = await storage.read_node_history(server.nodes[f"{UNIT}.scan"].nodeid, None, None, 0)
        kept.extend(item.Value.Value for item in found if item.Value is not None)
        await listen()

    server.server.start = start  # type: ignore[method-assign]
    await server.start()
    await server.stop()
    assert sorted(map(str, kept)) == ["LOT:1", "LOT:2"]


async def test_a_machine_shows_no_total_that_is_not_true(tmp_path: Path) -> None:
    machine = press(tmp_path / "memory")
    async with switched_on(machine, free_port()) as server:

        async def shown(signal: str) -> ua.DataValue:
            return await server.nodes[f"{UNIT}.{signal}"].read_data_value(raise_on_bad_status=False)

        assert (await shown("total_scans")).Value == ua.Variant(0, ua.VariantType.UInt32)
        machine.scan("LOT:1")
        await asyncio.sleep(0.05)
        found = await shown("total_scans")
        assert found.StatusCode is not None
        assert found.StatusCode.is_bad()
        machine.tell_totals()
        await asyncio.sleep(0.05)
        assert (await shown("total_scans")).Value == ua.Variant(1, ua.VariantType.UInt32)


async def test_whatever_a_machine_shows_has_its_own_time(tmp_path: Path) -> None:
    machine = press(tmp_path / "memory")
    async with switched_on(machine, free_port()) as server:
        found = {name: await node.read_data_value() for name, node in server.nodes.items()}
    assert [name for name, value in found.items() if value.SourceTimestamp is None] == []
    counted = found[f"{UNIT}.good"].SourceTimestamp
    told = found[f"{UNIT}.total_good"].SourceTimestamp
    assert counted is not None
    assert told is not None
    assert counted <= told
