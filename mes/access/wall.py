"""What stands before every route: known hosts, own origin, small bodies, strict headers."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mes.access.guard import COOKIE
from mes.access.model import BodyTooLarge, HostRefused, OriginRefused
from mes.kernel.errors import PlantError
from mes.kernel.settings import Settings

BODY_LIMIT = 1024 * 1024
"""Bytes; the largest honest request (a terminal's backlog of one shift) is below 200 kB."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self'",
        "script-src 'self'",
        "worker-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Wall:
    """ASGI middleware that refuses what no page of ours sends, and dresses every reply.

    Args:
        hosts: Names by which browsers may reach us (DNS rebinding brings others).
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refusal = self.refusal(scope["method"], headers)
        if refusal is not None:
            reply = JSONResponse(refusal.as_json(), status_code=refusal.http_status)
            await reply(scope, receive, dressed)
            return
        await self.app(scope, limited(receive), dressed)

    def refusal(self, method: str, headers: Headers) -> PlantError | None:
        """Return why a request with these headers is turned away, or None."""
        if (host := _name(headers.get("host", ""))) not in self.hosts:
            return HostRefused(host=host)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return BodyTooLarge(limit=BODY_LIMIT)
        if method not in SAFE_METHODS and not from_our_pages(headers):
            return OriginRefused(origin=headers.get("origin", ""))
        return None


def from_our_pages(headers: Headers) -> bool:
    """Say whether a changing request came from our own pages, or from no browser at all.

    Browsers send Origin with every POST; a bearer token is never sent by a foreign page.
    """
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    if (origin := headers.get("origin")) is not None:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    return COOKIE not in headers.get("cookie", "")


def limited(receive: Receive) -> Receive:
    """Return `receive` that stops at the body limit, also where no length was announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_LIMIT:
            raise BodyTooLarge(limit=BODY_LIMIT)
        return message

    return counted


def known_hosts(settings: Settings) -> tuple[str, ...]:
    """Return the host names that browsers may use for this installation."""
    return (*LOOPBACK, settings.http.host.lower(), _name(urlsplit(settings.http.url).netloc))


def _name(netloc: str) -> str:
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0].lower()
    return netloc.partition(":")[0].lower()
