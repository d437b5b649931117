"""Keep materials and work masters as the ERP sends them; answer what a piece takes and costs."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from mes.definitions import store
from mes.definitions.events import MaterialDefined, WorkMasterVersioned
from mes.definitions.model import (
    Material,
    MaterialDraft,
    MaterialUnitChanged,
    MaterialUnknown,
    RateMissing,
    StandardPrice,
    StandardTime,
    WorkMaster,
    WorkMasterComponent,
    WorkMasterDraft,
    WorkMasterNotValid,
    WorkMasterUnknown,
)
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.outbox import append, to_json
from mes.kernel.quantity import Money
from mes.resources import service as resources
from mes.resources.model import Equipment

SECONDS_PER_HOUR = Decimal(3600)
HOURS = Decimal("0.00000001")
"""Standard hours per piece are kept to 8 decimals."""


async def put_material(tx: Tx, draft: MaterialDraft) -> None:
    """Add or change a material; another standard price holds from `tx.now` on.

    Raises:
        MaterialUnitChanged: It is known with another unit.
    """
    known = await store.find_material(tx, draft.id)
    if known is not None and known.uom != draft.uom:
        raise MaterialUnitChanged(material=draft.id, uom=known.uom, sent=draft.uom)
    changed = await store.save_material(tx, draft)
    if await store.save_price(tx, draft) or changed:
        await append(
            tx,
            MaterialDefined(
                site=tx.site,
                material=draft.id,
                name=draft.name,
                uom=draft.uom,
                standard_price=draft.standard_price,
                currency=draft.currency,
            ),
        )


async def put_work_master(tx: Tx, draft: WorkMasterDraft) -> int:
    """Add the next version of a work master if it differs; return the version that holds.

    Raises:
        WorkMasterNotValid: No operation, a number twice, an unknown work centre, a component
            twice, of an operation that is not there, or in another unit than the material's.
        MaterialUnknown: The product or a component is not known.
    """
    await _check(tx, draft)
    version, digest = await store.newest_version(tx, draft.id)
    now = _digest(draft)
    if digest == now:
        return version
    await store.save_work_master(tx, draft, version + 1, now)
    await append(
        tx,
        WorkMasterVersioned(site=tx.site, work_master=draft.id, version=version + 1, material=draft.material),
    )
    return version + 1


async def _check(tx: Tx, draft: WorkMasterDraft) -> None:
    numbers = [one.operation for one in draft.operations]
    if not numbers or len(set(numbers)) != len(numbers) or min(numbers) <= 0:
        raise WorkMasterNotValid(work_master=draft.id, place="operations")
    if draft.base_quantity <= 0:
        raise WorkMasterNotValid(work_master=draft.id, place="base_quantity")
    await get_material(tx, draft.material)
    centers = {center.id for center in await resources.work_centers(tx)}
    for operation in draft.operations:
        if operation.work_center not in centers:
            raise WorkMasterNotValid(work_master=draft.id, place=f"work centre {operation.work_center}")
    places = [(one.operation, one.material) for one in draft.components]
    for component in draft.components:
        if places.count((component.operation, component.material)) > 1:
            raise WorkMasterNotValid(work_master=draft.id, place=f"component {component.material} twice")
        material = await get_material(tx, component.material)
        fits = component.operation in numbers and component.uom == material.uom
        if not fits or component.quantity <= 0:
            raise WorkMasterNotValid(work_master=draft.id, place=f"component {component.material}")


def _digest(draft: WorkMasterDraft) -> str:
    text = json.dumps(to_json(_normal(draft)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _normal(draft: WorkMasterDraft) -> WorkMasterDraft:
    """Return the draft with its rows in order and its decimals in one form."""
    operations = (
        replace(one, run_s=one.run_s.normalize(), setup_s=one.setup_s.normalize()) for one in draft.operations
    )
    components = (replace(one, quantity=one.quantity.normalize()) for one in draft.components)
    return replace(
        draft,
        erp_ref="",
        base_quantity=draft.base_quantity.normalize(),
        operations=tuple(sorted(operations, key=lambda one: one.operation)),
        components=tuple(sorted(components, key=lambda one: (one.operation, one.material))),
    )


async def get_material(tx: Tx, material: str) -> Material:
    """Return a material.

    Raises:
        MaterialUnknown: No such code.
    """
    found = await store.find_material(tx, material)
    if found is None:
        raise MaterialUnknown(material=material)
    return found


async def materials(tx: Tx) -> list[Material]:
    """Return the site's materials, products first."""
    return await store.all_materials(tx)


async def made_here(tx: Tx) -> list[Material]:
    """Return the materials that are made at the site: it knows a work master of each."""
    return await store.made_materials(tx)


async def work_master(tx: Tx, number: str, version: int) -> WorkMaster:
    """Return one version of a work master.

    Raises:
        WorkMasterUnknown: No such version.
    """
    found = await store.find_work_master(tx, number, version)
    if found is None:
        raise WorkMasterUnknown(work_master=number, version=version)
    return found


async def work_master_for(
    tx: Tx, material: MaterialId, at: datetime, number: str | None = None
) -> WorkMaster:
    """Return how a product is made at `at`.

    Args:
        number: A certain work master of the product; the newest of any when None.

    Raises:
        WorkMasterUnknown: The product has none.
    """
    found = await store.work_master_at(tx, material, number, at)
    if found is None:
        raise WorkMasterUnknown(material=material, work_master=number)
    return found


async def standard_prices(
    tx: Tx, some: Collection[MaterialId], at: datetime
) -> dict[MaterialId, StandardPrice]:
    """Return the standard price of some materials at `at`; one without a price is left out."""
    return await store.standard_prices(tx, some, at)


async def rate(tx: Tx, kind: str, code: str, at: datetime) -> Money:
    """Return the standard rate per hour at `at`.

    Args:
        kind: `labour` (code is a rate class) or `machine` (code is a work centre).

    Raises:
        RateMissing: None was ever set.
    """
    found = await resources.rate(tx, kind, code, at)
    if found is None:
        raise RateMissing(kind=kind, code=code)
    return found


async def centers_of(tx: Tx, master: WorkMaster) -> dict[EquipmentId, Equipment]:
    """Return the work centres that a work master needs.

    Raises:
        WorkMasterNotValid: One is not in service (any more).
    """
    there = {center.id: center for center in await resources.work_centers(tx)}
    for step in master.operations:
        if step.work_center not in there:
            raise WorkMasterNotValid(work_master=master.id, place=f"work centre {step.work_center}")
    return there


async def standard_times(tx: Tx, number: str, version: int) -> tuple[StandardTime, ...]:
    """Return the standard hours of one version's operations, per piece and per setup."""
    master = await work_master(tx, number, version)
    centers = {center.id: center for center in await resources.work_centers(tx, retired=True)}
    return tuple(
        StandardTime(
            operation=one.operation,
            work_center=one.work_center,
            cost_center=centers[one.work_center].cost_center,
            labour_class=one.labour_class,
            labour_h=_hours(one.run_s),
            machine_h=_hours(one.run_s),
            setup_h=_hours(one.setup_s),
        )
        for one in master.operations
    )


async def bill(tx: Tx, number: str, version: int) -> tuple[WorkMasterComponent, ...]:
    """Return what one piece takes by one version of a work master."""
    master = await work_master(tx, number, version)
    return tuple(replace(one, quantity=one.quantity / master.base_quantity) for one in master.components)


def _hours(seconds: Decimal) -> Decimal:
    return (seconds / SECONDS_PER_HOUR).quantize(HOURS, ROUND_HALF_UP)
