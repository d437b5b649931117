"""Put plans in force, send jobs to terminals, give promises, show the planner the plant."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from mes.definitions import service as definitions
from mes.definitions.model import Material, WorkMaster, WorkMasterOperation
from mes.dispatching import store
from mes.dispatching.events import (
    JobOrderDispatched,
    JobOrderLocked,
    JobOrderUnlocked,
    PlanPublished,
    PromiseGiven,
)
from mes.dispatching.finished import finished_jobs
from mes.dispatching.model import (
    EquipmentNotForJob,
    JobNotPlannable,
    PlanEquipment,
    PlanInForce,
    PlanInterval,
    PlanJobOrder,
    PlanMaintenance,
    PlanMasterOperation,
    PlanNeed,
    PlanningSnapshot,
    PlanPace,
    PlanPerson,
    PlanPublishedAlready,
    PlanReceipt,
    PlanSetup,
    PlanStock,
    PlanTool,
    PlanToolOut,
    PlanToolUse,
    PlanWorkCenter,
    PlanWorkOrder,
    Promise,
    PublishedPlan,
)
from mes.dispatching.store import Moved
from mes.inventory import service as inventory
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber, uuid7
from mes.kernel.outbox import append
from mes.maintenance import service as maintenance
from mes.resources import service as resources
from mes.resources import tooling
from mes.resources.model import AS_ROUTED, Equipment, EquipmentStatus, Step, Window, is_down
from mes.workorders import service as workorders
from mes.workorders.model import OVER, JobComponent, JobOrder, JobOrderStatus, Line, WorkOrder

DAY = timedelta(days=1)
"""What a running job did longer ago says little of how fast it is now."""
WEEK = timedelta(days=7)
LONGEST = timedelta(days=90)
SLACK = 1.5
"""Calendars of a snapshot reach a week beyond the open work: its time at the busiest work centre or skill,
and so much more, because one waits for another. Beyond them nobody knows who works."""
SAME_PROMISE = timedelta(minutes=1)
"""A promise that moves by less is the same promise."""


async def apply_plan(tx: Tx, plan: PublishedPlan) -> PlanInForce:
    """Put a plan in force: jobs get unit, time and place in the queue, maintenance gets its time.

    A job that has begun, is over or is unknown keeps its own facts and is passed over.

    Raises:
        PlanPublishedAlready: This very plan is or was in force.
        EquipmentNotForJob: A unit does not belong to the job's work centre.
    """
    plannable = await store.lock_plannable(tx, [job.job_order for job in plan.operations])
    units = {unit.id: unit for unit in await resources.units(tx)}
    placed = [job for job in plan.operations if job.job_order in plannable]
    for job in placed:
        _check_unit(job.job_order, job.equipment, units, plannable[job.job_order])
    head = await store.insert_plan(tx, plan)
    if head is None:
        raise PlanPublishedAlready(plan=plan.plan)
    await maintenance.place(
        tx, {job.job_order: (job.planned_start, job.planned_end) for job in plan.operations}
    )
    moved = await store.place_jobs(tx, placed, await _horizon(tx))
    await append(tx, _published(tx.site, plan, head))
    await _tell(tx, moved)
    return head


async def set_locked(tx: Tx, job: JobOrderId, equipment: EquipmentId, start: datetime) -> None:
    """Note that a planner has put a job on a unit, which stays in service as long as it waits for the job.

    Args:
        start: When its run begins.

    Raises:
        JobNotPlannable: The job has begun, is over or is unknown.
        EquipmentNotForJob: The unit does not belong to its work centre.
    """
    plannable = await store.lock_plannable(tx, [job])
    if job not in plannable:
        raise JobNotPlannable(job_order=job)
    units = {unit.id: unit for unit in await resources.units(tx)}
    _check_unit(job, equipment, units, plannable[job])
    await store.save_locked(tx, job, locked=True)
    await append(tx, JobOrderLocked(site=tx.site, job_order=job, equipment=equipment, start=start))


async def set_unlocked(tx: Tx, job: JobOrderId) -> None:
    """Note that a job goes where plans put it."""
    await store.lock_plannable(tx, [job])
    await store.save_locked(tx, job, locked=False)
    await append(tx, JobOrderUnlocked(site=tx.site, job_order=job))


def _check_unit(
    job: JobOrderId,
    equipment: EquipmentId,
    units: Mapping[EquipmentId, Equipment],
    work_center: EquipmentId,
) -> None:
    unit = units.get(equipment)
    if unit is None or unit.work_center != work_center:
        raise EquipmentNotForJob(job_order=job, equipment=equipment, work_center=work_center)


def _published(site: str, plan: PublishedPlan, head: PlanInForce) -> PlanPublished:
    return PlanPublished(
        site=site,
        plan=plan.plan,
        version=head.version,
        solver=plan.solver,
        objective=plan.objective,
        bound=plan.bound,
        cp_gain=plan.cp_gain,
        operations=len(plan.operations),
        late_orders=plan.late_orders,
        by=plan.by,
    )


async def _horizon(tx: Tx) -> datetime:
    policy = await resources.policy(tx)
    return tx.now + timedelta(minutes=policy.dispatch_horizon_min)


async def _tell(tx: Tx, moved: Iterable[Moved]) -> None:
    for job in moved:
        await append(
            tx,
            JobOrderDispatched(
                site=tx.site,
                scope=f"{job.scope}/{job.equipment}",
                job_order=job.id,
                work_order=job.work_order,
                operation=job.operation,
                equipment=job.equipment,
                planned_start=job.planned_start,
                planned_end=job.planned_end,
                sequence=job.sequence,
            ),
        )


async def dispatch_due(tx: Tx) -> int:
    """Send the planned jobs whose time comes near to their terminals; return how many."""
    moved = await store.dispatch_pending(tx, await _horizon(tx))
    await _tell(tx, moved)
    return len(moved)


async def plan_in_force(tx: Tx) -> PlanInForce | None:
    """Return the head of the plan in force, or None before the first."""
    return await store.in_force(tx)


async def give_promise(
    tx: Tx, customer_order: str, work_order: WorkOrderNumber, promised_at: datetime, reason: str
) -> bool:
    """Give a customer a date; return False when it is the one given before, to the minute.

    Args:
        reason: Code of what binds the date, such as `capacity`.

    Raises:
        WorkOrderUnknown, CustomerOrderUnknown: No such order.
    """
    order = await workorders.lock_work_order(tx, work_order)
    await workorders.get_customer_order(tx, customer_order)
    if order.promised_at is not None and abs(order.promised_at - promised_at) < SAME_PROMISE:
        return False
    promise = Promise(
        id=uuid7(),
        customer_order=customer_order,
        work_order=work_order,
        promised_at=promised_at,
        previous=order.promised_at,
        reason=reason,
        given_at=tx.now,
    )
    await store.insert_promise(tx, promise)
    await append(
        tx,
        PromiseGiven(
            site=tx.site,
            customer_order=customer_order,
            work_order=work_order,
            promised_at=promised_at,
            previous=order.promised_at,
            reason=reason,
        ),
    )
    return True


async def promises(tx: Tx, customer_order: str) -> list[Promise]:
    """Return what a customer order was promised, oldest first."""
    return await store.promises(tx, customer_order)


async def planning_snapshot(tx: Tx, at: datetime | None = None, *, far: bool = False) -> PlanningSnapshot:
    """Return everything a plan depends on; history booked by the simulator is left out.

    Calendars and presence reach a week beyond the open work, or 90 days at the most.

    Args:
        at: Moment to plan from; `tx.now` when None (a reading transaction must say it).
        far: The whole 90 days, for work that nobody has ordered yet, with what finished job orders took.
    """
    now = tx.now if at is None else at
    jobs = await workorders.open_jobs(tx)
    receipts = await _receipts(tx)
    until = now + LONGEST if far else await _until(tx, now, jobs, receipts)
    return PlanningSnapshot(
        at=now,
        until=until,
        site_tz=await resources.timezone(tx),
        work_centers=tuple(
            PlanWorkCenter(id=center.id, name=center.name) for center in await resources.work_centers(tx)
        ),
        equipment=await _equipment(tx, now, until, jobs),
        setups=tuple(
            PlanSetup(
                work_center=rule.work_center,
                from_family=rule.from_family,
                to_family=rule.to_family,
                seconds=rule.seconds,
            )
            for rule in await resources.setups(tx)
        ),
        people=await _people(tx, now, until),
        work_orders=tuple(_work_order(order) for order in await workorders.open_orders(tx)),
        job_orders=await _open_jobs(tx, jobs, now),
        stock=await _stock(tx, now),
        receipts=receipts,
        in_force=await store.in_force(tx),
        tools=await _tools(tx, now),
        maintenance=await _maintenance(tx, until),
        finished=await finished_jobs(tx, now) if far else (),
    )


async def _until(
    tx: Tx, now: datetime, jobs: Iterable[JobOrder], receipts: Iterable[PlanReceipt]
) -> datetime:
    """How far calendars must reach for the open work and the receipts it may wait for.

    Of a unit or a skill that is nowhere in the week nobody can tell; it makes no horizon longer.
    """
    there_s: dict[str, float] = defaultdict(float)
    windows = await resources.unit_windows(tx, now, now + WEEK)
    for unit in await resources.units(tx):
        there_s[unit.work_center or unit.id] += _worked_s(windows[unit.id]) * AS_ROUTED / unit.time_percent
    for person in await resources.availability(tx, now, now + WEEK):
        for skill in person.skills:
            there_s[f"skill {skill}"] += _worked_s(person.windows)
    work_s: dict[str, float] = defaultdict(float)
    for job in jobs:
        if job.status not in OVER:
            for wanted in (job.work_center, f"skill {job.skill}"):
                work_s[wanted] += float(job.quantity * job.run_s + job.setup_s)
    weeks = max((work / there_s[at] for at, work in work_s.items() if there_s[at]), default=0)
    reach = WEEK * min(1 + SLACK * weeks, LONGEST / WEEK)
    last = max((receipt.expected_at for receipt in receipts), default=now)
    return min(now + LONGEST, max(now + reach, last + WEEK))


def _worked_s(windows: Iterable[Window]) -> float:
    return sum((one.end - one.start).total_seconds() for one in _work(windows))


async def _equipment(
    tx: Tx, now: datetime, until: datetime, jobs: Sequence[JobOrder]
) -> tuple[PlanEquipment, ...]:
    windows = await resources.unit_windows(tx, now, until)
    states = await resources.equipment_states(tx)
    families = await store.unit_families(tx)
    running = {job.equipment: job.id for job in jobs if job.status is JobOrderStatus.RUNNING}
    return tuple(
        _unit(unit, windows[unit.id], states.get(unit.id), families.get(unit.id), running.get(unit.id))
        for unit in await resources.units(tx)
    )


def _unit(
    unit: Equipment,
    windows: Iterable[Window],
    status: EquipmentStatus | None,
    family: str | None,
    running: JobOrderId | None,
) -> PlanEquipment:
    state = "" if status is None else status.state
    reason = None if status is None else status.reason
    down = is_down(state, reason)
    return PlanEquipment(
        id=unit.id,
        name=unit.name,
        work_center=unit.work_center or unit.id,
        calendar=_work(windows),
        state=state,
        down_since=status.since if status is not None and down else None,
        down_until=status.back_at if status is not None and down else None,
        down_reason=reason if down else None,
        family=family,
        running=running,
        time_percent=unit.time_percent,
    )


def _work(windows: Iterable[Window]) -> tuple[PlanInterval, ...]:
    """Return the working stretches; those that touch become one."""
    found: list[PlanInterval] = []
    for window in windows:
        if window.kind != "work":
            continue
        if found and found[-1].end == window.starts_at:
            found[-1] = PlanInterval(found[-1].start, window.ends_at)
        else:
            found.append(PlanInterval(window.starts_at, window.ends_at))
    return tuple(found)


async def _people(tx: Tx, now: datetime, until: datetime) -> tuple[PlanPerson, ...]:
    return tuple(
        PlanPerson(id=person.person, skills=person.skills, present=_work(person.windows))
        for person in await resources.availability(tx, now, until)
    )


def _work_order(order: WorkOrder) -> PlanWorkOrder:
    return PlanWorkOrder(
        id=order.id,
        material=order.material,
        quantity=order.quantity,
        uom=order.uom,
        due_at=order.due_at,
        priority=order.priority,
        customer_order=order.customer_order,
        customer=order.customer,
        promised_at=order.promised_at,
        received_at=order.released_at or order.received_at,
    )


async def _open_jobs(tx: Tx, jobs: Sequence[JobOrder], now: datetime) -> tuple[PlanJobOrder, ...]:
    components, steps = await workorders.open_components(tx), await tooling.steps(tx)
    paces = await _paces(tx, jobs, now)
    return tuple(replace(job, pace=paces.get(job.id)) for job in _job_orders(jobs, components, steps))


async def _paces(tx: Tx, jobs: Iterable[JobOrder], now: datetime) -> Mapping[JobOrderId, PlanPace]:
    units = {job.equipment for job in jobs if job.status is JobOrderStatus.RUNNING and job.equipment}
    if not units:
        return {}
    windows = await resources.unit_windows(tx, now - DAY, now)
    work = {unit: [one for one in windows[unit] if one.kind == "work"] for unit in units}
    spans = {unit: (_multirange(work[unit]), _multirange(windows[unit])) for unit in units}
    return await store.paces(tx, now - DAY, now, spans)


def _multirange(windows: Iterable[Window]) -> str:
    return "{" + ",".join(f"[{one.starts_at.isoformat()},{one.ends_at.isoformat()})" for one in windows) + "}"


def _job_orders(
    jobs: Iterable[JobOrder], components: Iterable[JobComponent], steps: Mapping[tuple[MaterialId, int], Step]
) -> Iterable[PlanJobOrder]:
    needs = {job: tuple(part) for job, part in groupby(components, key=lambda component: component.job_order)}
    for _, line_jobs in groupby(jobs, key=lambda job: job.work_order):
        line = Line(tuple(line_jobs))
        for job in line.jobs:
            if job.status not in OVER:
                step = _known(steps, job.material, job.operation)
                yield _job_order(line, job, needs.get(job.id, ()), step)


def _job_order(line: Line, job: JobOrder, needs: Iterable[JobComponent], step: Step) -> PlanJobOrder:
    before = line.before(job)
    over = before is not None and before.status in OVER
    ended_at = before.completed_at if before is not None else None
    return PlanJobOrder(
        id=job.id,
        work_order=job.work_order,
        operation=job.operation,
        name=job.name,
        work_center=job.work_center,
        equipment=job.equipment,
        status=job.status.value,
        material=job.material,
        family=job.family,
        skill=job.skill,
        quantity=job.quantity,
        remaining=line.remaining(job),
        good=job.good,
        scrap=job.scrap,
        run_s=job.run_s,
        setup_s=job.setup_s,
        resumable=step.resumable,
        started_at=job.started_at,
        planned_start=job.planned_start,
        planned_end=job.planned_end,
        sequence=job.sequence,
        locked=job.locked,
        predecessors=() if before is None or over else (before.id,),
        components=tuple(
            PlanNeed(material=part.material, quantity=part.required - part.consumed)
            for part in needs
            if part.required > part.consumed
        ),
        tools=_uses(step),
        lag_min=step.lag_min,
        most_min=step.most_min,
        transfer=step.transfer,
        not_before=ended_at + timedelta(minutes=step.lag_min) if over and ended_at and step.lag_min else None,
        after=before.id if before is not None and over else None,
        ended_at=ended_at if over else None,
    )


def _known(steps: Mapping[tuple[MaterialId, int], Step], material: MaterialId, operation: int) -> Step:
    """What the plant knows of a step beside what the ERP says, which may be nothing."""
    return steps.get((material, operation)) or Step(material=material, operation=operation)


def _uses(step: Step) -> tuple[PlanToolUse, ...]:
    return tuple(PlanToolUse(tool=use.tool, count=use.count) for use in step.tools)


async def _tools(tx: Tx, at: datetime) -> tuple[PlanTool, ...]:
    return tuple(
        PlanTool(
            id=tool.id,
            count=tool.count,
            out=tuple(PlanToolOut(count=one.count, until=one.until) for one in tool.out),
        )
        for tool in await tooling.tools(tx, at)
    )


async def _maintenance(tx: Tx, until: datetime) -> tuple[PlanMaintenance, ...]:
    """Return what is not over and may begin within the horizon."""
    return tuple(
        PlanMaintenance(**{name: getattr(one, name) for name in PlanMaintenance.__slots__})
        for one in await maintenance.open_maintenance(tx)
        if one.earliest < until
    )


async def _stock(tx: Tx, at: datetime) -> tuple[PlanStock, ...]:
    return tuple(
        PlanStock(material=row.material, quantity=row.available) for row in await inventory.stock(tx, at)
    )


async def _receipts(tx: Tx) -> tuple[PlanReceipt, ...]:
    return tuple(
        PlanReceipt(
            purchase=row.purchase,
            material=row.material,
            quantity=row.quantity,
            expected_at=row.expected_at,
        )
        for row in await inventory.expected_receipts(tx)
    )


async def planning_master(tx: Tx, material: MaterialId, at: datetime) -> tuple[PlanMasterOperation, ...]:
    """Return how a product would be made if it were ordered at `at` (default: now).

    Raises:
        MaterialUnknown, WorkMasterUnknown, WorkMasterNotValid: It is not made here.
    """
    product = await definitions.get_material(tx, material)
    master = await definitions.work_master_for(tx, material, at or utc_now())
    centers = await definitions.centers_of(tx, master)
    steps = await tooling.steps(tx)
    return tuple(
        _master_step(master, step, product, centers, _known(steps, material, step.operation))
        for step in master.operations
    )


def _master_step(
    master: WorkMaster,
    step: WorkMasterOperation,
    product: Material,
    centers: Mapping[EquipmentId, Equipment],
    known: Step,
) -> PlanMasterOperation:
    return PlanMasterOperation(
        operation=step.operation,
        name=step.name,
        work_center=step.work_center,
        skill=step.skill or centers[step.work_center].skill,
        family=product.family,
        run_s=step.run_s,
        setup_s=step.setup_s,
        components=tuple(
            PlanNeed(material=part.material, quantity=part.quantity / master.base_quantity)
            for part in master.components
            if part.operation == step.operation
        ),
        tools=_uses(known),
        lag_min=known.lag_min,
        most_min=known.most_min,
        transfer=known.transfer,
        resumable=known.resumable,
    )
