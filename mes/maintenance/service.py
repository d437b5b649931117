"""Plan, carry out and cancel the maintenance of units; see to what the plant file wants again and again."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mes.kernel.db import Tx
from mes.kernel.errors import found
from mes.kernel.ids import EquipmentId, MaintenanceNumber
from mes.kernel.outbox import append
from mes.maintenance import store
from mes.maintenance.events import (
    MaintenanceBegun,
    MaintenanceCancelled,
    MaintenanceDone,
    MaintenancePlanned,
)
from mes.maintenance.model import (
    Maintenance,
    MaintenanceDoesNotFit,
    MaintenanceDraft,
    MaintenanceOver,
    MaintenanceRunsAlready,
    MaintenanceStatus,
    MaintenanceUnknown,
)
from mes.maintenance.store import LastOfRule
from mes.resources import service as resources
from mes.resources.model import Equipment, MaintenanceRule

DAY = timedelta(days=1)
SHOWN = timedelta(days=90)
"""So long what is over is shown."""
NOT_WANTED = "not in the plant file"
"""Reason of what is cancelled because its rule or its unit is there no more."""


async def plan(tx: Tx, draft: MaintenanceDraft) -> MaintenanceNumber:
    """Have a unit maintained between two times; the plan says when.

    Args:
        draft: Its minutes and its weight are in their ranges.

    Raises:
        EquipmentUnknown, EquipmentOutOfService: No such unit is in service.
        MaintenanceDoesNotFit: It takes longer than from its earliest to its latest time.
    """
    unit = await resources.lock_unit(tx, draft.equipment)
    if draft.earliest + timedelta(minutes=draft.minutes) > draft.latest:
        raise MaintenanceDoesNotFit(minutes=draft.minutes)
    number = await store.insert_maintenance(tx, draft, unit.scope, None)
    await append(tx, _planned(tx, number, draft, unit.scope))
    return number


async def begin(tx: Tx, number: str) -> None:
    """Note that a unit is maintained from `tx.now` on.

    Raises:
        MaintenanceUnknown: No such number.
        MaintenanceOver: It was done or cancelled.
        MaintenanceRunsAlready: This, or other maintenance, runs on the unit.
    """
    one = await _lock(tx, number)
    await resources.lock_unit(tx, one.equipment)
    if await store.running_on(tx, one.equipment):
        raise MaintenanceRunsAlready(equipment=one.equipment)
    await store.begin_maintenance(tx, one.id)
    await append(tx, MaintenanceBegun(**_about(tx, one)))


async def complete(tx: Tx, number: str) -> None:
    """Note that maintenance is done at `tx.now`, begun or not; a rule counts its days from then on.

    Raises:
        MaintenanceUnknown: No such number.
        MaintenanceOver: It was done or cancelled before.
    """
    one = await _lock(tx, number)
    await store.end_maintenance(tx, one.id, MaintenanceStatus.DONE)
    await append(tx, MaintenanceDone(**_about(tx, one)))
    await plan_due(tx)


async def cancel(tx: Tx, number: str, reason: str) -> None:
    """Leave maintenance out this time; a rule wants it again so many days after its limit, or after today.

    Raises:
        MaintenanceUnknown: No such number.
        MaintenanceOver: It was done or cancelled before.
    """
    await _cancel(tx, await _lock(tx, number), reason)
    await plan_due(tx)


async def _cancel(tx: Tx, one: Maintenance, reason: str) -> None:
    await store.end_maintenance(tx, one.id, MaintenanceStatus.CANCELLED, reason)
    await append(tx, MaintenanceCancelled(**_about(tx, one), reason=reason))


async def maintenance(tx: Tx, at: datetime) -> list[Maintenance]:
    """Return what is planned or runs, and what ended in the last 90 days."""
    return await store.maintenance_since(tx, at - SHOWN)


async def open_maintenance(tx: Tx) -> list[Maintenance]:
    """Return what is planned or runs."""
    return await store.open_maintenance(tx)


async def place(tx: Tx, places: Mapping[str, tuple[datetime, datetime]]) -> None:
    """Note where the plan in force has planned maintenance; other numbers are passed over."""
    await store.place_maintenance(tx, places)


async def plan_due(tx: Tx) -> int:
    """Have planned what the plant file wants again and again, as it wants it now; return what changed.

    Of each rule one is open at a time. What is planned of a rule or a unit that is gone is cancelled.
    """
    units = {unit.id: unit for unit in await resources.units(tx)}
    rules = {rule.id: rule for rule in await resources.maintenance_rules(tx) if rule.unit in units}
    there = await store.open_maintenance(tx)
    if not rules and not there:
        return 0
    gone = [one for one in there if _is_gone(one, rules, units)]
    for one in gone:
        await _cancel(tx, one, NOT_WANTED)
    wanted = await _wanted(tx, rules)
    opened = {one.rule: one for one in there if one.rule is not None}
    changed = len(gone)
    for name, draft in wanted.items():
        changed += await _fit(tx, name, draft, units[draft.equipment], opened.get(name))
    return changed


def _is_gone(
    one: Maintenance, rules: Mapping[str, MaintenanceRule], units: Mapping[EquipmentId, Equipment]
) -> bool:
    if one.status is MaintenanceStatus.RUNNING:
        return False
    return one.equipment not in units or (one.rule is not None and one.rule not in rules)


async def _wanted(tx: Tx, rules: Mapping[str, MaintenanceRule]) -> dict[str, MaintenanceDraft]:
    if not rules:
        return {}
    zone = ZoneInfo(await resources.timezone(tx))
    last = await store.last_of_rules(tx)
    return {name: wanted_by(rule, last.get(name), zone) for name, rule in rules.items()}


def wanted_by(rule: MaintenanceRule, last: LastOfRule | None, zone: ZoneInfo) -> MaintenanceDraft:
    """Return the next maintenance by a rule: to be over at the end of its day, and not begun too early.

    Args:
        last: The last time that it was done or cancelled.
        zone: The site's: a day begins at its midnight.
    """
    day = rule.first_due
    if last is not None:
        base = last.ended_at if last.done else max(last.ended_at, last.latest - DAY)
        day = base.astimezone(zone).date() + rule.every_days * DAY
    return MaintenanceDraft(
        equipment=rule.unit,
        name=rule.name,
        minutes=rule.minutes,
        earliest=_midnight(day - (rule.window_days - 1) * DAY, zone),
        latest=_midnight(day + DAY, zone),
        weight=rule.weight,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


async def _fit(tx: Tx, rule: str, draft: MaintenanceDraft, unit: Equipment, there: Maintenance | None) -> int:
    """Let the open maintenance of a rule be what the rule wants; return 1 when it was not."""
    if there is None:
        number = await store.insert_maintenance(tx, draft, unit.scope, rule)
    elif there.status is MaintenanceStatus.RUNNING or _as_draft(there) == draft:
        return 0
    else:
        number = there.id
        await store.change_maintenance(tx, number, draft, unit.scope)
    await append(tx, _planned(tx, number, draft, unit.scope))
    return 1


def _as_draft(one: Maintenance) -> MaintenanceDraft:
    return MaintenanceDraft(**{name: getattr(one, name) for name in MaintenanceDraft.__slots__})


async def _lock(tx: Tx, number: str) -> Maintenance:
    """Return maintenance that is not over."""
    one = found(await store.lock_maintenance(tx, number), MaintenanceUnknown, maintenance=number)
    if one.ended_at is not None:
        raise MaintenanceOver(maintenance=number, state={"status": one.status.value})
    return one


def _about(tx: Tx, one: Maintenance) -> dict[str, Any]:
    return {"site": tx.site, "scope": one.scope, "maintenance": one.id, "equipment": one.equipment}


def _planned(tx: Tx, number: MaintenanceNumber, draft: MaintenanceDraft, scope: str) -> MaintenancePlanned:
    return MaintenancePlanned(
        site=tx.site,
        scope=scope,
        maintenance=number,
        equipment=draft.equipment,
        name=draft.name,
        minutes=draft.minutes,
        earliest=draft.earliest,
        latest=draft.latest,
    )
