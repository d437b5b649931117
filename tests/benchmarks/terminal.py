"""Two hundred terminals at work: what a person waits for, and what it costs.

Each terminal has its own browser session, its own unit, person and running job. Every ten seconds
it reports a good piece and fetches its page anew. The peer is a bare FastAPI route that commits one
row, on the same machine and database, called at the same pace.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx2
import psutil

from mes.access import service as access
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.ids import PersonId
from mes.resources import service as resources
from mes.resources.model import PersonDraft
from mes.resources.plantfile import parse_plant
from tests.benchmarks.figure import Figure
from tests.fixtures.floor import Floor, open_floor
from tests.fixtures.postgres import SITE, migrated_database

TERMINALS = 200
PACE_S = 10.0
"""A busy terminal: one act in ten seconds, for 20 commands and 20 pages a second in all."""
WARM_S = 5.0
MEASURED_S = 30.0
PIECES = 500
LIMIT_MS = 50

CELL = """
[[equipment]]
id = "{unit}"
level = "work_unit"
name = "{unit}"
parent = "MC"

[[people]]
crew = "A"
skills = ["MACHINING"]
ids = ["{person}"]
"""

PEER = """
import sys
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(sys.argv[1], min_size=2, max_size=12, open=False)

@asynccontextmanager
async def lifespan(app):
    await pool.open()
    yield
    await pool.close()

app = FastAPI(lifespan=lifespan)

@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}

@app.post("/act")
async def act() -> dict[str, int]:
    async with pool.connection() as conn:
        row = await (await conn.execute("insert into peer default values returning id")).fetchone()
    return {"id": row[0]}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


@dataclass
class Terminal:
    """One terminal's browser."""

    unit: str
    person: str
    job: str
    browser: httpx2.AsyncClient

    async def sit_down(self, token: str) -> None:
        """Sign in and on, and start the job."""
        await self.post("/api/v1/sign-in/link", {"token": token})
        await self.post(f"/api/v1/people/{self.person}/clock-in", {})
        await self.post(f"/api/v1/terminals/{self.unit}/sit-down", {"person": self.person})
        self.browser.headers["X-Terminal"] = self.unit
        await self.post(f"/api/v1/job-orders/{self.job}/start", {})

    async def report(self) -> None:
        """Report one good piece."""
        await self.post(f"/api/v1/job-orders/{self.job}/report", {"good": "1"})

    async def look(self) -> None:
        """Fetch what the terminal shows."""
        (await self.browser.get(f"/api/v1/terminals/{self.unit}")).raise_for_status()

    async def post(self, address: str, body: dict[str, object]) -> None:
        """Send a command under a new key."""
        reply = await self.browser.post(address, json=body, headers={"Idempotency-Key": str(uuid4())})
        if reply.is_error:
            raise RuntimeError(f"{address}: {reply.text}")


@dataclass
class Clock:
    """How long calls took, in milliseconds, by what they were."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    counting: bool = False

    async def time(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        """Call and note how long it took."""
        began = time.perf_counter()
        await call()
        if self.counting:
            self.taken.setdefault(what, []).append((time.perf_counter() - began) * 1000)

    def p95(self, what: str) -> float:
        """Return the 95th percentile, in milliseconds."""
        return quantiles(self.taken[what], n=20)[-1]

    def median(self, what: str) -> float:
        """Return the median, in milliseconds."""
        return quantiles(self.taken[what], n=2)[0]


async def run() -> list[Figure]:
    """Measure the product and its peer, one after the other."""
    with migrated_database() as url, TemporaryDirectory() as home:
        async with await Database.open(url, name="bench", site=SITE) as db:
            floor = await prepared(db)
            ours, core = await product(url, Path(home), floor)
        theirs = await peer(url)
    act, beside = ours.p95("report"), theirs.p95("act")
    return [
        Figure("report_p95_ms", act, "ms", f"limit {LIMIT_MS}; bare route {beside:.1f}"),
        Figure("report_median_ms", ours.median("report"), "ms", f"bare route {theirs.median('act'):.1f}"),
        Figure("page_p95_ms", ours.p95("look"), "ms", f"limit {LIMIT_MS}"),
        Figure("page_median_ms", ours.median("look"), "ms"),
        Figure("report_p95_by_bare_route", act / beside, "x"),
        Figure("requests_per_s", len(ours.taken["look"]) * 2 / MEASURED_S, "1/s", f"{TERMINALS} terminals"),
        Figure("serve_core", core * 100, "% of a core"),
    ]


async def prepared(db: Database) -> Floor:
    """Return a plant with a unit, a person and a planned job for each terminal."""
    floor = await open_floor(db)
    floor.now = utc_now()
    text = files("mes.resources").joinpath("pump_plant.toml").read_text("utf-8")
    cells = (CELL.format(unit=unit(n), person=person(n)) for n in range(TERMINALS))
    plant = parse_plant(text + "".join(cells))
    await floor.do(lambda tx: resources.put_plant(tx, plant))
    await floor.do(hire)
    for number in range(TERMINALS):
        order = await floor.order(PIECES)
        ORDERS[number] = order
        await floor.plan(order, units={10: unit(number)})
    return floor


ORDERS: dict[int, str] = {}


async def hire(tx: Tx) -> None:
    """Let HR name the people."""
    for number in range(TERMINALS):
        draft = PersonDraft(id=PersonId(person(number)), name=person(number))
        await resources.put_person(tx, draft)


def unit(number: int) -> str:
    """Return the code of a terminal's unit."""
    return f"BENCH-{number:03}"


