"""The plant as the planner sees it: one snapshot of its facts as a problem in whole minutes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property

from mes.dispatching.model import (
    PlanEquipment,
    PlanFinished,
    PlanInterval,
    PlanJobOrder,
    PlanLock,
    PlanMaintenance,
    PlanMasterOperation,
    PlanningSnapshot,
    PlanPerson,
    PlanTool,
    PlanWorkOrder,
)
from mes.kernel.ids import EquipmentId, JobOrderId, MaintenanceNumber, MaterialId, ToolId, WorkOrderNumber
from mes.kernel.settings import Planner
from mes.resources.model import AS_ROUTED
from planner.document import Labels
from planner.fault import Fault
from planner.left_out import LeftOut, without_contradictions
from planner.pace import Finished, Paces, measured
from planner.problem import (
    After,
    Alternative,
    Away,
    Calendar,
    Crew,
    Link,
    Lock,
    Operation,
    Order,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Tool,
    ToolUse,
    Unit,
    Window,
    WorkCenter,
)
from planner.worktime import WorkTime, merged

WEIGHTS = {1: 8, 2: 4, 3: 2}
"""Price of a late minute by the order's priority (1 is the most urgent); 1 for the others."""


MOST_SUBLOTS = 1000
"""More transfer batches than that begin no sooner by a minute that anybody sees."""

LEAST_PIECES = 5
"""A running job's own pace counts from so many measured pieces on: of fewer, one look at a drawing or one
chip that is cleared away is the pace."""

STANDARD_PIECES = 5
"""The standard counts as so many pieces beside the measured ones: of 5 measured ones it is half of what is
believed, of 45 a tenth, so that the end of a job does not jump with each report."""

FASTEST, SLOWEST = Decimal("0.5"), Decimal(4)
"""No pace is believed to be less or more than so many times the standard: then reports came late, or all at
once, and say nothing of the work."""

Stops = Mapping[EquipmentId, Iterable[PlanInterval]]
"""When units stand still beyond what a snapshot knows."""

Standards = Mapping[tuple[str, str], int]
"""(Work centre, family) -> minutes of a work master to change to that family."""


def problem_of(snapshot: PlanningSnapshot, settings: Planner) -> Problem:
    """The snapshot as a problem in whole minutes.

    Raises:
        InvalidProblem: The facts contradict each other, and not those of an order alone; names the rows.
    """
    return Reading(snapshot, settings).problem


