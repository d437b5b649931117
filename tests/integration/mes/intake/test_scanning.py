"""What the scanner of a machine reads is used for the job there, confirmed, or waits with its reason."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mes import floor as floor_worker
from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.execution import service as execution
from mes.execution.model import QuantityReport, Taken
from mes.intake import service as intake
from mes.inventory import service as inventory
from mes.kernel.clock import utc_now
from mes.kernel.db import Database, Tx
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber
from mes.kernel.settings import Settings
from mes.resources.service import person_card
from tests.fixtures.facts import Edge
from tests.fixtures.floor import PEOPLE, UNITS, Floor
from tests.fixtures.postgres import SITE
from tests.fixtures.web import Web, demo_settings, key
from tests.integration.mes.floor.test_floor import eventually, working

API = "/api/v1"


@dataclass(frozen=True)
class Came:
    """What a scan came to."""

    outcome: str | None
    job_order: str | None
    refusal: dict[str, Any] | None

    @property
    def error(self) -> str | None:
        return None if self.refusal is None else str(self.refusal["error"])


@pytest_asyncio.fixture
async def web(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    """The application over the open floor, at the present time."""
    floor.now = utc_now()
    made = Web(
        build_app(Plant(floor.db, demo_settings(tmp_path), person_card), installed_routers()), floor.db
    )
    yield made
    for client in made.opened:
        await client.aclose()


@pytest_asyncio.fixture
async def order(floor: Floor, web: Web) -> str:
    """An order of four pumps, its first job running on CNC-1 with E-1001 signed on there."""
    number = await floor.order(4)
    await floor.plan(number)
    await sit_down(web, "CNC-1", "E-1001")
    await start(floor, number, 10)
    return number


async def sit_down(web: Web, unit: str, person: str) -> None:
    client = await web.browser(Role.OPERATOR)
    reply = await client.post(f"{API}/terminals/{unit}/sit-down", json={"person": person})
    assert reply.status_code == 200, reply.text
    client.headers["X-Terminal"] = unit


async def start(floor: Floor, number: str, operation: int) -> JobOrderId:
    job = JobOrderId(f"{number}-{operation}")
    floor.now = utc_now()
    await floor.do(lambda tx: execution.start(tx, job), PEOPLE[operation], UNITS[operation])
    return job


async def make(floor: Floor, number: str, operation: int, good: int) -> None:
    counted = QuantityReport(job_order=JobOrderId(f"{number}-{operation}"), good=Decimal(good))
    floor.now = utc_now()
    await floor.do(lambda tx: execution.report(tx, counted), PEOPLE[operation], UNITS[operation])


async def read(
    floor: Floor, payload: str, unit: str = "CNC-1", at: datetime | None = None, **more: Any
) -> Came:
    """Let the scanner of a unit read a code, and return what came of it."""
    value = {"payload": payload, "symbology": None, "reader": f"{unit}-SCAN", **more}
    await Edge(floor.db).send(unit, "scan", "scan", value, at or utc_now())
    floor.now = utc_now()
    await floor.do(intake.absorb)
    while await floor.do(intake.act_on_next):
        pass
    async with floor.db.read() as tx:
        found = await tx.fetch_one(
            Came, "select outcome, job_order, refusal from mes.scan order by id desc limit 1"
        )
    assert found is not None
    return found


async def used(floor: Floor, job: str) -> list[tuple[str, Decimal, str]]:
    async with floor.db.read() as tx:
        rows = await tx.value(
            """
            select jsonb_agg(jsonb_build_array(lot, quantity::text, person) order by at)
            from mes.material_actual where job_order = %(job)s
            """,
            {"job": job},
        )
    return [(lot, Decimal(quantity), person) for lot, quantity, person in rows or []]


async def test_a_lot_is_used_for_the_job_by_the_person_there(floor: Floor, order: str) -> None:
    came = await read(floor, "LOT:LOT-CAST-40-1")
    assert (came.outcome, came.job_order) == ("booked", f"{order}-10")
    assert await used(floor, f"{order}-10") == [("LOT-CAST-40-1", Decimal(4), "E-1001")]
    async with floor.db.read() as tx:
        told = await tx.value(
            "select jsonb_build_array(actor, key) from mes.event where type = 'MaterialConsumed'"
        )
    assert told[0] == "device:CNC-1-SCAN"
    assert told[1].startswith("edge-suz-1/")


async def test_a_lot_read_again_is_confirmed_and_not_used_again(floor: Floor, order: str) -> None:
    for outcome in ("booked", "confirmed", "confirmed"):
        assert (await read(floor, "LOT:LOT-CAST-40-1")).outcome == outcome
    assert len(await used(floor, f"{order}-10")) == 1


async def test_a_lot_that_a_person_has_used_is_confirmed(floor: Floor, order: str) -> None:
    from mes.execution.model import LotUse

    use = LotUse(job_order=JobOrderId(f"{order}-10"), lot=LotNumber("LOT-CAST-40-1"))
    floor.now = utc_now()
    await floor.do(lambda tx: execution.consume(tx, use), "E-1001", "CNC-1")
    assert (await read(floor, "LOT:LOT-CAST-40-1")).outcome == "confirmed"
    assert len(await used(floor, f"{order}-10")) == 1


async def test_a_lot_that_the_job_has_used_up_is_confirmed(floor: Floor, order: str) -> None:
    await floor.lot("CAST-40", "2", lot=LotNumber("LOT-FEW-1"))
    for outcome in ("booked", "confirmed", "confirmed"):
        assert (await read(floor, "LOT:LOT-FEW-1")).outcome == outcome
    assert await used(floor, f"{order}-10") == [("LOT-FEW-1", Decimal(2), "E-1001")]


async def test_a_lot_that_another_job_has_used_up_is_refused(floor: Floor, web: Web, order: str) -> None:
    await floor.lot("CAST-40", "2", lot=LotNumber("LOT-FEW-1"))
    for lot in ("LOT-FEW-1", "LOT-CAST-40-1"):
        assert (await read(floor, f"LOT:{lot}")).outcome == "booked"
    await make(floor, order, 10, 4)
    floor.now = utc_now()
    await floor.do(lambda tx: execution.complete(tx, f"{order}-10"), "E-1001", "CNC-1")
    second = await floor.order(4)
    await floor.plan(second)
    await start(floor, second, 10)
    assert (await read(floor, "LOT:LOT-FEW-1")).error == "LotTooSmall"


async def test_one_reading_is_acted_on_once(floor: Floor, order: str) -> None:
    await read(floor, "LOT:LOT-CAST-40-1")
    assert await floor.do(intake.act_on_next) == 0
    assert len(await used(floor, f"{order}-10")) == 1


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ("LOT:LOT-NOBODY-1", "UnknownBarcode"),
        ("LOT:LOT-SEAL-1", "MaterialNotOnBill"),
        ("LOT:LOT-OLD-1", "LotExpired"),
        ("LOT:LOT-BAD-1", "LotBlocked"),
        ("WO:WO-999999", "OtherOrderRead"),
        ("OP:WO-999999-10", "OtherOrderRead"),
        ("SN:SN-99999999", "SerialNotExpected"),
        ("EMP:E-1001", "NotForThisScanner"),
        ("CMD:GOOD", "NotForThisScanner"),
        ("FOO:BAR", "BarcodeUnknown"),
        ("9521234543213", "SymbologyMissing"),
    ],
)
async def test_what_does_not_fit_waits_with_its_reason(
    floor: Floor, web: Web, order: str, payload: str, error: str
) -> None:
    yesterday = floor.now - timedelta(days=1)
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-OLD-1"), expires_at=yesterday)
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-BAD-1"))
    await floor.do(lambda tx: inventory.hold_lot(tx, LotNumber("LOT-BAD-1"), "damaged"))
    came = await read(floor, payload)
    assert (came.outcome, came.error) == ("refused", error)
    assert await used(floor, f"{order}-10") == []
    operator = await web.browser(Role.OPERATOR)
    (waiting,) = (await operator.get(f"{API}/scans/refused")).json()
    text = "" if payload.startswith("EMP:") else payload
    assert (waiting["equipment"], waiting["text"], waiting["refusal"]["error"]) == ("CNC-1", text, error)
    at_terminal = (await operator.get(f"{API}/terminals/CNC-1")).json()["scan"]
    assert (at_terminal["text"], at_terminal["refusal"]["error"]) == (text, error)


async def test_the_order_and_the_job_that_run_there_are_confirmed(floor: Floor, order: str) -> None:
    for payload in (f"WO:{order}", f"OP:{order}-10"):
        came = await read(floor, payload)
        assert (came.outcome, came.job_order) == ("confirmed", f"{order}-10")


async def test_a_scanner_starts_no_job(floor: Floor, web: Web) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    await sit_down(web, "CNC-1", "E-1001")
    assert (await read(floor, f"WO:{number}")).error == "NoJobHere"


async def test_material_needs_somebody_at_the_terminal(floor: Floor, web: Web) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    await start(floor, number, 10)
    assert (await read(floor, "LOT:LOT-CAST-40-1")).error == "NobodySignedOn"
    assert await used(floor, f"{number}-10") == []


async def test_a_piece_that_lies_there_is_confirmed_and_not_counted(floor: Floor, order: str) -> None:
    for operation in (10, 20, 30, 40):
        if operation > 10:
            await start(floor, order, operation)
        await make(floor, order, operation, 2)
    await start(floor, order, 50)
    async with floor.db.read() as tx:
        serials = await tx.value(
            "select array_agg(serial order by position) from mes.serial_unit where work_order = %(order)s",
            {"order": order},
        )
    assert (await read(floor, f"SN:{serials[0]}", "TEST-1")).outcome == "confirmed"
    assert (await read(floor, f"SN:{serials[3]}", "TEST-1")).error == "SerialNotExpected"
    async with floor.db.read() as tx:
        good = await tx.value("select good from mes.job_order where id = %(job)s", {"job": f"{order}-50"})
    assert good == 0


async def test_a_scan_told_late_belongs_to_the_job_of_its_time(floor: Floor, web: Web, order: str) -> None:
    then = utc_now()
    await make(floor, order, 10, 4)
    floor.now = utc_now()
    await floor.do(lambda tx: execution.complete(tx, f"{order}-10"), "E-1001", "CNC-1")
    second = await floor.order(4)
    await floor.plan(second)
    await start(floor, second, 10)
    assert (await read(floor, f"WO:{order}", at=then)).job_order == f"{order}-10"
    assert (await read(floor, "LOT:LOT-CAST-40-1", at=then)).error == "JobOrderNotRunning"
    assert await used(floor, f"{second}-10") == []


async def test_a_scan_that_is_understood_puts_right_what_was_read_before(
    floor: Floor, web: Web, order: str
) -> None:
    await read(floor, "LOT:LOT-SEAL-1")
    await read(floor, "LOT:LOT-CAST-40-1")
    planner = await web.browser(Role.PLANNER)
    assert (await planner.get(f"{API}/scans/refused")).json() == []


async def test_a_refused_scan_is_seen_once_where_the_right_holds(floor: Floor, web: Web, order: str) -> None:
    await read(floor, "FOO:BAR")
    operator = await web.browser(Role.OPERATOR, scope="MACH")
    (waiting,) = (await operator.get(f"{API}/scans/refused")).json()
    path = f"{API}/scans/{waiting['id']}/noted"
    packer = await web.browser(Role.OPERATOR, scope="PACK")
    assert (await packer.post(path, json={}, headers=key())).status_code == 403
    press = key()
    for _ in range(2):
        assert (await operator.post(path, json={}, headers=press)).json() == waiting
    again = await operator.post(path, json={}, headers=key())
    assert (again.status_code, again.json()["error"]) == (409, "ScanNotWaiting")
    assert (await operator.get(f"{API}/scans/refused")).json() == []
    assert (await operator.get(f"{API}/terminals/CNC-1")).json()["scan"]["noted"] is True


async def test_what_nobody_thought_of_holds_up_no_other_scan(
    floor: Floor, web: Web, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_scan = execution.take_scan

    async def odd(tx: Tx, unit: EquipmentId, fields: Mapping[str, str]) -> Taken:
        if fields.get("lot") == "LOT-ODD-1":
            await tx.execute("update mes.lot set reason = 'half done'")
            raise ValueError("a lot that is odd")
        return await take_scan(tx, unit, fields)

    monkeypatch.setattr(execution, "take_scan", odd)
    came = await read(floor, "LOT:LOT-ODD-1")
    assert (came.outcome, came.error) == ("refused", "ReadingNotUnderstood")
    async with floor.db.read() as tx:
        assert await tx.value("select count(*) from mes.lot where reason = 'half done'") == 0
    assert (await read(floor, "LOT:LOT-CAST-40-1")).outcome == "booked"


async def test_the_floor_worker_acts_on_scans_by_itself(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    from tests.fixtures.facts import define_plant

    await define_plant(db)
    settings = Settings.model_validate({"home": tmp_path, "site": SITE, "database_url": database_url})
    async with working(settings):
        await eventually(lambda: floor_worker.ready(settings))
        value = {"payload": "WO:WO-000001", "symbology": None, "reader": "PACK-1-SCAN"}
        await Edge(db).send("PACK-1", "scan", "scan", value, utc_now())

        async def judged() -> bool:
            async with db.read() as tx:
                return bool(await tx.value("select outcome from mes.scan") == "refused")

        await eventually(judged)
