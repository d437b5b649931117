"""A socket on this machine (mode 0600) by which the demo's drawer reaches the plant and the edge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

MAX_LINE = 64 * 1024
TIMEOUT_S = 5.0


class ControlRefused(LookupError):
    """The request cannot be done; the text says why."""


class Control:
    """One line of JSON in, one line of JSON out; `do` names the handler."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def register(self, name: str, handler: Handler) -> None:
        """Answer requests `{"do": name}` by `handler`."""
        self._handlers[name] = handler

    async def answer(self, line: bytes) -> dict[str, Any]:
        """Return the reply to one request; a refusal is a reply with `error`."""
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, TypeError, KeyError):
            return {"error": "unknown request"}
        try:
            return await handler(request)
        except LookupError as error:
            return {"error": str(error)}

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Listen on the Unix socket `path` meanwhile."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path=str(path), limit=MAX_LINE)
        path.chmod(0o600)
        try:
            async with server:
                yield
        finally:
            path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                line = await reader.readline()
            writer.write(json.dumps(await self.answer(line)).encode() + b"\n")
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return
        finally:
            writer.close()
