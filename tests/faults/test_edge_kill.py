"""Kill -9 of a real edge at each named point of its path: no piece and no state is lost or doubled."""

import signal
from pathlib import Path

import pytest

from tests.faults.edge_process import edge, report, settled
from tests.fixtures.edge import Press, RunningBroker, device, make_ingest, nats, running

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
                    await report(press, bus)
                assert process.wait() == -signal.SIGKILL
        with edge(nats, tmp_path):
            await settled(database_url, press, bus)
