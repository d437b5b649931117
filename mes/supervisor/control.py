"""The supervisor's own socket (mode 0600): status, and stop, start or kill of one process."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mes.supervisor.paths import Paths
from mes.supervisor.tree import NoSuchProcess, Tree

TIMEOUT_S = 30.0


class NotRunning(ConnectionError):
    """No supervisor runs for this LINESIDE_HOME."""


class ControlRefused(RuntimeError):
    """The supervisor refused: there is no such process or no such request."""


async def ask(home: Path, request: str, name: str = "") -> dict[str, Any]:
    """Ask the running supervisor of `home`.

    Args:
        home: The installation.
        request: `status`, `stop`, `start`, `kill` (SIGKILL, it comes back) or `down`.
        name: The process, for stop, start and kill.

    Raises:
        NotRunning: Nothing listens.
        ControlRefused: It does not know the process or the request.
    """
    path = Paths(home).control
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NotRunning(f"no supervisor runs for {home}") from error
    try:
        writer.write(json.dumps({"do": request, "name": name}).encode() + b"\n")
        async with asyncio.timeout(TIMEOUT_S):
            line = await reader.readline()
    except (ConnectionResetError, BrokenPipeError):
        line = b""
    finally:
        writer.close()
    if not line.endswith(b"\n"):
        raise NotRunning(f"the supervisor for {home} ended")
    reply: dict[str, Any] = json.loads(line)
    if "error" in reply:
        raise ControlRefused(reply["error"])
    return reply


async def serve(path: Path, tree: Tree, down: Callable[[], None], facts: dict[str, Any]) -> asyncio.Server:
    """Answer on the socket at `path`.

    Args:
        path: Where the socket is made, closed to other accounts.
        tree: The processes.
        down: Called to stop everything.
        facts: Added to the status, such as the pages' address.
    """
    path.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            reply = await _reply(json.loads(line), tree, down, facts)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (ValueError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path=str(path))
    path.chmod(0o600)
    return server


async def _reply(
    request: dict[str, Any], tree: Tree, down: Callable[[], None], facts: dict[str, Any]
) -> dict[str, Any]:
    name = str(request.get("name", ""))
    try:
        match request.get("do"):
            case "status":
                return {**facts, "ready": tree.ready, "processes": tree.states()}
            case "stop":
                await tree.stop(name)
            case "start":
                tree.start(name)
            case "pause":
                await tree.pause(name, float(request.get("seconds", 0)))
            case "kill":
                tree.kill(name, signal.SIGKILL)
            case "down":
                down()
            case other:
                return {"error": f"no request {other!r}"}
    except NoSuchProcess as error:
        return {"error": str(error)}
    return {"done": request["do"], "name": name}
