"""From the plant's facts to a problem, and from a plan back to facts: publish, propose, promise."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from mes.dispatching import service as dispatching
from mes.dispatching.events import PlanProposed
from mes.dispatching.model import (
    PlanEquipment,
    PlanInterval,
    PlanJobOrder,
    PlanMasterOperation,
    PlannedJob,
    PlanningSnapshot,
    PlanPerson,
    PlanWorkOrder,
    PublishedPlan,
)
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber, uuid7
from mes.kernel.outbox import append
from mes.kernel.settings import Planner
from planner import store
from planner.child import Answers
from planner.document import Clock, Labels, difference_document, merged, plan_document, sequences
from planner.form import schedule_from_json
from planner.problem import (
    Alternative,
    Calendar,
    Crew,
    Link,
    Operation,
    Order,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Unit,
    Window,
    WorkCenter,
)
from planner.promise import promise
from planner.replan import repair
from planner.store import Plan

QUOTE = "QUOTE"
"""Order id of a product that is only asked for."""

WEIGHTS = {1: 8, 2: 4, 3: 2}
"""Price of a late minute by the order's priority (1 is the most urgent); 1 for the others."""

SAME_PROMISE = timedelta(minutes=5)
"""A promise that would move by less stands."""


SAME_START = timedelta(minutes=1)
"""A start that moves by less is the same start."""


class PlanUnknown(PlantError):
    """There is no such plan."""

    http_status = 404
    remedy = "Reload the page and choose again."


class ProposalGone(PlantError):
    """This proposal is not open any more."""

    http_status = 409
    remedy = "Reload the page: a newer plan or proposal is there."


class PlanMovedOn(PlantError):
    """Another plan came in force meanwhile."""

    http_status = 409
    retryable = True
    remedy = "It is planned again by itself."


class QuantityNotPossible(PlantError):
    """The quantity must be more than nothing."""

    http_status = 422
    remedy = "Enter a quantity of 1 or more."


@dataclass(frozen=True)
class View:
    """The plant as the planner sees it at one moment.

    Args:
        version: Of the plan in force; None before the first.
    """

    problem: Problem
    labels: Labels
    version: int | None


async def view_plant(tx: Tx, at: datetime, settings: Planner) -> View:
    """Read everything a plan depends on in one snapshot.

    Args:
        at: Moment to plan from; minute 0 is its minute.

    Raises:
        InvalidProblem: The facts contradict each other; names the rows.
    """
    snapshot = await dispatching.planning_snapshot(tx, at=at)
    head = snapshot.in_force
    version = None if head is None else head.version
    return View(problem_of(snapshot, settings), labels_of(snapshot), version)


def problem_of(snapshot: PlanningSnapshot, settings: Planner) -> Problem:
    """The snapshot as a problem in whole minutes.

    Raises:
        InvalidProblem: The facts contradict each other; names the rows.
    """
    return _Builder(snapshot, settings).problem()


