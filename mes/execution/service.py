"""What people do at the units: every act, by its verb."""

from datetime import timedelta
from uuid import UUID

from mes.execution import store
from mes.execution.acting import Done, actor_of
from mes.execution.calls import answer_help, get_call, open_call, open_calls, withdraw_help
from mes.execution.consuming import consume
from mes.execution.correcting import reverse
from mes.execution.counting import report
from mes.execution.course import complete, hold, resume, start
from mes.execution.events import StopReasonGiven
from mes.execution.hours import end_forgotten, leave
from mes.execution.model import HelpCall, LotOutOfReach
from mes.execution.retiring import change_plant, uses
from mes.execution.scanning import take_scan
from mes.inventory import service as inventory
from mes.kernel.db import Tx
from mes.kernel.ids import uuid7
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import ReasonKind
from mes.workorders import service as workorders

__all__ = [
    "Done",
    "answer_help",
    "call_help",
    "change_plant",
    "complete",
    "consume",
    "end_forgotten",
    "get_call",
    "give_stop_reason",
    "hold",
    "hold_lot",
    "leave",
    "open_calls",
    "report",
    "resume",
    "reverse",
    "start",
    "take_scan",
    "uses",
    "withdraw_help",
]


async def give_stop_reason(tx: Tx, equipment: str, reason: str, interval: UUID | None = None) -> UUID:
    """Note why a unit stands.

    Args:
        interval: The state interval meant; the present one when None.

    Raises:
        EquipmentUnknown: No such unit.
        ReasonMissing, ReasonUnknown: It needs one of the stop reasons.
    """
    unit = await resources.get_equipment(tx, equipment)
    code = await resources.check_reason(tx, ReasonKind.STOP, reason)
    person = resources.acting_person(tx)
    stop = uuid7()
    await store.insert_stop_reason(tx, stop, unit.id, unit.scope, interval, code, person)
    await append(
        tx,
        StopReasonGiven(
            site=tx.site,
            scope=unit.scope,
            equipment=unit.id,
            interval=interval,
            reason=code,
            person=person,
        ),
    )
    return stop


async def call_help(tx: Tx, equipment: str, waited: timedelta = timedelta()) -> HelpCall:
    """Ask for somebody to come to a unit; a call that is open there stays the only one.

    Args:
        waited: How long ago that was, when it arrived; what waited for too long calls nobody.

    Raises:
        PersonMissing: Nobody is signed on there.
        EquipmentUnknown: No such unit.
    """
    person = actor_of(tx)
    unit = await resources.lock_unit(tx, equipment)
    running = await workorders.running_on(tx, unit.id, simulated=tx.cause.simulated)
    return await open_call(tx, unit, person, None if running is None else running.id, waited)


async def hold_lot(tx: Tx, lot: str, reason: str, unit: str | None = None) -> None:
    """Forbid the use of a lot.

    Args:
        unit: Only a lot that a job there takes at `tx.now`, or that was used there; any when None.

    Raises:
        UnknownBarcode, LotNotClear: No lot is called so, or several are.
        LotOutOfReach: It has nothing to do with the unit.
        ReasonUnknown, LotEmpty: As `inventory.hold_lot`.
    """
    taken = () if unit is None else await store.materials_at(tx, unit)
    found = await inventory.get_lot(tx, lot, taken)
    if unit is not None and found.material not in taken and not await store.used_at(tx, unit, found.id):
        raise LotOutOfReach(lot=lot)
    await inventory.hold_lot(tx, found.id, reason, (found.material,))
