"""Tryton's JSON-RPC: sessions, tagged values, and what each failure means."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from erp_bridge.adapter import Connection, ErpLoginRefused, ErpUnavailable, OutcomeUnknown

Row = dict[str, Any]
"""A record of Tryton, by the names of its fields."""

TIMEOUT_S = 60.0
"""Tryton answers one call at a time on SQLite; a batch of fifty movements takes some seconds."""


class Refused(Exception):
    """Tryton refused the call and rolled it back; its own words."""


class Busy(Exception):
    """Tryton rolled the call back because of another one; it may pass later."""


class Rpc:
    """One session with one database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = httpx2.AsyncClient(
            base_url=f"{connection.url}/{connection.database}/",
            timeout=httpx2.Timeout(TIMEOUT_S, connect=3.0),
        )
        self._context: dict[str, Any] | None = None
        self._user: int | None = None

    async def read(self, method: str, *arguments: object) -> Any:
        """Call a method that changes nothing.

        Raises:
            ErpUnavailable: No answer, or none that makes sense, or not now.
            Refused: Tryton's own refusal.
        """
        try:
            return await self._call(method, arguments)
        except (OutcomeUnknown, Busy) as error:
            raise ErpUnavailable(detail=str(error)) from error

    async def write(self, method: str, *arguments: object) -> Any:
        """Call a method that changes something, once.

        Raises:
            ErpUnavailable: It was not sent.
            OutcomeUnknown: It was sent and no answer came.
            Refused: Tryton's own refusal; nothing changed.
            Busy: Nothing changed, try later.
        """
        return await self._call(method, arguments)

    async def search_read(
        self,
        model: str,
        domain: list[Any],
        fields: list[str],
        order: list[tuple[str, str]] | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return the records that fit, as dicts; related records are under `name.`."""
        found: list[dict[str, Any]] = await self.read(
            f"model.{model}.search_read", domain, 0, limit, order, fields
        )
        return found

    async def user(self) -> int:
        """Return the number of the account that this session is of."""
        if self._user is None:
            await self._login()
        assert self._user is not None  # noqa: S101 - who signed on has a number
        return self._user

    async def close(self) -> None:
        """Let go of the connection."""
        await self._http.aclose()

    async def _call(self, method: str, arguments: tuple[object, ...]) -> Any:
        if self._context is None:
            await self._login()
        reply = await self._post(method, [*arguments, self._context])
        if reply.status_code == httpx2.codes.UNAUTHORIZED:
            await self._login()
            reply = await self._post(method, [*arguments, self._context])
        return _result(reply)

    async def _login(self) -> None:
        user = self._connection.user
        self._http.headers.pop("Authorization", None)
        reply = await self._post("common.db.login", [user, {"password": self._connection.password}, "en"])
        if reply.status_code in {httpx2.codes.UNAUTHORIZED, httpx2.codes.TOO_MANY_REQUESTS}:
            raise ErpLoginRefused(user=user)
        session = _result(reply)
        if not session:
            raise ErpLoginRefused(user=user)
        uid, token, *_ = session
        self._user = int(uid)
        session = base64.b64encode(f"{user}:{uid}:{token}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {session}"
        preferences = await self._post("model.res.user.get_preferences", [True, {}])
        self._context = _result(preferences)

    async def _post(self, method: str, params: list[object]) -> httpx2.Response:
        body = json.dumps({"id": 1, "method": method, "params": params}, default=_encode)
        headers = {"Content-Type": "application/json"}
        try:
            return await self._http.post("rpc/", content=body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise ErpUnavailable(detail=str(error)) from error
        except httpx2.TransportError as error:
            raise OutcomeUnknown(detail=type(error).__name__) from error


def _result(reply: httpx2.Response) -> Any:
    if reply.status_code in {httpx2.codes.NOT_FOUND, httpx2.codes.SERVICE_UNAVAILABLE}:
        raise ErpUnavailable(detail=f"HTTP {reply.status_code}")
    if reply.status_code != httpx2.codes.OK:
        raise OutcomeUnknown(detail=f"HTTP {reply.status_code}")
    try:
        body = reply.json(object_hook=_decode)
        if body.get("error") is None:
            return body["result"]
        kind, *rest = body["error"]
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise OutcomeUnknown(detail=f"no answer of Tryton: {reply.text[:80]!r}") from error
    words = rest[0] if rest else ""
    if kind == "ConcurrencyException" or "database is locked" in str(kind):
        raise Busy(str(kind))
    if kind in {"UserError", "UserWarning"}:
        raise Refused(" ".join(str(part) for part in words[:2] if part))
    if kind == "LoginException":
        raise ErpLoginRefused
    raise Refused(str(kind))


def _encode(value: object) -> dict[str, Any]:
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case datetime():
            utc = value.astimezone(UTC)
            names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
            return {"__class__": "datetime", **{name: getattr(utc, name) for name in names}}
        case date():
            return {
                "__class__": "date",
                "year": value.year,
                "month": value.month,
                "day": value.day,
            }
        case timedelta():
            return {"__class__": "timedelta", "seconds": value.total_seconds()}
    msg = f"{type(value).__name__} has no place in a call to Tryton"
    raise TypeError(msg)


def _decode(plain: dict[str, Any]) -> Any:
    match plain.get("__class__"):
        case "Decimal":
            return Decimal(plain["decimal"])
        case "date":
            return date(plain["year"], plain["month"], plain["day"])
        case "datetime":
            parts = {name: plain[name] for name in plain if name != "__class__"}
            return datetime(**parts, tzinfo=UTC)
        case "timedelta":
            return timedelta(seconds=plain["seconds"])
    return plain
