"""The whole slice as one story: a customer order in the ERP becomes pumps, and entries in its ledger.

Told twice: on the embedded parts alone, and on parts that were brought along: two databases, and
Mosquitto as the broker. A person works the terminals here, through the HTTP API; the machines are the
simulated ones, and faster than real ones.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import psycopg
import pytest
import pytest_asyncio

from edge.plant_sim.clerk import Clerk, Wish
from edge.plant_sim.layout import SCANNERS
from erp_bridge.adapter import Connection
from erp_bridge.adapters.tryton.rpc import Rpc
from mes.kernel import secrets
from mes.kernel.clock import utc_now
from mes.kernel.settings import load
from tests.fixtures.plant import RunningPlant

pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio]

PIN = "4711"
ALONE = {
    "LINESIDE_PLANT__HISTORY_DAYS": "0",
    "LINESIDE_PLANT__OPERATORS": "false",
    "LINESIDE_PLANT__ORDERS": "false",
    "LINESIDE_PLANT__PACE": "20",
    "LINESIDE_PLANNER__STOP_MIN": "60",
}
PATIENCE_S = 180.0
WORK_IN_PROGRESS = "5.1.5.1"
"""Account of the embedded ERP's chart."""

T = TypeVar("T")
Jobs = list[dict[str, Any]]


