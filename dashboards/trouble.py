"""Make trouble: what a visitor may break in the demo plant, and the counters that stay at nought.

Exists in the demo profile on loopback only; elsewhere these routes answer 404.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from dashboards import store
from mes.access.guard import CommandBody, ReadTx, demo_only, plant_of, require, run_command
from mes.access.model import Caller, Permission
from mes.execution import service as execution
from mes.inventory import service as inventory
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.home import sockets
from mes.kernel.ids import PersonId
from mes.resources import service as resources

router = APIRouter(prefix="/api/v1/trouble", tags=["trouble"], dependencies=[Depends(demo_only)])

BROKEN_S = 240
"""A broken machine is repaired after so long."""
AWAY_S = 60
"""A cut cable is plugged in again, and a stopped ERP started again, after so long."""
SOCKET_TIMEOUT_S = 20.0


class TroubleUnknown(PlantError):
    """There is no such trouble to make."""

    http_status = 404
    remedy = "Choose one of the list."


class NothingToBreak(PlantError):
    """There is nothing to break at the moment."""

    http_status = 409
    retryable = True
    remedy = "Wait until the plant has some (a lot, a purchase, a person at work), then try again."


class PlantOutOfReach(PlantError):
    """The simulated plant does not answer."""

    http_status = 503
    retryable = True
    remedy = "It is starting again; try in a few seconds."


class TroubleBody(CommandBody):
    """What to break; the first possible thing when nothing is chosen."""

    equipment: str | None = None
    person: str | None = None
    lot: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be broken."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble.

    Args:
        needs: What is chosen for it.
        active: Whether it lasts at the moment.
    """

    kind: str
    needs: Literal["equipment", "person", "lot"] | None = None
    options: tuple[Option, ...] = ()
    active: bool = False


@dataclass(frozen=True, slots=True)
class Drawer:
    """What the drawer shows."""

    kinds: tuple[Trouble, ...]
    counters: store.Counters


@dataclass(frozen=True, slots=True)
class Made:
    """The trouble that was made, and to what."""

    kind: str
    subject: str


@router.get("")
async def show(
    request: Request, tx: ReadTx, _caller: Annotated[Caller, require(Permission.TROUBLE_VIEW)]
) -> Drawer:
    """Return the kinds of trouble, what each can be done to, and the three counters."""
    home = plant_of(request).settings.home
    faulted, unplugged, processes = await asyncio.gather(
        _asked(home, "plant", {"do": "faulted"}),
        _asked(home, "edge", {"do": "state"}),
        _asked(home, "control", {"do": "status"}),
    )
    broken = set(faulted.get("machines", ()))
    down = {one["name"] for one in processes.get("processes", ()) if one["state"] != "ready"}
    units = tuple(Option(unit.id, unit.name) for unit in await resources.units(tx))
    return Drawer(
        kinds=(
            Trouble("break-machine", "equipment", units, active=bool(broken)),
            Trouble("rush-order"),
            Trouble("late-receipt"),
            Trouble("worker-home", "person", await _workers(tx)),
            Trouble("scrap-lot", "lot", await _lots(tx)),
            Trouble("unplug-edge", active=bool(unplugged.get("unplugged"))),
            Trouble("kill-postgres", active="postgres" in down),
            Trouble("stop-erp", active="erp" in down),
        ),
        counters=await store.counters(tx),
    )


@router.post("/{kind}")
async def make(
    request: Request,
    kind: str,
    body: TroubleBody,
    caller: Annotated[Caller, require(Permission.TROUBLE_MAKE)],
) -> JSONResponse:
    """Make one kind of trouble; each ends by itself, or is mended as in a real plant."""
    if kind in FACTS:
        return await run_command(request, caller, f"trouble.{kind}", body, lambda tx: FACTS[kind](tx, body))
    if kind not in PROCESSES:
        raise TroubleUnknown(kind=kind)
    socket, message = PROCESSES[kind](body)
    answer = await _ask(plant_of(request).settings.home, socket, message)
    subject = str(message.get("equipment") or message.get("name") or answer.get("subject") or "")
    return JSONResponse({"kind": kind, "subject": subject})


async def _send_home(tx: Tx, body: TroubleBody) -> Made:
    workers = await _workers(tx)
    person = body.person or (workers[0].id if workers else None)
    if person is None:
        raise NothingToBreak(kind="worker-home")
    await execution.leave(tx, PersonId(person), "sick")
    return Made("worker-home", person)


async def _scrap_lot(tx: Tx, body: TroubleBody) -> Made:
    lots = await _lots(tx)
    lot = body.lot or (lots[0].id if lots else None)
    if lot is None:
        raise NothingToBreak(kind="scrap-lot")
    await inventory.scrap_lot(tx, lot, "damaged")
    return Made("scrap-lot", lot)


FACTS: dict[str, Callable[[Tx, TroubleBody], Awaitable[Made]]] = {
    "worker-home": _send_home,
    "scrap-lot": _scrap_lot,
}
"""Trouble that is a fact of the MES, booked like any other."""

Message = tuple[str, dict[str, Any]]

PROCESSES: dict[str, Callable[[TroubleBody], Message]] = {
    "break-machine": lambda body: (
        "plant",
        {"do": "break-machine", "equipment": body.equipment or "CNC-2", "seconds": BROKEN_S},
    ),
    "rush-order": lambda _: ("plant", {"do": "rush-order"}),
    "late-receipt": lambda _: ("plant", {"do": "late-receipt"}),
    "unplug-edge": lambda _: ("edge", {"do": "unplug", "seconds": AWAY_S}),
    "kill-postgres": lambda _: ("control", {"do": "kill", "name": "postgres"}),
    "stop-erp": lambda _: ("control", {"do": "pause", "name": "erp", "seconds": AWAY_S}),
}
"""Trouble with machines, cables and processes: done to them, not to the books."""


async def _workers(tx: Tx) -> tuple[Option, ...]:
    people = (await resources.roster(tx, await tx.value("select now()"))).people
    return tuple(Option(one.id, one.name) for one in people if one.clocked_in)


async def _lots(tx: Tx) -> tuple[Option, ...]:
    """The lots that the jobs at work are most likely to take next."""
    lots = await store.lots_in_use(tx)
    return tuple(Option(lot.lot, f"{lot.lot} ({lot.on_hand} {lot.uom})") for lot in lots)


async def _asked(home: Path, socket: str, message: dict[str, Any]) -> dict[str, Any]:
    try:
        return await _ask(home, socket, message)
    except PlantOutOfReach:
        return {}


async def _ask(home: Path, socket: str, message: dict[str, Any]) -> dict[str, Any]:
    path = sockets(home) / f"{socket}.sock"
    try:
        async with asyncio.timeout(SOCKET_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(json.dumps(message).encode() + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
        answer: dict[str, Any] = json.loads(line)
    except (OSError, TimeoutError, ValueError) as error:
        raise PlantOutOfReach(part=socket) from error
    if "error" in answer:
        raise NothingToBreak(reason=answer["error"])
    return answer
