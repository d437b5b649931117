"""An order made by the real services costs what its consumption, time and output say."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from fastapi import APIRouter

from mes.access.api import router as access_router
from mes.access.model import Role
from mes.costing import service as costing
from mes.costing.api import router
from mes.costing.model import Account
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.kernel.ids import JobOrderId, LotNumber
from mes.workorders import service as workorders
from tests.fixtures.floor import BILL, PEOPLE, PRICES, UNITS, Floor
from tests.fixtures.web import Web


@dataclass(frozen=True)
class Used:
    material: str
    quantity: Decimal


@pytest.fixture
def web_routers() -> list[APIRouter]:
    return [access_router, router]


async def work(floor: Floor, number: str, operation: int, good: int, scrap: int = 0) -> None:
    job, unit, person = JobOrderId(f"{number}-{operation}"), UNITS[operation], PEOPLE[operation]
    await floor.do(lambda tx: execution.start(tx, job), person, unit)
    for material, (at_operation, _) in BILL.items():
        if at_operation == operation:
            use = LotUse(job_order=job, lot=LotNumber(f"LOT-{material}-1"))
            await floor.do(lambda tx, use=use: execution.consume(tx, use), person, unit)  # type: ignore[misc]
    floor.after(36)
    counted = QuantityReport(
        job_order=job, good=Decimal(good), scrap=Decimal(scrap), reason="dimension" if scrap else None
    )
    await floor.do(lambda tx: execution.report(tx, counted), person, unit)
    await floor.do(lambda tx: execution.complete(tx, job), person, unit)


async def make(floor: Floor) -> str:
    number = await floor.order(4)
    await floor.plan(number)
    await work(floor, number, 10, good=3, scrap=1)
    for operation in (20, 30, 40, 50, 60):
        await work(floor, number, operation, good=3)
    floor.after(3600)
    await floor.do(workorders.close_due)
    while await floor.do(costing.book_events):
        pass
    return number


async def test_an_order_costs_what_was_put_into_it(floor: Floor) -> None:
    number = await make(floor)
    async with floor.db.read() as tx:
        entries = await costing.entries(tx, number)
        balance = {one.account: one.amount for one in await costing.balances(tx, number)}
        assert await costing.waiting(tx) == []
        used = await tx.fetch_all(
            Used, "select material, quantity from mes.material_actual where work_order = %(n)s", {"n": number}
        )
    assert balance[Account.WIP] == 0
    assert balance[Account.FINISHED_GOODS] == 3 * Decimal(PRICES["PUMP-40"])
    assert balance[Account.SCRAP_EXPENSE] == Decimal(PRICES["PUMP-40"])
    assert balance[Account.RAW_MATERIAL] == -sum(one.quantity * Decimal(PRICES[one.material]) for one in used)
    assert balance[Account.LABOUR_ABSORBED] == Decimal("-3.60")
    assert balance[Account.MACHINE_ABSORBED] == Decimal("-2.90")
    assert sum(balance.values()) == 0
    assert entries[-1].kind.value == "close"
    assert {entry.kind.value for entry in entries} == {
        "consumption",
        "labour",
        "machine",
        "completion",
        "scrap",
        "close",
    }


async def test_finance_sees_an_orders_costs_and_an_operator_does_not(floor: Floor, web: Web) -> None:
    number = await make(floor)
    web.app.state.plant = type(web.app.state.plant)(
        floor.db, web.app.state.plant.settings, web.app.state.plant.person_card
    )
    finance = await Web(web.app, floor.db).browser(Role.FINANCE)
    costs = (await finance.get(f"/api/v1/costs/{number}")).json()
    assert costs["work_order"] == number
    assert {one["account"]: one["debit"] for one in costs["balances"]}["finished_goods"] == "1956.24"
    assert costs["entries"][0]["lines"][0]["debit"] == "480.00"
    await finance.aclose()
    operator = await Web(web.app, floor.db).browser(Role.OPERATOR)
    assert (await operator.get(f"/api/v1/costs/{number}")).status_code == 403
    await operator.aclose()