class Reading:
    """One snapshot as a problem in whole minutes, and what more work would be in it."""

    def __init__(
        self,
        snapshot: PlanningSnapshot,
        settings: Planner,
        stops: Stops | None = None,
        standards: Standards | None = None,
    ) -> None:
        """Read the snapshot.

        Args:
            stops: Unit -> when it stands still beyond what the snapshot knows.
            standards: Set-ups of products that are only asked for, see `raised_by`.

        Raises:
            InvalidProblem: The facts contradict each other; names the rows.
        """
        self._snapshot, self._settings = snapshot, settings
        self._ordered = _standard_setups(snapshot.job_orders)
        self._standards = standards or {}
        self._origin = snapshot.at.astimezone(UTC).replace(second=0, microsecond=0)
        self._horizon = max(1, self._minute(snapshot.until))
        self._units: dict[EquipmentId, list[EquipmentId]] = defaultdict(list)
        for unit in snapshot.equipment:
            self._units[unit.work_center].append(unit.id)
        self._percents = {unit.id: unit.time_percent for unit in snapshot.equipment}
        self._down = {unit.id for unit in snapshot.equipment if unit.down_since is not None}
        self._stops = {unit: self._windows(rows) for unit, rows in (stops or {}).items()}
        self._jobs = {job.id: job for job in snapshot.job_orders}
        self._running = _running(snapshot.job_orders)
        self._maintenance = self._open_maintenance()
        self._maintained = self._under_maintenance()
        self._tools = {tool.id: self._tool(tool) for tool in snapshot.tools}
        self._supply = _Supply.of(snapshot)
        due = {order.id: order.due_at for order in snapshot.work_orders}
        jobs = sorted(
            (job for job in snapshot.job_orders if job.work_order in due),
            key=lambda job: (due[job.work_order], job.work_order, job.operation),
        )
        waits = self._materials(jobs)
        self.problem, left_out = without_contradictions(
            lambda gone: self._problem(jobs, waits, gone),
            {job.id: job.work_order for job in jobs if job.id not in self._running},
        )
        self.left_out = tuple(self._at_its_centers(order) for order in left_out)

    @cached_property
    def paces(self) -> Paces:
        """What the floor makes of standard times, as its finished job orders tell."""
        return measured(_finished(row) for row in self._snapshot.finished)

    def raised_by(self, master: Sequence[PlanMasterOperation]) -> Standards:
        """The set-ups that count for more as soon as there is an order of a product: they do in its date."""
        ruled = {(rule.work_center, rule.to_family) for rule in self._snapshot.setups}
        found = _standard_setups(master).items()
        return {key: m for key, m in found if key not in ruled and m > self._ordered.get(key, 0)}

    def is_ordered(self, work_center: str, family: str) -> bool:
        """Whether a job order changes a work centre to that family by the standard of its work master."""
        return (work_center, family) in self._ordered

    def told_of(self, standards: Standards) -> Reading:
        """The same snapshot where set-ups of a product that is only asked for count, too."""
        return Reading(self._snapshot, self._settings, standards=standards) if standards else self

    def asked(
        self,
        name: str,
        material: MaterialId,
        quantity: Decimal,
        master: Sequence[PlanMasterOperation],
        first: Decimal = Decimal(0),
    ) -> tuple[Operation, ...]:
        """The steps of an order that is only asked for: its materials are pegged after all others'.

        Args:
            name: Id of the order.
            first: So many are asked for before it, and get theirs before it.
        """
        supply = self._supply.copy()
        for job in asked_jobs(name, material, first, master) if first else ():
            self._waits(supply, job)
        jobs = asked_jobs(name, material, quantity, master)
        return tuple(self._operation(job, self._waits(supply, job)) for job in jobs)

    def reserve(self, material: MaterialId, quantity: Decimal, master: Sequence[PlanMasterOperation]) -> None:
        """Take the materials of accepted work out of what is left for all that is asked for afterwards.

        In parts it takes the same: what is left is used up in turn, and the parts are the whole together.
        """
        for job in asked_jobs("", material, quantity, master):
            self._waits(self._supply, job)

    @property
    def accepted(self) -> frozenset[str]:
        """The orders that are only dates which somebody has accepted."""
        return frozenset(order.id for order in self._snapshot.work_orders if order.accepted)

    def paced_ends(self) -> dict[str, int]:
        """The measured jobs under way -> when they end by their own pace from their last report, a minute."""
        found: dict[str, int] = {}
        for job in self._jobs.values():
            if job.id in self._running and job.equipment is not None and is_measured(job) and job.pace:
                unreported = max(0, -self._minute(job.pace.last_at))
                left = max(1, self.problem.operation_by_id[job.id].minutes_on(job.equipment) - unreported)
                unit = self.problem.unit_by_id[job.equipment]
                found[job.id] = WorkTime.of(self.problem, unit).after(left)
        return found

    def _problem(
        self,
        jobs: Sequence[PlanJobOrder],
        waits: Mapping[str, tuple[Release, ...]],
        left_out: Collection[str],
    ) -> Problem:
        """Put the parts together; freeze what starts soon.

        Args:
            left_out: Orders of which only work under way is planned; the materials of the rest stay theirs.
        """
        snapshot = self._snapshot
        planned = [job for job in jobs if job.work_order not in left_out or job.id in self._running]
        orders = {job.work_order for job in planned}
        operations = [self._operation(job, waits.get(job.id, ())) for job in planned]
        operations += [self._upkeep(one) for one in self._maintenance]
        return Problem(
            origin=self._origin,
            horizon=self._horizon,
            calendars=tuple(self._calendar(unit) for unit in snapshot.equipment),
            work_centers=self._work_centers(),
            units=tuple(self._unit(unit) for unit in snapshot.equipment),
            crews=self._crews(snapshot.people),
            orders=(
                *(self._order(o) for o in snapshot.work_orders if o.id in orders),
                *(self._limit(one) for one in self._maintenance),
            ),
            operations=tuple(self._frozen(operations)),
            named_until=self._settings.frozen_min,
            overtime=self._overtime(),
            tools=tuple(self._tools.values()),
        )

    def _at_its_centers(self, order: LeftOut) -> LeftOut:
        """The order with the work centre of each fault's step: that is what the floor calls by its name."""

        def placed(fault: Fault) -> Fault:
            job = self._jobs.get(JobOrderId(fault.operations[0]))
            return replace(fault, params={**fault.params, "work_center": job.work_center}) if job else fault

        return replace(order, faults=tuple(map(placed, order.faults)))

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
        longer = (PlanInterval(o.start, o.end) for o in self._snapshot.overtime if o.equipment == unit.id)
        return Calendar(unit.id, self._windows((*unit.calendar, *longer)))

    def _overtime(self) -> int:
        """The minutes of overtime that are still to come."""
        rows = [self._windows((PlanInterval(one.start, one.end),)) for one in self._snapshot.overtime]
        return sum(window.end - window.start for windows in rows for window in windows)

    def _unit(self, unit: PlanEquipment) -> Unit:
        stops = self._stops.get(unit.id, ())
        if unit.down_since is not None and unit.id not in self._maintained:
            down = Window(0, min(self._horizon, self._back(unit.down_since, unit.down_until)))
            stops = merged([down, *stops])
        return Unit(unit.id, unit.work_center, unit.id, unit.family or None, stops)

    def _back(self, since: datetime, until: datetime | None) -> int:
        """When a stopped unit is taken to work again: as long again as it lasted, unless somebody said.

        What was said and is over says nothing.
        """
        if until is not None and until > self._snapshot.at:
            return max(1, self._ceiling(until))
        lasted = max(0, -self._minute(since))
        return max(1, self._settings.stop_min - lasted, lasted)

    def _work_centers(self) -> tuple[WorkCenter, ...]:
        """Work centres with their set-up rules, or the work masters' standard where none names a family."""
        setups: dict[str, list[Setup]] = defaultdict(list)
        ruled: set[tuple[str, str]] = set()
        for rule in self._snapshot.setups:
            if rule.to_family and rule.from_family != "":
                minutes = math.ceil(rule.seconds / 60)
                setups[rule.work_center].append(Setup(rule.to_family, minutes, rule.from_family))
                ruled.add((rule.work_center, rule.to_family))
        for (center, family), minutes in {**self._ordered, **self._standards}.items():
            if (center, family) not in ruled:
                setups[center].append(Setup(family, minutes))
        centers = dict.fromkeys(unit.work_center for unit in self._snapshot.equipment)
        return tuple(WorkCenter(name, tuple(setups[name])) for name in centers)

    def _tool(self, tool: PlanTool) -> Tool:
        """A tool, and what of it is out of service; of fewer pieces than that, all are."""
        left, away = tool.count, []
        for out in sorted(tool.out, key=lambda out: out.until, reverse=True):
            end, count = min(self._horizon, max(1, self._ceiling(out.until))), min(out.count, left)
            if count > 0:
                away.append(Away(0, end, count))
            left -= count
        return Tool(tool.id, tool.count, tuple(away))

    def _uses(self, job: PlanJobOrder) -> tuple[ToolUse, ...]:
        """What a job holds of the tools that the plant has: nobody waits for others."""
        known = [(self._tools[use.tool], use.count) for use in job.tools if use.tool in self._tools]
        return tuple(ToolUse(tool.id, min(count, tool.count)) for tool, count in known)

    def _crews(self, people: Sequence[PlanPerson]) -> tuple[Crew, ...]:
        alike: dict[tuple[tuple[str, ...], tuple[Window, ...]], list[str]] = defaultdict(list)
        for person in people:
            alike[tuple(sorted(person.skills)), self._windows(person.present)].append(person.id)
        staying: dict[tuple[EquipmentId, str], list[PlanInterval]] = defaultdict(list)
        for one in self._snapshot.overtime:
            if one.skill is not None:
                staying[one.equipment, one.skill].append(PlanInterval(one.start, one.end))
        return (
            *(
                Crew(ids[0], skills, windows, len(ids), tuple(ids))
                for (skills, windows), ids in alike.items()
                if windows and skills
            ),
            *(
                Crew(f"overtime {unit} {skill}", (skill,), windows)
                for (unit, skill), rows in staying.items()
                if (windows := self._windows(rows))
            ),
        )

    def _order(self, order: PlanWorkOrder) -> Order:
        return Order(order.id, self._minute(order.due_at), WEIGHTS.get(order.priority, 1))

    def _open_maintenance(self) -> list[PlanMaintenance]:
        """What is not over, of the units that there are."""
        units = {unit.id for unit in self._snapshot.equipment}
        return [one for one in self._snapshot.maintenance if one.equipment in units]

    def _under_maintenance(self) -> dict[EquipmentId, MaintenanceNumber]:
        """The units that are maintained; where a job runs, it is believed that nobody maintains."""
        busy = {job.equipment for job in self._snapshot.job_orders if job.id in self._running}
        begun = [one for one in self._maintenance if one.started_at and one.equipment not in busy]
        return {one.equipment: one.id for one in begun}

    def _limit(self, one: PlanMaintenance) -> Order:
        return Order(one.id, self._minute(one.latest), one.weight, "maintenance")

    def _upkeep(self, one: PlanMaintenance) -> Operation:
        """Maintenance as an operation of its unit; what is left of it while it runs."""
        limit, runs = self._minute(one.latest), self._maintained.get(one.equipment) == one.id
        since = self._minute(one.started_at) if one.started_at else 0
        minutes = max(1, one.minutes + min(0, since)) if runs else one.minutes
        release = min(self._ceiling(one.earliest), limit - minutes)
        place = (
            None if one.planned_start is None else Published(one.equipment, self._minute(one.planned_start))
        )
        return Operation(
            id=one.id,
            order=one.id,
            alternatives=(Alternative(one.equipment, minutes),),
            releases=(Release(release, "maintenance"),) if release > 0 and not runs else (),
            started=Started(one.equipment, min(0, since)) if runs else None,
            published=place,
        )

    def _operation(self, job: PlanJobOrder, releases: tuple[Release, ...]) -> Operation:
        units = self._units.get(job.work_center, [])
        lock = job.lock if job.lock and job.lock.equipment in units else None
        if job.only_on in units:
            units = [job.only_on]
        at = self._locked_at(lock)
        if lock is not None:
            units = [lock.equipment] if at is None else [*units, lock.equipment]
        minutes = {unit: _minutes(job, self._run_s(job, unit)) for unit in units}
        started = None
        if job.id in self._running and job.equipment is not None:
            started, minutes[job.equipment] = self._started(job, job.equipment)
        return Operation(
            id=job.id,
            order=job.work_order,
            alternatives=tuple(Alternative(unit, takes) for unit, takes in minutes.items()),
            predecessors=() if started else tuple(self._link(job, before) for before in job.predecessors),
            family=job.family or None,
            skill=job.skill or None,
            resumable=job.resumable or started is not None,
            releases=() if started else (*releases, *self._lags(job), *self._no_sooner(lock)),
            started=started,
            lock=Lock(lock.equipment, at) if lock and at is not None and not started else None,
            published=self._published(job, minutes),
            tools=self._uses(job),
            after=None if started else self._after(job),
        )

    def _run_s(self, job: PlanJobOrder, unit: EquipmentId) -> Decimal:
        """Seconds for a piece on one of its units."""
        return job.run_s * self._percents.get(unit, AS_ROUTED) / AS_ROUTED

    def _started(self, job: PlanJobOrder, unit: EquipmentId) -> tuple[Started, int]:
        """Work under way, and the minutes that are left of it by its own pace."""
        standard, since = self._run_s(job, unit), job.started_at or self._snapshot.at
        left = _minutes(job, run_s_of(job, standard))
        return Started(unit, min(0, self._minute(since)), max(0, left - _minutes(job, standard))), left

    def _after(self, job: PlanJobOrder) -> After | None:
        """The step before that is over, where a job must not wait after it for longer than so long."""
        if job.after is None or job.ended_at is None or job.most_min is None:
            return None
        return After(job.after, min(0, self._minute(job.ended_at)), job.most_min)

    def _link(self, job: PlanJobOrder, before: JobOrderId) -> Link:
        """What lies between a job and one before it; no transfer batch is believed smaller than it is."""
        known = self._jobs.get(before)
        pieces = job.quantity if known is None else known.remaining
        sublots = int(pieces // job.transfer) if job.transfer else 1
        return Link(before, job.lag_min, min(max(1, sublots), MOST_SUBLOTS), job.most_min)

    def _locked_at(self, lock: PlanLock | None) -> int | None:
        """The minute of a firm lock; one that is over is kept as soon as it can be."""
        if lock is None or not lock.firm:
            return None
        minute = self._minute(lock.start)
        return minute if minute >= 0 else None

    def _no_sooner(self, lock: PlanLock | None) -> tuple[Release, ...]:
        """What is wished for, and no more: it does not begin before its time."""
        if lock is None or lock.firm:
            return ()
        minute = self._minute(lock.start)
        return (Release(minute, "lock"),) if minute > 0 else ()

    def _lags(self, job: PlanJobOrder) -> tuple[Release, ...]:
        """The time that must still pass after a step that is over."""
        until = 0 if job.not_before is None else self._ceiling(job.not_before)
        return (Release(until, "lag"),) if until > 0 else ()

    def _published(self, job: PlanJobOrder, units: Collection[EquipmentId]) -> Published | None:
        if job.planned_start is None or job.equipment not in units or job.equipment is None:
            return None
        return Published(job.equipment, self._minute(job.planned_run or job.planned_start))

    def _frozen(self, operations: list[Operation]) -> Iterable[Operation]:
        """Freeze what is published to start within the frozen zone and really can.

        Work that waits for material, for a tool or for a unit that stands still must not hold up the rest.
        """
        ends: dict[str, int] = {}
        planned: dict[str, datetime | None] = {job.id: job.planned_start for job in self._jobs.values()}
        for operation in operations:
            place, at = operation.published, planned.get(operation.id)
            if operation.started and operation.started.unit not in self._down:
                ends[operation.id] = operation.minutes_on(operation.started.unit)
            elif lock := operation.lock:
                ends[operation.id] = lock.start + operation.minutes_on(lock.unit)
            elif (
                place is not None
                and place.unit not in self._down
                and not (operation.started or _tied(operation))
            ):
                waits = [
                    ends.get(link.operation, self._horizon) + link.lag for link in operation.predecessors
                ]
                ready = max([operation.release, *waits])
                begins = max(ready, place.start if at is None else self._minute(at), 0)
                lacking = self._stands(place.unit, begins) or self._lacks(operation, begins)
                if begins < self._settings.frozen_min and not lacking:
                    ends[operation.id] = max(0, ready) + operation.minutes_on(place.unit)
                    yield replace(operation, frozen=True)
                    continue
            yield operation

    def _stands(self, unit: str, minute: int) -> bool:
        """Whether it is said to stand still then, beyond what the snapshot knows."""
        return any(stop.start <= minute < stop.end for stop in self._stops.get(EquipmentId(unit), ()))

    def _lacks(self, operation: Operation, minute: int) -> bool:
        """Whether too many of a tool that it needs are out of service then."""
        for use in operation.tools:
            tool = self._tools[ToolId(use.tool)]
            away = sum(away.count for away in tool.away if away.start <= minute < away.end)
            if tool.count - away < use.count:
                return True
        return False

    def _materials(self, jobs: Sequence[PlanJobOrder]) -> dict[str, tuple[Release, ...]]:
        """Peg stock and receipts to jobs: to work under way, to accepted dates, then earliest due first.

        An accepted date has what was left by the orders that were there before it, whatever is due when:
        it takes nothing of theirs, and nobody who comes after it takes any of its own.
        """
        orders = {order.id: order for order in self._snapshot.work_orders}
        running = [job for job in jobs if job.id in self._running]
        rest = [job for job in jobs if job.id not in self._running]
        since = {order.id: order.reserved_at for order in orders.values() if order.reserved_at}
        mine = sorted((job for job in rest if job.work_order in since), key=lambda job: since[job.work_order])
        others = [job for job in rest if job.work_order not in since]
        waits: dict[str, tuple[Release, ...]] = {job.id: self._waits(self._supply, job) for job in running}
        left, before = self._supply.copy(), list(others)
        for job in mine:
            accepted = since[job.work_order]
            for other in before:
                if orders[other.work_order].received_at <= accepted:
                    self._waits(left, other)
            before = [row for row in before if orders[row.work_order].received_at > accepted]
            waits[job.id] = self._waits(left, job, self._supply)
        return waits | {job.id: self._waits(self._supply, job) for job in others}

    def _waits(self, supply: _Supply, job: PlanJobOrder, whole: _Supply | None = None) -> tuple[Release, ...]:
        """Peg the materials of a job; what it waits for.

        Args:
            whole: What the supply is a part of: the same is gone there.
        """
        waits = []
        for need in job.components:
            at, taken = supply.take(need.material, need.quantity)
            if whole is not None:
                whole.lose(need.material, taken)
            minute = self._horizon if at is None else self._ceiling(at)
            if minute > 0:
                waits.append(Release(minute, "material", need.material))
        return tuple(waits)

    def _ceiling(self, time: datetime) -> int:
        return math.ceil((time - self._origin).total_seconds() / 60)


_Piece = tuple[datetime, Decimal]
"""When so much of a material is there."""


class _Supply:
    """Stock now and receipts to come of each material, used up in the order of asking."""

    def __init__(self, left: Mapping[str, Iterable[_Piece]]) -> None:
        """Begin with what each material has: (when it is there, so much), the earliest first."""
        self._left = defaultdict(list, {name: list(rows) for name, rows in left.items()})

    @classmethod
    def of(cls, snapshot: PlanningSnapshot) -> _Supply:
        """All that the snapshot knows of."""
        left: dict[str, list[_Piece]] = defaultdict(list)
        for stock in snapshot.stock:
            left[stock.material].append((datetime.min.replace(tzinfo=UTC), stock.quantity))
        for receipt in sorted(snapshot.receipts, key=lambda row: row.expected_at):
            left[receipt.material].append((_comes(receipt.expected_at, snapshot.at), receipt.quantity))
        return cls(left)

    def copy(self) -> _Supply:
        """What is left, to be used up without being missed."""
        return _Supply(self._left)

    def take(self, material: MaterialId, quantity: Decimal) -> tuple[datetime | None, list[_Piece]]:
        """Use `quantity` up; when the last of it is there, None when it never is; and what it took."""
        rows = self._left[material]
        at = datetime.min.replace(tzinfo=UTC)
        taken: list[_Piece] = []
        while quantity > 0:
            if not rows:
                return None, taken
            at, there = rows[0]
            used = min(quantity, there)
            quantity -= used
            taken.append((at, used))
            if used == there:
                rows.pop(0)
            else:
                rows[0] = (at, there - used)
        return at, taken

    def lose(self, material: MaterialId, taken: Iterable[_Piece]) -> None:
        """Somebody else has used this up."""
        gone: dict[datetime, Decimal] = defaultdict(Decimal)
        for at, used in taken:
            gone[at] += used
        rows = []
        for at, there in self._left[material]:
            used = min(there, gone[at])
            gone[at] -= used
            rows.append((at, there - used))
        self._left[material] = [(at, there) for at, there in rows if there > 0]


def _comes(expected_at: datetime, now: datetime) -> datetime:
    """When a receipt is taken to come: one that nobody gave a new date, as long again as it is late."""
    return expected_at if expected_at >= now else now + (now - expected_at)


def is_measured(job: PlanJobOrder) -> bool:
    """Whether so much is known of a running job's own pace that it counts."""
    return job.pace is not None and job.pace.pieces >= LEAST_PIECES


def run_s_of(job: PlanJobOrder, standard: Decimal) -> Decimal:
    """Seconds for a piece of running work: measured once enough is done, and the standard, by pieces."""
    if job.pace is None or not is_measured(job):
        return standard
    measured = min(standard * SLOWEST, max(standard * FASTEST, job.pace.busy_s / job.pace.pieces))
    counted = standard * STANDARD_PIECES + measured * job.pace.pieces
    return counted / (STANDARD_PIECES + job.pace.pieces)


def _minutes(job: PlanJobOrder, run_s: Decimal) -> int:
    return max(1, math.ceil(job.remaining * run_s / 60))


def _standard_setups(jobs: Iterable[PlanJobOrder | PlanMasterOperation]) -> dict[tuple[str, str], int]:
    """(Work centre, family) -> minutes of the work master to change to that family, the most of any job."""
    found: dict[tuple[str, str], int] = {}
    for job in jobs:
        if job.family and job.setup_s > 0:
            key = (job.work_center, job.family)
            found[key] = max(found.get(key, 0), math.ceil(job.setup_s / 60))
    return found


def _finished(row: PlanFinished) -> Finished:
    """A finished job order against its standard; one without a standard time has no pace."""
    ratio = float(row.busy_s / row.planned_s) if row.busy_s and row.planned_s else None
    return Finished(row.work_center, ratio, row.good, row.scrap)


def _tied(operation: Operation) -> bool:
    """Whether it must follow the step before it in time: then it goes where that one goes."""
    return any(link.most is not None for link in operation.predecessors)


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
        }
        | {one.id: {"number": 0, "name": one.name, "material": one.name} for one in snapshot.maintenance},
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
        }
        | {one.id: _maintenance_label(one) for one in snapshot.maintenance},
        units={
            unit.id: {
                "name": unit.name,
                "work_center": unit.work_center,
                "time_percent": unit.time_percent,
            }
            for unit in snapshot.equipment
        },
    )


