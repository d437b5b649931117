"""Calls for help: open from the call until somebody says that they come."""

from datetime import datetime

from mes.execution import store
from mes.execution.events import HelpAnswered
from mes.execution.model import COMING, HelpCall, HelpNotCalled
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId, PersonId, uuid7
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import Equipment


async def open_call(
    tx: Tx, unit: Equipment, person: PersonId, job_order: JobOrderId | None
) -> tuple[HelpCall, bool]:
    """Return the call that is open at a unit, and whether it is a new one: there is one at a time.

    Args:
        unit: Locked, so that two calls of the same moment are one.
    """
    known = await store.call_at(tx, unit.id, tx.now)
    if known is not None:
        return known, False
    return await store.insert_call(tx, uuid7(), unit.id, unit.scope, person, job_order), True


async def answer_help(tx: Tx, equipment: str) -> HelpCall:
    """Say that whoever acts comes to a unit; its call is over.

    Raises:
        EquipmentUnknown: No such unit.
        HelpNotCalled: No call is open there: nobody called, or somebody has answered.
    """
    unit = await resources.get_equipment(tx, equipment)
    call = await store.answer_call(tx, unit.id)
    if call is None:
        raise HelpNotCalled(equipment=unit.id)
    await append(
        tx,
        HelpAnswered(site=tx.site, scope=unit.scope, equipment=unit.id, call=call.id, person=call.person),
    )
    return call


async def open_calls(tx: Tx) -> list[HelpCall]:
    """Return the calls that nobody has answered, the oldest first."""
    return await store.open_calls(tx)


async def call_shown(tx: Tx, equipment: str, now: datetime) -> HelpCall | None:
    """Return what the unit's terminal shows: the open call, or for a while who is coming."""
    return await store.latest_call(tx, equipment, now - COMING)
