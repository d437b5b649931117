"""A broker that repeats what was acknowledged too late tells a driver nothing new."""

import asyncio
import time
from pathlib import Path

from edge.agent import Agent
from mes.kernel.bus import Bus, Received
from tests.fixtures.edge import (
    TOPIC,
    Press,
    RunningBroker,
    counted,
    device,
    edge_config,
    make_ingest,
    rows,
    running,
    until,
)

TOO_LATE_S = 2.6
"""Longer than the embedded broker waits for an acknowledgement."""


async def test_a_repeated_message_is_told_once(nats: RunningBroker) -> None:
    heard: list[bytes] = []

    def busy(message: Received) -> None:
        heard.append(message.payload)
        if len(heard) == 1:
            time.sleep(TOO_LATE_S)

    async with (
        device(nats) as sender,
        Bus(nats.url("edge"), name="busy", subscriptions=[TOPIC], on_message=busy) as receiver,
    ):
        await receiver.connected.wait()
        for number in range(5):
            sender.publish_soon(TOPIC, str(number).encode())
        await until(lambda: len(heard) >= 5)
        await asyncio.sleep(1.0)
        await sender.publish(TOPIC, b"last")
        await until(lambda: heard[-1] == b"last")
    assert heard == [b"0", b"1", b"2", b"3", b"4", b"last"]


async def test_reports_that_are_repeated_count_once(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(rows(database_url, "select 1 from mes.edge_inbox")) > 0)
        reports = []
        for _ in range(4):
            press.good += 1
            press.change()
            reports.append(press.report())
        for report in [*reports, *reports]:
            await bus.publish(TOPIC, report)
        press.good += 1
        press.change()
        await bus.publish(TOPIC, press.report())
        await until(lambda: counted(database_url) >= press.good, told="all pieces")
        await asyncio.sleep(0.5)
    assert counted(database_url) == press.good
    found = rows(database_url, "select count(*) from mes.edge_inbox where kind = 'state'")
    assert found == [(press.states,)]
