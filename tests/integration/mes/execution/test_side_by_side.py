"""Two people do things at the same moment: exactly what is possible happens, and nothing twice."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from mes.execution import service as execution
from mes.execution.model import EquipmentBusy, JobOrderNotStartable, LotUse, QuantityReport
from mes.inventory.model import LotTooSmall
from mes.kernel.commands import execute
from mes.kernel.db import Cause, Tx
from mes.kernel.ids import JobOrderId, LotNumber
from mes.kernel.outbox import to_json
from mes.workorders import service as workorders
from mes.workorders.model import WorkOrderDraft, WorkOrderNotChangeable
from tests.fixtures.floor import Floor

TERMINALS = ("CNC-1", "CNC-2", "CNC-3", "CNC-4")


def outcomes(results: list[Any]) -> tuple[list[Any], list[BaseException]]:
    refused = [one for one in results if isinstance(one, BaseException)]
    return [one for one in results if not isinstance(one, BaseException)], refused


async def test_two_terminals_start_one_job(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    results = await asyncio.gather(
        *(
            floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", terminal)
            for terminal in TERMINALS
        ),
        return_exceptions=True,
    )
    done, refused = outcomes(results)
    assert len(done) == 1
    assert all(isinstance(one, JobOrderNotStartable) for one in refused)
    assert {one.state["equipment"] for one in refused} == {done[0].equipment}  # type: ignore[attr-defined]


async def test_four_orders_want_one_unit(floor: Floor) -> None:
    numbers = [await floor.order(1) for _ in range(4)]
    await floor.plan(*numbers)
    results = await asyncio.gather(
        *(
            floor.do(lambda tx, n=number: execution.start(tx, f"{n}-10"), "E-1001", "CNC-1")  # type: ignore[misc]
            for number in numbers
        ),
        return_exceptions=True,
    )
    done, refused = outcomes(results)
    assert len(done) == 1
    assert [type(one) for one in refused] == [EquipmentBusy] * 3


async def test_a_lot_is_shared_out_to_its_last_piece(floor: Floor) -> None:
    """Four jobs take two pieces at a time from a lot of seven: three get them, one piece is left."""
    numbers = [await floor.order(8) for _ in range(4)]
    await floor.plan(*numbers)
    lot = await floor.lot("CAST-40", "7", lot=LotNumber("LOT-LAST"))
    jobs = [JobOrderId(f"{number}-10") for number in numbers]
    for job, terminal in zip(jobs, TERMINALS, strict=True):
        await floor.do(lambda tx, j=job: execution.start(tx, j), "E-1001", terminal)  # type: ignore[misc]

    async def take(job: JobOrderId, terminal: str) -> Any:
        use = LotUse(job_order=job, lot=lot, quantity=Decimal(2))
        return await floor.do(lambda tx: execution.consume(tx, use), "E-1001", terminal)

    results = await asyncio.gather(
        *(take(job, terminal) for job, terminal in zip(jobs, TERMINALS, strict=True)),
        return_exceptions=True,
    )
    done, refused = outcomes(results)
    assert len(done) == 3
    assert [type(one) for one in refused] == [LotTooSmall]
    async with floor.db.read() as tx:
        assert await tx.value("select on_hand from mes.lot where id = 'LOT-LAST'") == 1


async def test_reports_side_by_side_never_make_more_than_there_is(floor: Floor) -> None:
    number = await floor.order(5)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    one = QuantityReport(job_order=job, good=Decimal(2))
    results = await asyncio.gather(
        *(floor.do(lambda tx: execution.report(tx, one), "E-1001", "CNC-1") for _ in range(4)),
        return_exceptions=True,
    )
    assert len(outcomes(results)[0]) == 2
    async with floor.db.read() as tx:
        assert await tx.value("select good from mes.job_order where id = %(id)s", {"id": job}) == 4


@pytest.mark.parametrize("taps", [2, 5])
async def test_a_double_tap_counts_once(floor: Floor, taps: int) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    cause = Cause(actor="person:E-1001", at=floor.now, terminal="CNC-1", key=str(uuid4()))

    async def act(tx: Tx) -> Any:
        counted = QuantityReport(job_order=job, good=Decimal(1))
        return to_json(await execution.report(tx, counted))

    replies = await asyncio.gather(
        *(execute(floor.db, cause, "execution.report", {"good": 1}, act) for _ in range(taps))
    )
    assert len({reply.body["entry"] for reply in replies}) == 1
    assert sorted(reply.replayed for reply in replies) == [False] + [True] * (taps - 1)
    async with floor.db.read() as tx:
        assert await tx.value("select good from mes.job_order where id = %(id)s", {"id": job}) == 1


async def test_a_change_from_the_erp_and_a_start_never_wait_for_each_other(floor: Floor) -> None:
    """The ERP resizes an order while people start it: one of both is refused, none is stuck."""
    for _ in range(5):
        number = await floor.order(2)
        await floor.plan(number)
        async with floor.db.read() as tx:
            order = await workorders.get_work_order(tx, number)
        draft = WorkOrderDraft(
            erp_ref=order.erp_ref,
            material=order.material,
            quantity=Decimal(3),
            uom="pc",
            due_at=order.due_at,
            customer_order=order.customer_order,
        )
        started, changed = await asyncio.gather(
            floor.do(lambda tx, n=number: execution.start(tx, f"{n}-10"), "E-1001", "CNC-1"),  # type: ignore[misc]
            floor.do(lambda tx, d=draft: workorders.receive_work_order(tx, d)),  # type: ignore[misc]
            return_exceptions=True,
        )
        assert not isinstance(started, BaseException)
        assert changed == number or isinstance(changed, WorkOrderNotChangeable)
        await floor.do(lambda tx, n=number: execution.hold(tx, f"{n}-10", "other"), "E-1001", "CNC-1")  # type: ignore[misc]
