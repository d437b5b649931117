"""The power goes while the plant works: what was acknowledged is on the disk, and nothing is there twice."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from edge.agent import Agent
from mes.migrate import migrate
from tests.faults.edge_process import edge, heard_again, report, settled, telemetry_agrees, working
from tests.faults.power import Disk, disk
from tests.fixtures.edge import Press, RunningBroker, device, edge_config, make_ingest, nats, running, states
from tests.fixtures.postgres import Cluster, reachable_folder

__all__ = ["nats"]

pytestmark = pytest.mark.timeout(400)
START_S = 120
BACK_S = 20
"""The promise is 10 s on a machine that does nothing else."""


def test_the_switch_takes_what_was_not_synced_and_nothing_else(tmp_path: Path) -> None:
    with disk(tmp_path, 16) as made:
        for name in ("synced", "only-written"):
            with (made.folder / name).open("wb") as file:
                file.write(b"x" * 100_000)
                file.flush()
                if name == "synced":
                    os.fsync(file.fileno())
        made.cut_power()
        made.unplug()
        made.plug_in()
        assert (made.folder / "synced").read_bytes() == b"x" * 100_000
        left = made.folder / "only-written"
        assert not left.exists() or left.read_bytes() != b"x" * 100_000


async def test_an_edge_without_power_has_all_that_it_told(
    nats: RunningBroker, database_url: str, tmp_path: Path, rounds: int
) -> None:
    press = Press("")
    with disk(tmp_path, 64) as made:
        async with running(make_ingest(nats, database_url)), device(nats) as bus:
            for turn in range(rounds):
                with edge(nats, made.folder) as process:
                    async with working(press, bus):
                        await heard_again(database_url, START_S)
                    for _ in range(7 + 4 * turn):
                        await report(press, bus)
                    made.cut_power()
                    process.kill()
                await asyncio.to_thread(made.unplug)
                await asyncio.to_thread(made.plug_in)
            with edge(nats, made.folder):
                await settled(database_url, press, bus)


@pytest.fixture
def database() -> Iterator[tuple[Cluster, Disk, str]]:
    """A server that really syncs, on a disk of its own, and the address of its migrated database."""
    with reachable_folder() as home, disk(home, 256, "data") as made:
        cluster = Cluster(home, ("fsync=on",))
        cluster.create("--wal-segsize=1")
        cluster.start()
        url = cluster.url.format(database="plant")
        with psycopg.connect(cluster.url.format(database="postgres"), autocommit=True) as admin:
            admin.execute("create database plant")
        migrate(url, url)
        made.sync()
        yield cluster, made, url
        cluster.kill()


def cut(cluster: Cluster, made: Disk) -> None:
    """Take the database's power, and give it back."""
    made.cut_power()
    cluster.kill()
    made.unplug()
    made.plug_in()
    cluster.start()


async def test_a_database_without_power_has_all_that_the_edge_was_told(
    nats: RunningBroker, database: tuple[Cluster, Disk, str], tmp_path: Path, rounds: int
) -> None:
    cluster, made, url = database
    press = Press("")
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, url)), running(agent), device(nats) as bus:
        async with working(press, bus):
            for _ in range(rounds):
                await heard_again(url, START_S)
                before = states(url)
                await asyncio.to_thread(cut, cluster, made)
                assert states(url)[: len(before)] == before
                await heard_again(url, BACK_S)
        await settled(url, press, bus)
        await telemetry_agrees(url, press)
