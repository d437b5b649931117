"""One strange value, note or configuration is set aside; machines and other edges go on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from edge.agent import Agent
from edge.drivers.opcua import OpcUaDriver
from edge.tags import EdgeConfig, Endpoint, Tag
from mes.kernel.db import Database
from mes.kernel.messages import Birth, Config, Note, encode_birth
from mes.kernel.proto.sparkplug_b_pb2 import Payload
from mes.kernel.topics import Stream, up
from mes.performance.store import board
from tests.fixtures.edge import (
    EDGE,
    TOPIC,
    Press,
    RunningBroker,
    device,
    edge_config,
    make_ingest,
    rows,
    running,
    states,
    until,
    work,
)


async def test_a_number_that_is_none_stops_no_edge(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        for strange in (float("nan"), float("inf"), 10**400):
            work(press, 1)
            await bus.publish(TOPIC, press.report(good=strange, total=strange))
        work(press, 1)
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(states(database_url)) == press.states, told="the rest flows on")
        query = "select count(*) from historian.quarantine where reason like 'wrong_type PRESS-1/good%'"
        await until(lambda: rows(database_url, query) == [(3,)], told="quarantine")


async def test_what_a_device_sends_that_nobody_can_read_is_on_the_board_until_it_is_mended(
    nats: RunningBroker, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.agent.HEALTH_S", 0.2)
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    work(press, 1)

    async def told() -> list[tuple[str, str, str]]:
        async with await Database.open(database_url, name="board", site="SUZ") as db, db.read() as tx:
            return [(one.code, one.subject, one.reason) for one in await board.edge_faults(tx)]

    async def shown(*faults: tuple[str, str, str]) -> None:
        async with asyncio.timeout(60):
            while await told() != list(faults):
                await asyncio.sleep(0.2)

    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        for _ in range(2):
            await bus.publish(TOPIC, b"{not json")
        await shown(("malformed_not_json", TOPIC, ""))
        await bus.publish(TOPIC, press.report(good=float("nan")))
        await shown(("malformed_wrong_type", TOPIC, "PRESS-1/good"))
        await bus.publish(TOPIC, b"[")
        agent.collector.malformed("devices", "plant/other", b"", "odd thing")
        wrong = ("malformed_wrong_type", TOPIC, "PRESS-1/good")
        await shown(("malformed", "plant/other", "odd thing"), ("malformed_not_json", TOPIC, ""), wrong)
        await bus.publish(TOPIC, b"{}")
        await shown(("malformed", "plant/other", "odd thing"), wrong)
        await bus.publish(TOPIC, press.report())
        await shown(("malformed", "plant/other", "odd thing"))
        kept = "select count(*) from historian.quarantine"
        await until(lambda: rows(database_url, kept) == [(5,)], told="what was sent is kept")


async def test_a_note_that_nobody_can_read_stops_no_ingest(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    epoch = uuid4()
    broken = Payload(timestamp=1_000, seq=1, uuid=str(epoch))
    broken.metrics.add(name=Note.BIRTH.value, long_value=1)
    broken.metrics.add(name=Note.MALFORMED.value, timestamp=1_000, string_value="{")
    press = Press("")
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        topic = up(EDGE, Stream.EVENTS)
        await agent.bus.publish(topic, encode_birth(Birth(epoch, 1, ())))
        await agent.bus.publish(topic, broken.SerializeToString())
        reasons = "select reason, detail->>'why' from historian.quarantine"
        await until(lambda: rows(database_url, reasons) == [("refused", "bad_note")], told="quarantine")
        work(press, 2)
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(states(database_url)) == 2, told="the rest flows on")


async def test_a_configuration_that_nobody_can_read_stops_no_ingest(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """insert into mes.edge_config (edge, version, config)
               values ('a-first-edge', 1, '{"tags": "x"}'), ('NO_EDGE', 1, '{"tags": []}'),
                      ('another-edge', 1, '[]')"""
        )
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        work(press, 2)
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(states(database_url)) == 2, told="events")


async def test_configurations_are_applied_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint(name="cell", driver="opcua", url="opc.tcp://127.0.0.1:1", security="None")
    config = EdgeConfig(id="edge-1", broker="mqtt://127.0.0.1:1", spool=tmp_path, endpoints=(endpoint,))
    agent = Agent(config)
    await agent.load()
    applied: list[list[str]] = []

    async def slowly(_driver: OpcUaDriver, tags: list[Tag]) -> None:
        first = not applied
        await asyncio.sleep(0.2 if first else 0.0)
        applied.append([tag.name for tag in tags])

    monkeypatch.setattr(OpcUaDriver, "apply", slowly)

    def numbered(version: int) -> Config:
        row = {"name": f"A/n{version}", "kind": "count", "endpoint": "cell", "address": "ns=1;s=n"}
        return Config(version=version, tags=[row])

    await asyncio.gather(*(agent.downlink.use(numbered(version), fresh=True) for version in (1, 2)))
    assert applied == [["A/n1"], ["A/n2"]]
    assert list(agent.collector.tags) == ["A/n2"]
    assert agent.downlink.version == 2
    saved = agent.disk.spool.config()
    assert saved is not None
    assert saved[0] == 2
    await agent.close()
