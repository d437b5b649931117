"""A plant file is applied where the plant is at work: what it takes out of service must stand idle."""

from collections.abc import Sequence

from mes.execution import store
from mes.execution.model import PlantInUse
from mes.execution.store import Use
from mes.kernel.db import Tx
from mes.resources import service as resources
from mes.resources.model import EquipmentLevel, PlantDefinition
from mes.workorders import service as workorders


async def change_plant(tx: Tx, plant: PlantDefinition) -> None:
    """Make the plant what a definition says; jobs that wait for a unit it drops wait for another one.

    Raises:
        PlantInUse: Work runs, or is fixed, where the definition takes something out of service.
    """
    units = await _dropped(tx, plant, EquipmentLevel.WORK_UNIT)
    await workorders.free_jobs(tx, units)
    for unit in units:
        await resources.lock_unit(tx, unit)
    found = await uses(tx, plant)
    if found:
        raise PlantInUse(uses=[str(use) for use in found])
    await resources.put_plant(tx, plant)


async def uses(tx: Tx, plant: PlantDefinition) -> list[Use]:
    """Return what is at work with equipment and people that a definition has no more."""
    there = await resources.read_plant(tx, tx.now)
    placed = set() if there is None else {one.id for one in there.people}
    return await store.uses(
        tx,
        units=await _dropped(tx, plant, EquipmentLevel.WORK_UNIT),
        centers=await _dropped(tx, plant, EquipmentLevel.WORK_CENTER),
        people=sorted(placed - {one.id for one in plant.people}),
    )


async def _dropped(tx: Tx, plant: PlantDefinition, level: EquipmentLevel) -> Sequence[str]:
    kept = {one.id for one in plant.equipment}
    return [one.id for one in await resources.hierarchy(tx) if one.level is level and one.id not in kept]
