"""The pages, the live stream, one number's page and the status of the plant."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, StreamingResponse

from dashboards import live, service
from dashboards.model import Lookup, PagesMissing, SiteFacts, Status
from mes.access.guard import ReadTx, authenticate, on_loopback, opened, plant_of, require
from mes.access.model import Caller, NotFound, NotSignedIn, Permission
from mes.kernel.db import DatabaseBusy, DatabaseUnavailable

STATIC: Final = Path(__file__).parent / "static"
SHELL: Final = "a page without any plant data; what it shows it fetches with the reader's rights"

_ALWAYS_FRESH: Final = {"Cache-Control": "no-cache"}
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.live = live.Hub()
    app.state.before_stop.append(app.state.live.close)
    following = asyncio.create_task(live.tail(app.state.plant.db, app.state.live), name="live-tail")
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


router = APIRouter(lifespan=_lifespan)
api = APIRouter(prefix="/api/v1", tags=["pages"])


@api.get("/site")
async def site(
    request: Request, _caller: Annotated[Caller, require(Permission.PLANT_VIEW)], tx: ReadTx
) -> SiteFacts:
    """Return zone, currency, terminals and ERP of this site."""
    settings = plant_of(request).settings
    return await service.site(tx, settings, demo=settings.demo and on_loopback(request))


@api.get("/status")
async def status(request: Request, caller: Annotated[Caller, require(Permission.STATUS_VIEW)]) -> Status:
    """Return how the whole plant stands, as `lineside status --json` prints it."""
    plant = plant_of(request)
    tree = await service.processes(plant.settings)
    async with plant.db.read() as tx:
        return await service.status(
            tx, plant.settings, tree, with_money=Permission.COST_VIEW in caller.permissions
        )


@api.get("/lookup/{number}")
async def lookup(
    request: Request, number: str, caller: Annotated[Caller, require(Permission.PLANT_VIEW)], tx: ReadTx
) -> Lookup:
    """Return everything about one number: order, production, job, lot or serial number."""
    return await service.lookup(
        tx,
        number,
        currency=plant_of(request).settings.currency,
        with_costs=Permission.COST_VIEW in caller.permissions,
    )


@api.get("/live", response_class=StreamingResponse)
async def listen(
    request: Request, _caller: Annotated[Caller, require(Permission.PLANT_VIEW)]
) -> StreamingResponse:
    """Stream what changes (server-sent events `change`, `beat`, `reset`)."""

    async def still_allowed() -> bool:
        try:
            await authenticate(request)
        except NotSignedIn:
            return False
        except (DatabaseUnavailable, DatabaseBusy):
            return True
        return True

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    messages = live.stream(request.app.state.live, still_allowed)
    return StreamingResponse(messages, media_type="text/event-stream", headers=headers)


def _page(name: str) -> FileResponse:
    return _file(name, _ALWAYS_FRESH)


def _file(name: str, headers: dict[str, str]) -> FileResponse:
    path = STATIC / name
    if not path.is_file():
        if not (STATIC / "board.html").exists():
            raise PagesMissing
        raise NotFound
    return FileResponse(path, headers=headers)


pages = APIRouter(include_in_schema=False, dependencies=[opened(SHELL)])


@pages.get("/")
@pages.get("/board")
@pages.get("/sign-in")
@pages.get("/o/{number:path}")
async def desk_page() -> FileResponse:
    """Give the page for desks and walls; it finds out by its address what to show."""
    return _page("board.html")


@pages.get("/planner")
async def planner_page() -> FileResponse:
    """Give the planner's page."""
    return _page("planner.html")


@pages.get("/terminal")
@pages.get("/terminal/")
@pages.get("/terminal/{unit}")
@pages.get("/terminal.html")
async def terminal_page() -> FileResponse:
    """Give the operator's page; the device keeps it for the time without a network."""
    return _page("terminal.html")


@pages.get("/sw.js")
@pages.get("/icon.svg")
@pages.get("/terminal.webmanifest")
async def page_file(request: Request) -> FileResponse:
    """Give one of the few files that have a fixed name."""
    return _page(request.url.path.removeprefix("/"))


@pages.get("/assets/{name}")
async def asset(name: str) -> FileResponse:
    """Give a script or style sheet; its name holds the hash of its content."""
    return _file(f"assets/{Path(name).name}", _FOR_EVER)


router.include_router(api)
router.include_router(pages)
