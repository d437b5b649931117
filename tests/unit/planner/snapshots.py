"""A tiny plant as the planner is shown it, in a few words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mes.dispatching.model import (
    PlanEquipment,
    PlanInterval,
    PlanJobOrder,
    PlanningSnapshot,
    PlanPerson,
    PlanSetup,
    PlanWorkOrder,
)
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, PersonId, WorkOrderNumber

NOW = datetime(2026, 11, 2, 6, 0, 30, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW.replace(second=0) + timedelta(minutes=minutes)


def job(order: str, operation: int, **changes: object) -> PlanJobOrder:
    row = PlanJobOrder(
        id=JobOrderId(f"{order}-{operation}"),
        work_order=WorkOrderNumber(order),
        operation=operation,
        name="Step",
        work_center=EquipmentId("MC"),
        equipment=None,
        status="Ready",
        material=MaterialId("PUMP-40"),
        family="40",
        skill="MACHINING",
        quantity=Decimal(4),
        remaining=Decimal(4),
        good=Decimal(0),
        scrap=Decimal(0),
        run_s=Decimal(20),
        setup_s=Decimal(60),
        resumable=True,
        started_at=None,
        planned_start=None,
        planned_end=None,
        sequence=None,
        locked=False,
        predecessors=(),
        components=(),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def unit(name: str, **changes: object) -> PlanEquipment:
    row = PlanEquipment(
        id=EquipmentId(name),
        name=name,
        work_center=EquipmentId("MC"),
        calendar=(PlanInterval(at(-60), at(240)), PlanInterval(at(250), at(480))),
        state="Idle",
        down_since=None,
        down_until=None,
        down_reason=None,
        family=None,
        running=None,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def order(name: str, due: float, priority: int = 5) -> PlanWorkOrder:
    return PlanWorkOrder(
        id=WorkOrderNumber(name),
        material=MaterialId("PUMP-40"),
        quantity=Decimal(4),
        uom="pc",
        due_at=at(due),
        priority=priority,
        customer_order="SO-1",
        customer="Linde",
        promised_at=None,
        received_at=NOW,
    )


def snapshot(*jobs: PlanJobOrder, **changes: object) -> PlanningSnapshot:
    """Two alike units and two alike people, a day long; an order due each hour."""
    names = sorted({row.work_order for row in jobs})
    present = (PlanInterval(at(-60), at(480)),)
    made = PlanningSnapshot(
        at=NOW,
        until=NOW + timedelta(days=1),
        site_tz="Asia/Shanghai",
        work_centers=(),
        equipment=(unit("CNC-1"), unit("CNC-2")),
        setups=(PlanSetup(work_center=EquipmentId("MC"), from_family=None, to_family="40", seconds=61),),
        people=tuple(
            PlanPerson(id=PersonId(f"E-{i}"), skills=("MACHINING",), present=present) for i in (1, 2)
        ),
        work_orders=tuple(order(name, 60 * (i + 1)) for i, name in enumerate(names)),
        job_orders=jobs,
        stock=(),
        receipts=(),
        in_force=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
