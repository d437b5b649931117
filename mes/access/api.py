"""Signing in and out, who am I, and people at terminals."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mes.access import service
from mes.access.guard import (
    CommandBody,
    ReadTx,
    WaitedS,
    business_time,
    came_by_tls,
    cookie_name,
    demo_only,
    on_loopback,
    opened,
    plant_of,
    require,
)
from mes.access.model import SESSION_LIFETIME, Caller, Permission, SignOn
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause
from mes.kernel.ids import PersonId

router = APIRouter(prefix="/api/v1")

SIGNED_OUT = "actor:nobody"
"""Actor of what happens before anybody is signed in."""


class LinkToken(BaseModel):
    """The token of a one-time link."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, Field(max_length=200)]


class Credentials(BaseModel):
    """An account and its password."""

    model_config = ConfigDict(extra="forbid")
    account: Annotated[str, Field(max_length=100)]
    password: Annotated[str, Field(max_length=1000)]


class BadgeAndPin(BaseModel):
    """What a person shows and knows at a terminal."""

    model_config = ConfigDict(extra="forbid")
    badge: Annotated[str, Field(max_length=100)]
    pin: Annotated[str, Field(max_length=20)]


class DemoPerson(BaseModel):
    """Whom to work as in the demo plant."""

    model_config = ConfigDict(extra="forbid")
    person: Annotated[str, Field(max_length=100)]


class Language(BaseModel):
    """A language of the pages."""

    model_config = ConfigDict(extra="forbid")
    language: Annotated[str, Field(pattern=r"^(en|zh-CN|zh-TW|)$")]


@dataclass(frozen=True, slots=True)
class Me:
    """Who is signed in, and what the pages may offer."""

    account: str
    roles: list[str]
    permissions: list[str]
    language: str
    site: str
    timezone: str
    demo: bool


@dataclass(frozen=True, slots=True)
class SignedOn:
    """The person who works at a terminal now, and the receipt to show with what they do."""

    terminal: str
    person: object
    receipt: UUID


@router.post("/sign-in/link", dependencies=[opened("the token in the body is the credential")])
async def sign_in_by_link(request: Request, body: LinkToken, response: Response) -> dict[str, str]:
    """Use up a one-time link and set the session cookie."""
    cause = Cause(actor=SIGNED_OUT, at=utc_now())
    async with plant_of(request).db.transaction(cause) as tx:
        opened_session = await service.sign_in_by_link(tx, body.token)
    _set_cookie(request, response, opened_session.token)
    return {"account": opened_session.account}


@router.post("/sign-in", dependencies=[opened("the password in the body is the credential")])
async def sign_in(request: Request, body: Credentials, response: Response) -> dict[str, str]:
    """Check account and password and set the session cookie."""
    cause = Cause(actor=SIGNED_OUT, at=utc_now())
    opened_session = await service.sign_in(plant_of(request).db, cause, body.account, body.password)
    _set_cookie(request, response, opened_session.token)
    return {"account": opened_session.account}


@router.post("/sign-out", dependencies=[opened("ends only the caller's own session")])
async def sign_out(request: Request, response: Response) -> dict[str, str]:
    """End this session and delete its cookie."""
    name = cookie_name(request)
    token = request.cookies.get(name)
    if token is not None:
        cause = Cause(actor=SIGNED_OUT, at=utc_now())
        async with plant_of(request).db.transaction(cause) as tx:
            await service.sign_out(tx, token)
    response.delete_cookie(name, path="/", secure=came_by_tls(request), httponly=True, samesite="lax")
    return {}


@router.get("/me")
async def me(request: Request, caller: Annotated[Caller, require(Permission.PLANT_VIEW)]) -> Me:
    """Return who is signed in."""
    settings = plant_of(request).settings
    return Me(
        account=caller.account,
        roles=sorted(role.value for role in caller.roles),
        permissions=sorted(permission.value for permission in caller.permissions),
        language=caller.language,
        site=settings.site,
        timezone=settings.site_tz,
        demo=settings.demo and on_loopback(request),
    )


