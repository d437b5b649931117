"""The terminal's routes: its snapshot, and every act of a person at a unit."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from mes.access import reach
from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.execution import service, terminal
from mes.execution.model import HelpCall, LotUse, QuantityReport
from mes.execution.service import Done
from mes.execution.terminal import TerminalView
from mes.identification.code import Code
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId, LotNumber, PersonId, SerialNumber
from mes.resources import service as resources
from mes.workorders import service as workorders

router = APIRouter(prefix="/api/v1", tags=["execution"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]
Reporter = Annotated[Caller, commanded(Permission.WORK_REPORT, placed=True)]
Corrector = Annotated[Caller, commanded(Permission.WORK_CORRECT, placed=True)]
Helper = Annotated[Caller, commanded(Permission.HELP_ANSWER, placed=True)]
Clerk = Annotated[Caller, commanded(Permission.PERSON_CLOCK, placed=True)]
Holder = Annotated[Caller, commanded(Permission.LOT_HOLD, placed=True)]

Serials = Annotated[tuple[Code, ...], Field(max_length=1000)]
Figure = Annotated[Decimal, Field(max_digits=18, decimal_places=6)]


class AtUnit(CommandBody):
    """Where to start or resume; the terminal's own unit when missing."""

    equipment: Code | None = None


class WithReason(CommandBody):
    """Why."""

    reason: Code


class Completion(CommandBody):
    """The end of a job; `short` leaves pieces undone and says why."""

    short: bool = False
    reason: Code | None = None


class Consumption(CommandBody):
    """A lot that was scanned; without a quantity, what is still required."""

    lot: Code
    quantity: Figure | None = None
    serial: Code | None = None


class Count(CommandBody):
    """Good pieces and scrap in one gesture."""

    good: Figure = Decimal(0)
    scrap: Figure = Decimal(0)
    reason: Code | None = None
    serials: Serials = ()
    scrap_serials: Serials = ()


class Reversal(CommandBody):
    """The report or use of material to undo, and why."""

    report: UUID
    reason: Code


class StopReason(CommandBody):
    """Why a unit stands; `interval` names a stop of the past."""

    reason: Code
    interval: UUID | None = None


class StopReasonKept(CommandBody):
    """The stop reason's own id."""

    id: UUID


class ExpectedBack(CommandBody):
    """When a unit that stands is expected to run again; null where nobody can say any more."""

    back_at: AwareDatetime | None = None


class Departure(CommandBody):
    """Why a person leaves before the end of the shift."""

    reason: Code | None = None


async def _allowed(tx: Tx, caller: Caller, job_order: str) -> JobOrderId:
    """Let a caller act on a job that runs; that it runs at his terminal sees the act itself."""
    job = await workorders.get_job(tx, job_order)
    unit = job.equipment or caller.terminal
    caller.check(Permission.WORK_REPORT, f"{job.scope}/{unit}" if unit else job.scope)
    return job.id


async def _brought(tx: Tx, caller: Caller, job_order: str, unit: str | None) -> JobOrderId:
    """Let a caller bring a job to a unit that he reaches: the one named, else the terminal's."""
    job = await workorders.get_job(tx, job_order)
    goes_to = unit or caller.terminal or job.equipment
    if goes_to is None:
        caller.check(Permission.WORK_REPORT, job.scope)
    else:
        reach.check_unit(tx, caller, Permission.WORK_REPORT, goes_to, f"{job.scope}/{goes_to}")
    return job.id


@router.get("/terminals/{unit}")
async def show_terminal(unit: str, caller: Viewer, tx: ReadTx) -> TerminalView:  # noqa: ARG001 - the guard
    """Return everything the terminal of a unit shows."""
    return await terminal.show(tx, unit, utc_now())


