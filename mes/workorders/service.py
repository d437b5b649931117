"""Receive, release, settle, close and cancel work orders; lend their jobs to the floor."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from mes.definitions import service as definitions
from mes.definitions.model import (
    Material,
    MaterialTracking,
    QuantityNotWhole,
    StandardTime,
    WorkMaster,
)
from mes.inventory.model import QuantityNotPositive, plain
from mes.kernel.db import Tx
from mes.kernel.errors import found
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import Equipment
from mes.tracking import service as tracking
from mes.workorders import store
from mes.workorders.events import (
    CustomerOrderReceived,
    WorkOrderCancelled,
    WorkOrderChanged,
    WorkOrderClosed,
    WorkOrderCompleted,
    WorkOrderReceived,
    WorkOrderReleased,
    WorkOrderReopened,
)
from mes.workorders.model import (
    NOT_STARTED,
    OVER,
    CustomerOrder,
    CustomerOrderDraft,
    CustomerOrderUnknown,
    JobComponent,
    JobDraft,
    JobOrder,
    JobOrderStatus,
    JobOrderUnknown,
    Line,
    OrderRow,
    UnitNotOfMaterial,
    WorkOrder,
    WorkOrderDraft,
    WorkOrderNotChangeable,
    WorkOrderNotClosable,
    WorkOrderNotReleasable,
    WorkOrderStarted,
    WorkOrderStatus,
    WorkOrderUnknown,
)

CHANGEABLE = frozenset({WorkOrderStatus.WAITING, WorkOrderStatus.RELEASED, WorkOrderStatus.RUNNING})
CLOSE_AT_ONCE = 50
"""So many orders are closed in one transaction at most."""


async def put_customer_order(tx: Tx, draft: CustomerOrderDraft) -> None:
    """Add or change a customer order as the ERP sends it."""
    if await store.save_customer_order(tx, draft):
        await append(
            tx,
            CustomerOrderReceived(
                site=tx.site,
                customer_order=draft.id,
                customer=draft.customer,
                customer_name=draft.customer_name,
                due_at=draft.due_at,
            ),
        )


async def receive_work_order(tx: Tx, draft: WorkOrderDraft) -> WorkOrderNumber:
    """Take an order from the ERP, or a change of one; release it when the policy says so.

    Raises:
        QuantityNotPositive, QuantityNotWhole, QuantityTooFine, UnitNotOfMaterial: The quantity
            cannot be made.
        MaterialUnknown, WorkMasterUnknown, CustomerOrderUnknown: Something it names is missing.
        WorkOrderNotChangeable: Known, and too far gone for this change.
    """
    known = await store.lock_order_by_ref(tx, draft.erp_ref)
    if known is not None:
        await _change(tx, known, draft)
        return known.id
    await _check(tx, draft)
    master = await definitions.work_master_for(tx, draft.material, tx.now, draft.work_master)
    number = await store.next_number(tx)
    if not await store.insert_order(tx, number, draft, master):
        return await receive_work_order(tx, draft)
    await append(tx, await _received(tx, number, draft))
    if (await resources.policy(tx)).auto_release:
        await release_work_order(tx, number)
    return number


async def _received(tx: Tx, number: WorkOrderNumber, draft: WorkOrderDraft) -> WorkOrderReceived:
    sold = await store.find_customer_order(tx, draft.customer_order or "")
    return WorkOrderReceived(
        site=tx.site,
        work_order=number,
        material=draft.material,
        quantity=draft.quantity,
        uom=draft.uom,
        due_at=draft.due_at,
        priority=draft.priority,
        customer_order=draft.customer_order,
        customer=None if sold is None else sold.customer_name,
        erp_ref=draft.erp_ref,
    )


async def _check(tx: Tx, draft: WorkOrderDraft) -> None:
    if draft.quantity <= 0:
        raise QuantityNotPositive(quantity=plain(draft.quantity))
    material = await definitions.get_material(tx, draft.material)
    if material.uom != draft.uom:
        raise UnitNotOfMaterial(material=draft.material, uom=material.uom, sent=draft.uom)
    material.check(draft.quantity)
    if material.tracking is MaterialTracking.SERIAL and draft.quantity % 1:
        raise QuantityNotWhole(quantity=plain(draft.quantity), uom=draft.uom)
    if draft.customer_order is not None:
        await get_customer_order(tx, draft.customer_order)


async def _change(tx: Tx, known: WorkOrder, draft: WorkOrderDraft) -> None:
    told = (draft.quantity, draft.due_at, draft.priority, draft.customer_order)
    if told == (known.quantity, known.due_at, known.priority, known.customer_order):
        return
    made_as_told = (draft.material, draft.quantity) == (known.material, known.quantity)
    if known.status not in CHANGEABLE and made_as_told:
        return  # another date or urgency of what is made, or given up, changes nothing
    if known.status not in CHANGEABLE or draft.material != known.material:
        raise WorkOrderNotChangeable(work_order=known.id, status=known.status.value)
    await _check(tx, draft)
    if draft.quantity != known.quantity:
        await _resize(tx, known, draft.quantity)
    await store.update_order(tx, known.id, draft)
    await append(
        tx,
        WorkOrderChanged(
            site=tx.site,
            scope=known.scope,
            work_order=known.id,
            quantity=draft.quantity,
            uom=known.uom,
            due_at=draft.due_at,
            priority=draft.priority,
            customer_order=draft.customer_order,
        ),
    )


async def _resize(tx: Tx, known: WorkOrder, quantity: Decimal) -> None:
    """Change the pieces of an order: less before it is begun, more while its first operation goes on."""
    jobs = await store.jobs_of(tx, known.id)
    begun = any(job.status not in NOT_STARTED for job in jobs)
    if begun and (quantity < known.quantity or jobs[0].status in OVER):
        raise WorkOrderNotChangeable(work_order=known.id, status=known.status.value)
    await store.resize_jobs(tx, known.id, max([quantity, *(job.quantity for job in jobs if begun)]))
    if jobs and jobs[0].serial_from is not None:
        policy = await resources.policy(tx)
        give = tracking.reserve_more if begun else tracking.resize_serials
        await give(tx, known.id, int(quantity), policy.serial_prefix)


async def most_of(tx: Tx, number: str) -> Decimal:
    """Return how many good pieces an order may have: what is ordered, and what the policy allows beyond."""
    order = await get_work_order(tx, number)
    material = await definitions.get_material(tx, order.material)
    percent = (await resources.policy(tx)).over_percent
    return material.rounded_down(order.quantity * (100 + percent) / 100)


async def fit(tx: Tx, line: Line) -> Line:
    """Let the jobs of an order be for the pieces ordered, or for all that its first operation has made.

    Call it when pieces were reported there, before the report is stored; the line's jobs are locked.
    """
    first = line.jobs[0]
    order = await get_work_order(tx, first.work_order)
    pieces = max(order.quantity, first.done)
    if pieces == first.quantity:
        return line
    await store.resize_jobs(tx, order.id, pieces)
    if first.serial_from is not None:
        await tracking.reserve_more(tx, order.id, int(pieces), (await resources.policy(tx)).serial_prefix)
    return Line(tuple(replace(job, quantity=pieces) for job in line.jobs))


async def release_work_order(tx: Tx, number: str) -> tuple[JobOrderId, ...]:
    """Make an order's jobs by the newest version of its work master; reserve serial numbers.

    Raises:
        WorkOrderUnknown: No such order.
        WorkOrderNotReleasable: It was released before, or cancelled.
        WorkMasterNotValid: It needs a work centre that is not in service.
    """
    order = await lock_work_order(tx, number)
    if order.status is not WorkOrderStatus.WAITING:
        raise WorkOrderNotReleasable(work_order=order.id, status=order.status.value)
    master = await definitions.work_master_for(tx, order.material, tx.now, order.work_master)
    material = await definitions.get_material(tx, order.material)
    centers = await definitions.centers_of(tx, master)
    jobs = tuple(_jobs(order, master, material, centers))
    await store.mark_released(tx, order.id, master.version)
    await store.insert_jobs(tx, jobs)
    await store.insert_components(tx, _components(order, master))
    if material.tracking is MaterialTracking.SERIAL:
        policy = await resources.policy(tx)
        await tracking.reserve_serials(
            tx, order.id, order.material, int(order.quantity), policy.serial_prefix
        )
    await append(tx, _released(tx, order, master, jobs))
    return tuple(job.id for job in jobs)


def _released(tx: Tx, order: WorkOrder, master: WorkMaster, jobs: tuple[JobDraft, ...]) -> WorkOrderReleased:
    return WorkOrderReleased(
        site=tx.site,
        scope=order.scope,
        work_order=order.id,
        material=order.material,
        quantity=order.quantity,
        uom=order.uom,
        work_master=master.id,
        work_master_version=master.version,
        job_orders=tuple(job.id for job in jobs),
    )


def _jobs(
    order: WorkOrder,
    master: WorkMaster,
    material: Material,
    centers: Mapping[EquipmentId, Equipment],
) -> Iterator[JobDraft]:
    serial_from = _serial_from(master, material, centers)
    before = 0
    for step in master.operations:
        center = centers[step.work_center]
        yield JobDraft(
            id=JobOrderId(f"{order.id}-{step.operation}"),
            scope=center.scope,
            work_order=order.id,
            operation=step.operation,
            from_operation=before,
            last=step is master.operations[-1],
            name=step.name,
            instructions=step.instructions,
            material=order.material,
            family=material.family,
            work_center=center.id,
            cost_center=center.cost_center,
            skill=step.skill or center.skill,
            labour_class=step.labour_class,
            setup_s=step.setup_s,
            run_s=step.run_s,
            quantity=order.quantity,
            uom=order.uom,
            serial_from=serial_from,
        )
        before = step.operation


def _serial_from(
    master: WorkMaster, material: Material, centers: Mapping[EquipmentId, Equipment]
) -> int | None:
    """Return the operation where pieces get their number: the last, if no work centre says so."""
    if material.tracking is not MaterialTracking.SERIAL:
        return None
    marked = (step.operation for step in master.operations if centers[step.work_center].assigns_serial)
    return next(marked, master.operations[-1].operation)


def _components(order: WorkOrder, master: WorkMaster) -> list[JobComponent]:
    return [
        JobComponent(
            job_order=JobOrderId(f"{order.id}-{part.operation}"),
            material=part.material,
            per_piece=part.quantity / master.base_quantity,
            required=part.quantity / master.base_quantity * order.quantity,
            consumed=Decimal(0),
            uom=part.uom,
        )
        for part in master.components
    ]


async def settle(tx: Tx, line: Line) -> Line:
    """Cancel jobs that no piece can reach any more; complete the order when all jobs are over.

    Call it after a job was completed; the line's jobs are locked.
    """
    for job in line.jobs:
        before = line.before(job)
        over = before is not None and before.status in OVER
        if over and job.status in NOT_STARTED and line.remaining(job) <= 0:
            line = line.with_job(replace(job.moved(JobOrderStatus.CANCELLED), completed_at=tx.now))
            await store.save_job(tx, line.job(job.id))
    if all(job.status in OVER for job in line.jobs):
        await _complete(tx, line.jobs[0].work_order)
    return line


async def _complete(tx: Tx, number: WorkOrderNumber) -> None:
    order = await lock_work_order(tx, number)
    await store.mark_completed(tx, number)
    await append(
        tx,
        WorkOrderCompleted(
            site=tx.site,
            scope=order.scope,
            work_order=order.id,
            material=order.material,
            good=order.good,
            scrap=order.scrap,
            uom=order.uom,
        ),
    )


async def reopen(tx: Tx, number: WorkOrderNumber, reason: str) -> None:
    """Let work on a completed order go on, because an entry of it was undone; its row is locked.

    Args:
        reason: The code of the reversal.
    """
    order = await get_work_order(tx, number)
    if order.status is not WorkOrderStatus.COMPLETED:
        return
    await store.mark_reopened(tx, number)
    await append(
        tx,
        WorkOrderReopened(
            site=tx.site, scope=order.scope, work_order=order.id, material=order.material, reason=reason
        ),
    )


async def revive(tx: Tx, line: Line, job: JobOrder) -> Line:
    """Take back the cancelling of the jobs after `job`, now that pieces can reach them again."""
    after = line.after(job)
    while after is not None and after.status is JobOrderStatus.CANCELLED:
        status = JobOrderStatus.WAITING if after.equipment is None else JobOrderStatus.DISPATCHED
        line = line.with_job(replace(after.moved(status), completed_at=None))
        await store.save_job(tx, line.job(after.id))
        after = line.after(after)
    return line


async def close_work_order(tx: Tx, number: str) -> None:
    """Book nothing more on a completed order; costing settles what is left on it.

    Raises:
        WorkOrderUnknown: No such order.
        WorkOrderNotClosable: It is not completed, or closed already.
    """
    order = await lock_work_order(tx, number)
    if order.status is not WorkOrderStatus.COMPLETED:
        raise WorkOrderNotClosable(work_order=order.id, status=order.status.value)
    await _close(tx, order.id)


async def close_due(tx: Tx) -> int:
    """Close the orders whose time for corrections is over; return how many."""
    policy = await resources.policy(tx)
    before = tx.now - timedelta(minutes=policy.close_after_min)
    numbers = await store.completed_before(tx, before, CLOSE_AT_ONCE)
    for number in numbers:
        await _close(tx, number)
    return len(numbers)


async def _close(tx: Tx, number: WorkOrderNumber) -> None:
    await store.mark_closed(tx, number)
    await tracking.void_serials(tx, number)
    await append(tx, WorkOrderClosed(site=tx.site, work_order=number))


async def cancel_work_order(tx: Tx, number: str, reason: str) -> None:
    """Give up an order that nobody has begun; cancelled again, nothing changes.

    Raises:
        WorkOrderUnknown: No such order.
        WorkOrderStarted: A job of it was started.
    """
    order = await lock_work_order(tx, number)
    if order.status is WorkOrderStatus.CANCELLED:
        return
    if order.status not in {WorkOrderStatus.WAITING, WorkOrderStatus.RELEASED}:
        raise WorkOrderStarted(work_order=order.id, status=order.status.value)
    await store.mark_cancelled(tx, order.id)
    await tracking.void_serials(tx, order.id)
    await append(
        tx,
        WorkOrderCancelled(site=tx.site, scope=order.scope, work_order=order.id, reason=reason),
    )


async def mark_started(tx: Tx, number: WorkOrderNumber) -> None:
    """Note that work on the order has begun, if it had not."""
    await store.mark_started(tx, number)


async def get_work_order(tx: Tx, number: str) -> WorkOrder:
    """Return a work order.

    Raises:
        WorkOrderUnknown: No such order.
    """
    return found(await store.find_order(tx, number), WorkOrderUnknown, work_order=number)


async def order_of_ref(tx: Tx, erp_ref: str) -> WorkOrder | None:
    """Return the work order that was made of a production of the ERP, locked; None for none."""
    return await store.lock_order_by_ref(tx, erp_ref)


async def lock_work_order(tx: Tx, number: str) -> WorkOrder:
    """Return a work order that nobody else changes until the transaction ends.

    Raises:
        WorkOrderUnknown: No such order.
    """
    return found(await store.lock_order(tx, number), WorkOrderUnknown, work_order=number)


async def get_customer_order(tx: Tx, number: str) -> CustomerOrder:
    """Return a customer order.

    Raises:
        CustomerOrderUnknown: No such order.
    """
    return found(await store.find_customer_order(tx, number), CustomerOrderUnknown, customer_order=number)


async def work_orders(tx: Tx, statuses: list[str] | None, limit: int) -> list[OrderRow]:
    """Return the order list: open ones first, the newest first."""
    return await store.list_orders(tx, statuses, limit)


async def open_orders(tx: Tx) -> list[WorkOrder]:
    """Return the released orders that are not completed, the first due first; history left out."""
    return await store.open_orders(tx)


async def get_job(tx: Tx, job_order: str) -> JobOrder:
    """Return a job.

    Raises:
        JobOrderUnknown: No such job.
    """
    return found(await store.find_job(tx, job_order), JobOrderUnknown, job_order=job_order)


async def jobs_of(tx: Tx, number: str) -> list[JobOrder]:
    """Return the jobs of an order, by operation."""
    return await store.jobs_of(tx, number)


async def lock_line(tx: Tx, job_order: str) -> Line:
    """Return all jobs of a job's order; nobody else changes them until the transaction ends.

    Raises:
        JobOrderUnknown: No such job.
    """
    jobs = await store.lock_jobs_beside(tx, job_order)
    if not jobs:
        raise JobOrderUnknown(job_order=job_order)
    return Line(tuple(jobs))


async def save_job(tx: Tx, job: JobOrder) -> None:
    """Store what changed of a locked job."""
    await store.save_job(tx, job)


async def free_jobs(tx: Tx, units: Collection[str]) -> int:
    """Take jobs that are not begun, and not fixed there, off some units; return how many they were."""
    return await store.free_jobs(tx, units)


async def running_on(tx: Tx, equipment: str, *, simulated: bool) -> JobOrder | None:
    """Return the job that runs on a unit; history has its own."""
    return await store.running_on(tx, equipment, simulated=simulated)


async def open_jobs(tx: Tx) -> list[JobOrder]:
    """Return every job of the released orders, those already over too; history left out."""
    return await store.open_jobs(tx)


async def components_of(tx: Tx, job_order: str) -> list[JobComponent]:
    """Return what a job takes."""
    return await store.components_of(tx, job_order)


async def components_of_order(tx: Tx, number: str) -> list[JobComponent]:
    """Return what all jobs of an order take."""
    return await store.components_of_order(tx, number)


async def open_components(tx: Tx) -> list[JobComponent]:
    """Return what the jobs that are not over take."""
    return await store.open_components(tx)


async def need_per_piece(tx: Tx, number: str) -> dict[MaterialId, Decimal]:
    """Return what one piece of an order takes of each material, over all operations."""
    need: dict[MaterialId, Decimal] = {}
    for part in await store.components_of_order(tx, number):
        need[part.material] = need.get(part.material, Decimal(0)) + part.per_piece
    return need


async def standard_times(tx: Tx, number: str) -> tuple[StandardTime, ...]:
    """Return the standard hours of an order's operations by its own version of the work master."""
    order = await get_work_order(tx, number)
    return await definitions.standard_times(tx, order.work_master, order.work_master_version)
