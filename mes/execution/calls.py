"""Calls for help: open from the call until somebody says that they come, or that nobody needs to."""

from datetime import datetime, timedelta
from uuid import UUID

from mes.execution import store
from mes.execution.events import HelpAnswered, HelpCalled, HelpCalledLate, HelpWithdrawn
from mes.execution.model import COMING, HelpCall, HelpNotCalled
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId, PersonId, uuid7
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import Equipment


async def open_call(
    tx: Tx, unit: Equipment, person: PersonId, job_order: JobOrderId | None, waited: timedelta
) -> HelpCall:
    """Return the call that is open at a unit: there is one at a time.

    A call that waited at the terminal for longer than `COMING` is an event and opens nothing: somebody
    came meanwhile, or nobody waits there any more.

    Args:
        unit: Locked, so that two calls of the same moment are one.
        waited: How long ago the call was made, when it arrived.
    """
    known = await store.call_at(tx, unit.id, tx.now)
    if known is not None:
        return known
    if waited > COMING:
        return await _note_late(tx, unit, person)
    await append(
        tx,
        HelpCalled(site=tx.site, scope=unit.scope, equipment=unit.id, job_order=job_order, person=person),
    )
    return await store.insert_call(tx, uuid7(), unit.id, unit.scope, person, job_order)


async def _note_late(tx: Tx, unit: Equipment, person: PersonId) -> HelpCall:
    job_order = await store.job_there(tx, unit.id, tx.now)
    await append(
        tx,
        HelpCalledLate(site=tx.site, scope=unit.scope, equipment=unit.id, job_order=job_order, person=person),
    )
    return HelpCall(
        id=uuid7(),
        equipment=unit.id,
        job_order=job_order,
        person=person,
        person_name=(await resources.get_person(tx, person)).name,
        since=tx.now,
        answered_by=None,
        answered_at=None,
        late=True,
    )


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


async def get_call(tx: Tx, call: UUID) -> HelpCall:
    """Return a call for help, open or over.

    Raises:
        HelpNotCalled: There is no such call.
    """
    return await store.get_call(tx, call)


async def withdraw_help(tx: Tx, call: HelpCall) -> HelpCall:
    """Take a call back and return what became of it: one that somebody has answered stays answered."""
    if await store.withdraw_call(tx, call.id):
        unit = await resources.get_equipment(tx, call.equipment)
        await append(
            tx,
            HelpWithdrawn(
                site=tx.site, scope=unit.scope, equipment=unit.id, call=call.id, person=call.person
            ),
        )
    return await store.get_call(tx, call.id)


async def open_calls(tx: Tx) -> list[HelpCall]:
    """Return the calls that nobody has answered, the oldest first."""
    return await store.open_calls(tx)


async def call_shown(tx: Tx, equipment: str, now: datetime) -> HelpCall | None:
    """Return what the unit's terminal shows: the open call, or for a while who is coming."""
    return await store.latest_call(tx, equipment, now - COMING)
