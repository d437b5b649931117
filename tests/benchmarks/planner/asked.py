"""A whole answer to a customer who asks for a date, as the product gives it: from the facts of a plant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from mes.dispatching.model import (
    PlanEquipment,
    PlanInterval,
    PlanJobOrder,
    PlanMasterOperation,
    PlanningSnapshot,
    PlanPerson,
    PlanSetup,
    PlanWorkOrder,
)
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, PersonId, WorkOrderNumber
from mes.kernel.settings import Planner
from planner.answering import Asked, picture_of
from planner.problem import Operation, Problem, Window
from planner.reading import WEIGHTS, Reading, labels_of
from planner.schedule import Schedule
from planner.view import View

PIECES = Decimal(10)
"""Of every order: so that it may come in parts."""

PRODUCT = MaterialId("PRODUCT")


def whole_answers(problem: Problem, plan: Schedule, seed: int, count: int) -> list[float]:
    """CPU milliseconds of the answers to questions for orders like those of a plant.

    Date, what binds it, and all other ways to a date; the picture of the plant is there already.
    """
    snapshot = _Facts(problem, plan).snapshot()
    reading = Reading(snapshot, Planner(frozen_min=0))
    picture = picture_of(View(reading, labels_of(snapshot), 1))
    random, masters, found = Random(seed), list(_masters(problem)), []
    for _ in range(count):
        asked = Asked(picture, PRODUCT, PIECES, random.choice(masters), random.choice((1, 2, 3, 5)))
        began = time.process_time()
        asked.answer()
        found.append(1000 * (time.process_time() - began))
    return found


class _Facts:
    """A problem as the facts that the product would read it from."""

    def __init__(self, problem: Problem, plan: Schedule) -> None:
        self.problem, self.plan = problem, plan
        self.priorities = {weight: priority for priority, weight in WEIGHTS.items()}
        self.last = {o.id: int(o.id.rsplit("-", 1)[1]) for o in problem.operations}

    def snapshot(self) -> PlanningSnapshot:
        """The plant at minute 0, with the plan in force."""
        return PlanningSnapshot(
            at=self.problem.origin,
            until=self._at(self.problem.horizon),
            site_tz="UTC",
            work_centers=(),
            equipment=tuple(self._equipment()),
            setups=tuple(self._setups()),
            people=tuple(self._people()),
            work_orders=tuple(self._orders()),
            job_orders=tuple(self._job(operation) for operation in self.problem.operations),
            stock=(),
            receipts=(),
            in_force=None,
        )

    def _at(self, minute: int) -> datetime:
        return self.problem.origin + timedelta(minutes=minute)

    def _intervals(self, windows: tuple[Window, ...]) -> tuple[PlanInterval, ...]:
        return tuple(PlanInterval(self._at(w.start), self._at(w.end)) for w in windows)

    def _equipment(self) -> Iterator[PlanEquipment]:
        for unit in self.problem.units:
            yield PlanEquipment(
                id=EquipmentId(unit.id),
                name=unit.id,
                work_center=EquipmentId(unit.work_center),
                calendar=self._intervals(self.problem.calendar_by_id[unit.calendar].windows),
                state="Idle",
                down_since=None,
                down_until=None,
                down_reason=None,
                family=unit.family,
                running=None,
            )

    def _setups(self) -> Iterator[PlanSetup]:
        for center in self.problem.work_centers:
            for row in center.setups:
                yield PlanSetup(
                    work_center=EquipmentId(center.id),
                    from_family=row.from_family,
                    to_family=row.to_family,
                    seconds=60 * row.minutes,
                )

    def _people(self) -> Iterator[PlanPerson]:
        for crew in self.problem.crews:
            present = self._intervals(crew.windows)
            for number in range(crew.count):
                yield PlanPerson(id=PersonId(f"{crew.id}-{number}"), skills=crew.skills, present=present)

    def _orders(self) -> Iterator[PlanWorkOrder]:
        for order in self.problem.orders:
            yield PlanWorkOrder(
                id=WorkOrderNumber(order.id),
                material=PRODUCT,
                quantity=PIECES,
                uom="pc",
                due_at=self._at(order.due),
                priority=self.priorities.get(order.weight, 5),
                customer_order=None,
                customer=None,
                promised_at=None,
                received_at=self.problem.origin,
            )

    def _job(self, operation: Operation) -> PlanJobOrder:
        row, alternative = self.plan.by_operation[operation.id], operation.alternatives[0]
        return PlanJobOrder(
            id=JobOrderId(operation.id),
            work_order=WorkOrderNumber(operation.order),
            operation=self.last[operation.id],
            name=operation.id,
            work_center=EquipmentId(self.problem.unit_by_id[alternative.unit].work_center),
            equipment=EquipmentId(row.unit),
            status="Dispatched",
            material=PRODUCT,
            family=operation.family,
            skill=operation.skill,
            quantity=PIECES,
            remaining=PIECES,
            good=Decimal(0),
            scrap=Decimal(0),
            run_s=60 * alternative.minutes / PIECES,
            setup_s=Decimal(0),
            resumable=operation.resumable,
            started_at=None,
            planned_start=self._at(row.setup_start),
            planned_run=self._at(row.start),
            planned_end=self._at(row.end),
            sequence=None,
            locked=False,
            predecessors=tuple(JobOrderId(link.operation) for link in operation.predecessors),
            components=(),
        )


def _masters(problem: Problem) -> Iterator[list[PlanMasterOperation]]:
    """How each order of a plant is made."""
    routes: dict[str, list[PlanMasterOperation]] = {}
    for operation in problem.operations:
        alternative, route = operation.alternatives[0], routes.setdefault(operation.order, [])
        step = PlanMasterOperation(
            operation=10 * (len(route) + 1),
            name=operation.id,
            work_center=EquipmentId(problem.unit_by_id[alternative.unit].work_center),
            skill=operation.skill,
            family=operation.family,
            run_s=60 * alternative.minutes / PIECES,
            setup_s=Decimal(0),
            components=(),
        )
        route.append(step)
    yield from routes.values()
