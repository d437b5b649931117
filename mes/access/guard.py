"""The door of every HTTP route: who calls, may they, and as whom a command is booked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, WithJsonSchema

from mes.access import reach, service
from mes.access.model import (
    LONGEST_WAIT,
    SEEING,
    WHOLE_SITE,
    Caller,
    DemoOnly,
    IdempotencyKeyNotValid,
    NobodySignedOn,
    NotPermitted,
    NotSignedIn,
    Permission,
    TerminalTakenOver,
)
from mes.kernel.clock import utc_now
from mes.kernel.commands import IdempotencyKeyMissing, Reply, answered, execute
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.ids import PersonId
from mes.kernel.log import get_logger
from mes.kernel.outbox import to_json
from mes.kernel.settings import Settings

log = get_logger(__name__)

COOKIE = "lineside_session"
"""Over https it is `__Host-lineside_session`: bound to this host, sent by TLS only."""


COMMAND_KEY = "Idempotency-Key"

CommandKey = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "format": "uuid"}),
    Header(alias=COMMAND_KEY, description="Made by the caller for this act; a retry sends the same."),
]
Terminal = Annotated[
    str | None,
    WithJsonSchema({"type": "string"}),
    Header(alias="X-Terminal", description="Unit whose terminal sends it: its person does the act."),
]
SignOnReceipt = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "format": "uuid"}),
    Header(alias="X-Sign-On", description="Receipt of the sign-on that the act was done under."),
]
WaitedS = Annotated[
    str | None,
    WithJsonSchema({"type": "number", "minimum": 0}),
    Header(
        alias="X-Waited-S",
        description="Seconds that the act has waited in its device.",
    ),
]


class PersonDirectory(Protocol):
    """Who the people are; the app gives it, because people are known a layer above."""

    async def __call__(self, tx: Tx, person: PersonId, at: datetime, /) -> object:
        """Return a person's card: id, name and the skills that hold at `at`."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What the routes of one `serve` process share."""

    db: Database
    settings: Settings
    person_card: PersonDirectory


class CommandBody(BaseModel):
    """The body of a command; unknown fields are refused.

    Args:
        device_time: What the device's clock showed then: kept with the command for people to read. It
            dates nothing; `business_time` says when an act was.
    """

    model_config = ConfigDict(extra="forbid")

    device_time: AwareDatetime | None = None


def plant_of(request: Request) -> Plant:
    """Return what the routes share."""
    plant: Plant = request.app.state.plant
    return plant


async def _read_tx(request: Request) -> AsyncIterator[Tx]:
    async with plant_of(request).db.read() as tx:
        yield tx


ReadTx = Annotated[Tx, Depends(_read_tx, scope="function")]
"""A read-only transaction: one snapshot for the whole reply, over before a slow browser takes it.

A handler names its caller first: who calls is read in a session of its own, and whoever holds one and
waits for another waits for ever, with all the others who do.
"""


def cookie_name(request: Request) -> str:
    """Return the session cookie's name on this connection."""
    return f"__Host-{COOKIE}" if came_by_tls(request) else COOKIE


def came_by_tls(request: Request) -> bool:
    """Say whether the browser speaks TLS: to us, or to the proxy that `http.url` names.

    No header is believed for it but the name that the browser asked for: what comes under the name of
    an https address came through that proxy.
    """
    if request.url.scheme == "https":
        return True
    http = plant_of(request).settings.http
    return http.secure and request.url.hostname == urlsplit(http.url).hostname


class Requirement:
    """The permission that a route needs."""

    def __init__(self, permission: Permission, *, placed: bool) -> None:
        self.permission = permission
        self.placed = placed

    async def __call__(self, request: Request) -> Caller:
        """Return who calls.

        Raises:
            NotSignedIn: No good session or token.
            NotPermitted: Signed in, but without the permission here.
        """
        caller = await authenticate(request)
        if self.permission not in caller.permissions:
            raise NotPermitted(permission=self.permission.value)
        if not (self.placed or self.permission in SEEING):
            caller.check(self.permission, WHOLE_SITE)
        return caller


class CommandRequirement(Requirement):
    """The permission that a route which runs a command needs, and the headers that the command reads.

    FastAPI describes them from here, and takes every text; `run_command` judges them, for a caller who may.
    """

    async def __call__(
        self,
        request: Request,
        idempotency_key: CommandKey = None,  # noqa: ARG002 - described
        x_terminal: Terminal = None,  # noqa: ARG002 - described
        x_sign_on: SignOnReceipt = None,  # noqa: ARG002 - described
        x_waited_s: WaitedS = None,  # noqa: ARG002 - described
    ) -> Caller:
        """Return who calls, as every requirement does."""
        return await super().__call__(request)


class Opening:
    """A route that anybody may call, and why that is right."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def __call__(self) -> None:
        """Let everybody in."""


def require(permission: Permission, *, placed: bool = False) -> Any:
    """Return the dependency that gives the route its `Caller`, or refuses.

    Args:
        placed: What the route changes has a place in the plant, and its handler checks the caller
            there; else the permission must hold for the whole site, unless it only sees.
    """
    return Depends(Requirement(permission, placed=placed))


def commanded(permission: Permission, *, placed: bool = False) -> Any:
    """Return the dependency of a route that calls `run_command`: as `require`, with a command's headers."""
    return Depends(CommandRequirement(permission, placed=placed))


def opened(reason: str) -> Any:
    """Return the dependency of a route that needs no sign-in, with the reason for it."""
    return Depends(Opening(reason))