@router.post("/me/language")
async def speak(
    request: Request, body: Language, caller: Annotated[Caller, require(Permission.PLANT_VIEW)]
) -> dict[str, str]:
    """Keep the language of the signed-in account's pages."""
    cause = Cause(actor=caller.actor, at=utc_now())
    async with plant_of(request).db.transaction(cause) as tx:
        await service.speak(tx, caller.account, body.language)
    return {"language": body.language}


@router.get("/terminals")
async def terminals(
    caller: Annotated[Caller, require(Permission.PLANT_VIEW)], tx: ReadTx
) -> list[service.TerminalCard]:
    """Return every terminal and who is there."""
    return await service.terminals(tx, caller, utc_now())


@router.post("/terminals/{terminal}/sign-on")
async def sign_on(
    request: Request,
    terminal: str,
    body: BadgeAndPin,
    caller: Annotated[Caller, require(Permission.TERMINAL_USE, placed=True)],
) -> SignedOn:
    """Let the person with this badge and PIN work at the terminal."""
    cause = Cause(actor=caller.actor, at=utc_now(), terminal=terminal)
    taken = await service.sign_on(
        plant_of(request).db, cause, caller, terminal, badge=body.badge, pin=body.pin
    )
    return await _card(request, taken)


@router.post("/terminals/{terminal}/sit-down")
async def sit_down(
    request: Request,
    terminal: str,
    body: DemoPerson,
    caller: Annotated[Caller, require(Permission.TERMINAL_SIT_DOWN, placed=True)],
) -> SignedOn:
    """Work at the terminal as a demo person; demo plant on this machine only."""
    demo_only(request)
    plant = plant_of(request)
    cause = Cause(actor=caller.actor, at=utc_now(), terminal=terminal)
    async with plant.db.transaction(cause) as tx:
        await plant.person_card(tx, PersonId(body.person), tx.now)
        taken = await service.sit_down(tx, caller, terminal, PersonId(body.person))
    return await _card(request, taken)


@router.post("/terminals/{terminal}/sign-off")
async def sign_off(
    request: Request,
    terminal: str,
    caller: Annotated[Caller, require(Permission.TERMINAL_USE, placed=True)],
    body: CommandBody | None = None,  # noqa: ARG001 - its device_time is for people to read
    x_waited_s: WaitedS = None,
) -> dict[str, str]:
    """Leave the terminal; once is enough, so it needs no Idempotency-Key."""
    at = business_time(x_waited_s, utc_now())
    cause = Cause(actor=caller.actor, at=at, terminal=terminal)
    async with plant_of(request).db.transaction(cause) as tx:
        await service.sign_off(tx, caller, terminal)
    return {}


@router.post("/terminals/{terminal}/in-use")
async def in_use(
    request: Request,
    terminal: str,
    caller: Annotated[Caller, require(Permission.TERMINAL_USE, placed=True)],
) -> dict[str, str]:
    """Say that somebody looks at the terminal: the simulator keeps away for a minute."""
    now = utc_now()
    cause = Cause(actor=caller.actor, at=now, terminal=terminal)
    async with plant_of(request).db.transaction(cause) as tx:
        await service.use_terminal(tx, terminal, caller.session, now)
    return {}


async def _card(request: Request, taken: SignOn) -> SignedOn:
    plant = plant_of(request)
    async with plant.db.read() as tx:
        card = await plant.person_card(tx, taken.person, taken.last_used_at)
        return SignedOn(taken.terminal, card, taken.receipt)


def _set_cookie(request: Request, response: Response, token: str) -> None:
    response.set_cookie(
        cookie_name(request),
        token,
        path="/",
        max_age=int(SESSION_LIFETIME.total_seconds()),
        secure=came_by_tls(request),
        httponly=True,
        samesite="lax",
    )
