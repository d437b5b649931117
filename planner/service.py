"""Plans as facts of the plant: wished for, proposed, published, shown, promised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from mes.dispatching import service as dispatching
from mes.dispatching.events import PlanProposed
from mes.dispatching.model import PlanMasterOperation, PlannedJob, PlanWorkOrder, PublishedPlan
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber, uuid7
from mes.kernel.log import get_logger
from mes.kernel.outbox import append
from mes.kernel.settings import Planner
from planner import store
from planner.child import Answers
from planner.difference import difference
from planner.document import Clock, Labels, difference_document, plan_document, sequences
from planner.explain import why_late
from planner.form import schedule_from_json, schedule_to_json
from planner.objective import Score, score
from planner.problem import InvalidProblem, Problem, Published
from planner.reading import Kept, Reading, labels_of, with_kept
from planner.replan import as_read
from planner.schedule import Schedule
from planner.standing import Proposal, Retimed, Slip, retimed
from planner.store import Hold, Plan, Ruling

log = get_logger(__name__)

ACTOR = "service:planner"

SAME_PROMISE = timedelta(minutes=5)
"""A promise that would move by less stands."""

MINUTE = timedelta(minutes=1)
SHOWN_SLIPS = 3
"""So many of the jobs that do not hold are named."""
TOLD_SLIPS = 20
"""So many of them are handed on."""

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


class ProposalOutdated(PlantError):
    """This proposal does not hold any more: the floor has moved on."""

    http_status = 409
    remedy = "Plan again: the new proposal starts from what is true now."


class ProposalOverruled(PlantError):
    """Another plan was put in force since this proposal was made."""

    http_status = 409
    remedy = "Look at the plan in force; plan again if it still has to change."


class PlanMovedOn(PlantError):
    """Another plan came in force meanwhile."""

    http_status = 409
    retryable = True
    remedy = "It is planned again by itself."


class QuantityNotPossible(PlantError):
    """The quantity must be more than nothing."""

    http_status = 422
    remedy = "Enter a quantity of 1 or more."


class DateGone(PlantError):
    """This date cannot be had any more: somebody else has taken the places."""

    http_status = 409
    remedy = "Tell the customer the new date, or look at the other ways to a date."


class PromiseNotHeld(PlantError):
    """No places are kept for this promise."""

    http_status = 409
    remedy = "Nothing to do: its order has come, or it was given back before."


@dataclass(frozen=True)
class View:
    """The plant as the planner sees it at one moment.

    Args:
        reading: The snapshot that it was made of.
        version: Of the plan in force; None before the first.
    """

    reading: Reading
    labels: Labels
    version: int | None

    @property
    def problem(self) -> Problem:
        return self.reading.problem


async def view_plant(tx: Tx, at: datetime, settings: Planner) -> View:
    """Read everything a plan depends on in one snapshot. For the planner's own process: it computes.

    Args:
        at: Moment to plan from; minute 0 is its minute.

    Raises:
        InvalidProblem: The facts contradict each other; names the rows.
    """
    snapshot = await dispatching.planning_snapshot(tx, at=at)
    snapshot = with_kept(snapshot, await _kept(tx, at))
    head = snapshot.in_force
    version = None if head is None else head.version
    reading = await asyncio.to_thread(Reading, snapshot, settings)
    return View(reading, labels_of(snapshot), version)


async def version_in_force(tx: Tx) -> int | None:
    """The version of the plan in force, or None before the first."""
    head = await dispatching.plan_in_force(tx)
    return None if head is None else head.version


async def _kept(tx: Tx, at: datetime) -> list[Kept]:
    """The dates that were accepted; not those of a product that is made here no more."""
    found = []
    for hold in await store.holds(tx, at):
        try:
            master = await dispatching.planning_master(tx, MaterialId(hold.material), at)
        except PlantError as error:
            if error.retryable:
                raise
            log.warning("promise.not_made_here", promise=hold.name, error=error.code)
        else:
            found.append(_as_order(hold, master))
    return found


def _as_order(hold: Hold, master: Sequence[PlanMasterOperation]) -> Kept:
    """A date that was accepted, as an order of the snapshot."""
    order = PlanWorkOrder(
        id=WorkOrderNumber(hold.name),
        material=MaterialId(hold.material),
        quantity=hold.quantity,
        uom="",
        due_at=hold.promised_at,
        priority=hold.priority,
        customer_order=hold.customer_order,
        customer=None,
        promised_at=hold.promised_at,
        received_at=hold.accepted_at,
    )
    places = {
        job: (EquipmentId(place["equipment"]), datetime.fromisoformat(place["start"]))
        for job, place in hold.places.items()
    }
    return Kept(order, master, places)


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
        body=_body(view, report),
        diff=difference_document(view.problem, changes or _only_added(view.problem)),
        made_at=at,
        published_at=None,
        published_by=None,
        planned_on=view.version,
    )


def _body(view: View, report: Mapping[str, Any]) -> dict[str, Any]:
    jobs = _jobs(view.problem, schedule_from_json(report["schedule"]))
    return plan_document(view.problem, report, view.labels) | {"jobs": jobs}


def _only_added(problem: Problem) -> dict[str, Any]:
    added = [o.id for o in problem.operations if not o.published and not o.started]
    return {"moved": [], "late": [], "saved": [], "added": added}


def _jobs(problem: Problem, schedule: Schedule) -> list[dict[str, Any]]:
    """What the floor is told of each operation when the plan is published."""
    clock, places = Clock(problem.origin), sequences(schedule)
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
    now = await version_in_force(tx)
    if now != version:
        raise PlanMovedOn(planned_on=version, in_force=now)


async def propose(tx: Tx, plan: Plan) -> None:
    """Store a proposal in the place of the one before it, and tell the pages."""
    await store.close_proposal(tx, "superseded")
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
    """Publish a plan that is not stored yet; returns its version. The open proposal stays open.

    Raises:
        PlantError: The plan does not fit the plant any more.
    """
    await store.insert_plan(tx, replace(plan, status="superseded"))  # until its version is known
    return await _publish(tx, plan)


async def renew(db: Database, plan_id: UUID, at: datetime, settings: Planner) -> dict[str, Any]:
    """Time a proposal again on the plant as it is now. For the planner's own process: it computes.

    Args:
        at: The present moment.

    Returns:
        What `publish_proposal` wants to be told: `renewed`, or the `slips` that keep it from holding.
    """
    async with db.read() as tx:
        plan = await store.plan_by_id(tx, plan_id)
        if plan is None or plan.version is not None or plan.status == "discarded":
            return {}
        try:
            view = await view_plant(tx, at, settings)
        except InvalidProblem as invalid:
            return _said([Slip(fault.row, fault.what) for fault in invalid.faults])
    found = await asyncio.to_thread(retimed_plan, view, plan)
    if not isinstance(found, Plan):
        return _said(found)
    async with db.transaction(Cause(actor=ACTOR, at=at)) as tx:
        stored = await store.renew_proposal(tx, found)
    return {"renewed": at.isoformat()} if stored else {}


def _said(slips: list[Slip]) -> dict[str, Any]:
    return {"slips": [[slip.row, slip.what] for slip in slips[:TOLD_SLIPS]]}


async def publish_proposal(tx: Tx, plan_id: UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    """A planner publishes the proposal that he has read, with the times that it has now.

    Newer ones may be there: what he has read is put in force while it holds.

    Args:
        said: What the planner's process has just said of it, see `renew`.

    Raises:
        PlanUnknown: No plan has this id.
        ProposalGone: It was published or discarded.
        ProposalOverruled: A person, or the planner's rule, put another plan in force since it was made.
        ProposalOutdated: An order would be late that was in time, or something that it needs is missing.
    """
    plan = await _open_proposal(tx, plan_id)
    ruling = await store.overruled_by(tx, plan, ACTOR)
    if ruling is not None:
        raise _overruled(plan, ruling)
    if "renewed" not in said:
        raise _outdated(plan, [Slip(*row) for row in said.get("slips", ())])
    await store.close_proposal(tx, "superseded")
    return {"plan": str(plan.id), "version": await _publish(tx, plan)}


def _overruled(plan: Plan, ruling: Ruling) -> ProposalOverruled:
    now = {row["job_order"]: (row["equipment"], row["sequence"]) for row in ruling.body["jobs"]}
    read = {row["job_order"]: (row["equipment"], row["sequence"]) for row in plan.body["jobs"]}
    elsewhere = [job for job, place in read.items() if job in now and now[job] != place]
    return ProposalOverruled(
        state={"version": ruling.version, "elsewhere": elsewhere},
        version=ruling.version,
        by=ruling.published_by,
        jobs=", ".join(elsewhere[:SHOWN_SLIPS]),
    )


def _outdated(plan: Plan, found: list[Slip]) -> ProposalOutdated:
    rows = [slip.row for slip in found if slip.row]
    return ProposalOutdated(
        state={"faults": [str(slip) for slip in found[:SHOWN_SLIPS]]},
        made_at=plan.made_at.isoformat(),
        jobs=", ".join(rows[:SHOWN_SLIPS]),
    )


def retimed_plan(view: View, plan: Plan, kept: Schedule | None = None) -> Plan | list[Slip]:
    """A proposal with its times of now, or what of it does not hold. Computes for a while.

    What was proved of it when it was made holds no longer when a start has moved.

    Args:
        kept: What happens without it: its changes are told against that anew.
    """
    found = retimed(view.problem, _as_read(view.problem, plan))
    if not isinstance(found, Retimed):
        return found
    why = why_late(found.problem, found.schedule)
    report = {
        **{name: plan.body[name] for name in ("rule", "score", "solutions")},
        "schedule": schedule_to_json(found.schedule),
        "why_late": {order: [asdict(cause) for cause in causes] for order, causes in why.items()},
    }
    body = _body(view, report)
    new = replace(plan, body=body, late_orders=sum(row["late_min"] > 0 for row in body["orders"]))
    if kept is None:
        return _priced(new, plan, score(view.problem, found.schedule))
    read = as_read(view.problem, kept)
    changes = difference(read, kept, found.schedule)
    return replace(
        _priced(new, plan, score(read, found.schedule)),
        diff=difference_document(view.problem, asdict(changes)),
        moved=len(changes.moved),
        current_objective=score(read, kept).total,
    )


def _priced(new: Plan, plan: Plan, cost: Score) -> Plan:
    """The retimed plan with its own objective; nothing is proved of it unless it is the same."""
    before = {row["job_order"]: row["start"] for row in plan.body["jobs"]}
    if {row["job_order"]: row["start"] for row in new.body["jobs"]} == before:
        return new
    body = {**new.body, "score": asdict(cost)}
    return replace(new, body=body, objective=cost.total, bound=0, proof="feasible")


def _as_read(problem: Problem, plan: Plan) -> Proposal:
    """A stored plan, in minutes of a problem of now."""
    places = {
        row["job_order"]: Published(row["equipment"], _minutes(problem, row["start"]))
        for row in plan.body["jobs"]
    }
    late = {row["work_order"] for row in plan.body["orders"] if row["late_min"]}
    return Proposal(places, late, age=max(0, -_minutes(problem, plan.body["origin"])))


def _minutes(problem: Problem, time: str) -> int:
    return (datetime.fromisoformat(time) - problem.origin) // MINUTE


async def discard_proposal(tx: Tx, plan_id: UUID) -> dict[str, Any]:
    """A planner does not want the open proposal.

    Raises:
        PlanUnknown: No plan has this id.
        ProposalGone: It was published, discarded or replaced by a newer one.
    """
    plan = await _open_proposal(tx, plan_id)
    if plan.status != "proposed":
        raise ProposalGone(plan=str(plan_id), state={"status": plan.status})
    await store.close_proposal(tx, "discarded")
    return {"plan": str(plan.id), "status": "discarded"}


async def _open_proposal(tx: Tx, plan_id: UUID) -> Plan:
    """A proposal that nobody has decided on yet, held until the end of the transaction."""
    await store.lock_plans(tx)
    plan = await store.plan_by_id(tx, plan_id)
    if plan is None:
        raise PlanUnknown(plan=str(plan_id))
    if plan.version is not None or plan.status == "discarded":
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
    await _move_holds(tx, plan)
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


async def _move_holds(tx: Tx, plan: Plan) -> None:
    """Accepted dates keep the places that the plan has for them."""
    planned = {row["job_order"]: row for row in plan.body["jobs"]}
    for hold in await store.holds(tx, tx.now):
        places = {
            job: {name: planned[job][name] for name in ("equipment", "start", "end")}
            for job in hold.places
            if job in planned
        }
        if places.keys() == hold.places.keys() and places != hold.places:
            await store.move_hold(tx, hold.id, places)


async def hold(tx: Tx, wish: Hold, said: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the places of a date that a customer has accepted, until his order comes.

    Args:
        wish: As it was asked for; date and places are those that the planner's process said.
        said: Its answer.

    Raises:
        DateGone: It would be later than the customer accepts by now.
    """
    if said["places"] is None:
        raise DateGone(date=said["date"])
    begins = min(datetime.fromisoformat(place["start"]) for place in said["places"].values())
    promised = datetime.fromisoformat(said["date"])
    await store.insert_hold(tx, replace(wish, promised_at=promised, places=said["places"], begins_at=begins))
    return {"promise": str(wish.id), "name": wish.name, "date": said["date"]}


async def release_hold(tx: Tx, promise: UUID) -> dict[str, Any]:
    """Give the places of an accepted date back.

    Raises:
        PromiseNotHeld: No places are kept for it.
    """
    if not await store.release_hold(tx, promise):
        raise PromiseNotHeld(promise=str(promise))
    return {"promise": str(promise), "status": "released"}


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


async def check_quote(tx: Tx, material: MaterialId, quantity: Decimal, at: datetime) -> None:
    """Refuse a question for a date that nobody can answer.

    Raises:
        QuantityNotPossible: Nothing is asked for.
        PlantError: The material is unknown or not made here.
    """
    if quantity <= 0:
        raise QuantityNotPossible(quantity=str(quantity))
    await dispatching.planning_master(tx, material, at)
