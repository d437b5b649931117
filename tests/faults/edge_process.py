"""An edge in a process of its own, beside a press that goes on working whatever happens to the edge."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from edge.agent import Agent
from mes.kernel.bus import Bus, BusDown
from tests.fixtures.edge import (
    TOPIC,
    Press,
    RunningBroker,
    counted,
    doubles,
    edge_config,
    rows,
    states,
    until,
)

REPORT_S = 0.1
SETTLE_S = 60.0


@contextmanager
def edge(
    running_broker: RunningBroker,
    folder: Path,
    point: str = "never",
    count: int = 0,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """An edge that ends itself when it comes to `point` for the `count`th time."""
    with (folder.parent / f"{folder.name}-edge.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.edge_process", point, str(count), str(folder)],
            env={
                **os.environ,
                "FAULT_PORT": str(running_broker.port),
                "FAULT_HOME": str(running_broker.folder),
                **(env or {}),
            },
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def report(press: Press, bus: Bus) -> None:
    """Let the press make a piece, change its state, and tell until its broker has it."""
    press.good += 1
    press.change()
    await tell(press, bus)
    await asyncio.sleep(REPORT_S)


async def tell(press: Press, bus: Bus) -> None:
    """Let the press say how it stands."""
    while True:
        await bus.connected.wait()
        with suppress(BusDown):
            return await bus.publish(TOPIC, press.report())


@asynccontextmanager
async def working(press: Press, bus: Bus) -> AsyncIterator[None]:
    """Let the press work meanwhile."""

    async def forever() -> None:
        while True:
            await report(press, bus)

    work = asyncio.create_task(forever())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait({work})


def first_seen(url: str) -> int:
    """Return the first reading of the press's counter, which counts nothing; -1 for none yet."""
    first = rows(url, "select value->>'raw' from mes.edge_inbox where kind = 'count' order by id limit 1")
    return int(first[0][0]) if first else -1


def agree(url: str, press: Press) -> bool:
    """Whether the plant has each piece since the first reading, and each state, and nothing twice."""
    first = first_seen(url)
    return first >= 0 and counted(url) == press.good - first and len(states(url)) == press.states


async def settled(url: str, press: Press, bus: Bus) -> None:
    """Wait until press and plant agree; the press says again how it stands, as it always does."""
    try:
        async with asyncio.timeout(SETTLE_S):
            while not agree(url, press):
                await tell(press, bus)
                await asyncio.sleep(0.3)
    except TimeoutError:
        counts = (counted(url), press.good - first_seen(url))
        raise AssertionError(f"pieces {counts}, states {len(states(url)), press.states}") from None
    assert doubles(url) == 0
    assert states(url) == [change["state"] for change in press.changes]


async def telemetry_agrees(url: str, press: Press) -> None:
    """Wait until the historian has the force of each piece since the first one, and no reading twice.

    A value that stands is sent again once a minute, with another time. One that a wrong clock puts far
    into the future is in quarantine instead.
    """
    wanted = {piece * 1.5 for piece in range(first_seen(url), press.good + 1)}
    query = "select distinct value from historian.sample where value is not null"
    future = "select count(*) from historian.quarantine where reason = 'time_in_future'"

    def missing() -> set[float]:
        return wanted - {float(row[0]) for row in rows(url, query)}

    deadline = time.monotonic() + SETTLE_S
    while len(missing()) != rows(url, future)[0][0] and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    left, aside = missing(), rows(url, future)[0][0]
    assert len(left) == aside, f"{aside} in quarantine, missing of {len(wanted)}: {sorted(left)}"
    twice = "select count(*) - count(distinct (time, value)) from historian.sample where value is not null"
    assert rows(url, twice) == [(0,)]


async def heard_again(url: str, seconds: float) -> None:
    """Wait until the plant hears of the press."""
    before = len(states(url))
    await until(lambda: len(states(url)) > before, seconds, "the press is heard again")


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
