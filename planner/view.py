"""The plant as the planner sees it at one moment: one snapshot of the facts, with accepted dates in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from mes.dispatching import service as dispatching
from mes.dispatching.model import PlanMasterOperation, PlanningSnapshot, PlanOvertime, PlanWorkOrder
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaterialId, WorkOrderNumber
from mes.kernel.log import get_logger
from mes.kernel.settings import Planner
from planner import store
from planner.agreed import (
    Kept,
    Place,
    with_delays,
    with_kept,
    with_locks,
    with_overtime,
    with_reserved,
    with_runs,
    with_taken_over,
)
from planner.contradiction import unlocked
from planner.document import Labels
from planner.problem import Problem
from planner.reading import Reading, labels_of
from planner.store import Hold, Terms

log = get_logger(__name__)

ACTOR = "service:planner"


@dataclass(frozen=True)
class View:
    """The plant as the planner sees it at one moment.

    Args:
        reading: The snapshot that it was made of.
        version: Of the plan in force; None before the first.
        ends: When that has the running jobs end; those that it knows.
        delayed: Jobs that go later than in force, for an accepted date: the next plan says so.
        taken_over: Jobs that no plan has yet; their places are those of the promise of their order.
        not_kept: Jobs whose locks the plan in force is without.
        left_out: Orders that the plan in force is without, for their facts contradict each other.
        promises: Names of the accepted dates whose places are kept, be they made here or no more.
        promised: Order -> the planned date of it that was accepted, also where the order has come.
        told: Order -> what its customer goes by: a later one, if it was known by when such orders are done.
    """

    reading: Reading
    labels: Labels
    version: int | None
    ends: Mapping[str, datetime] = field(default_factory=dict)
    delayed: frozenset[str] = frozenset()
    taken_over: frozenset[str] = frozenset()
    not_kept: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    promises: frozenset[str] = frozenset()
    promised: Mapping[str, datetime] = field(default_factory=dict)
    told: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        return self.reading.problem

    @cached_property
    def keepable(self) -> Problem:
        """The problem without the locks that the plan in force could not keep."""
        missed = {o.id for o in self.problem.operations if o.lock and o.id in self.not_kept}
        return unlocked(self.problem, missed) if missed else self.problem


async def view_plant(tx: Tx, at: datetime, settings: Planner, *, far: bool = False) -> View:
    """Read everything a plan depends on in one snapshot. For the planner's own process: it computes.

    Args:
        at: Moment to plan from; minute 0 is its minute.
        far: Calendars as far as there are any, for work that nobody has ordered yet.

    Raises:
        InvalidProblem: The facts contradict each other, and not those of an order alone; names the rows.
    """
    snapshot = await snapshot_of(tx, at, far=far)
    version = _version(snapshot)
    delayed = frozenset(_delays(await store.terms(tx, at), version))
    reading = await asyncio.to_thread(Reading, snapshot, settings)
    taken_over = frozenset(row.job_order for row in await store.taken_over(tx))
    ends = await store.running_ends(tx)
    not_kept, left_out = await store.locks_not_kept(tx), await store.orders_left_out(tx)
    holds, accepted = await store.holds(tx, at), await store.accepted_orders(tx)
    promises = frozenset(hold.name for hold in holds)
    promised = {hold.name: hold.promised_at for hold in holds}
    promised |= {row.work_order: row.promised_at for row in accepted}
    told = {hold.name: hold.told_at for hold in holds} | {row.work_order: row.told_at for row in accepted}
    labels = labels_of(snapshot)
    return View(
        reading, labels, version, ends, delayed, taken_over, not_kept, left_out, promises, promised, told
    )


async def snapshot_of(tx: Tx, at: datetime, *, far: bool = False) -> PlanningSnapshot:
    """Read the facts that a plan depends on, with locks, and accepted dates as orders with their terms.

    Args:
        far: Calendars as far as there are any; locks are no more than wishes then.
    """
    snapshot = await dispatching.planning_snapshot(tx, at=at, far=far)
    taken = await store.taken_over(tx)
    places = {row.job_order: _place({"equipment": row.equipment, "start": row.start}) for row in taken}
    only_on = {row.job_order: EquipmentId(row.only_on) for row in taken if row.only_on}
    snapshot = with_runs(snapshot, await store.runs_in_force(tx))
    snapshot = with_taken_over(snapshot, places, only_on)
    snapshot = with_locks(snapshot, await store.locks(tx), firm=not far)
    snapshot = with_reserved(snapshot, await store.accepted_orders(tx))
    return with_agreed(snapshot, await store.terms(tx, at), await _kept(tx, at))


def with_agreed(
    snapshot: PlanningSnapshot, agreed: Sequence[Terms], kept: Sequence[Kept]
) -> PlanningSnapshot:
    """The snapshot with accepted dates in it: their work, overtime, and who goes later for them.

    Args:
        kept: The dates whose places are kept.
    """
    snapshot = with_delays(snapshot, _delays(agreed, _version(snapshot)))
    return with_kept(with_overtime(snapshot, _overtime(agreed)), kept)


def _version(snapshot: PlanningSnapshot) -> int | None:
    return None if snapshot.in_force is None else snapshot.in_force.version


def _delays(agreed: Sequence[Terms], version: int | None) -> dict[str, Place]:
    """Where jobs go that make room for others, until a plan has them there."""
    kept = [terms.option["kept"] for terms in agreed if terms.option["kind"] == "delay"]
    rows = [row["jobs"] for row in kept if row["version"] == version]
    return {job: _place(place) for jobs in rows for job, place in jobs.items()}


def _place(place: Mapping[str, str]) -> Place:
    return EquipmentId(place["equipment"]), datetime.fromisoformat(place["start"])


def _overtime(agreed: Sequence[Terms]) -> list[PlanOvertime]:
    """When units stay open for accepted dates."""
    kept = [terms.option["kept"] for terms in agreed if terms.option["kind"] == "overtime"]
    return [
        PlanOvertime(
            equipment=EquipmentId(row["equipment"]),
            skill=row["skill"],
            start=datetime.fromisoformat(window["start"]),
            end=datetime.fromisoformat(window["end"]),
        )
        for row in kept
        for window in row["windows"]
    ]


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
            found.append(as_order(hold, master))
    return found


def as_order(hold: Hold, master: Sequence[PlanMasterOperation]) -> Kept:
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
        accepted=True,
        reserved_at=hold.accepted_at,
    )
    agreed = hold.option["kept"].get("only_on", {}) if hold.option else {}
    only_on = {job: EquipmentId(unit) for job, unit in agreed.items()}
    return Kept(order, master, {job: _place(place) for job, place in hold.places.items()}, only_on)
