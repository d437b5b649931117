"""The simulated people's way into the MES: the same HTTP API that a person's terminal uses."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2

from mes.kernel.log import get_logger

logger = get_logger(__name__)

RETRY_S = 1.0
"""Pause before a command is sent again under its old key."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command answered.

    Args:
        status: HTTP status; below 300 means done.
        body: The reply, or the refusal with `error`, `params` and `state`.
    """

    status: int
    body: dict[str, Any]

    @property
    def done(self) -> bool:
        """True when the command was carried out."""
        return self.status < 300

    @property
    def error(self) -> str:
        """Code of the refusal, empty when done."""
        return "" if self.done else str(self.body.get("error", self.status))


class FloorApi:
    """A client that never gives a command up: the same key is sent until an answer comes.

    Args:
        url: Base address of the MES, such as `http://127.0.0.1:8080`.
        token: Bearer token of the simulator's account.
    """

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx2.AsyncClient(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(15.0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """Return what `path` shows, waiting out a server that is away."""
        while True:
            try:
                reply = await self._client.get(path)
            except httpx2.TransportError as error:
                logger.info("floor_api.away", path=path, reason=type(error).__name__)
            else:
                if reply.is_success:
                    return reply.json()
                logger.warning("floor_api.refused", path=path, status=reply.status_code)
            await asyncio.sleep(RETRY_S)

    async def command(
        self, path: str, body: dict[str, Any] | None = None, *, terminal: str | None = None
    ) -> Outcome:
        """Send a command until it is answered; nothing is done twice.

        Args:
            path: Below `/api/v1`.
            terminal: Unit whose terminal is used.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        if terminal is not None:
            headers["X-Terminal"] = terminal
        while True:
            try:
                reply = await self._client.post(path, json=body or {}, headers=headers)
            except httpx2.TransportError as error:
                logger.info("floor_api.away", path=path, reason=type(error).__name__)
            else:
                if reply.status_code < 500:
                    return Outcome(reply.status_code, reply.json() if reply.content else {})
            await asyncio.sleep(RETRY_S)

    async def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield the topics of each change as it happens; one empty set after each reconnect."""
        while True:
            try:
                async with self._client.stream(
                    "GET", "/live", timeout=httpx2.Timeout(15.0, read=60.0)
                ) as live:
                    yield frozenset()
                    async for line in live.aiter_lines():
                        if line.startswith("data:"):
                            yield frozenset(json.loads(line[5:]).get("topics", ()))
            except httpx2.TransportError as error:
                logger.info("floor_api.live_lost", reason=type(error).__name__)
            await asyncio.sleep(RETRY_S)
