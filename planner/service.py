"""Plans as facts of the plant: wished for, proposed, published, shown, promised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from mes.dispatching import service as dispatching
from mes.dispatching.events import PlanProposed, PlanUndone
from mes.dispatching.model import PlannedJob, PublishedPlan
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, WorkOrderNumber
from mes.kernel.outbox import append
from mes.kernel.settings import Planner
from planner import holding, store
from planner.fault import InvalidProblem
from planner.offers import SAME_DATE
from planner.replan import as_published
from planner.rows import retimed_plan
from planner.standing import Slip
from planner.store import Plan, Ruling
from planner.view import ACTOR, version_in_force, view_plant

SAME_PROMISE = SAME_DATE
"""A promise that would move by less stands."""

SHOWN_SLIPS = 3
"""So many of the jobs that do not hold are named."""
TOLD_SLIPS = 20
"""So many of them are handed on."""


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


class NothingBefore(PlantError):
    """No plan is kept from before this one."""

    http_status = 409
    remedy = "Plan again: the new proposal starts from what is true now."


class PlanMovedOn(PlantError):
    """Another plan came in force meanwhile."""

    http_status = 409
    retryable = True
    remedy = "It is planned again by itself."


class PromisedMeanwhile(PlanMovedOn):
    """Somebody accepted a date at this moment that this plan has no places for."""

    remedy = "Publish again: the plan is timed with that date in it."


async def ask(tx: Tx, reason: str, params: Mapping[str, Any], *, move: bool) -> UUID:
    """Ask for a new plan; the worker makes it.

    Args:
        reason: Code of what happened: "order", "machine", "people", "material", "manual" ...
        move: Look for a plan that moves published work, even when no order is late.
    """
    return await store.add_request(tx, reason, dict(params), move=move)


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

    Promises follow the plan when it is explained, see `explain_in_force`.

    Raises:
        PromisedMeanwhile: Somebody has accepted a date since the plant was read for it.
        PlantError: The plan does not fit the plant any more.
    """
    await store.insert_plan(tx, replace(plan, status="superseded"))  # until its version is known
    return await _publish(tx, plan)


async def explain_in_force(tx: Tx, plan: Plan) -> None:
    """Add proof and causes of lateness to a plan in force that was published before they were known.

    Args:
        plan: Tells the floor the same, and is explained.
    """
    if await store.explain(tx, plan):
        await _promise(tx, plan)


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
    found = await _retimed(db, plan, at, settings)
    if not isinstance(found, Plan):
        return _said(found)
    async with db.transaction(Cause(actor=ACTOR, at=at)) as tx:
        stored = await store.renew_proposal(tx, found)
    return {"renewed": at.isoformat()} if stored else {}


async def bring_back(
    db: Database, asked: Mapping[str, Any], at: datetime, settings: Planner
) -> dict[str, Any]:
    """Time any stored plan again on the plant as it is now, as a plan of its own.

    For the planner's own process: it computes.

    Args:
        asked: `plan` and the id that it gets now, `again`; `trigger`, the reason for it; `planned_on`, the
            version that it may replace.

    Returns:
        What `publish_again` wants to be told: `renewed`, or the `slips` that keep it from holding.
    """
    async with db.read() as tx:
        plan = await store.plan_by_id(tx, UUID(asked["plan"]))
    if plan is None:
        return {}
    found = await _retimed(db, plan, at, settings, changes=True)
    if not isinstance(found, Plan):
        return _said(found)
    row = replace(
        found,
        id=UUID(asked["again"]),
        status="superseded",  # until it is put in force
        version=None,
        trigger=list(asked["trigger"]),
        made_at=at,
        published_at=None,
        published_by=None,
        planned_on=asked["planned_on"],
    )
    async with db.transaction(Cause(actor=ACTOR, at=at)) as tx:
        await store.insert_plan_aside(tx, row)
    return {"renewed": at.isoformat()}


