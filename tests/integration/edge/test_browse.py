"""An engineer looks into a device through its edge."""

from pathlib import Path

import pytest

from edge.agent import Agent
from mes.supervisor.browse import NoAnswer, browse
from tests.fixtures.edge import (
    EDGE,
    TOPIC,
    Press,
    RunningBroker,
    device,
    edge_config,
    make_ingest,
    running,
    until,
)


async def test_the_values_of_a_device_are_found_with_their_addresses(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        await bus.publish(TOPIC, Press("").report(force=12.5))
        topics = await browse(nats.url("ingest"), EDGE, "devices", "")
        while not topics:
            topics = await browse(nats.url("ingest"), EDGE, "devices", "")
        assert [node["address"] for node in topics] == [TOPIC]
        inside = await browse(nats.url("ingest"), EDGE, "devices", TOPIC)
        force = next(node for node in inside if node["name"] == "force")
        assert force == {
            "address": f"{TOPIC}#$.force",
            "name": "force",
            "leaf": True,
            "type": "float",
            "value": "12.5",
        }
        with pytest.raises(NoAnswer, match="unknown_endpoint"):
            await browse(nats.url("ingest"), EDGE, "nowhere", "")
