"""Make trouble: what a visitor may break in the demo plant, and the counters that stay at nought.

Exists in the demo profile on loopback only; elsewhere these routes answer 404.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from dashboards import store
from mes.access.guard import (
    CommandBody,
    commanded,
    demo_only,
    idempotency_key,
    plant_of,
    require,
    run_command,
)
from mes.access.model import Caller, Permission
from mes.execution import service as execution
from mes.inventory import service as inventory
from mes.kernel.commands import IdempotencyKeyReused
from mes.kernel.db import Database, Tx
from mes.kernel.errors import PlantError
from mes.kernel.home import sockets
from mes.kernel.ids import MaterialId, PersonId
from mes.resources import service as resources

router = APIRouter(prefix="/api/v1/trouble", tags=["trouble"], dependencies=[Depends(demo_only)])

BROKEN_S = 240
"""A broken machine is repaired after so long."""
AWAY_S = 60
"""A cut cable is plugged in again, and a stopped ERP started again, after so long."""
SOCKET_TIMEOUT_S = 20.0
REMEMBERED = 256
"""Acts whose answer is kept for those who ask again."""


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
    counters: store.drawer.Counters


@dataclass(frozen=True, slots=True)
class Made:
    """The trouble that was made, and to what."""

    kind: str
    subject: str


class Once:
    """Does an act once per key for as long as this process lives; one that failed may be tried again.

    What is done to cables and processes cannot be undone with a transaction, and one kind of trouble
    ends the database itself: these keys are not kept there.
    """

    def __init__(self) -> None:
        self._acts: OrderedDict[str, tuple[str, asyncio.Task[str]]] = OrderedDict()

    async def do(self, key: str, what: str, act: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Return the answer of `act`, which runs at most once for this key.

        Raises:
            IdempotencyKeyReused: The key was used for another act.
        """
        if key not in self._acts:
            self._acts[key] = (what, asyncio.create_task(act()))
            if len(self._acts) > REMEMBERED:
                self._acts.popitem(last=False)
        before, task = self._acts[key]
        if before != what:
            raise IdempotencyKeyReused(key=key)
        try:
            return await asyncio.shield(task)
        except PlantError:
            self._acts.pop(key, None)
            raise


def once_of(request: Request) -> Once:
    """Return the memory of the running application."""
    state = request.app.state
    if not hasattr(state, "trouble"):
        state.trouble = Once()
    memory: Once = state.trouble
    return memory


@router.get("")
async def show(request: Request, caller: Annotated[Caller, require(Permission.TROUBLE_VIEW)]) -> Drawer:
    """Return the kinds of trouble, what each can be done to, and the three counters."""
    plant = plant_of(request)
    active = await _active(plant.settings.home)
    async with plant.db.read() as tx:
        units = tuple(Option(unit.id, unit.name) for unit in await resources.units(tx))
        options = {"break-machine": units, "worker-home": await _workers(tx), "scrap-lot": await _lots(tx)}
        kinds = tuple(
            Trouble(kind, NEEDS.get(kind), options.get(kind, ()), active=kind in active) for kind in KINDS
        )
        counters = await store.drawer.counters(
            tx, plant.settings.erp.adapter, with_money=Permission.COST_VIEW in caller.permissions
        )
        return Drawer(kinds=kinds, counters=counters)


async def _active(home: Path) -> set[str]:
    """Return which kinds of trouble last at the moment."""
    faulted, unplugged, processes = await asyncio.gather(
        _asked(home, "plant", {"do": "faulted"}),
        _asked(home, "edge", {"do": "state"}),
        _asked(home, "control", {"do": "status"}),
    )
    down = {one["name"] for one in processes.get("processes", ()) if one["state"] != "ready"}
    lasts = {
        "break-machine": bool(faulted.get("machines")),
        "unplug-edge": bool(unplugged.get("unplugged")),
        "kill-postgres": "postgres" in down,
        "stop-erp": "erp" in down,
    }
    return {kind for kind, now in lasts.items() if now}


@router.post("/{kind}")
async def make(
    request: Request,
    kind: str,
    body: TroubleBody,
    caller: Annotated[Caller, commanded(Permission.TROUBLE_MAKE)],
) -> JSONResponse:
    """Make one kind of trouble; each ends by itself, or is mended as in a real plant."""
    if kind in FACTS:
        return await run_command(request, caller, f"trouble.{kind}", body, lambda tx: FACTS[kind](tx, body))
    if kind not in PROCESSES:
        raise TroubleUnknown(kind=kind)
    key, plant = idempotency_key(request), plant_of(request)

    async def act() -> str:
        if kind == "late-receipt":
            await _expect_a_truck(plant.db)
        socket, message = PROCESSES[kind](body)
        answer = await _ask(plant.settings.home, socket, {**message, "key": key})
        return str(message.get("equipment") or message.get("name") or answer.get("subject") or "")

    subject = await once_of(request).do(key, f"{kind} {body.model_dump_json()}", act)
    return JSONResponse({"kind": kind, "subject": subject})


async def _send_home(tx: Tx, body: TroubleBody) -> Made:
    workers = await _workers(tx)
    person = body.person or (workers[0].id if workers else None)
    if person is None:
        raise NothingToBreak(kind="worker-home")
    await execution.leave(tx, PersonId(person), "sick")
    return Made("worker-home", person)


async def _scrap_lot(tx: Tx, body: TroubleBody) -> Made:
    lots = await store.drawer.lots_in_use(tx)
    lot = body.lot or (lots[0].lot if lots else None)
    if lot is None:
        raise NothingToBreak(kind="scrap-lot")
    await inventory.scrap_lot(
        tx, lot, "damaged", {MaterialId(one.material) for one in lots if one.lot == lot}
    )
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

KINDS = (
    "break-machine",
    "rush-order",
    "late-receipt",
    "worker-home",
    "scrap-lot",
    "unplug-edge",
    "kill-postgres",
    "stop-erp",
)
"""In the order in which the drawer shows them."""

NEEDS: dict[str, Literal["equipment", "person", "lot"]] = {
    "break-machine": "equipment",
    "worker-home": "person",
    "scrap-lot": "lot",
}


async def _workers(tx: Tx) -> tuple[Option, ...]:
    people = (await resources.roster(tx, await tx.value("select now()"))).people
    return tuple(Option(one.id, one.name) for one in people if one.clocked_in)


async def _lots(tx: Tx) -> tuple[Option, ...]:
    """The lots that the jobs at work are most likely to take next."""
    lots = await store.drawer.lots_in_use(tx)
    return tuple(Option(lot.lot, f"{lot.lot} ({lot.on_hand} {lot.uom})") for lot in lots)


async def _expect_a_truck(db: Database) -> None:
    """A purchase that the plant has not heard of yet would not come late, but later."""
    async with db.read() as tx:
        if not any(receipt.quantity > 0 for receipt in await inventory.expected_receipts(tx)):
            raise NothingToBreak(kind="late-receipt")


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
