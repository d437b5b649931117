"""The planner's desk: what happens on the floor becomes a new plan or a proposal.

Events only say that a plan may be needed; each is noted as a request in the transaction that
moves the cursor. A request is open until its answer is stored in the same transaction that
closes it, so a worker that is killed in the middle of a solve solves again, and the plan in force
is never touched by half.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from mes.execution.events import JobOrderHeld, ScrapReported
from mes.inventory import service as inventory
from mes.inventory.events import (
    LotCounted,
    LotHeld,
    LotReceived,
    LotReleased,
    LotScrapped,
    ReceiptDelayed,
    ReceiptExpected,
)
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, DatabaseBusy, DatabaseUnavailable, Tx
from mes.kernel.errors import PlantError
from mes.kernel.log import get_logger
from mes.kernel.outbox import Event, StoredEvent, consume, event_wakeups
from mes.kernel.settings import Settings
from mes.maintenance.events import (
    MaintenanceBegun,
    MaintenanceCancelled,
    MaintenanceDone,
    MaintenancePlanned,
)
from mes.performance.events import EquipmentStateChanged
from mes.resources.events import (
    EquipmentDefined,
    EquipmentExpectedBack,
    EquipmentRetired,
    PersonClockedIn,
    PersonClockedOut,
    PersonRetired,
    ToolPutBack,
    ToolTakenOut,
)
from mes.resources.model import is_down
from mes.workorders import service as workorders
from mes.workorders.events import WorkOrderCancelled, WorkOrderChanged, WorkOrderReleased
from planner import holding, rows, service, store
from planner.child import Answers, SolverLost, SolverRefused, compile_in_child, replan_in_child
from planner.drift import DRIFT_MIN, drifts
from planner.effort import Effort
from planner.fault import InvalidProblem
from planner.form import schedule_from_json
from planner.pool import SolverPool
from planner.problem import Problem
from planner.refusal import refusal
from planner.replan import LEAST_GAIN, as_published
from planner.service import PlanMovedOn, PromisedMeanwhile
from planner.solve import wants_kernel
from planner.store import Request
from planner.view import ACTOR, View, view_plant
from planner.warm import is_installed, is_warm

log = get_logger(__name__)

CONSUMER = "planner"

DRIFT_PAUSE_S = 120.0
"""Seconds between two looks at the lag; twice as long after a look that changed nothing."""
DRIFT_PAUSE_MAX_S = 1800.0
DRIFTS = frozenset({"drift", "slow"})
"""Requests that nobody made but the desk's own look at the plan."""
IDLE_S = 5.0
STEP_S = 0.5
"""However much happens, the worker looks at it at most so often."""
RETRY_S = 2.0
SEARCHES = 2
"""Attempts with CP-SAT; after them a plan is dispatched without it."""
CLEARLY = 0.1
"""A proposal that people read gives way to one that saves so much more, as a share of what it saves."""
REST = 4.0
"""After a solve the worker rests this many times its duration, unless something broke: the floor
has more use for the processor than a plan that is a minute fresher."""

TYPES = (
    "WorkOrderReleased",
    "WorkOrderChanged",
    "WorkOrderCancelled",
    "EquipmentStateChanged",
    "LotHeld",
    "LotReleased",
    "LotReceived",
    "LotScrapped",
    "LotCounted",
    "ReceiptDelayed",
    "ReceiptExpected",
    "PersonClockedIn",
    "PersonClockedOut",
    "PersonRetired",
    "EquipmentDefined",
    "EquipmentRetired",
    "EquipmentExpectedBack",
    "MaintenancePlanned",
    "MaintenanceBegun",
    "MaintenanceDone",
    "MaintenanceCancelled",
    "ToolTakenOut",
    "ToolPutBack",
    "ScrapReported",
    "JobOrderHeld",
)


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What became of the repaired plan while the search for a better one goes on.

    Args:
        view: The plant as it was read, with the version that is in force by now.
        published: The repaired plan where it came in force.
        proposed: Its id where it is a proposal.
    """

    view: View
    published: store.Plan | None = None
    proposed: UUID | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a new plan is wanted.

    Args:
        move: Something broke: a plan that moves published work is wanted too.
    """

    reason: str
    params: Mapping[str, Any]
    move: bool = False


def trigger_of(stored: StoredEvent) -> Trigger | None:
    """What an event means for the plan; None when nothing."""
    if stored.simulated:
        return None
    event = stored.event
    readers = (_machine, _order, _person, _material, _tool, _maintenance)
    return next((trigger for read in readers if (trigger := read(event))), None)


