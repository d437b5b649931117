"""From a driver's callback to the committed row: how many, how late, and at what cost.

The edge and ingest run as processes of their own, with the embedded broker and a PostgreSQL that
syncs; the driver makes readings at a fixed pace. The peer is a raw COPY BINARY of as many
rows into the same table, four times a second in the same run.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Any, ClassVar

import numpy as np
import psutil
import psycopg

from edge.driver import BrowseNode, Sink
from edge.epochs import Epochs, OpenEpoch
from edge.historian import COPY_SAMPLES
from edge.rows import COPY_HEADER, COPY_TRAILER, ROW
from edge.services import GARBAGE
from edge.spool import StoredBatch
from edge.tags import EdgeConfig, Endpoint, Tag
from mes.kernel.log import configure
from mes.kernel.settings import Log
from tests.benchmarks.figure import Figure
from tests.fixtures.edge import EDGE, RunningBroker, make_ingest
from tests.fixtures.postgres import migrated_database

TAGS = 500
PACE = 50_000
"""Samples a second that are asked for."""
TICK_S = 0.02
SECONDS = 20.0
WARM_S = 3.0
COPY_ROWS = 5_000
"""As many as one transaction of ingest has at this pace."""
COPY_EVERY_S = 0.25
LIMIT_RATIO = 1.67
LIMIT_P99_S = 1.0
BATCH_S = 0.1


class LoadDriver:
    """Makes readings at a fixed pace."""

    def __init__(self, endpoint: Endpoint, sink: Sink) -> None:
        self._sink = sink
        self._endpoint = endpoint
        self._tags: list[Tag] = []
        self.made = 0

    async def run(self) -> None:
        while not self._tags:
            await asyncio.sleep(0.05)
        self._sink.connected(self._endpoint.name)
        started = time.monotonic()
        reading = self._sink.reading
        while True:
            due = int((time.monotonic() - started) * PACE)
            now = time.time_ns() // 1_000_000
            for number in range(self.made, due):
                reading(self._tags[number % TAGS], float(number), now)
            self.made = due
            await asyncio.sleep(TICK_S)

    async def apply(self, tags: list[Tag]) -> None:
        self._tags = list(tags)

    async def browse(self, node: str) -> list[BrowseNode]:
        return []


class MeasuredEpochs(Epochs):
    """Notes how late the watermark passes each batch of telemetry."""

    late: ClassVar[list[float]] = []
    written: ClassVar[dict[tuple[int, int], float]] = {}

    def stored(self, batch: StoredBatch) -> None:
        super().stored(batch)
        if batch.samples >= TAGS:
            self.written[batch.epoch_id, batch.seq] = batch.at_ms / 1000

    def committed(self, entry: OpenEpoch, seq: int) -> None:
        now = time.time()
        for number in range(entry.outlet.acknowledged + 1, seq + 1):
            at = self.written.pop((entry.id, number), None)
            if at is not None:
                self.late.append(now - at + BATCH_S)
        super().committed(entry, seq)

    @classmethod
    def overdue(cls) -> list[float]:
        """How late what has not come yet is by now, where that is beyond the limit."""
        now = time.time()
        return [now - at for at in cls.written.values() if now - at > LIMIT_P99_S]


def tag_rows() -> list[dict[str, Any]]:
    return [
        {"name": f"LOAD/t{number}", "kind": "analog", "endpoint": "load", "address": str(number)}
        for number in range(TAGS)
    ]


async def run_edge(broker: str, folder: str) -> None:
    """Child process: read, and at the end tell what was made and how late it was."""
    import edge.agent

    drivers: list[LoadDriver] = []

    def make(endpoint: Endpoint, sink: Sink) -> LoadDriver:
        drivers.append(LoadDriver(endpoint, sink))
        return drivers[-1]

    vars(edge.agent).update(driver_class=lambda _name: make, Epochs=MeasuredEpochs)
    endpoints = (Endpoint(name="load", driver="load", url="load://"),)
    config = EdgeConfig(id=EDGE, broker=broker, spool=Path(folder), endpoints=endpoints, batch_s=BATCH_S)
    task = asyncio.create_task(edge.agent.Agent(config).run())
    while not (drivers and drivers[0].made):
        await asyncio.sleep(0.05)
    await asyncio.sleep(WARM_S)
    MeasuredEpochs.late.clear()
    first, cpu, started = drivers[0].made, time.process_time(), time.monotonic()
    await asyncio.sleep(SECONDS)
    took = time.monotonic() - started
    made, used, late = (
        drivers[0].made - first,
        time.process_time() - cpu,
        MeasuredEpochs.late + MeasuredEpochs.overdue(),
    )
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    print(json.dumps({"pace": made / took, "cpu_us": used / made * 1e6, "late": late}), flush=True)


async def run_ingest(broker: str, url: str) -> None:
    """Child process: ingest."""
    running = RunningBroker("nats", Path(broker))
    running.port = int(os.environ["BENCH_PORT"])
    gc.freeze()
    gc.set_threshold(GARBAGE)
    ingest = make_ingest(running, url)
    ingest._seed = {EDGE: tag_rows()}
    await ingest.run()


@contextmanager
def child(role: str, *arguments: str, port: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.ingest", role, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "BENCH_PORT": str(port)},
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def cpu_s(*pids: int) -> float:
    """Return the CPU seconds that processes have used."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def backends(connection: psycopg.Connection[Any], name: str) -> list[int]:
    rows = connection.execute("select pid from pg_stat_activity where application_name = %s", (name,))
    return [row[0] for row in rows.fetchall()]


