"""The web application: every package's routers behind one wall, one form of refusal."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from mes.access.guard import COMMAND_KEY, Plant, opened, plant_of, require
from mes.access.model import (
    Caller,
    InternalFault,
    MethodNotAllowed,
    NotFound,
    Permission,
    RequestNotValid,
)
from mes.access.wall import Wall, known_hosts
from mes.kernel.errors import PlantError
from mes.kernel.log import get_logger
from mes.kernel.plugins import ROUTERS, entries, load
from mes.metrics import Metrics, Timed

log = get_logger(__name__)

health = APIRouter()


class Refusal(BaseModel):
    """The one form of every refusal."""

    error: str
    """Code that the pages translate, with `params`."""
    message: str
    remedy: str
    params: dict[str, Any]
    state: dict[str, Any] | None = None
    """What is true now, where the caller's picture was out of date."""


PUBLIC_HEALTH = "says only whether the process works; load balancers have no account"


@health.get("/healthz", dependencies=[opened(PUBLIC_HEALTH)])
async def healthz() -> dict[str, str]:
    """Answer as long as the process lives."""
    return {"status": "alive"}


@health.get("/readyz", dependencies=[opened(PUBLIC_HEALTH)])
async def readyz(request: Request) -> dict[str, str]:
    """Answer 200 when commands can be carried out, 503 when the database is away."""
    async with plant_of(request).db.read() as tx:
        await tx.value("select 1")
    return {"status": "ready"}


@health.get("/metrics", dependencies=[opened("figures without names; Prometheus has no account")])
async def metrics(request: Request) -> Response:
    """Return the figures of this process for Prometheus."""
    figures: Metrics = request.app.state.metrics
    return Response(await figures.exposition(plant_of(request).db), media_type=CONTENT_TYPE_LATEST)


@health.get("/api/v1/openapi.json", dependencies=[opened("the description of an open API")])
async def openapi(request: Request) -> dict[str, Any]:
    """Return the OpenAPI description of everything under /api/v1."""
    app: FastAPI = request.app
    return app.openapi()


@health.get("/api/v1/version")
async def product_version(
    caller: Annotated[Caller, require(Permission.PLANT_VIEW)],
) -> dict[str, str]:
    """Return the version that runs."""
    return {"version": version("lineside"), "site": caller.site}


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the description; a command without its key has a refusal of its own, not FastAPI's."""
        described = super().openapi()
        for path in described["paths"].values():
            for operation in path.values():
                for parameter in operation.get("parameters", ()):
                    parameter["required"] |= parameter["name"] == COMMAND_KEY
        return described


def installed_routers() -> list[APIRouter]:
    """Return the routers of every installed package (entry points `mes.routers`)."""
    return [load(found, APIRouter) for found in entries(ROUTERS).values()]


def build_app(plant: Plant, routers: Iterable[APIRouter]) -> FastAPI:
    """Return the application over `plant` with these routers.

    Args:
        routers: Usually `installed_routers()`; each carries its own prefix. What one keeps open it
            ends by a function in `app.state.before_stop`.
    """
    app = _bare(routers)
    app.state.plant = plant
    app.state.metrics = Metrics()
    app.state.before_stop = []
    app.add_exception_handler(PlantError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Wall, hosts=known_hosts(plant.settings))
    app.add_middleware(Timed, metrics=app.state.metrics)
    return app


def describe(routers: Iterable[APIRouter]) -> dict[str, Any]:
    """Return the OpenAPI description of these routers, without a running plant."""
    return _bare(routers).openapi()


def _bare(routers: Iterable[APIRouter]) -> FastAPI:
    app = _Application(
        title="Lineside",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": Refusal, "description": "Refused, and what to do about it"}},
    )
    for router in (health, *routers):
        app.include_router(router)
    return app


def _reply(request: Request, error: PlantError, headers: dict[str, str] | None = None) -> Response:
    request.app.state.metrics.refused(error)
    return JSONResponse(error.as_json(), status_code=error.http_status, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlantError)  # noqa: S101 - registered for it
    headers = {"Retry-After": "1"} if error.http_status == 503 else None
    return _reply(request, error, headers)


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    fields = [".".join(str(part) for part in found["loc"]) for found in error.errors()]
    reasons = [str(found["msg"]) for found in error.errors()]
    return _reply(request, RequestNotValid(fields=fields, reasons=reasons))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    known: dict[int, PlantError] = {404: NotFound(), 405: MethodNotAllowed()}
    refusal = known.get(error.status_code)
    if refusal is None:
        return JSONResponse({"error": "Http", "message": error.detail}, error.status_code)
    return _reply(request, refusal, dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request.failed", path=request.url.path, reason=type(error).__name__)
    return _reply(request, InternalFault())