async def authenticate(request: Request) -> Caller:
    """Find out who calls: a service by its bearer token, or a person by the session cookie.

    Raises:
        NotSignedIn: Neither is there, or it is not good any more.
    """
    plant = plant_of(request)
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    terminal = request.headers.get("x-terminal") or None
    if scheme.lower() == "bearer":
        async with plant.db.read() as tx:
            caller = await service.caller_of_token(tx, credential, terminal)
    else:
        caller = await _caller_of_cookie(request, plant, terminal)
    if caller is None:
        raise NotSignedIn
    return caller


async def _caller_of_cookie(request: Request, plant: Plant, terminal: str | None) -> Caller | None:
    token = request.cookies.get(cookie_name(request))
    if token is None:
        return None
    now = utc_now()
    async with plant.db.read() as tx:
        found = await service.caller_of_session(tx, token, terminal, now)
    if found is None:
        return None
    caller, stale = found
    if stale:
        async with plant.db.transaction(Cause(actor=caller.actor, at=now)) as tx:
            await service.keep_session(tx, token)
    return caller


FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers by which a proxy says that somebody else asks (RFC 7239, RFC 9110 7.6.3)."""


def on_loopback(request: Request) -> bool:
    """Say whether the caller sits at this machine, and is no proxy for another."""
    if request.client is None or any(header in request.headers for header in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def demo_only(request: Request) -> None:
    """Refuse unless this is the demo plant and the caller sits at this machine.

    Raises:
        DemoOnly: Production profile, or not on loopback.
    """
    if not (plant_of(request).settings.demo and on_loopback(request)):
        raise DemoOnly


async def run_command(
    request: Request,
    caller: Caller,
    kind: str,
    body: BaseModel,
    handler: Callable[[Tx], Awaitable[object]],
) -> JSONResponse:
    """Carry out a command once per Idempotency-Key and answer with its stored reply.

    Args:
        kind: Name of the command, such as `execution.report`.
        body: As sent; when the act was says `business_time`.
        handler: Does the work in the given transaction; what it returns is the reply.

    Raises:
        IdempotencyKeyMissing: The header is not there.
        IdempotencyKeyNotValid: The header is no UUID.
        NobodySignedOn: The terminal named by X-Terminal had nobody signed on then.
        TerminalTakenOver: Another session has the terminal now.
    """
    plant = plant_of(request)
    key = idempotency_key(request)
    now = utc_now()
    at = business_time(request.headers.get("x-waited-s"), now)
    try:
        caller, at = await _as_person(plant.db, caller, at, _receipt(request))
    except (NobodySignedOn, TerminalTakenOver):
        # The person may have left between a command and the second asking for its lost answer.
        done = await answer_given(request, kind, body)
        if done is None:
            raise
        return done
    cause = Cause(actor=caller.actor, at=at, terminal=caller.terminal, key=key)

    async def carry_out(tx: Tx) -> Any:
        if caller.terminal is not None:
            await service.use_terminal(tx, caller.terminal, caller.session, now)
        return to_json(await handler(tx))

    return _response(await execute(plant.db, cause, kind, _sent(request, body), carry_out))


async def answer_given(request: Request, kind: str, body: BaseModel) -> JSONResponse | None:
    """Return the stored reply of a command that comes again, or None where it is new.

    For a handler that finds something out before its transaction: nothing is asked twice for one command.

    Raises:
        IdempotencyKeyMissing: The header is not there.
        IdempotencyKeyNotValid: The header is no UUID.
        IdempotencyKeyReused: The key belongs to another command.
    """
    async with plant_of(request).db.read() as tx:
        done = await answered(tx, idempotency_key(request), kind, _sent(request, body))
    return None if done is None else _response(done)


def _sent(request: Request, body: BaseModel) -> dict[str, Any]:
    return {"path": request.url.path, "body": body.model_dump(mode="json")}


def idempotency_key(request: Request) -> str:
    """Return the request's Idempotency-Key in its canonical form.

    Raises:
        IdempotencyKeyMissing: The header is not there.
        IdempotencyKeyNotValid: The header is no UUID.
    """
    header = request.headers.get(COMMAND_KEY)
    if not header:
        raise IdempotencyKeyMissing
    try:
        return str(UUID(header))
    except ValueError as error:
        raise IdempotencyKeyNotValid from error


def business_time(waited_s: str | None, now: datetime) -> datetime:
    """Return when an act was: now by our clock, less the seconds that it has waited in its device.

    No other clock dates an act. What says nothing of a wait, nonsense, or more than `LONGEST_WAIT`
    (a device that woke in 1970 and was set since) counts as done now.

    Args:
        waited_s: The header `X-Waited-S`.
    """
    if waited_s is None:
        return now
    try:
        seconds = float(waited_s)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= LONGEST_WAIT.total_seconds():
        return now - timedelta(seconds=seconds)
    log.warning("act.wait_not_believed", waited_s=waited_s)
    return now


def _receipt(request: Request) -> UUID | None:
    """Return the receipt of the sign-on that the act was done under; one that is none is nobody's."""
    try:
        return UUID(request.headers.get("x-sign-on", ""))
    except ValueError:
        return None


async def _as_person(
    db: Database, caller: Caller, at: datetime, receipt: UUID | None
) -> tuple[Caller, datetime]:
    """Return as whom, and as of when, an act at a terminal is booked."""
    there_already = receipt is None and caller.signed_on_at is not None and caller.signed_on_at <= at
    if caller.terminal is None or there_already:
        return caller, at
    async with db.read() as tx:
        person, at = await reach.person_at(tx, caller, caller.terminal, at, receipt)
    return replace(caller, person=person), at


def _response(reply: Reply) -> JSONResponse:
    headers = {"Idempotent-Replayed": "true"} if reply.replayed else {}
    return JSONResponse(reply.body, status_code=reply.status, headers=headers)
