"""Work orders: received once, changed while possible, released by a version that holds, settled."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from mes.definitions import service as definitions
from mes.definitions.model import (
    MaterialUnknown,
    QuantityNotWhole,
    WorkMasterComponent,
    WorkMasterNotValid,
    WorkMasterOperation,
    WorkMasterUnknown,
)
from mes.execution import service as execution
from mes.execution.model import QuantityReport
from mes.inventory.model import QuantityNotPositive
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId
from mes.resources import store as resources_store
from mes.resources.model import Policy
from mes.tracking import service as tracking
from mes.tracking.model import SerialStatus
from mes.workorders import service as workorders
from mes.workorders.model import (
    CustomerOrderUnknown,
    JobOrderStatus,
    UnitNotOfMaterial,
    WorkOrder,
    WorkOrderDraft,
    WorkOrderNotChangeable,
    WorkOrderNotClosable,
    WorkOrderNotReleasable,
    WorkOrderStarted,
    WorkOrderStatus,
)
from tests.fixtures.floor import Floor, work_master


def draft(floor: Floor, **changes: Any) -> WorkOrderDraft:
    values: dict[str, Any] = {
        "erp_ref": "P-1",
        "material": MaterialId("PUMP-40"),
        "quantity": Decimal(4),
        "uom": "pc",
        "due_at": floor.now + timedelta(hours=8),
    }
    return WorkOrderDraft(**(values | changes))


async def receive(floor: Floor, **changes: Any) -> str:
    return await floor.do(lambda tx: workorders.receive_work_order(tx, draft(floor, **changes)))


async def order(floor: Floor, number: str) -> WorkOrder:
    async with floor.db.read() as tx:
        return await workorders.get_work_order(tx, number)


async def count(floor: Floor, kind: str) -> int:
    async with floor.db.read() as tx:
        found: int = await tx.value("select count(*) from mes.event where type = %(type)s", {"type": kind})
    return found


async def test_the_same_production_is_the_same_order(floor: Floor) -> None:
    first = await receive(floor)
    assert await receive(floor) == first
    assert await count(floor, "WorkOrderReceived") == 1
    assert await count(floor, "WorkOrderChanged") == 0


async def test_a_change_before_the_start_reaches_jobs_and_numbers(floor: Floor) -> None:
    number = await receive(floor)
    for quantity in (6, 2, 3):
        await receive(floor, quantity=Decimal(quantity), priority=1)
        async with floor.db.read() as tx:
            jobs = await workorders.jobs_of(tx, number)
            parts = await workorders.components_of(tx, f"{number}-30")
            serials = await tracking.serials_of(tx, number)
        assert {job.quantity for job in jobs} == {Decimal(quantity)}
        assert {part.material: part.required for part in parts}[MaterialId("BOLT")] == 8 * quantity
        assert len([one for one in serials if one.status is SerialStatus.RESERVED]) == quantity
    assert (await order(floor, number)).priority == 1


async def test_a_started_order_may_become_more_and_later_but_not_less(floor: Floor) -> None:
    number = await receive(floor)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "CNC-1")
    with pytest.raises(WorkOrderNotChangeable):
        await receive(floor, quantity=Decimal(3))
    later = floor.now + timedelta(days=2)
    await receive(floor, quantity=Decimal(6), due_at=later)
    async with floor.db.read() as tx:
        jobs = await workorders.jobs_of(tx, number)
        serials = await tracking.serials_of(tx, number)
    assert {job.quantity for job in jobs} == {(await order(floor, number)).quantity} == {6}
    assert len(serials) == 6
    assert (await order(floor, number)).due_at == later


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"quantity": Decimal(0)}, QuantityNotPositive),
        ({"quantity": Decimal("1.5")}, QuantityNotWhole),
        ({"uom": "kg"}, UnitNotOfMaterial),
        ({"material": "PUMP-99"}, MaterialUnknown),
        ({"material": "PUMP-65"}, WorkMasterUnknown),
        ({"customer_order": "SO-404"}, CustomerOrderUnknown),
    ],
)
async def test_an_order_that_cannot_be_made(
    floor: Floor, changes: dict[str, Any], error: type[PlantError]
) -> None:
    with pytest.raises(error):
        await receive(floor, **changes)
    assert await count(floor, "WorkOrderReceived") == 0


async def test_an_order_keeps_the_version_it_was_released_by(floor: Floor) -> None:
    number = await receive(floor)
    fewer = tuple(one for one in work_master().components if one.material != "BOX")
    version = await floor.after(60).do(
        lambda tx: definitions.put_work_master(tx, work_master(components=fewer))
    )
    newer = await receive(floor, erp_ref="P-2")
    assert version == 2
    async with floor.db.read() as tx:
        assert "BOX" in await _bill(tx, number)
        assert "BOX" not in await _bill(tx, newer)
        times = await workorders.standard_times(tx, number)
    assert (times[0].operation, times[0].machine_h) == (10, Decimal("0.00416667"))


async def _bill(tx: Tx, number: str) -> set[str]:
    made_by = await workorders.get_work_order(tx, number)
    bill = await definitions.bill(tx, made_by.work_master, made_by.work_master_version)
    return {part.material for part in bill}


async def test_the_same_work_master_again_is_no_new_version(floor: Floor) -> None:
    reordered = work_master(components=tuple(reversed(work_master().components)))
    assert await floor.do(lambda tx: definitions.put_work_master(tx, reordered)) == 1


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"operations": ()}, "operations"),
        ({"base_quantity": Decimal(0)}, "base_quantity"),
        (
            {
                "operations": (
                    WorkMasterOperation(
                        operation=10, name="x", work_center=EquipmentId("XX"), run_s=Decimal(1)
                    ),
                ),
                "components": (),
            },
            "work centre XX",
        ),
        (
            {
                "components": (
                    WorkMasterComponent(
                        operation=15, material=MaterialId("SEAL"), quantity=Decimal(1), uom="pc"
                    ),
                )
            },
            "component SEAL",
        ),
    ],
)
async def test_a_work_master_that_cannot_be(floor: Floor, changes: dict[str, Any], place: str) -> None:
    with pytest.raises(WorkMasterNotValid) as refused:
        await floor.do(lambda tx: definitions.put_work_master(tx, work_master(**changes)))
    assert refused.value.params["place"] == place


async def test_the_most_overdue_orders_are_listed_however_many_came_later(floor: Floor) -> None:
    overdue = await receive(floor, erp_ref="P-1", due_at=floor.now - timedelta(days=3))
    for number in range(2, 5):
        await receive(floor.after(60), erp_ref=f"P-{number}")
    async with floor.db.read() as tx:
        listed = await workorders.work_orders(tx, None, 2)
    assert overdue in {one.id for one in listed}


async def test_a_careful_site_releases_by_hand(floor: Floor) -> None:
    await floor.do(lambda tx: resources_store.plant.save_policy(tx, Policy(), "Asia/Shanghai"))
    number = await receive(floor)
    assert (await order(floor, number)).status is WorkOrderStatus.WAITING
    jobs = await floor.do(lambda tx: workorders.release_work_order(tx, number))
    assert jobs[0] == f"{number}-10"
    with pytest.raises(WorkOrderNotReleasable):
        await floor.do(lambda tx: workorders.release_work_order(tx, number))


async def test_an_order_is_cancelled_before_it_starts_and_never_after(floor: Floor) -> None:
    first, second = await receive(floor), await receive(floor, erp_ref="P-2")
    await floor.plan(first, second)
    await floor.do(lambda tx: workorders.cancel_work_order(tx, first, "erp_cancelled"))
    await floor.do(lambda tx: workorders.cancel_work_order(tx, first, "erp_cancelled"))
    assert await count(floor, "WorkOrderCancelled") == 1
    async with floor.db.read() as tx:
        jobs = await workorders.jobs_of(tx, first)
        serials = await tracking.serials_of(tx, first)
    assert {job.status for job in jobs} == {JobOrderStatus.CANCELLED}
    assert {one.status for one in serials} == {SerialStatus.VOID}
    await floor.do(lambda tx: execution.start(tx, f"{second}-10"), "E-1001", "CNC-1")
    with pytest.raises(WorkOrderStarted):
        await floor.do(lambda tx: workorders.cancel_work_order(tx, second, "erp_cancelled"))


async def lose_all(floor: Floor, number: str) -> None:
    job = JobOrderId(f"{number}-10")
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    lost = QuantityReport(job_order=job, scrap=Decimal(4), reason="porosity")
    await floor.do(lambda tx: execution.report(tx, lost), "E-1001", "CNC-1")
    await floor.do(lambda tx: execution.complete(tx, job), "E-1001", "CNC-1")


async def test_an_order_whose_pieces_are_all_lost_ends(floor: Floor) -> None:
    number = await receive(floor)
    await floor.plan(number)
    await lose_all(floor, number)
    ended = await order(floor, number)
    assert (ended.status, ended.good, ended.scrap) == (WorkOrderStatus.COMPLETED, 0, 4)
    async with floor.db.read() as tx:
        jobs = await workorders.jobs_of(tx, number)
    assert [job.status for job in jobs][1:] == [JobOrderStatus.CANCELLED] * 5


async def test_completed_orders_are_closed_when_their_time_is_over(floor: Floor) -> None:
    number = await receive(floor)
    with pytest.raises(WorkOrderNotClosable):
        await floor.do(lambda tx: workorders.close_work_order(tx, number))
    await floor.plan(number)
    await lose_all(floor, number)
    assert await floor.after(60).do(workorders.close_due) == 0
    assert await floor.after(120).do(workorders.close_due) == 1
    assert await floor.do(workorders.close_due) == 0
    assert (await order(floor, number)).status is WorkOrderStatus.CLOSED
    assert await count(floor, "WorkOrderClosed") == 1


async def test_short_completion_leaves_the_rest_to_nobody(floor: Floor) -> None:
    number = await receive(floor)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    made = QuantityReport(job_order=job, good=Decimal(3))
    await floor.do(lambda tx: execution.report(tx, made), "E-1001", "CNC-1")
    await floor.do(lambda tx: execution.complete(tx, job, short=True, reason="other"), "E-1001")
    following = await floor.do(lambda tx: execution.start(tx, f"{number}-20"), "E-1005", "ASM-1")
    assert following.remaining == 3
