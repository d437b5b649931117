"""The laid-out past gives believable figures at any hour of the day and of the shift."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mes.definitions.model import WorkMaster, WorkMasterOperation
from mes.kernel.ids import EquipmentId, MaterialId, PersonId
from mes.resources.calendar import windows
from mes.resources.model import EquipmentLevel
from mes.resources.service import load_plant
from mes.supervisor.past import Floor, PastOrder, lay_out
from tests.architecture.graph import ROOT

RECIPE = json.loads((ROOT / "erp_bridge/embedded/plant.json").read_text(encoding="utf-8"))
SUNDAY = datetime(2026, 11, 22, tzinfo=ZoneInfo("Asia/Shanghai"))


def masters() -> dict[MaterialId, WorkMaster]:
    """Return how the demo's pumps are made."""
    steps = RECIPE["routing"]["steps"]
    return {
        MaterialId(pump["code"]): WorkMaster(
            id=pump["code"],
            version=1,
            material=MaterialId(pump["code"]),
            effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            operations=tuple(
                WorkMasterOperation(
                    operation=step["operation"],
                    name=step["name"],
                    work_center=EquipmentId(step["work_center"]),
                    run_s=Decimal(run_s),
                    setup_s=Decimal(pump["setup_s"] if step["operation"] == 10 else 0),
                )
                for step, run_s in zip(steps, pump["run_s"], strict=True)
            ),
            components=(),
        )
        for pump in RECIPE["pumps"]
    }


def floor(span: tuple[datetime, datetime]) -> Floor:
    plant = load_plant()
    calendars = {one.code: one for one in plant.calendars}
    centers = {one.id: one for one in plant.equipment if one.level is EquipmentLevel.WORK_CENTER}
    units: dict[EquipmentId, list[EquipmentId]] = {center: [] for center in centers}
    open_at = {}
    for one in plant.equipment:
        if one.level is EquipmentLevel.WORK_UNIT and one.parent is not None:
            units[one.parent].append(one.id)
            calendar = calendars[centers[one.parent].calendar or ""]
            open_at[one.id] = windows(calendar, ZoneInfo(plant.timezone), *span)
    crews = {crew: {unit: PersonId(f"{crew}-{unit}") for unit in open_at} for crew in "ABC"}
    return Floor(units=units, windows=open_at, crews=crews)


def share(orders: list[PastOrder], unit: str, span: tuple[datetime, datetime]) -> float:
    """Return how much of a span the unit worked on orders."""
    jobs = (job for order in orders for job in order.jobs if job.equipment == unit)
    busy = sum(
        (max(min(job.ends_at, span[1]) - max(job.starts_at, span[0]), timedelta()) for job in jobs),
        timedelta(),
    )
    return busy / (span[1] - span[0])


@pytest.mark.parametrize("hour", [3, 9, 13.9, 21.5])
def test_machines_were_busy_in_the_last_hours_and_not_all_the_time(hour: float) -> None:
    ends_at = (SUNDAY + timedelta(hours=hour)).astimezone(UTC)
    span = (ends_at - timedelta(days=14), ends_at)
    plant = floor(span)
    orders = lay_out(masters(), plant, span, seed=40)
    assert len(orders) < 400
    for unit in plant.windows:
        assert 0.4 < share(orders, unit, (ends_at - timedelta(hours=8), ends_at)) < 0.95, unit
        assert share(orders, unit, (ends_at - timedelta(hours=1), ends_at)) > 0.15, unit
    assert sum(len(order.jobs) for order in orders if any(job.stop for job in order.jobs)) > 0
    assert sum(job.scrap for order in orders for job in order.jobs) > 0


def test_the_past_is_the_same_for_a_seed() -> None:
    span = (SUNDAY.astimezone(UTC) - timedelta(days=3), SUNDAY.astimezone(UTC))
    assert lay_out(masters(), floor(span), span, 7) == lay_out(masters(), floor(span), span, 7)


def test_what_a_work_centre_without_a_unit_would_have_made_is_not_in_the_past() -> None:
    span = (SUNDAY.astimezone(UTC) - timedelta(days=3), SUNDAY.astimezone(UTC))
    plant, (one, *_) = floor(span), sorted(masters())
    gone = EquipmentId("GONE")
    recipes = masters()
    step, *others = recipes[one].operations
    recipes[one] = replace(recipes[one], operations=(replace(step, work_center=gone), *others))
    assert {order.material for order in lay_out(recipes, plant, span, 7)} == recipes.keys() - {one}