class _Builder:
    """Turns one snapshot into a problem."""

    def __init__(self, snapshot: PlanningSnapshot, settings: Planner) -> None:
        self._snapshot, self._settings = snapshot, settings
        self._origin = snapshot.at.astimezone(UTC).replace(second=0, microsecond=0)
        self._horizon = max(1, self._minute(snapshot.until))
        self._units: dict[EquipmentId, list[EquipmentId]] = defaultdict(list)
        for unit in snapshot.equipment:
            self._units[unit.work_center].append(unit.id)
        self._down = {unit.id for unit in snapshot.equipment if unit.down_since is not None}
        self._running = _running(snapshot.job_orders)

    def problem(self) -> Problem:
        """Put the parts together; freeze what starts soon."""
        snapshot = self._snapshot
        orders = {job.work_order for job in snapshot.job_orders}
        due = {order.id: order.due_at for order in snapshot.work_orders}
        jobs = sorted(
            (job for job in snapshot.job_orders if job.work_order in due),
            key=lambda job: (due[job.work_order], job.work_order, job.operation),
        )
        releases = self._materials(jobs)
        operations = [self._operation(job, releases.get(job.id, ())) for job in jobs]
        return Problem(
            origin=self._origin,
            horizon=self._horizon,
            calendars=tuple(self._calendar(unit) for unit in snapshot.equipment),
            work_centers=self._work_centers(),
            units=tuple(self._unit(unit) for unit in snapshot.equipment),
            crews=self._crews(snapshot.people),
            orders=tuple(self._order(o) for o in snapshot.work_orders if o.id in orders),
            operations=tuple(self._frozen(operations)),
        )

    def _minute(self, time: datetime) -> int:
        return math.floor((time - self._origin).total_seconds() / 60)

    def _windows(self, intervals: Iterable[PlanInterval]) -> tuple[Window, ...]:
        return merged(
            [
                Window(
                    min(self._horizon, max(0, self._minute(i.start))),
                    min(self._horizon, max(0, self._minute(i.end))),
                )
                for i in intervals
            ]
        )

    def _calendar(self, unit: PlanEquipment) -> Calendar:
        return Calendar(unit.id, self._windows(unit.calendar))

    def _unit(self, unit: PlanEquipment) -> Unit:
        stops: tuple[Window, ...] = ()
        if unit.down_since is not None:
            stops = (Window(0, min(self._horizon, self._back(unit.down_since, unit.down_until))),)
        return Unit(unit.id, unit.work_center, unit.id, unit.family, stops)

    def _back(self, since: datetime, until: datetime | None) -> int:
        """When a stopped unit is taken to work again: nobody said, so as long again as it lasted."""
        if until is not None:
            return max(1, self._minute(until))
        lasted = max(0, -self._minute(since))
        return max(1, self._settings.stop_min - lasted, lasted)

    def _work_centers(self) -> tuple[WorkCenter, ...]:
        setups: dict[str, list[Setup]] = defaultdict(list)
        for rule in self._snapshot.setups:
            if rule.to_family is not None:
                minutes = math.ceil(rule.seconds / 60)
                setups[rule.work_center].append(Setup(rule.to_family, minutes, rule.from_family))
        centers = dict.fromkeys(unit.work_center for unit in self._snapshot.equipment)
        return tuple(WorkCenter(name, tuple(setups[name])) for name in centers)

    def _crews(self, people: Sequence[PlanPerson]) -> tuple[Crew, ...]:
        alike: dict[tuple[tuple[str, ...], tuple[Window, ...]], list[str]] = defaultdict(list)
        for person in people:
            alike[tuple(sorted(person.skills)), self._windows(person.present)].append(person.id)
        return tuple(
            Crew(ids[0], skills, windows, len(ids))
            for (skills, windows), ids in alike.items()
            if windows and skills
        )

    def _order(self, order: PlanWorkOrder) -> Order:
        return Order(order.id, self._minute(order.due_at), WEIGHTS.get(order.priority, 1))

    def _operation(self, job: PlanJobOrder, releases: tuple[Release, ...]) -> Operation:
        minutes = max(1, math.ceil(job.remaining * job.run_s / 60))
        started = None
        if job.id in self._running and job.equipment is not None:
            since = job.started_at or self._snapshot.at
            started = Started(job.equipment, min(0, self._minute(since)))
        units = self._units.get(job.work_center, [])
        if started and started.unit not in units:
            units = [*units, EquipmentId(started.unit)]
        return Operation(
            id=job.id,
            order=job.work_order,
            alternatives=tuple(Alternative(unit, minutes) for unit in units),
            predecessors=() if started else tuple(Link(before) for before in job.predecessors),
            family=job.family,
            skill=job.skill,
            resumable=job.resumable,
            releases=() if started else releases,
            started=started,
            published=self._published(job, units),
        )

    def _published(self, job: PlanJobOrder, units: Sequence[EquipmentId]) -> Published | None:
        if job.planned_start is None or job.equipment not in units or job.equipment is None:
            return None
        return Published(job.equipment, self._minute(job.planned_start))

    def _frozen(self, operations: list[Operation]) -> Iterable[Operation]:
        """Freeze what starts within the frozen zone, after predecessors that are held too."""
        held: set[str] = set()
        for operation in operations:
            place = operation.published
            is_soon = place is not None and place.start < self._settings.frozen_min
            is_able = place is not None and place.unit not in self._down
            is_fed = all(link.operation in held for link in operation.predecessors)
            if operation.started:
                held.add(operation.id)
                yield operation
            elif is_soon and is_able and is_fed:
                held.add(operation.id)
                yield replace(operation, frozen=True)
            else:
                yield operation

    def _materials(self, jobs: Sequence[PlanJobOrder]) -> dict[str, tuple[Release, ...]]:
        """Peg stock and receipts to jobs, earliest due first, work under way before all."""
        supply = _Supply(self._snapshot)
        first = sorted(jobs, key=lambda job: job.id not in self._running)
        found: dict[str, tuple[Release, ...]] = {}
        for job in first:
            waits = []
            for need in job.components:
                at = supply.take(need.material, need.quantity)
                minute = self._horizon if at is None else self._ceiling(at)
                if minute > 0:
                    waits.append(Release(minute, "material", need.material))
            found[job.id] = tuple(waits)
        return found

    def _ceiling(self, time: datetime) -> int:
        return math.ceil((time - self._origin).total_seconds() / 60)


