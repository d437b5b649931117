"""The edge's clock is set while machines are read: numbers keep the order, so nothing is lost or doubled."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.edge_process import edge, heard_again, settled, telemetry_agrees, working
from tests.fixtures.edge import Press, RunningBroker, device, make_ingest, nats, press_tags, running

__all__ = ["nats"]

pytestmark = pytest.mark.timeout(400)
START_S = 120
BACK_S = 20
"""The promise is 10 s on a machine that does nothing else."""
CACHED_S = 2
"""The library looks at its file once a second."""
STEPS = ("+3600", "-3600", "-315576000", "+0")
"""Seconds beside the true time; a machine without a battery begins ten years ago."""


def library() -> Path:
    """Return the library that gives a process another clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "apt-get install faketime"
    return found[0]


def by_the_edges_clock() -> list[dict[str, object]]:
    """The press's tags, but the edge says when a piece was counted and a force was felt."""
    tags = press_tags()
    for tag in tags:
        if "each" not in tag:
            del tag["time"]
    return tags


async def test_a_clock_that_is_set_loses_and_doubles_nothing(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    press = Press("")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "NO_FAKE_STAT": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    ingest = make_ingest(nats, database_url, by_the_edges_clock())
    with edge(nats, tmp_path / "edge", env=env) as process:
        async with running(ingest), device(nats) as bus:
            async with working(press, bus):
                await heard_again(database_url, START_S)
                for step in STEPS:
                    clock.write_text(step)
                    await asyncio.sleep(CACHED_S)
                    await heard_again(database_url, BACK_S)
            assert process.poll() is None
            await settled(database_url, press, bus)
            await telemetry_agrees(database_url, press)
