"""A disk without room: reading goes on, what was read is stored when there is room, and gaps are declared."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from edge.agent import Agent
from mes.migrate import migrate
from tests.faults.edge_process import edge, heard_again, settled, telemetry_agrees, working
from tests.faults.power import Disk, disk
from tests.fixtures.edge import Press, RunningBroker, device, edge_config, make_ingest, nats, running
from tests.fixtures.postgres import Cluster, reachable_folder

__all__ = ["nats"]

pytestmark = pytest.mark.timeout(400)
START_S = 120
BACK_S = 20
"""The promise is 10 s on a machine that does nothing else."""
FULL_S = 6
"""Longer than the edge's housekeeping and than several batches."""


async def test_an_edge_on_a_full_disk_keeps_reading_and_stores_it_later(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    press = Press("")
    with disk(tmp_path, 16) as made, edge(nats, made.folder) as process:
        async with running(make_ingest(nats, database_url)), device(nats) as bus:
            async with working(press, bus):
                await heard_again(database_url, START_S)
                made.fill()
                await asyncio.sleep(FULL_S)
                made.make_room()
                await heard_again(database_url, BACK_S)
            assert process.poll() is None
            await settled(database_url, press, bus)
            await telemetry_agrees(database_url, press)


async def test_an_edge_that_starts_on_a_full_disk_waits_for_room(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    press = Press("")
    with disk(tmp_path, 16) as made:
        async with running(make_ingest(nats, database_url)), device(nats) as bus:
            with edge(nats, made.folder):
                async with working(press, bus):
                    await heard_again(database_url, START_S)
            made.fill()
            with edge(nats, made.folder):
                await asyncio.sleep(FULL_S)
                made.make_room()
                await settled(database_url, press, bus)


@pytest.fixture
def database() -> Iterator[tuple[Cluster, Disk, str]]:
    """A server on a small disk, and the address of its migrated database."""
    with reachable_folder() as home, disk(home, 160, "data") as made:
        cluster = Cluster(home, ("fsync=on", "max_wal_size=4MB", "min_wal_size=2MB"))
        cluster.create("--wal-segsize=1")
        cluster.start()
        url = cluster.url.format(database="plant")
        with psycopg.connect(cluster.url.format(database="postgres"), autocommit=True) as admin:
            admin.execute("create database plant")
        migrate(url, url)
        yield cluster, made, url
        cluster.kill()


async def test_a_database_on_a_full_disk_gets_all_of_it_later(
    nats: RunningBroker, database: tuple[Cluster, Disk, str], tmp_path: Path
) -> None:
    cluster, made, url = database
    press = Press("")
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, url)), running(agent), device(nats) as bus:
        async with working(press, bus):
            await heard_again(url, START_S)
            await asyncio.to_thread(made.fill)
            await asyncio.sleep(FULL_S)
            made.make_room()
            if not cluster.alive:
                await asyncio.to_thread(cluster.start)
            await heard_again(url, BACK_S)
        await settled(url, press, bus)
        await telemetry_agrees(url, press)