class _Supply:
    """Stock now and receipts to come of each material, used up in the order of asking."""

    def __init__(self, snapshot: PlanningSnapshot) -> None:
        self._left: dict[str, list[tuple[datetime, Decimal]]] = defaultdict(list)
        for stock in snapshot.stock:
            self._left[stock.material].append((datetime.min.replace(tzinfo=UTC), stock.quantity))
        for receipt in sorted(snapshot.receipts, key=lambda row: row.expected_at):
            due = max(receipt.expected_at, snapshot.at)
            self._left[receipt.material].append((due, receipt.quantity))

    def take(self, material: MaterialId, quantity: Decimal) -> datetime | None:
        """Use `quantity` up; returns when the last of it is there, None when it never is."""
        rows = self._left[material]
        at = datetime.min.replace(tzinfo=UTC)
        while quantity > 0:
            if not rows:
                return None
            at, there = rows[0]
            used = min(quantity, there)
            quantity -= used
            if used == there:
                rows.pop(0)
            else:
                rows[0] = (at, there - used)
        return at


def _running(jobs: Iterable[PlanJobOrder]) -> set[JobOrderId]:
    """The jobs under way, one a unit: the one that started last."""
    by_unit: dict[EquipmentId, PlanJobOrder] = {}
    early = datetime.min.replace(tzinfo=UTC)
    for job in sorted(jobs, key=lambda job: job.started_at or early):
        if job.status == "Running" and job.equipment is not None:
            by_unit[job.equipment] = job
    return {job.id for job in by_unit.values()}


def labels_of(snapshot: PlanningSnapshot) -> Labels:
    """The names that the pages show."""
    return Labels(
        jobs={
            job.id: {"number": job.operation, "name": job.name, "material": job.material}
            for job in snapshot.job_orders
        },
        orders={
            order.id: {
                "customer": order.customer,
                "customer_order": order.customer_order,
                "material": order.material,
                "quantity": str(order.quantity),
                "uom": order.uom,
                "priority": order.priority,
                "due_at": order.due_at.isoformat(),
            }
            for order in snapshot.work_orders
        },
        units={unit.id: {"name": unit.name, "work_center": unit.work_center} for unit in snapshot.equipment},
    )


async def ask(tx: Tx, reason: str, params: Mapping[str, Any], *, move: bool) -> UUID:
    """Ask for a new plan; the worker makes it.

    Args:
        reason: Code of what happened: "order", "machine", "people", "material", "manual" ...
        move: Look for a plan that moves published work, even when no order is late.
    """
    return await store.add_request(tx, reason, dict(params), move=move)


def plan_row(
    view: View,
    report: Mapping[str, Any],
    trigger: list[dict[str, Any]],
    at: datetime,
    answers: Answers | None = None,
) -> Plan:
    """A plan as it is stored; a proposal when `answers` with its changes are given."""
    changes = answers.changes if answers else None
    return Plan(
        id=uuid7(),
        status="proposed",
        version=None,
        solver=report["solver"],
        proof=report["status"],
        objective=report["objective"],
        bound=report["bound"],
        dispatch_objective=report["dispatch_objective"],
        current_objective=answers.kept_objective if answers else None,
        late_orders=report["score"]["late"],
        moved=len(changes["moved"]) if changes else 0,
        trigger=trigger,
        body=plan_document(view.problem, report, view.labels) | {"jobs": _jobs(view.problem, report)},
        diff=difference_document(view.problem, changes or _only_added(view.problem)),
        made_at=at,
        published_at=None,
        published_by=None,
    )


def _only_added(problem: Problem) -> dict[str, Any]:
    added = [o.id for o in problem.operations if not o.published and not o.started]
    return {"moved": [], "late": [], "saved": [], "added": added}