@router.post("/job-orders/{job_order}/start", response_model=Done)
async def start(request: Request, job_order: str, body: AtUnit, caller: Reporter) -> JSONResponse:
    """Start a job."""

    async def act(tx: Tx) -> Done:
        job = await _brought(tx, caller, job_order, body.equipment)
        return await service.start(tx, job, body.equipment)

    return await run_command(request, caller, "execution.start", body, act)


@router.post("/job-orders/{job_order}/hold", response_model=Done)
async def hold(request: Request, job_order: str, body: WithReason, caller: Reporter) -> JSONResponse:
    """Interrupt a running job."""

    async def act(tx: Tx) -> Done:
        return await service.hold(tx, await _allowed(tx, caller, job_order), body.reason)

    return await run_command(request, caller, "execution.hold", body, act)


@router.post("/job-orders/{job_order}/resume", response_model=Done)
async def resume(request: Request, job_order: str, body: AtUnit, caller: Reporter) -> JSONResponse:
    """Go on with a held job."""

    async def act(tx: Tx) -> Done:
        job = await _brought(tx, caller, job_order, body.equipment)
        return await service.resume(tx, job, body.equipment)

    return await run_command(request, caller, "execution.resume", body, act)


@router.post("/job-orders/{job_order}/complete", response_model=Done)
async def complete(request: Request, job_order: str, body: Completion, caller: Reporter) -> JSONResponse:
    """End a job."""

    async def act(tx: Tx) -> Done:
        job = await _allowed(tx, caller, job_order)
        return await service.complete(tx, job, short=body.short, reason=body.reason)

    return await run_command(request, caller, "execution.complete", body, act)


@router.post("/job-orders/{job_order}/consume", response_model=Done)
async def consume(request: Request, job_order: str, body: Consumption, caller: Reporter) -> JSONResponse:
    """Use a lot for a job."""

    async def act(tx: Tx) -> Done:
        use = LotUse(
            job_order=await _allowed(tx, caller, job_order),
            lot=LotNumber(body.lot),
            quantity=body.quantity,
            serial=None if body.serial is None else SerialNumber(body.serial),
        )
        return await service.consume(tx, use)

    return await run_command(request, caller, "execution.consume", body, act)


@router.post("/job-orders/{job_order}/report", response_model=Done)
async def report(request: Request, job_order: str, body: Count, caller: Reporter) -> JSONResponse:
    """Count good pieces and scrap."""

    async def act(tx: Tx) -> Done:
        counted = QuantityReport(
            job_order=await _allowed(tx, caller, job_order),
            good=body.good,
            scrap=body.scrap,
            reason=body.reason,
            serials=tuple(SerialNumber(one) for one in body.serials),
            scrap_serials=tuple(SerialNumber(one) for one in body.scrap_serials),
        )
        return await service.report(tx, counted)

    return await run_command(request, caller, "execution.report", body, act)


@router.post("/job-orders/{job_order}/reverse", response_model=Done)
async def reverse(request: Request, job_order: str, body: Reversal, caller: Corrector) -> JSONResponse:
    """Undo a report or a use of material."""

    async def act(tx: Tx) -> Done:
        job = await workorders.get_job(tx, job_order)
        if job.equipment is None:
            caller.check(Permission.WORK_CORRECT, job.scope)
        else:
            scope = f"{job.scope}/{job.equipment}"
            reach.check_unit(tx, caller, Permission.WORK_CORRECT, job.equipment, scope)
        return await service.reverse(tx, job.id, body.report, body.reason)

    return await run_command(request, caller, "execution.reverse", body, act)


@router.post("/equipment/{equipment}/expected-back", response_model=ExpectedBack)
async def expected_back(
    request: Request, equipment: str, body: ExpectedBack, caller: Reporter
) -> JSONResponse:
    """Say when a unit that stands is expected to run again."""

    async def act(tx: Tx) -> ExpectedBack:
        unit = await resources.get_equipment(tx, equipment)
        reach.check_unit(tx, caller, Permission.WORK_REPORT, unit.id, unit.scope)
        await resources.expect_back(tx, unit.id, body.back_at)
        return ExpectedBack(back_at=body.back_at)

    return await run_command(request, caller, "execution.expected_back", body, act)


