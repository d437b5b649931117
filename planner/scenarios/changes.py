"""What a scenario changes in the plant that it was copied from: typed data, checked, then applied in order.

Shape and types are checked when the JSON is read; whether the order, unit or person is there, when it is
kept. The problem itself is made of the changed snapshot by the same reading as that of every plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import singledispatchmethod
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from mes.dispatching.model import (
    PlanInterval,
    PlanJobOrder,
    PlanMasterOperation,
    PlanNeed,
    PlanningSnapshot,
    PlanWorkOrder,
)
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaterialId, WorkOrderNumber
from planner.agreed import Kept, with_kept

MOST_CHANGES = 200
"""A scenario with more is another plant."""

Name = Annotated[str, Field(min_length=1, max_length=100)]
Priority = Annotated[int, Field(ge=1, le=9)]
Amount = Annotated[Decimal, Field(gt=0, le=1_000_000)]


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Period(_Change):
    """Something that holds from one moment to another."""

    from_: Annotated[AwareDatetime, Field(alias="from")]
    to: AwareDatetime


class DueDate(_Change):
    """The order is due at another time."""

    kind: Literal["due-date"]
    work_order: Name
    due_at: AwareDatetime


class Urgency(_Change):
    """The order has another priority; 1 is the most urgent."""

    kind: Literal["priority"]
    work_order: Name
    priority: Priority


class Quantity(_Change):
    """So many pieces are wanted in all."""

    kind: Literal["quantity"]
    work_order: Name
    quantity: Amount


class AddOrder(_Change):
    """An order that nobody has placed; `work_order` is its name in the scenario."""

    kind: Literal["add-order"]
    work_order: Name
    material: Name
    quantity: Amount
    due_at: AwareDatetime
    priority: Priority = 9


class RemoveOrder(_Change):
    """The order is not made; only one that has not begun can be taken out."""

    kind: Literal["remove-order"]
    work_order: Name


class UnitDown(_Period):
    """The unit stands still."""

    kind: Literal["unit-down"]
    equipment: Name


class Overtime(_Period):
    """Units are open beyond their calendar, with the people who stay: an hour more, or a whole shift."""

    kind: Literal["overtime"]
    equipment: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    people: Annotated[tuple[Name, ...], Field(max_length=100)] = ()


class Absence(_Period):
    """Somebody is not there."""

    kind: Literal["absence"]
    person: Name


Change = Annotated[
    DueDate | Urgency | Quantity | AddOrder | RemoveOrder | UnitDown | Overtime | Absence,
    Field(discriminator="kind"),
]
Changes = Annotated[tuple[Change, ...], Field(max_length=MOST_CHANGES)]

_CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])


def changes_from_json(data: Any) -> tuple[Change, ...]:
    """Read changes from their JSON form.

    Raises:
        ValidationError: Names the row and the field.
    """
    return _CHANGES.validate_python(data)


def changes_to_json(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    """Write changes as JSON."""
    found: list[dict[str, Any]] = _CHANGES.dump_python(changes, mode="json", by_alias=True)
    return found


class ScenarioOrderUnknown(PlantError):
    """A change names an order that the scenario does not have."""

    http_status = 422
    remedy = "Choose an open order of this scenario, or take the change out."


class ScenarioOrderThere(PlantError):
    """The scenario has an order of this name already."""

    http_status = 422
    remedy = "Give the new order another name."


class ScenarioOrderBegun(PlantError):
    """Work on this order has begun: it cannot be taken out."""

    http_status = 422
    remedy = "Change its quantity, its date or its priority instead."


class ScenarioQuantityTooSmall(PlantError):
    """More of this order is made already."""

    http_status = 422
    remedy = "Enter a quantity above what is made."


class ScenarioEquipmentUnknown(PlantError):
    """A change names a unit that the plant does not have."""

    http_status = 422
    remedy = "Choose one of the plant's units."


class ScenarioPersonUnknown(PlantError):
    """A change names a person who is not planned with."""

    http_status = 422
    remedy = "Choose somebody of the plant's people."


class ScenarioPeriodNotPossible(PlantError):
    """A period of a change ends before it begins, or is not within the days that are planned."""

    http_status = 422
    remedy = "Correct its begin and its end."


@dataclass(frozen=True, slots=True)
class OrderThere:
    """An order of a picture.

    Args:
        begun: Whether any work on it has begun.
        made: So many pieces it must have at least.
    """

    quantity: Decimal
    begun: bool
    made: Decimal


@dataclass(frozen=True, slots=True)
class Contents:
    """What changes of a scenario may name."""

    orders: Mapping[str, OrderThere]
    equipment: frozenset[str]
    people: frozenset[str]
    at: datetime
    until: datetime


def contents_of(snapshot: PlanningSnapshot) -> Contents:
    """What is in a snapshot."""
    jobs: dict[str, list[PlanJobOrder]] = defaultdict(list)
    for job in snapshot.job_orders:
        jobs[job.work_order].append(job)
    return Contents(
        orders={order.id: _order_there(order, jobs[order.id]) for order in snapshot.work_orders},
        equipment=frozenset(unit.id for unit in snapshot.equipment),
        people=frozenset(person.id for person in snapshot.people),
        at=snapshot.at,
        until=snapshot.until,
    )


def _order_there(order: PlanWorkOrder, jobs: Sequence[PlanJobOrder]) -> OrderThere:
    begun = any(job.started_at is not None or job.good or job.scrap for job in jobs)
    begun = begun or any(job.remaining < order.quantity for job in jobs)
    made = max((order.quantity - job.remaining for job in jobs), default=Decimal(0))
    return OrderThere(order.quantity, begun, max(Decimal(0), made))


def check(changes: Iterable[Change], contents: Contents) -> None:
    """Refuse changes of what is not there.

    Raises:
        PlantError: The first row that cannot be carried out; `row` counts from 1.
    """
    checker = _Checker(contents)
    for row, change in enumerate(changes, start=1):
        checker.check(change, row)


class _Checker:
    """Goes through changes in their order: what one adds the next may name."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._orders = dict(contents.orders)

    @singledispatchmethod
    def check(self, change: Any, row: int) -> None:
        raise TypeError(f"{row}: {type(change)}")

    @check.register(DueDate)
    @check.register(Urgency)
    def _order(self, change: DueDate | Urgency, row: int) -> None:
        self._known(change.work_order, row)

    @check.register
    def _quantity(self, change: Quantity, row: int) -> None:
        there = self._known(change.work_order, row)
        if change.quantity <= there.made:
            raise ScenarioQuantityTooSmall(row=row, work_order=change.work_order, made=str(there.made))
        self._orders[change.work_order] = replace(there, quantity=change.quantity)

    @check.register
    def _add(self, change: AddOrder, row: int) -> None:
        if change.work_order in self._orders:
            raise ScenarioOrderThere(row=row, work_order=change.work_order)
        self._orders[change.work_order] = OrderThere(change.quantity, begun=False, made=Decimal(0))

    @check.register
    def _remove(self, change: RemoveOrder, row: int) -> None:
        if self._known(change.work_order, row).begun:
            raise ScenarioOrderBegun(row=row, work_order=change.work_order)
        del self._orders[change.work_order]

    @check.register
    def _down(self, change: UnitDown, row: int) -> None:
        self._units((change.equipment,), row)
        self._period(change, row)

    @check.register
    def _overtime(self, change: Overtime, row: int) -> None:
        self._units(change.equipment, row)
        self._people(change.people, row)
        self._period(change, row)

    @check.register
    def _absence(self, change: Absence, row: int) -> None:
        self._people((change.person,), row)
        self._period(change, row)

    def _known(self, order: str, row: int) -> OrderThere:
        if order not in self._orders:
            raise ScenarioOrderUnknown(row=row, work_order=order)
        return self._orders[order]

    def _units(self, names: Iterable[str], row: int) -> None:
        for name in names:
            if name not in self._contents.equipment:
                raise ScenarioEquipmentUnknown(row=row, equipment=name)

    def _people(self, names: Iterable[str], row: int) -> None:
        for name in names:
            if name not in self._contents.people:
                raise ScenarioPersonUnknown(row=row, person=name)

    def _period(self, period: _Period, row: int) -> None:
        inside = self._contents.at < period.to and period.from_ < self._contents.until
        if period.from_ >= period.to or not inside:
            raise ScenarioPeriodNotPossible(
                row=row, at=self._contents.at.isoformat(), until=self._contents.until.isoformat()
            )


