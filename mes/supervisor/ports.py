"""TCP ports: the wished one when it is free, else another, the same at the next start."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1"
PORTS = 1 << 16
BACKLOG = 512
"""Connections that may wait while the API restarts."""


def choose(file: Path, wished: Mapping[str, int]) -> dict[str, int]:
    """Return a free port for each name and keep the choice in `file`.

    The port of the last start is taken again when it is free, then the wished one, then
    any.
    """
    before: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    held: list[socket.socket] = []
    chosen: dict[str, int] = {}
    for name, port in wished.items():
        bound = _first_free([before.get(name, port), port])
        held.append(bound)
        chosen[name] = bound.getsockname()[1]
    for bound in held:
        bound.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(chosen))
    return chosen


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket on `port`, or on a free one near it when it is taken.

    Raises:
        OSError: `host` is not an address of this machine.
    """
    for candidate in (*range(port, min(port + 20, PORTS)), 0):
        try:
            return _bound(host, candidate, backlog=BACKLOG)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
    raise AssertionError("port 0 is always free")


def _first_free(candidates: list[int]) -> socket.socket:
    for candidate in (*candidates, 0):
        try:
            return _bound(LOOPBACK, candidate)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
    raise AssertionError("port 0 is always free")


def _bound(host: str, port: int, backlog: int | None = None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        if backlog is not None:
            bound.listen(backlog)
    except OSError:
        bound.close()
        raise
    return bound