def rows_of(connection: psycopg.Connection[Any]) -> int:
    found = connection.execute("select count(*) from historian.sample").fetchone()
    return int(found[0]) if found else 0


class RawCopy(Thread):
    """The peer: COPY BINARY of ready bytes into the same table, at the same time, now and then."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.ended = Event()
        self.copied = 0
        self.spent_s = 0.0

    def run(self) -> None:
        rows = np.empty(COPY_ROWS, dtype=ROW)
        rows["fields"], rows["time_size"], rows["tag_size"] = 4, 8, 4
        rows["value_size"], rows["quality_size"], rows["quality"] = 8, 2, 192
        rows["tag"] = np.arange(COPY_ROWS) % TAGS + 1
        rows["value"] = np.arange(COPY_ROWS)
        with psycopg.connect(self._url, autocommit=True, application_name="raw copy") as connection:
            backend = backends(connection, "raw copy")[0]
            while not self.ended.wait(COPY_EVERY_S):
                rows["time"] = (time.time_ns() // 1_000_000 - 946_684_800_000) * 1000
                self._copy(connection, COPY_HEADER + rows.tobytes() + COPY_TRAILER, backend)

    def _copy(self, connection: psycopg.Connection[Any], ready: bytes, backend: int) -> None:
        ours, theirs = time.thread_time(), cpu_s(backend)
        with connection.cursor() as cursor, cursor.copy(COPY_SAMPLES) as copy:
            copy.write(ready)
        self.copied += COPY_ROWS
        self.spent_s += time.thread_time() - ours + cpu_s(backend) - theirs


def measure(url: str, home: Path) -> list[Figure]:
    broker = RunningBroker("nats", home / "broker")
    broker.start()
    time.sleep(1.0)
    try:
        with (
            child("ingest", str(home / "broker"), url, port=broker.port) as ingest,
            child("edge", broker.url("edge"), str(home / "spool"), port=broker.port) as edge,
            psycopg.connect(url, autocommit=True, application_name="watch") as connection,
        ):
            wait(lambda: rows_of(connection) > 0)
            pids = [ingest.pid, *backends(connection, "test telemetry")]
            first, began = rows_of(connection), time.monotonic()
            used, alone = cpu_s(*pids), cpu_s(ingest.pid)
            assert edge.stdout is not None
            peer = RawCopy(url)
            peer.start()
            told = json.loads(edge.stdout.readline())
            peer.ended.set()
            peer.join()
            stored, took = rows_of(connection) - first - peer.copied, time.monotonic() - began
            spent, ours = cpu_s(*pids) - used, cpu_s(ingest.pid) - alone
    finally:
        broker.kill()
    raw = peer.spent_s / peer.copied * 1e6
    each = spent / stored * 1e6
    p99 = quantiles(told["late"], n=100)[98]
    return [
        Figure("samples committed a second", stored / took, "1/s", f"made {told['pace']:,.0f}"),
        Figure("driver callback to committed, p99", p99, "s", f"limit {LIMIT_P99_S}"),
        Figure("ingest and its backend, CPU a row", each, "us", f"raw COPY {raw:.2f} us"),
        Figure("of which the ingest process", ours / stored * 1e6, "us"),
        Figure("the same as a ratio to raw COPY", each / raw, "", f"limit {LIMIT_RATIO}"),
        Figure("edge, CPU a sample", told["cpu_us"], "us"),
    ]


def wait(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError("nothing arrived")
        time.sleep(0.1)


async def run() -> list[Figure]:
    """Return the figures of this area."""
    with tempfile.TemporaryDirectory() as folder, migrated_database() as url:
        return await asyncio.to_thread(measure, url, Path(folder))


if __name__ == "__main__":
    configure("bench", Log(level="error", format="json"))
    work = run_edge if sys.argv[1] == "edge" else run_ingest
    asyncio.run(work(*sys.argv[2:]))
