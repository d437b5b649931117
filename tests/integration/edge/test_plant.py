"""A simulated cell behind its real server: what the machine counted is what the MES has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from edge.agent import Agent
from edge.historian import EventStore, Historian
from edge.ingest import Ingest, Stores
from edge.plant_sim.layout import SIGNALS, tags
from edge.plant_sim.machines import Machine
from edge.plant_sim.servers import CellServer, server_url
from edge.state import State
from edge.tags import Endpoint
from tests.fixtures.edge import EDGE, RunningBroker, edge_config, free_port, rows, running, until

UNIT = "TEST-1"


@asynccontextmanager
async def cell(folder: Path, port: int) -> AsyncIterator[Machine]:
    """A machine switched on, with its server; switched off without a word at the end."""
    machine = Machine(UNIT, signals=SIGNALS["TEST"], folder=folder, scans=True, pace=20)
    server = CellServer("test", {UNIT: machine}, port, None)
    await server.start()

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.2)
            machine.tick()

    tasks = [asyncio.create_task(work) for work in (server.run(), machine.live(), tick())]
    try:
        yield machine
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await server.stop()


def start_job(machine: Machine, number: int) -> None:
    machine.run(job_order=f"WO-00000{number}-50", item="PUMP-40", quantity=4, cycle_s=5.0)


def tally(url: str) -> dict[str, tuple[int, int, int]]:
    found = rows(
        url, "select metric, source_total - source_base, lost, doubled from mes.edge_tally order by metric"
    )
    return {metric: (int(total), int(lost), int(doubled)) for metric, total, lost, doubled in found}


def make_ingest(nats: RunningBroker, url: str) -> Ingest:
    stores = Stores(
        EventStore(url, "events", "SUZ"),
        Historian(url, "telemetry", "SUZ"),
        EventStore(url, "figures", "SUZ"),
        Historian(url, "history", "SUZ"),
    )
    mine: list[dict[str, Any]] = [row for row in tags() if row["endpoint"] == "test"]
    return Ingest(nats.url("ingest"), stores, {EDGE: mine})


async def test_a_plant_that_is_killed_at_work_is_counted_right(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    endpoint = Endpoint(
        name="test", driver="opcua", url=server_url("test", port), security="None", interval_ms=100
    )
    agent = Agent(edge_config(nats, tmp_path, endpoints=[endpoint]))
    memory = tmp_path / "memory"
    memory.mkdir()
    async with running(make_ingest(nats, database_url)), running(agent):
        for number in range(1, 4):
            async with cell(memory, port) as machine:
                await until(lambda: agent.links["test"].up, told="the edge reads the cell")
                start_job(machine, number)
                await until(lambda: machine.state is State.EXECUTE, told="at work")
                if number == 3:
                    await until(lambda: machine.state is State.COMPLETE, told="done")
                    await until(lambda: _settled(database_url, machine), told="settled", seconds=40)
        totals = machine.totals
    found = tally(database_url)
    assert {metric: (lost, doubled) for metric, (_, lost, doubled) in found.items()} == dict.fromkeys(
        ("count.good", "count.scrap", "scan", "state"), (0, 0)
    )
    states = rows(
        database_url, "select count(*), count(distinct source_time) from mes.edge_inbox where kind = 'state'"
    )
    assert states == [(totals.states + 1, totals.states + 1)]
    assert rows(database_url, "select count(*) from mes.edge_inbox where kind = 'scan'") == [(totals.scans,)]


def _settled(url: str, machine: Machine) -> bool:
    committed = rows(url, "select metric, committed from mes.edge_tally")
    counts = {metric: int(number) for metric, number in committed}
    return (
        counts.get("state") == machine.totals.states + 1
        and counts.get("count.good") == machine.totals.good
        and rows(url, "select source_total from mes.edge_tally where metric = 'state'")[0][0]
        == machine.totals.states
    )