def _jobs(problem: Problem, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the floor is told of each operation when the plan is published."""
    schedule, clock = schedule_from_json(report["schedule"]), Clock(problem.origin)
    places = sequences(schedule)
    return [
        {
            "job_order": row.operation,
            "equipment": row.unit,
            "start": clock.text(row.setup_start),
            "end": clock.text(row.end),
            "sequence": places[row.operation],
            "setup_s": row.setup * 60,
            "locked": problem.operation_by_id[row.operation].lock is not None,
        }
        for row in schedule.assignments
    ]


def is_news(view: View, plan: Plan) -> bool:
    """Whether a plan says anything that the one in force does not, to the minute."""
    clock = Clock(view.problem.origin)
    for row in plan.body["jobs"]:
        operation = view.problem.operation_by_id[row["job_order"]]
        place = operation.published
        if operation.started:
            continue
        if place is None or place.unit != row["equipment"]:
            return True
        if abs(datetime.fromisoformat(row["start"]) - clock.at(place.start)) > SAME_START:
            return True
    return False


async def hold_plans(tx: Tx, version: int | None) -> None:
    """Let nobody else publish until the end of the transaction.

    Raises:
        PlanMovedOn: Another plan than `version` is in force by now.
    """
    await store.lock_plans(tx)
    head = await dispatching.plan_in_force(tx)
    now = None if head is None else head.version
    if now != version:
        raise PlanMovedOn(planned_on=version, in_force=now)


async def propose(tx: Tx, plan: Plan) -> None:
    """Store a proposal and tell the pages."""
    await store.insert_plan(tx, plan)
    await append(
        tx,
        PlanProposed(
            site=tx.site,
            plan=plan.id,
            solver=plan.solver,
            objective=plan.objective,
            current_objective=plan.current_objective,
            moved=plan.moved,
            late_orders=plan.late_orders,
            reason=str(plan.trigger[-1]["reason"]) if plan.trigger else "",
        ),
    )


async def put_in_force(tx: Tx, plan: Plan) -> int:
    """Publish a plan that is not stored yet; returns its version. Open proposals are outdated.

    Raises:
        PlantError: The plan does not fit the plant any more.
    """
    await store.close_proposal(tx, "superseded")
    await store.insert_plan(tx, plan)
    return await _publish(tx, plan)


async def publish_proposal(tx: Tx, plan_id: UUID) -> dict[str, Any]:
    """A planner publishes the open proposal.

    Raises:
        PlanUnknown: No plan has this id.
        ProposalGone: It was published, discarded or replaced by a newer one.
    """
    plan = await _open_proposal(tx, plan_id)
    return {"plan": str(plan.id), "version": await _publish(tx, plan)}


async def discard_proposal(tx: Tx, plan_id: UUID) -> dict[str, Any]:
    """A planner does not want the open proposal.

    Raises:
        PlanUnknown: No plan has this id.
        ProposalGone: It was published, discarded or replaced by a newer one.
    """
    plan = await _open_proposal(tx, plan_id)
    await store.close_proposal(tx, "discarded")
    return {"plan": str(plan.id), "status": "discarded"}


async def _open_proposal(tx: Tx, plan_id: UUID) -> Plan:
    await store.lock_plans(tx)
    plan = await store.lock_plan(tx, plan_id)
    if plan is None:
        raise PlanUnknown(plan=str(plan_id))
    if plan.status != "proposed":
        raise ProposalGone(plan=str(plan_id), state={"status": plan.status})
    return plan


async def _publish(tx: Tx, plan: Plan) -> int:
    await store.replace_in_force(tx)
    head = await dispatching.apply_plan(
        tx,
        PublishedPlan(
            plan=plan.id,
            solver=plan.solver,
            status=plan.proof,
            objective=plan.objective,
            bound=plan.bound,
            late_orders=plan.late_orders,
            by=tx.cause.actor,
            operations=tuple(_planned_job(row) for row in plan.body["jobs"]),
        ),
    )
    await store.put_in_force(tx, plan.id, head.version)
    await _promise(tx, plan)
    return head.version


def _planned_job(row: Mapping[str, Any]) -> PlannedJob:
    return PlannedJob(
        job_order=JobOrderId(row["job_order"]),
        equipment=EquipmentId(row["equipment"]),
        planned_start=datetime.fromisoformat(row["start"]),
        planned_end=datetime.fromisoformat(row["end"]),
        sequence=row["sequence"],
        setup_s=row["setup_s"],
        locked=row["locked"],
    )


async def _promise(tx: Tx, plan: Plan) -> None:
    """Give every customer order its date: the wanted one while the plan keeps it."""
    planned = {row["work_order"]: row for row in plan.body["orders"]}
    for name, order in (await store.open_customer_orders(tx, list(planned))).items():
        row = planned[name]
        promised = max(datetime.fromisoformat(row["end"]), order.due_at)
        if order.promised_at is None or abs(order.promised_at - promised) >= SAME_PROMISE:
            why = row["why"][0]["cause"] if row["why"] else "in-time"
            await dispatching.give_promise(tx, order.customer_order, WorkOrderNumber(name), promised, why)


async def plan_in_force(tx: Tx) -> dict[str, Any] | None:
    """The plan in force with the present state of its jobs, or None before the first."""
    plan = await store.plan_of(tx, "in_force")
    return None if plan is None else await _shown(tx, plan)


async def open_proposal(tx: Tx) -> dict[str, Any] | None:
    """The open proposal and what it changes, or None."""
    plan = await store.plan_of(tx, "proposed")
    if plan is None:
        return None
    diff = {**(plan.diff or {}), "trigger": plan.trigger}
    return {**await _shown(tx, plan), "diff": diff}


async def _shown(tx: Tx, plan: Plan) -> dict[str, Any]:
    body = plan.body
    now = await store.jobs_now(tx, [row["job_order"] for row in body["operations"]])
    operations = [
        {
            **row,
            "status": now[row["job_order"]].status,
            "locked": now[row["job_order"]].locked,
        }
        for row in body["operations"]
        if row["job_order"] in now
    ]
    last = await store.last_outcome(tx)
    return {
        "id": str(plan.id),
        "version": plan.version,
        "solver": plan.solver,
        "status": plan.proof,
        "objective": plan.objective,
        "bound": plan.bound,
        "gap": (plan.objective - plan.bound) / plan.objective if plan.objective else 0.0,
        "dispatch_objective": plan.dispatch_objective,
        "current_objective": plan.current_objective,
        "late_orders": plan.late_orders,
        "trigger": plan.trigger,
        "made_at": plan.made_at.isoformat(),
        "published_at": plan.published_at.isoformat() if plan.published_at else None,
        "by": plan.published_by,
        "origin": body["origin"],
        "rule": body["rule"],
        "score": body["score"],
        "operations": operations,
        "orders": body["orders"],
        "equipment": body["equipment"],
        "waiting": await store.waiting(tx),
        "trouble": last.error if last and last.outcome == "refused" else None,
    }


async def quote(
    tx: Tx, material: MaterialId, quantity: Decimal, at: datetime, settings: Planner
) -> dict[str, Any]:
    """When could `quantity` of `material` be done if it were ordered now and moved nobody?

    Raises:
        QuantityNotPossible: Nothing is asked for.
        PlantError: The material is unknown or not made here.
    """
    if quantity <= 0:
        raise QuantityNotPossible(quantity=str(quantity))
    master = await dispatching.planning_master(tx, material, at)
    snapshot = await dispatching.planning_snapshot(tx, at=at)
    asked = with_quote(snapshot, material, quantity, master)
    whole = problem_of(asked, settings)
    mine = tuple(o for o in whole.operations if o.order == QUOTE)
    problem = replace(
        whole,
        orders=tuple(o for o in whole.orders if o.id != QUOTE),
        operations=tuple(o for o in whole.operations if o.order != QUOTE),
    )
    found = promise(problem, repair(problem), whole.order_by_id[QUOTE], mine)
    return {
        "material": material,
        "quantity": str(quantity),
        "date": Clock(problem.origin).text(found.end),
        "binding": {"code": found.binding.code, "params": dict(found.binding.params)},
    }


def with_quote(
    snapshot: PlanningSnapshot,
    material: MaterialId,
    quantity: Decimal,
    master: Sequence[PlanMasterOperation],
) -> PlanningSnapshot:
    """The snapshot with one more order, due last, so that its materials are pegged last."""
    order = PlanWorkOrder(
        id=WorkOrderNumber(QUOTE),
        material=material,
        quantity=quantity,
        uom="",
        due_at=snapshot.until,
        priority=9,
        customer_order=None,
        customer=None,
        promised_at=None,
        received_at=snapshot.at,
    )
    jobs = []
    before: tuple[JobOrderId, ...] = ()
    for step in master:
        job = _quoted_job(step, material, quantity, before)
        before = (job.id,)
        jobs.append(job)
    return replace(
        snapshot,
        work_orders=(*snapshot.work_orders, order),
        job_orders=(*snapshot.job_orders, *jobs),
    )


def _quoted_job(
    step: PlanMasterOperation,
    material: MaterialId,
    quantity: Decimal,
    before: tuple[JobOrderId, ...],
) -> PlanJobOrder:
    return PlanJobOrder(
        id=JobOrderId(f"{QUOTE}-{step.operation}"),
        work_order=WorkOrderNumber(QUOTE),
        operation=step.operation,
        name=step.name,
        work_center=step.work_center,
        equipment=None,
        status="Waiting",
        material=material,
        family=step.family,
        skill=step.skill,
        quantity=quantity,
        remaining=quantity,
        good=Decimal(0),
        scrap=Decimal(0),
        run_s=step.run_s,
        setup_s=step.setup_s,
        resumable=True,
        started_at=None,
        planned_start=None,
        planned_end=None,
        sequence=None,
        locked=False,
        predecessors=before,
        components=tuple(replace(need, quantity=need.quantity * quantity) for need in step.components),
    )
