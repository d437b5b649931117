"""Kill -9 of a real edge at each named point of its path: no piece and no state is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.agent import Agent
from tests.fixtures.edge import (
    TOPIC,
    Press,
    RunningBroker,
    counted,
    device,
    doubles,
    edge_config,
    make_ingest,
    nats,
    rows,
    running,
    states,
    until,
)

__all__ = ["nats"]

POINTS = (
    "before_commit",
    "in_commit",
    "after_commit",
    "before_publish",
    "after_publish",
    "before_delete",
    "after_delete",
)


@contextmanager
def edge(
    running_broker: RunningBroker, folder: Path, point: str, count: int
) -> Iterator[subprocess.Popen[bytes]]:
    """An edge in its own process, that ends itself when it comes to `point` for the `count`th time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.test_edge_kill", point, str(count), str(folder)],
        env={**os.environ, "FAULT_PORT": str(running_broker.port), "FAULT_HOME": str(running_broker.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("point", POINTS)
async def test_an_edge_killed_on_its_way_loses_and_doubles_nothing(
    nats: RunningBroker, database_url: str, tmp_path: Path, point: str
) -> None:
    press = Press("")
    async with running(make_ingest(nats, database_url)), device(nats) as bus:
        for count in (1, 3) if point.endswith("delete") else (4, 9):
            with edge(nats, tmp_path, point, count) as process:
                for _ in range(400):
                    if process.poll() is not None:
                        break
                    press.good += 1
                    press.change()
                    await bus.publish(TOPIC, press.report())
                    await asyncio.sleep(0.1)
                assert process.wait() == -signal.SIGKILL
        with edge(nats, tmp_path, "never", 0):
            async with asyncio.timeout(60):
                while not (_counts_agree(database_url, press) and len(states(database_url)) == press.states):
                    await bus.publish(TOPIC, press.report())
                    await asyncio.sleep(0.3)
            await until(lambda: doubles(database_url) == 0, 1)


def _counts_agree(url: str, press: Press) -> bool:
    """What was counted is what was made since the first reading, which counts nothing."""
    first = rows(url, "select value->>'raw' from mes.edge_inbox where kind = 'count' order by id limit 1")
    return bool(first) and counted(url) == press.good - int(first[0][0])


def main(point: str, count: str, folder: str) -> None:
    left = int(count)

    def hook(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    running_broker = RunningBroker("nats", Path(os.environ["FAULT_HOME"]))
    running_broker.port = int(os.environ["FAULT_PORT"])
    asyncio.run(Agent(edge_config(running_broker, Path(folder)), hook=hook).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
