"""Routes of the bridge: status, documents, lanes, repairs, reconciliation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from erp_bridge import service
from erp_bridge.embedded_erp import SECRETS, VISITOR, web_client_ready
from erp_bridge.service import ErpStatus
from erp_bridge.store.comparison import Difference
from erp_bridge.store.lanes import DocumentRow, LaneRow
from erp_bridge.store.records import Refusal
from mes.access.guard import CommandBody, ReadTx, commanded, demo_only, plant_of, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel import secrets
from mes.kernel.db import Tx
from mes.kernel.settings import Settings

router = APIRouter(prefix="/api/v1/erp", tags=["erp"])

Limit = Annotated[int, Query(ge=1, le=1000)]
Viewer = Annotated[Caller, require(Permission.ERP_VIEW)]


class SkipBody(CommandBody):
    """Why a document is left out."""

    reason: str


def web_url(settings: Settings) -> str:
    """Return where a person opens the ERP; empty while its web client is not there."""
    if settings.erp.web_url:
        return settings.erp.web_url
    if settings.demo and settings.erp.adapter == "tryton" and web_client_ready(settings.home):
        return f"{settings.erp.url}/#{settings.erp.database}"
    return ""


@router.get("/status")
async def status(request: Request, caller: Viewer, tx: ReadTx) -> ErpStatus:
    """Return how the link to the ERP stands; amounts only to those who may see costs."""
    settings = plant_of(request).settings
    return await service.status(
        tx, settings.erp.adapter, web_url(settings), settings.currency, with_money=_sees_money(caller)
    )


@dataclass(frozen=True)
class Visitor:
    """How a visitor of the demo opens the embedded ERP.

    Args:
        url: Empty while the web client is being installed. A record opens at
            `<url>/model/<model>/<id>`, the two parts of a document's reference.
    """

    url: str
    user: str
    password: str


@router.get("/visitor")
async def visitor(request: Request, caller: Viewer) -> Visitor:  # noqa: ARG001
    """Return the visitor's account of the embedded ERP (demo profile on loopback only)."""
    demo_only(request)
    settings = plant_of(request).settings
    password = secrets.ensure(settings.home, SECRETS[VISITOR])
    return Visitor(url=web_url(settings), user=VISITOR, password=password)


@router.get("/documents")
async def documents(
    caller: Viewer,
    tx: ReadTx,
    *,
    work_order: str | None = None,
    state: str | None = None,
    noun: str | None = None,
    limit: Limit = 200,
) -> list[DocumentRow]:
    """Return documents to the ERP, newest first; amounts only to those who may see costs."""
    rows = await service.documents(tx, work_order, state, limit, noun=noun)
    return [_shown(row, caller) for row in rows]


def _shown(row: DocumentRow, caller: Caller) -> DocumentRow:
    return row if _sees_money(caller) else service.without_money(row)


def _sees_money(caller: Caller) -> bool:
    return Permission.COST_VIEW in caller.permissions


@router.get("/lanes")
async def lanes(caller: Viewer, tx: ReadTx, limit: Limit = 200) -> list[LaneRow]:  # noqa: ARG001
    """Return lanes with open documents, the longest waiting first."""
    return await service.lanes(tx, limit)


@router.get("/refusals")
async def refusals(caller: Viewer, tx: ReadTx) -> list[Refusal]:  # noqa: ARG001
    """Return the ERP's records that the plant could not take, and why."""
    return await service.refusals(tx)


class LeaveOutBody(CommandBody):
    """Which version of a record the plant does without, and why."""

    stream: Annotated[str, Field(min_length=1, max_length=100)]
    key: Annotated[str, Field(min_length=1, max_length=1000)]
    version: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.post("/refusals/leave-out", response_model=Refusal)
async def leave_out(
    request: Request,
    body: LeaveOutBody,
    caller: Annotated[Caller, commanded(Permission.ERP_REPAIR)],
) -> JSONResponse:
    """Do without a record that the plant could not take; it comes back when the ERP changes it."""

    async def leave(tx: Tx) -> Refusal:
        return await service.leave_out(tx, body.stream, body.key, body.version, body.reason)

    return await run_command(request, caller, "erp.leave_out", body, leave)


@router.get("/reconciliation")
async def reconciliation(
    request: Request,
    caller: Viewer,
    tx: ReadTx,
) -> dict[str, Any]:
    """Return the newest comparison of both books; amounts only to those who may see costs."""
    settings = plant_of(request).settings
    outcome = await service.reconciliation(tx, settings.erp.adapter) or {"at": None, "cases": []}
    return outcome if _sees_money(caller) else service.compared_without_money(outcome)


class ExplainBody(CommandBody):
    """Why the books differ on one thing."""

    subject: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.post("/reconciliation/explain")
async def explain(
    request: Request,
    body: ExplainBody,
    caller: Annotated[Caller, commanded(Permission.ERP_REPAIR)],
) -> JSONResponse:
    """Say why the books differ on one thing: it is kept with the reason, and is no difference any more.

    Differences of value are explained by those who may see costs.
    """
    adapter = plant_of(request).settings.erp.adapter

    async def keep(tx: Tx) -> list[Difference]:
        sees = _sees_money(caller)
        return await service.explain(tx, adapter, body.subject, body.reason, with_money=sees)

    return await run_command(request, caller, "erp.explain", body, keep)


@router.post("/documents/{document}/retry")
async def retry(
    request: Request,
    document: int,
    body: CommandBody,
    caller: Annotated[Caller, commanded(Permission.ERP_REPAIR)],
) -> JSONResponse:
    """Send a dead document again."""

    async def again(tx: Tx) -> DocumentRow:
        return _shown(await service.retry(tx, document), caller)

    return await run_command(request, caller, "erp.retry", body, again)


class RetryAllBody(CommandBody):
    """Which refused documents are sent again."""

    code: Annotated[str, Field(min_length=1, max_length=100)]


class SentAgain(BaseModel):
    documents: int


@router.post("/documents/retry", response_model=SentAgain)
async def retry_all(
    request: Request,
    body: RetryAllBody,
    caller: Annotated[Caller, commanded(Permission.ERP_REPAIR)],
) -> JSONResponse:
    """Send all documents again that the ERP refused with one code, once its cause is mended."""

    async def again(tx: Tx) -> dict[str, int]:
        return {"documents": await service.retry_all(tx, body.code)}

    return await run_command(request, caller, "erp.retry_all", body, again)


@router.post("/documents/{document}/skip")
async def skip(
    request: Request,
    document: int,
    body: SkipBody,
    caller: Annotated[Caller, commanded(Permission.ERP_REPAIR)],
) -> JSONResponse:
    """Leave a dead document out for good."""

    async def leave_out(tx: Tx) -> DocumentRow:
        return _shown(await service.skip(tx, document, body.reason), caller)

    return await run_command(request, caller, "erp.skip", body, leave_out)