def _order(event: Event) -> Trigger | None:
    match event:
        case WorkOrderReleased(work_order=order) | WorkOrderChanged(work_order=order):
            return Trigger("order", {"work_order": order})
        case WorkOrderCancelled(work_order=order):
            return Trigger("cancelled", {"work_order": order})
        case ScrapReported(work_order=order, quantity=quantity):
            return Trigger("scrap", {"work_order": order, "quantity": str(quantity)})
        case JobOrderHeld(job_order=job):
            return Trigger("held", {"job_order": job})
        case _:
            return None


def _person(event: Event) -> Trigger | None:
    match event:
        case PersonClockedOut(person=person, reason=reason) if reason is not None:
            return Trigger("people", {"person": person}, move=True)
        case PersonRetired(person=person):
            return Trigger("people", {"person": person}, move=True)
        case PersonClockedIn(person=person):
            return Trigger("back", {"person": person})
        case _:
            return None


def _machine(change: Event) -> Trigger | None:
    if isinstance(change, EquipmentDefined):
        is_unit = change.work_center is not None
        return Trigger("defined", {"equipment": change.equipment}) if is_unit else None
    if isinstance(change, EquipmentRetired):
        return Trigger("machine", {"equipment": change.equipment}, move=True)
    if isinstance(change, EquipmentExpectedBack):
        return Trigger("expected-back", {"equipment": change.equipment}, move=True)
    if not isinstance(change, EquipmentStateChanged):
        return None
    was, now = is_down(change.previous, None), is_down(change.state, change.reason)
    if was == now:
        return None
    return Trigger("machine" if now else "repaired", {"equipment": change.equipment}, move=now)


def _tool(event: Event) -> Trigger | None:
    match event:
        case ToolTakenOut(tool=tool):
            return Trigger("tool", {"tool": tool}, move=True)
        case ToolPutBack(tool=tool):
            return Trigger("tool-back", {"tool": tool})
        case _:
            return None


def _maintenance(event: Event) -> Trigger | None:
    match event:
        case MaintenancePlanned(maintenance=number, equipment=unit):
            return Trigger("maintenance", {"maintenance": number, "equipment": unit})
        case MaintenanceBegun(maintenance=number, equipment=unit):
            return Trigger("maintenance", {"maintenance": number, "equipment": unit}, move=True)
        case MaintenanceDone(equipment=unit) | MaintenanceCancelled(equipment=unit):
            return Trigger("maintained", {"equipment": unit})
        case _:
            return None


def _material(event: Event) -> Trigger | None:
    match event:
        case LotHeld(lot=lot, material=material) | LotScrapped(lot=lot, material=material):
            return Trigger("material", {"material": material, "lot": lot}, move=True)
        case ReceiptDelayed(purchase=purchase, material=material):
            return Trigger("material", {"material": material, "purchase": purchase}, move=True)
        case ReceiptExpected(purchase=purchase, material=material):
            return Trigger("expected", {"material": material, "purchase": purchase})
        case LotCounted(lot=lot, material=material, quantity=quantity) if quantity < 0:
            return Trigger("material", {"material": material, "lot": lot}, move=True)
        case (
            LotReceived(lot=lot, material=material)
            | LotReleased(lot=lot, material=material)
            | LotCounted(lot=lot, material=material)
        ):
            return Trigger("received", {"material": material, "lot": lot})
        case _:
            return None


async def _matters(tx: Tx, event: Event) -> bool:
    """Whether an event can change a plan: a purchase only if open jobs need more than is there."""
    if not isinstance(event, ReceiptExpected):
        return True
    there = sum(row.available for row in await inventory.stock(tx, tx.now) if row.material == event.material)
    parts = [part for part in await workorders.open_components(tx) if part.material == event.material]
    return sum(part.required - part.consumed for part in parts) > there


def _trigger(requests: list[Request]) -> list[dict[str, Any]]:
    return [{"reason": r.reason, "params": r.params, "by": r.requested_by} for r in requests]


class TakenOver(PlantError):
    """Another planner took this work over: this one was taken for dead."""

    http_status = 409
    remedy = "Nothing to do: the other one answers."


