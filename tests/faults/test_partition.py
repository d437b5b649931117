"""The network between edge, broker and ingest swallows everything for a while, and nobody is told."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.agent import Agent
from tests.faults.edge_process import heard_again, settled, telemetry_agrees, working
from tests.faults.network import Network, network
from tests.fixtures.edge import Press, RunningBroker, device, edge_config, make_ingest, nats, running

__all__ = ["nats"]

pytestmark = pytest.mark.timeout(400)
START_S = 120
BACK_S = 20
"""The promise is 10 s on a machine that does nothing else."""
CUTS_S = (6, 24)
"""One that TCP bridges by itself, one that is longer than a keep-alive."""


@pytest.fixture
def room() -> Iterator[Network]:
    """A machine room for the plant's broker."""
    with network() as made:
        yield made


@pytest.fixture
def far_broker(room: Network, tmp_path: Path) -> Iterator[RunningBroker]:
    """The plant's broker, behind the gates."""
    found = RunningBroker("nats", tmp_path / "far", enter=room.enter)
    found.start()
    yield found
    found.kill()


@pytest.mark.parametrize("cut", ["edge", "ingest", "both"])
async def test_a_partition_loses_and_doubles_nothing(
    nats: RunningBroker, far_broker: RunningBroker, room: Network, database_url: str, cut: str
) -> None:
    """The machine's own broker is beside the edge, so that it is read meanwhile."""
    press = Press("")
    gates = {"edge": room.gates[:1], "ingest": room.gates[1:], "both": room.gates}[cut]
    agent = Agent(edge_config(nats, far_broker.folder.parent, broker=far_broker.url("edge", room.gates[0])))
    ingest = make_ingest(far_broker, database_url, host=room.gates[1])
    async with running(ingest), running(agent), device(nats) as bus:
        async with working(press, bus):
            await heard_again(database_url, START_S)
            for seconds in CUTS_S:
                for gate in gates:
                    room.close(gate)
                await asyncio.sleep(seconds)
                for gate in gates:
                    room.open(gate)
                await heard_again(database_url, BACK_S)
        await settled(database_url, press, bus)
        await telemetry_agrees(database_url, press)