Masters = Mapping[str, Sequence[PlanMasterOperation]]
"""Material -> how it is made."""


@dataclass(frozen=True)
class Changed:
    """A plant with changes.

    Args:
        stops: Unit -> when it stands still beyond what the snapshot knows.
    """

    snapshot: PlanningSnapshot
    stops: Mapping[EquipmentId, tuple[PlanInterval, ...]] = field(default_factory=dict)


def changed(snapshot: PlanningSnapshot, changes: Iterable[Change], masters: Masters) -> Changed:
    """Apply changes, one after the other.

    Args:
        masters: How the products of added orders are made.
    """
    editor = _Editor(Changed(snapshot), masters)
    for change in changes:
        editor.apply(change)
    return editor.plant


class _Editor:
    """A plant that is changed step by step; the snapshot that it began with stays as it was."""

    def __init__(self, plant: Changed, masters: Masters) -> None:
        self.plant, self._masters = plant, masters

    @singledispatchmethod
    def apply(self, change: Any) -> None:
        raise TypeError(type(change))

    @apply.register
    def _due(self, change: DueDate) -> None:
        self._order(change.work_order, due_at=change.due_at)

    @apply.register
    def _urgency(self, change: Urgency) -> None:
        self._order(change.work_order, priority=change.priority)

    @apply.register
    def _quantity(self, change: Quantity) -> None:
        order = next(o for o in self.plant.snapshot.work_orders if o.id == change.work_order)
        more = change.quantity - order.quantity
        self._order(change.work_order, quantity=change.quantity)
        jobs = tuple(
            _of_quantity(job, more) if job.work_order == change.work_order else job
            for job in self.plant.snapshot.job_orders
        )
        self._replace(job_orders=jobs)

    @apply.register
    def _add(self, change: AddOrder) -> None:
        order = PlanWorkOrder(
            id=WorkOrderNumber(change.work_order),
            material=MaterialId(change.material),
            quantity=change.quantity,
            uom="",
            due_at=change.due_at,
            priority=change.priority,
            customer_order=None,
            customer=None,
            promised_at=None,
            received_at=self.plant.snapshot.at,
        )
        kept = Kept(order, self._masters[change.material], {})
        self.plant = replace(self.plant, snapshot=with_kept(self.plant.snapshot, [kept]))

    @apply.register
    def _remove(self, change: RemoveOrder) -> None:
        snapshot = self.plant.snapshot
        self._replace(
            work_orders=tuple(o for o in snapshot.work_orders if o.id != change.work_order),
            job_orders=tuple(j for j in snapshot.job_orders if j.work_order != change.work_order),
        )

    @apply.register
    def _down(self, change: UnitDown) -> None:
        unit = EquipmentId(change.equipment)
        stops = (*self.plant.stops.get(unit, ()), PlanInterval(change.from_, change.to))
        self.plant = replace(self.plant, stops={**self.plant.stops, unit: stops})

    @apply.register
    def _overtime(self, change: Overtime) -> None:
        more = PlanInterval(change.from_, change.to)
        snapshot = self.plant.snapshot
        self._replace(
            equipment=tuple(
                replace(unit, calendar=_with(unit.calendar, more)) if unit.id in change.equipment else unit
                for unit in snapshot.equipment
            ),
            people=tuple(
                replace(one, present=_with(one.present, more)) if one.id in change.people else one
                for one in snapshot.people
            ),
        )

    @apply.register
    def _absence(self, change: Absence) -> None:
        gone = PlanInterval(change.from_, change.to)
        self._replace(
            people=tuple(
                replace(one, present=tuple(_without(one.present, gone))) if one.id == change.person else one
                for one in self.plant.snapshot.people
            )
        )

    def _order(self, name: str, **values: Any) -> None:
        orders = self.plant.snapshot.work_orders
        self._replace(work_orders=tuple(replace(o, **values) if o.id == name else o for o in orders))

    def _replace(self, **values: Any) -> None:
        self.plant = replace(self.plant, snapshot=replace(self.plant.snapshot, **values))


def _of_quantity(job: PlanJobOrder, more: Decimal) -> PlanJobOrder:
    """A job for so many pieces more, or less; it needs components accordingly."""
    share = (job.remaining + more) / job.remaining if job.remaining else Decimal(1)
    return replace(
        job,
        quantity=job.quantity + more,
        remaining=job.remaining + more,
        components=tuple(PlanNeed(material=n.material, quantity=n.quantity * share) for n in job.components),
    )


def _with(intervals: Sequence[PlanInterval], more: PlanInterval) -> tuple[PlanInterval, ...]:
    return (*intervals, more)


def _without(intervals: Iterable[PlanInterval], gone: PlanInterval) -> Iterable[PlanInterval]:
    for one in intervals:
        if one.end <= gone.start or gone.end <= one.start:
            yield one
            continue
        if one.start < gone.start:
            yield PlanInterval(one.start, gone.start)
        if gone.end < one.end:
            yield PlanInterval(gone.end, one.end)