async def until(look: Callable[[], Awaitable[T]], true: Callable[[T], bool], what: str) -> T:
    """Look until it is true; the product is fast, the machine that tests run on may not be."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while True:
        seen = await look()
        if true(seen):
            return seen
        assert loop.time() < deadline, f"not seen: {what}\n{seen}"
        await asyncio.sleep(0.5)


class Person:
    """Somebody with a browser, signed in by the one-time link, and a badge."""

    def __init__(self, browser: httpx2.AsyncClient) -> None:
        self.browser = browser
        self.badges: set[str] = set()

    async def see(self, path: str) -> Any:
        reply = await self.browser.get(f"/api/v1{path}")
        assert reply.status_code in {200, 204, 404}, reply.text
        return reply.json() if reply.status_code == 200 else None

    async def act(
        self, path: str, body: dict[str, Any] | None = None, at: str | None = None
    ) -> httpx2.Response:
        headers = {"Idempotency-Key": str(uuid4()), **({"X-Terminal": at} if at else {})}
        return await self.browser.post(f"/api/v1{path}", json=body or {}, headers=headers)

    async def do(self, path: str, body: dict[str, Any] | None = None, at: str | None = None) -> Any:
        reply = await self.act(path, body, at)
        assert reply.is_success, f"{path}: {reply.text}"
        return reply.json()


@contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """Run Mosquitto on a free port; yield its address."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker = subprocess.Popen(
        [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        broker.terminate()
        broker.wait(10)


@contextmanager
def two_databases(server: str) -> Iterator[dict[str, str]]:
    """Make two empty databases; yield the variables that name them."""
    names = [f"story_{uuid4().hex[:8]}" for _ in range(2)]
    urls = [server.format(database=name) for name in names]
    with psycopg.connect(server.format(database="postgres"), autocommit=True) as admin:
        for name in names:
            admin.execute(f"create database {name}")
    try:
        yield {"DATABASE_URL": urls[0], "HISTORIAN_URL": urls[1]}
    finally:
        with psycopg.connect(server.format(database="postgres"), autocommit=True) as admin:
            for name in names:
                admin.execute(f"drop database {name} with (force)")


@contextmanager
def variant(name: str, folder: Path, server: str) -> Iterator[dict[str, str]]:
    with ExitStack() as parts:
        if name == "brought-along":
            urls = parts.enter_context(two_databases(server))
            broker = parts.enter_context(mosquitto(folder))
            yield {**urls, "LINESIDE_BROKER__URL": broker}
        else:
            yield {}


@pytest.fixture(scope="module")
def quiet_plant(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[RunningPlant]:
    """A plant where nobody works and nothing is ordered but by the test."""
    home = Path(tempfile.mkdtemp(prefix="lineside-story-"))
    cache = Path(tempfile.gettempdir()) / f"lineside-test-cache-{os.getuid()}"
    cache.mkdir(exist_ok=True)
    (home / "cache").symlink_to(cache)
    with variant(request.param, home, postgres_server) as settings:
        plant = RunningPlant(home, {**ALONE, **settings})
        try:
            plant.start()
            yield plant
        finally:
            plant.remove()


@pytest_asyncio.fixture
async def person(quiet_plant: RunningPlant) -> AsyncIterator[Person]:
    printed = await asyncio.to_thread(quiet_plant.lineside, "sign-in")
    address, _, token = printed.stdout.strip().partition("/sign-in?token=")
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=30) as browser:
        (await browser.post("/api/v1/sign-in/link", json={"token": token})).raise_for_status()
        yield Person(browser)


def erp_of(plant: RunningPlant) -> tuple[str, str]:
    """Return the ERP's address and database."""
    os.environ["LINESIDE_HOME"] = str(plant.home)
    try:
        settings = load()
    finally:
        del os.environ["LINESIDE_HOME"]
    return settings.erp.url, settings.erp.database


async def order_pumps(plant: RunningPlant, item: str, quantity: int, due_min: int = 120) -> None:
    """Do what a sales clerk does at the ERP's own door."""
    url, database = erp_of(plant)
    password = secrets.ensure(plant.home, "erp-clerk-password")
    clerk = Clerk(f"{url}/{database}/rpc/", password, "Asia/Shanghai")
    try:
        await clerk.enter(Wish("C-01", item, quantity, utc_now() + timedelta(minutes=due_min)))
    finally:
        await clerk.close()


def give_badge(plant: RunningPlant, number: str) -> None:
    """Do what an administrator does at the plant's own machine."""
    badged = subprocess.run(
        [sys.executable, "-m", "mes", "user", "badge", number],
        env=plant._environment(),
        input=f"{PIN}\n{PIN}\n",
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert badged.returncode == 0, badged.stdout + badged.stderr


async def sign_on(plant: RunningPlant, person: Person, terminal: str, skill: str) -> str:
    """Give somebody of the shift with the skill a badge and PIN, clock in, and badge in."""
    people = (await person.see("/people"))["people"]
    card = next(one for one in people if one["on_shift"] and skill in one["skills"])
    if card["id"] not in person.badges:
        await asyncio.to_thread(give_badge, plant, card["id"])
        person.badges.add(card["id"])
    if not card["clocked_in"]:
        await person.do(f"/people/{card['id']}/clock-in")
    await person.do(f"/terminals/{terminal}/sign-on", {"badge": f"EMP:{card['id']}", "pin": PIN})
    return str(card["id"])


def came_of(scan: dict[str, Any] | None) -> tuple[str, str] | None:
    """Return what became of the last code that a machine's scanner read, and for which job."""
    return None if scan is None else (scan["outcome"], scan["job_order"])


async def work(plant: RunningPlant, person: Person, job: dict[str, Any], scrap: int = 0) -> None:
    """Do one job as an operator does: badge in, start, scan the lots, report, complete."""
    unit = job["equipment"]
    shown = await until(
        lambda: person.see(f"/terminals/{unit}"),
        lambda seen: any(one["id"] == job["id"] and one["startable"] for one in seen["queue"]),
        f"{job['id']} can start at {unit}",
    )
    job = next(one for one in shown["queue"] if one["id"] == job["id"])
    await sign_on(plant, person, unit, job["skill"])
    await person.do(f"/job-orders/{job['id']}/start", at=unit)
    for part in job["components"]:
        await person.do(f"/job-orders/{job['id']}/consume", {"lot": part["lots"][0]["lot"]}, at=unit)
    await until(
        lambda: person.see(f"/kpi/{unit}"),
        lambda seen: sum(Decimal(one["delta"]) for one in seen["counts"]) >= 1,
        f"the machine at {unit} counts",
    )
    if unit in SCANNERS:
        await until(
            lambda: person.see(f"/terminals/{unit}"),
            lambda seen: came_of(seen["scan"]) == ("confirmed", job["id"]),
            f"the machine's own scanner at {unit} confirms the order",
        )
    pieces = int(Decimal(job["remaining"]))
    body = {"good": str(pieces - scrap), "scrap": str(scrap)}
    await person.do(
        f"/job-orders/{job['id']}/report", {**body, **({"reason": "porosity"} if scrap else {})}, at=unit
    )
    await person.do(f"/job-orders/{job['id']}/complete", at=unit)


async def planned(plant: RunningPlant, person: Person, *wishes: tuple[str, int], due_min: int) -> list[Jobs]:
    """Order pumps; return the jobs of each order, in their sequence, as soon as all are planned."""
    await until(
        lambda: asyncio.to_thread(plant.status), lambda seen: seen["erp"]["reachable"], "the ERP answers"
    )
    before = jobs_by_order(await person.see("/planner/plan"))
    for item, quantity in wishes:
        await order_pumps(plant, item, quantity, due_min)
    plan = await until(
        lambda: person.see("/planner/plan"),
        lambda seen: len(jobs_by_order(seen).keys() - before.keys()) == len(wishes),
        "the orders are planned",
    )
    return [jobs for number, jobs in jobs_by_order(plan).items() if number not in before]


def jobs_by_order(plan: dict[str, Any] | None) -> dict[str, Jobs]:
    """Return the planned jobs of each order in their sequence."""
    found: dict[str, Jobs] = {}
    for job in sorted((plan or {"operations": []})["operations"], key=lambda job: job["operation"]):
        found.setdefault(job["work_order"], []).append(job)
    return found


@pytest.mark.parametrize("quiet_plant", ["embedded", "brought-along"], indirect=True)
async def test_an_order_becomes_pumps_and_entries(quiet_plant: RunningPlant, person: Person) -> None:
    """From a sales order to a settled work order: planned, made, traced, costed, posted, agreed."""
    (jobs,) = await planned(quiet_plant, person, ("PUMP-40", 3), due_min=120)
    plan = await person.see("/planner/plan")
    assert 0 < plan["bound"] <= plan["objective"]
    number = jobs[0]["work_order"]
    for job in jobs:
        place = {"id": job["job_order"], "equipment": job["equipment"]}
        await work(quiet_plant, person, place, scrap=1 if job["operation"] == 10 else 0)

    order = await until(
        lambda: person.see(f"/work-orders/{number}"),
        lambda seen: seen["work_order"]["status"] in {"Completed", "Closed"},
        "the order is complete",
    )
    assert (Decimal(order["work_order"]["good"]), Decimal(order["work_order"]["scrap"])) == (
        Decimal(2),
        Decimal(1),
    )
    await check_as_built(person, number)
    await check_evidence(person, jobs)
    await check_books(quiet_plant, person, number)


async def check_as_built(person: Person, number: str) -> None:
    """Every pump knows the lots inside it."""
    page = await person.see(f"/lookup/{number}")
    pieces = [piece for order in page["orders"] for piece in order["serials"] if piece["at"]]
    assert len(pieces) == 2
    serial = await person.see(f"/serials/{pieces[0]['serial']}")
    inside = {part["material"] for part in serial["as_built"]["components"]}
    assert inside == {"CAST-40", "SHAFT", "IMP-40", "SEAL", "BOLT", "GREASE", "MOTOR-A", "BOX"}


async def check_evidence(person: Person, jobs: list[dict[str, Any]]) -> None:
    """A figure leads to the reading that it was made of."""
    report = await person.see(f"/kpi/{jobs[0]['equipment']}")
    read = [count["source"] for count in report["counts"] if count["job_order"] == jobs[0]["job_order"]]
    assert read
    assert all(source["edge"] == "edge-suz-1" and source["seq"] > 0 for source in read)


async def check_books(plant: RunningPlant, person: Person, number: str) -> None:
    """Every entry balances, nothing stays in process, and the ERP agrees to the cent."""
    await person.do(f"/work-orders/{number}/close")
    costs = await until(
        lambda: person.see(f"/costs/{number}"),
        lambda seen: any(entry["kind"] == "close" for entry in seen["entries"]),
        "the order is settled",
    )
    for entry in costs["entries"]:
        debit = sum(Decimal(line["debit"]) for line in entry["lines"])
        assert debit == sum(Decimal(line["credit"]) for line in entry["lines"]) > 0
    wip = next(one for one in costs["balances"] if one["account"] == "wip")
    assert Decimal(wip["debit"]) == Decimal(wip["credit"])
    status = await until(
        lambda: asyncio.to_thread(plant.status),
        lambda seen: (
            seen["erp"]["open_lanes"] == 0
            and (seen["erp"]["quantity_difference"], seen["erp"]["value_difference"]) == ("0.00", "0.00")
        ),
        "both books agree",
    )
    assert status["erp"]["dead_letters"] == 0
    assert (status["edge"]["lost"], status["edge"]["doubled"]) == (0, 0)
    order = await person.see(f"/work-orders/{number}")
    await check_erp_itself(plant, order["work_order"]["erp_ref"])


async def check_erp_itself(plant: RunningPlant, production: str) -> None:
    """Asked directly, the ERP has the production done, with lots, and its work in process at nought."""
    url, database = erp_of(plant)
    connection = Connection(
        url=url,
        database=database,
        user="lineside",
        password=secrets.ensure(plant.home, "erp-password"),
        site_tz="Asia/Shanghai",
        currency="CNY",
    )
    rpc = Rpc(connection)
    try:
        number = int(production.partition(",")[2])
        (made,) = await rpc.search_read("production", [("id", "=", number)], ["state"])
        assert made["state"] == "done"
        moves = await rpc.search_read(
            "stock.move",
            [("production_input", "=", made["id"]), ("state", "=", "done")],
            ["lot.number", "quantity"],
        )
        assert len(moves) >= 8
        assert all(move["lot."] for move in moves)
        lines = await rpc.search_read(
            "account.move.line", [("account.code", "=", WORK_IN_PROGRESS)], ["debit", "credit"]
        )
        assert lines
        assert sum(line["debit"] - line["credit"] for line in lines) == 0
    finally:
        await rpc.close()


@pytest.mark.parametrize("quiet_plant", ["embedded"], indirect=True)
async def test_a_broken_machine_brings_a_new_plan(person: Person, quiet_plant: RunningPlant) -> None:
    """When a machine breaks, a planner sees what would move, and puts it in force with one tap."""
    orders = await planned(quiet_plant, person, ("PUMP-40", 6), ("PUMP-65", 6), due_min=18)
    unit = orders[0][0]["equipment"]
    await person.do("/trouble/break-machine", {"equipment": unit})
    proposal = await until(lambda: person.see("/planner/proposal"), bool, "a proposal comes")
    moved = jobs_by_order(proposal)
    assert all(moved[jobs[0]["work_order"]][0]["equipment"] != unit for jobs in orders)
    before = (await person.see("/planner/plan"))["version"]
    await person.do(f"/planner/proposals/{proposal['id']}/publish")
    assert (await person.see("/planner/plan"))["version"] == before + 1