@router.post("/equipment/{equipment}/stop-reason", response_model=StopReasonKept)
async def stop_reason(request: Request, equipment: str, body: StopReason, caller: Reporter) -> JSONResponse:
    """Say why a unit stands."""

    async def act(tx: Tx) -> dict[str, UUID]:
        unit = await resources.get_equipment(tx, equipment)
        reach.check_unit(tx, caller, Permission.WORK_REPORT, unit.id, unit.scope)
        return {"id": await service.give_stop_reason(tx, unit.id, body.reason, body.interval)}

    return await run_command(request, caller, "execution.stop_reason", body, act)


@router.post("/equipment/{equipment}/help", response_model=HelpCall)
async def help_wanted(request: Request, equipment: str, body: CommandBody, caller: Reporter) -> JSONResponse:
    """Ask for somebody to come; the call that is open there already, if one is.

    A call that waited for more than 15 minutes is `late`: it is noted, and nobody is called.
    """

    async def act(tx: Tx) -> HelpCall:
        unit = await resources.get_equipment(tx, equipment)
        reach.check_unit(tx, caller, Permission.WORK_REPORT, unit.id, unit.scope)
        return await service.call_help(tx, unit.id, utc_now() - tx.now)

    return await run_command(request, caller, "execution.help", body, act)


@router.get("/help-calls")
async def help_calls(caller: Viewer, tx: ReadTx) -> list[HelpCall]:  # noqa: ARG001 - the guard
    """Return the calls for help that nobody has answered, the oldest first."""
    return await service.open_calls(tx)


@router.post("/equipment/{equipment}/help/answer", response_model=HelpCall)
async def help_comes(request: Request, equipment: str, body: CommandBody, caller: Helper) -> JSONResponse:
    """Say that you come; the call is over, and the unit's terminal shows who comes."""

    async def act(tx: Tx) -> HelpCall:
        unit = await resources.get_equipment(tx, equipment)
        caller.check(Permission.HELP_ANSWER, unit.scope)
        return await service.answer_help(tx, unit.id)

    return await run_command(request, caller, "execution.help_answer", body, act)


@router.post("/help-calls/{call}/withdraw", response_model=HelpCall)
async def help_withdrawn(request: Request, call: UUID, body: CommandBody, caller: Reporter) -> JSONResponse:
    """Say that nobody needs to come any more; a call that somebody has answered stays as it is."""

    async def act(tx: Tx) -> HelpCall:
        known = await service.get_call(tx, call)
        unit = await resources.get_equipment(tx, known.equipment)
        reach.check_unit(tx, caller, Permission.WORK_REPORT, unit.id, unit.scope)
        return await service.withdraw_help(tx, known)

    return await run_command(request, caller, "execution.help_withdraw", body, act)


@router.post("/people/{person}/clock-out")
async def clock_out(request: Request, person: str, body: Departure, caller: Clerk) -> JSONResponse:
    """Let a person go; the hours on the job at hand are booked. At a terminal one lets oneself go."""

    async def act(tx: Tx) -> None:
        await reach.check_person(tx, caller, person)
        await service.leave(tx, PersonId(person), body.reason)

    return await run_command(request, caller, "execution.leave", body, act)


@router.post("/lots/{lot}/hold")
async def hold_lot(request: Request, lot: str, body: WithReason, caller: Holder) -> JSONResponse:
    """Forbid the use of a lot: at a terminal, of one that its jobs take or that was used there."""

    async def act(tx: Tx) -> None:
        anywhere = await reach.oversees(tx, caller, Permission.LOT_HOLD)
        await service.hold_lot(tx, lot, body.reason, None if anywhere else caller.terminal or "")

    return await run_command(request, caller, "inventory.hold_lot", body, act)