def _maintenance_label(one: PlanMaintenance) -> dict[str, str | int | None]:
    """Maintenance among the orders of a plan: nobody has ordered it, and it makes nothing."""
    return {
        "customer": None,
        "customer_order": None,
        "material": one.name,
        "quantity": "1",
        "uom": "",
        "priority": 0,
        "due_at": one.latest.isoformat(),
    }


def asked_jobs(
    name: str, material: MaterialId, quantity: Decimal, master: Sequence[PlanMasterOperation]
) -> list[PlanJobOrder]:
    """The jobs that an order of `quantity` would have."""
    jobs: list[PlanJobOrder] = []
    for step in master:
        before = (jobs[-1].id,) if jobs else ()
        jobs.append(_asked_job(name, step, material, quantity, before))
    return jobs


def _asked_job(
    name: str,
    step: PlanMasterOperation,
    material: MaterialId,
    quantity: Decimal,
    before: tuple[JobOrderId, ...],
) -> PlanJobOrder:
    return PlanJobOrder(
        id=JobOrderId(f"{name}-{step.operation}"),
        work_order=WorkOrderNumber(name),
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
        resumable=step.resumable,
        started_at=None,
        planned_start=None,
        planned_end=None,
        sequence=None,
        locked=False,
        predecessors=before,
        components=tuple(replace(need, quantity=need.quantity * quantity) for need in step.components),
        tools=step.tools,
        lag_min=step.lag_min,
        most_min=step.most_min,
        transfer=step.transfer,
    )