async def _retimed(
    db: Database, plan: Plan, at: datetime, settings: Planner, *, changes: bool = False
) -> Plan | list[Slip]:
    """A stored plan with its times of now; with `changes`, what it changes is told anew, too."""
    async with db.read() as tx:
        try:
            view = await view_plant(tx, at, settings)
        except InvalidProblem as invalid:
            return [Slip(fault.row, fault.what) for fault in invalid.faults]

    def work() -> Plan | list[Slip]:
        return retimed_plan(view, plan, as_published(view.keepable) if changes else None)

    return await asyncio.to_thread(work)


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
        PromisedMeanwhile: Somebody has accepted a date since it was renewed.
    """
    plan = await _open_proposal(tx, plan_id)
    ruling = await store.overruled_by(tx, plan, ACTOR)
    if ruling is not None:
        raise _overruled(plan, ruling)
    if "renewed" not in said:
        raise _outdated(plan, [Slip(*row) for row in said.get("slips", ())])
    await store.close_proposal(tx, "superseded")
    return {"plan": str(plan.id), "version": await _publish(tx, plan)}


async def publish_again(tx: Tx, plan_id: UUID, again: UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    """Put a plan in force that `bring_back` has timed again, with the checks of a proposal.

    Args:
        again: The id that `bring_back` gave it.
        said: What the planner's process has just said of it.

    Raises:
        PlanUnknown: No plan has this id.
        ProposalOverruled: A person, or the planner's rule, put another plan in force meanwhile.
        ProposalOutdated: An order would be late that was in time, or something that it needs is missing.
    """
    if "renewed" in said:
        return await publish_proposal(tx, again, said)
    plan = await store.plan_by_id(tx, plan_id)
    if plan is None:
        raise PlanUnknown(plan=str(plan_id))
    raise _outdated(plan, [Slip(*row) for row in said.get("slips", ())])


async def plan_before(tx: Tx, version: int) -> UUID:
    """The plan that was in force before `version`.

    Raises:
        PlanUnknown: No plan has or had this version.
        NothingBefore: It was the first, or the one before is kept no more.
    """
    if not await store.has_version(tx, version):
        raise PlanUnknown(plan=version)
    before = await store.plan_before(tx, version)
    if before is None:
        raise NothingBefore(version=version)
    return before


async def undo(tx: Tx, version: int, again: UUID, reason: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Put the plan in force again that was there before `version`, as a version of its own.

    Args:
        again: The id under which `bring_back` has timed it again.
        reason: Why; it is kept with the new version.
        said: What the planner's process has just said of it.

    Raises:
        PlanUnknown, NothingBefore: There is nothing to undo.
        ProposalOverruled: Somebody put another plan in force after `version`.
        ProposalOutdated: The plan from before does not hold on the plant as it is now.
    """
    before = await plan_before(tx, version)
    published = await publish_again(tx, before, again, said)
    await append(
        tx,
        PlanUndone(site=tx.site, plan=again, version=published["version"], undone=version, reason=reason),
    )
    return published


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
    accepted = await holding.unknown_promises(tx, tx.now, plan.body.get("promises", ()))
    if accepted:
        raise PromisedMeanwhile(promises=", ".join(accepted))
    await store.replace_in_force(tx)
    head = await dispatching.apply_plan(
        tx,
        PublishedPlan(
            plan=plan.id,
            solver=plan.solver,
            status=plan.proof,
            objective=plan.objective,
            bound=plan.bound,
            cp_gain=_cp_gain(plan),
            late_orders=plan.late_orders,
            by=tx.cause.actor,
            operations=tuple(_planned_job(row) for row in plan.body["jobs"]),
        ),
    )
    await store.put_in_force(tx, plan.id, head.version)
    if plan.body.get("explained", True):
        await _promise(tx, plan)
    await holding.move_holds(tx, plan)
    return head.version


def _cp_gain(plan: Plan) -> int | None:
    cp = plan.body.get("cp")
    return None if cp is None else int(cp["before"] - cp["after"])


def _planned_job(row: Mapping[str, Any]) -> PlannedJob:
    return PlannedJob(
        job_order=JobOrderId(row["job_order"]),
        equipment=EquipmentId(row["equipment"]),
        planned_start=datetime.fromisoformat(row["start"]),
        planned_end=datetime.fromisoformat(row["end"]),
        sequence=row["sequence"],
    )


async def _promise(tx: Tx, plan: Plan) -> None:
    """Give every customer order its date: the wanted one while the plan keeps it.

    An order that waits for what nobody can date gets none, and keeps the one it was given before.
    """
    undated = set(plan.body.get("undated", ()))
    planned = {row["work_order"]: row for row in plan.body["orders"] if row["work_order"] not in undated}
    for name, order in (await store.open_customer_orders(tx, list(planned))).items():
        row = planned[name]
        promised = max(datetime.fromisoformat(row["end"]), order.due_at)
        if order.promised_at is None or abs(order.promised_at - promised) >= SAME_PROMISE:
            why = row["why"][0]["cause"] if row["why"] else "in-time"
            await dispatching.give_promise(tx, order.customer_order, WorkOrderNumber(name), promised, why)


async def plan_in_force(tx: Tx) -> str | None:
    """The plan in force with the present state of its jobs as JSON, or None before the first."""
    return await store.shown(tx, "in_force")


async def open_proposal(tx: Tx) -> str | None:
    """The open proposal and what it changes as JSON, or None."""
    return await store.shown(tx, "proposed")