class Desk:
    """One planner process; a second one on the site waits for the first to die."""

    def __init__(self, db: Database, settings: Settings, pool: SolverPool | None = None) -> None:
        self.db, self.settings, self.pool = db, settings, pool or SolverPool()
        self.name = f"{platform.node()}:{settings.home}"
        self.effort = Effort(settings.planner.seconds, settings.planner.workers, settings.planner.seed)
        self._rest_until = 0.0
        self._next_drift = 0.0
        self._drift_pause = DRIFT_PAUSE_S
        self._patience: dict[str, float] = {}
        self.compiler: asyncio.Task[None] | None = None
        self.on_news: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Gather events, answer requests, wait; go on through losses of the database."""
        try:
            await self._work()
        finally:
            if self.compiler is not None:
                self.compiler.cancel()
                await asyncio.wait((self.compiler,))

    async def _work(self) -> None:
        lost = False
        while True:
            try:
                async with event_wakeups(self.db) as wakeup:
                    while True:
                        await self.step()
                        if lost:
                            log.info("database.back")
                            lost = False
                        await asyncio.sleep(STEP_S)
                        await wakeup.wait(await self._pause())
            except PlanMovedOn:
                log.info("plan.moved_on")
            except (DatabaseUnavailable, DatabaseBusy):
                if not lost:
                    log.warning("database.lost")
                    lost = True
                await asyncio.sleep(RETRY_S)

    async def step(self) -> None:
        """Note what happened, then answer the requests whose time has come."""
        while await self._gather():
            pass
        await self._notice_drift()
        if not await self._is_time():
            return
        async with self._transaction() as tx:
            requests = await store.claim(tx, self.name)
        if requests:
            await self.answer(requests)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Tx]:
        async with self.db.transaction(Cause(actor=ACTOR, at=utc_now())) as tx:
            yield tx

    async def _gather(self) -> bool:
        """Turn new events into requests; True when there may be more."""
        async with self._transaction() as tx:
            events = await consume(tx, CONSUMER, TYPES)
            for stored in events:
                if isinstance(stored.event, WorkOrderReleased) and not stored.simulated:
                    await store.redeem_hold(tx, stored.event.work_order, stored.at)
                trigger = trigger_of(stored)
                if trigger is not None and await _matters(tx, stored.event):
                    self.on_news()
                    await service.ask(tx, trigger.reason, trigger.params, move=trigger.move)
        return len(events) > 0

    async def _notice_drift(self) -> None:
        if time.monotonic() < self._next_drift:
            return
        self._next_drift = time.monotonic() + self._drift_pause
        slow = await self._drifting()
        async with self._transaction() as tx:
            if await store.waiting(tx):
                return
            if await store.overdue_jobs(tx, tx.now, DRIFT_MIN):
                await service.ask(tx, "drift", {}, move=False)
            elif slow is not None:
                await service.ask(tx, "slow", {"job_order": slow}, move=False)

    async def _drifting(self) -> str | None:
        """The running job that is furthest away from the plan in force, where nobody was told as much of it.

        Of one job a look tells again only what is twice as much: work that is said to be slow is not said
        to be slow for each minute more in which nobody reports.
        """
        async with self.db.read() as tx:
            if not await store.running_ends(tx):
                return None
            try:
                view = await view_plant(tx, utc_now(), self.settings.planner)
            except InvalidProblem:
                return None  # whoever asks for a plan is told
        away = await asyncio.to_thread(drifts, view)
        self._patience = {job: told for job, told in self._patience.items() if job in view.ends}
        news = {job: by for job, by in away.items() if by > self._patience.get(job, 0.0)}
        if not news:
            return None
        furthest = max(news, key=lambda job: news[job])
        self._patience |= {job: 2 * by for job, by in news.items()}
        return furthest

    async def _is_time(self) -> bool:
        async with self.db.read() as tx:
            queue = await store.queue(tx)
        if queue is None:
            return False
        gathered = queue.age_s >= self.settings.planner.debounce_s
        return gathered and (queue.urgent or time.monotonic() >= self._rest_until)

    async def _pause(self) -> float:
        """How long to sleep unless an event wakes us."""
        async with self.db.read() as tx:
            queue = await store.queue(tx)
        if queue is None:
            return IDLE_S
        wait = self.settings.planner.debounce_s - queue.age_s
        if not queue.urgent:
            wait = max(wait, self._rest_until - time.monotonic())
        return min(IDLE_S, max(0.05, wait))

    async def answer(self, requests: list[Request]) -> None:
        """Make the plan that the requests ask for, and close them with it.

        Raises:
            PlanMovedOn, DatabaseUnavailable: The requests stay open and are answered later.
        """
        began = time.monotonic()
        keeper = asyncio.create_task(self._keep(requests))
        try:
            outcome = await self._answer(requests)
        except (InvalidProblem, SolverRefused) as refused:
            outcome = "refused"
            await self._close(requests, outcome, refusal(refused))
        except SolverLost:
            outcome = await self._without_answer(requests)
        except PlantError as error:
            if error.retryable:
                raise
            outcome = "failed"
            await self._close(requests, outcome, error.as_json())
        finally:
            keeper.cancel()
        if all(request.reason in DRIFTS for request in requests):
            calm = outcome == "unchanged"
            self._drift_pause = min(DRIFT_PAUSE_MAX_S, 2 * self._drift_pause) if calm else DRIFT_PAUSE_S
        took = time.monotonic() - began
        self._rest_until = time.monotonic() + REST * took
        log.info("plan.answered", outcome=outcome, requests=len(requests), took_s=round(took, 2))

    async def _answer(self, requests: list[Request]) -> str:
        async with self.db.read() as tx:
            view = await view_plant(tx, utc_now(), self.settings.planner)
        if not view.problem.operations:
            if view.reading.left_out:
                raise InvalidProblem(fault for order in view.reading.left_out for fault in order.faults)
            await self._close(requests, "unchanged")
            return "unchanged"
        self._compile_beside(view.problem)
        move = any(request.move for request in requests)
        effort = self.effort
        if max(request.attempts for request in requests) > SEARCHES:
            effort = replace(effort, seconds=0.0)
        first = AtOnce(view)

        async def note(row: dict[str, Any]) -> None:
            nonlocal first
            if row["kind"] == "repaired" and first.published is None and first.proposed is None:
                async with self._transaction() as tx:
                    done = await self._at_once(tx, requests, view, row["plan"])
                first = done

        answers = await replan_in_child(self.pool, view.problem, effort, move=move, on_row=note)
        kept = await asyncio.to_thread(rows.explained, view.problem, answers.kept)
        answers = replace(answers, kept=kept)
        trigger, now = _trigger(requests), utc_now()
        plan = rows.plan_row(view, kept, trigger, now)
        better = rows.plan_row(view, answers.better, trigger, now, answers) if answers.better else None
        is_proposed = self._leaves_all_to_people(first) and self._is_news(first, plan)
        standing = await self._standing(first, answers, move=move, is_in_force=not is_proposed)
        if better is not None and answers.better is not None and is_proposed:
            better = await asyncio.to_thread(rows.told_in_force, view, better, answers.better)
        first, plan, better = await self._with_promises(first, plan, better)
        async with self._transaction() as tx:
            return await self._store(tx, requests, first, plan, better, standing=standing)

    async def _with_promises(
        self, first: AtOnce, kept: store.Plan, better: store.Plan | None
    ) -> tuple[AtOnce, store.Plan, store.Plan | None]:
        """The plans with the dates in their gaps that were accepted while they were searched.

        A better plan that has no room for them goes.

        Raises:
            PromisedMeanwhile: Not even the plan that moves nobody has room for them: it is planned again.
        """
        async with self.db.read() as tx:
            accepted = await holding.unknown_promises(tx, utc_now(), first.view.promises)
            if not accepted:
                return first, kept, better
            view = await view_plant(tx, utc_now(), self.settings.planner)
        if view.version != first.view.version:
            raise PlanMovedOn(planned_on=first.view.version, in_force=view.version)
        plan = await asyncio.to_thread(rows.retimed_plan, view, kept)
        if not isinstance(plan, store.Plan):
            log.info("plan.no_room_for_promise", slips=[str(slip) for slip in plan])
            raise PromisedMeanwhile(promises=", ".join(accepted))
        if better is not None:
            standing = await asyncio.to_thread(as_published, view.problem)
            found = await asyncio.to_thread(rows.retimed_plan, view, better, standing)
            better = found if isinstance(found, store.Plan) else None
        return replace(first, view=view), plan, better

    async def _at_once(
        self, tx: Tx, requests: list[Request], view: View, report: Mapping[str, Any]
    ) -> AtOnce:
        """Put the repaired plan in force, or propose it where people decide, before anything is searched.

        Work that is new waits for the search: whatever is published once is moved by people alone.
        """
        await service.hold_plans(tx, view.version)
        plan = rows.plan_row(view, report, _trigger(requests), tx.now)
        if not rows.is_mended(view, plan):
            return AtOnce(view)
        if self.settings.planner.auto_publish != "first":
            version = await service.put_in_force(tx, plan)
            return AtOnce(replace(view, version=version), published=plan)
        if await store.plan_of(tx, "proposed") is not None:
            return AtOnce(view)
        await service.propose(tx, plan)
        return AtOnce(view, proposed=plan.id)

    async def _standing(
        self, first: AtOnce, answers: Answers, *, move: bool, is_in_force: bool
    ) -> store.Plan | None:
        """The open proposal on the plant as it is now, while it holds and is of use.

        Args:
            is_in_force: Whether the plan that moves nobody comes in force, or says what the one there does.
        """
        view = first.view
        async with self.db.read() as tx:
            plan = await store.plan_of(tx, "proposed")
        if plan is None or answers.fresh or plan.id == first.proposed:
            return None
        kept = schedule_from_json(answers.kept["schedule"])
        found = await asyncio.to_thread(rows.retimed_plan, view, plan, kept, is_in_force=is_in_force)
        if not isinstance(found, store.Plan):
            log.info("proposal.outdated", slips=[str(slip) for slip in found])
            return None
        gain = (found.current_objective or 0) - found.objective
        if answers.better is not None:
            more = found.objective - answers.better["objective"]
            return found if more < max(LEAST_GAIN, CLEARLY * gain) else None
        return None if move and gain < LEAST_GAIN else found

    def _compile_beside(self, problem: Problem) -> None:
        """Have the kernel compiled, once, as soon as a plant is large enough for it.

        Plans are made without it until it is there.
        """
        wanted = wants_kernel(problem) and is_installed() and not is_warm()
        if wanted and self.compiler is None:
            self.compiler = asyncio.create_task(self._compile())

    async def _compile(self) -> None:
        began = time.monotonic()
        if await compile_in_child(self.pool):
            log.info("kernel.compiled", took_s=round(time.monotonic() - began, 1))
        else:
            log.warning("kernel.not_compiled")

    async def _without_answer(self, requests: list[Request]) -> str:
        """The solver's process was lost: search once more, then dispatch only, then give up."""
        if max(request.attempts for request in requests) <= SEARCHES + 1:
            await asyncio.sleep(RETRY_S)
            return "lost"
        await self._close(requests, "failed", {"error": "SolverLost", "faults": []})
        return "failed"

    async def _keep(self, requests: list[Request]) -> None:
        while True:
            await asyncio.sleep(store.LEASE_S / 3)
            with contextlib.suppress(DatabaseUnavailable, DatabaseBusy):
                async with self._transaction() as tx:
                    await store.renew(tx, self.name, [request.id for request in requests])

    async def _store(
        self,
        tx: Tx,
        requests: list[Request],
        first: AtOnce,
        kept: store.Plan,
        better: store.Plan | None,
        *,
        standing: store.Plan | None,
    ) -> str:
        """Store the answer and close the requests, in one transaction."""
        await service.hold_plans(tx, first.view.version)
        outcome = await self._decide(tx, first, kept, better, standing)
        await store.prune(tx)
        if not await store.finish(tx, self.name, [request.id for request in requests], outcome):
            raise TakenOver
        return outcome

    async def _decide(
        self,
        tx: Tx,
        first: AtOnce,
        kept: store.Plan,
        better: store.Plan | None,
        standing: store.Plan | None,
    ) -> str:
        """Times are corrected at once where the policy allows; what moves people waits for one.

        A proposal that people read stays theirs while it holds and no other is clearly better. No plan
        comes in force by itself that puts off an accepted date which the one that moves nobody keeps.
        """
        policy = self.settings.planner.auto_publish
        if better is not None and policy == "always" and not rows.puts_off(better, kept):
            await store.close_proposal(tx, "superseded")
            await service.put_in_force(tx, better)
            return "published"
        outcome = "unchanged" if first.published is None else "published"
        if not self._is_news(first, kept):
            await service.explain_in_force(tx, kept)
        elif not self._leaves_all_to_people(first):
            await service.put_in_force(tx, kept)
            outcome = "published"
        elif better is None:
            better = kept
        if standing is not None:
            await store.renew_proposal(tx, standing)
        elif better is not None:
            await service.propose(tx, better)
            outcome = "proposed"
        else:
            await store.close_proposal(tx, "superseded")
        return outcome

    def _leaves_all_to_people(self, first: AtOnce) -> bool:
        """Whether not even corrected times come in force by themselves."""
        return self.settings.planner.auto_publish == "first" and first.view.version is not None

    @staticmethod
    def _is_news(first: AtOnce, kept: store.Plan) -> bool:
        if first.published is None:
            return rows.is_news(first.view, kept)
        return not rows.is_same(first.published, kept)

    async def _close(
        self, requests: list[Request], outcome: str, error: dict[str, Any] | None = None
    ) -> None:
        async with self._transaction() as tx:
            await store.finish(tx, self.name, [r.id for r in requests], outcome, error)