def person(number: int) -> str:
    """Return the number of a terminal's person."""
    return f"B-{number:04}"


async def product(url: str, home: Path, floor: Floor) -> tuple[Clock, float]:
    """Return the times of the product, and the share of a core that `serve` used."""
    port = random.randrange(20000, 30000)
    environment = {
        "DATABASE_URL": url,
        "LINESIDE_HOME": str(home),
        "LINESIDE_PROFILE": "demo",
        "LINESIDE_HTTP__PORT": str(port),
    }
    async with process([sys.executable, "-m", "mes", "serve"], environment, port) as pid:
        terminals = await opened(f"http://127.0.0.1:{port}", floor.db)
        clock = Clock()

        async def busy(terminal: Terminal) -> None:
            await clock.time("report", terminal.report)
            await clock.time("look", terminal.look)

        core = await measured(clock, [partial(busy, one) for one in terminals], pid)
        await asyncio.gather(*(terminal.browser.aclose() for terminal in terminals))
    return clock, core


async def opened(base: str, db: Database) -> list[Terminal]:
    """Return two hundred signed-in browsers at their terminals."""
    async with db.transaction(Cause(actor="service:bench", at=utc_now())) as tx:
        links = [await access.make_one_time_link(tx, base) for _ in range(TERMINALS)]
    terminals = []
    for number, link in enumerate(links):
        browser = httpx2.AsyncClient(base_url=base, timeout=30, headers={"Sec-Fetch-Site": "same-origin"})
        terminal = Terminal(unit(number), person(number), f"{ORDERS[number]}-10", browser)
        await terminal.sit_down(link.partition("token=")[2])
        terminals.append(terminal)
    return terminals


async def peer(url: str) -> Clock:
    """Return the times of a bare route that commits one row."""
    port = random.randrange(20000, 30000)
    async with (
        await Database.open(url, name="peer", site=SITE, as_owner=True) as db,
        db.transaction(Cause(actor="service:bench", at=utc_now())) as tx,
    ):
        await tx.execute("create table peer (id bigint generated always as identity primary key)")
    async with process([sys.executable, "-c", PEER, url, str(port)], {}, port) as pid:
        clock = Clock()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            async def busy() -> None:
                await clock.time("act", lambda: client.post("/act"))
                await clock.time("act", lambda: client.post("/act"))

            await measured(clock, [busy] * TERMINALS, pid)
    return clock


async def measured(clock: Clock, acts: list[Callable[[], Awaitable[None]]], pid: int) -> float:
    """Repeat every act at its pace; return the share of a core that `pid` used meanwhile."""

    async def repeat(act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(random.uniform(0, PACE_S))
        while True:
            began = time.monotonic()
            await act()
            await asyncio.sleep(max(0.0, began + PACE_S - time.monotonic()))

    tasks = [asyncio.ensure_future(repeat(act)) for act in acts]
    await asyncio.sleep(WARM_S)
    watched, clock.counting = psutil.Process(pid), True
    before = sum(watched.cpu_times()[:2])
    await asyncio.sleep(MEASURED_S)
    clock.counting = False
    used = sum(watched.cpu_times()[:2]) - before
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return used / MEASURED_S


@asynccontextmanager
async def process(argv: list[str], environment: dict[str, str], port: int) -> AsyncIterator[int]:
    """Run a server until the block ends; yield its process id once it answers."""
    running = await asyncio.create_subprocess_exec(*argv, env={**os.environ, **environment})
    try:
        async with asyncio.timeout(60), httpx2.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/healthz")).is_success:
                        break
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
        yield running.pid
    finally:
        running.terminate()
        await running.wait()
