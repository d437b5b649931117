"""Readiness, by the protocol of systemd's sd_notify: `READY=1` on a datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

VARIABLE = "NOTIFY_SOCKET"
NAME_KEY = "X_LINESIDE_SERVICE"


def notify(service: str, state: str = "READY=1") -> None:
    """Tell whoever started this process about its state; nobody listening is fine."""
    address = os.environ.get(VARIABLE)
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(f"{state}\n{NAME_KEY}={service}\n".encode(), address.replace("@", "\0", 1))
        except (FileNotFoundError, ConnectionRefusedError):
            return


class Listener(asyncio.DatagramProtocol):
    """Receives the children's notifications."""

    def __init__(self, heard: Callable[[str, str], None]) -> None:
        """Call `heard(service, state)` for each notification."""
        self._heard = heard

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        fields = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
        name = fields.pop(NAME_KEY, "")
        for key, value in fields.items():
            self._heard(name, f"{key}={value}")


async def listen(path: Path, heard: Callable[[str, str], None]) -> asyncio.DatagramTransport:
    """Open the socket at `path`; close the transport to end."""
    path.unlink(missing_ok=True)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.settimeout(0.0)
    receiver.bind(str(path))
    path.chmod(0o600)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Listener(heard), sock=receiver)
    return transport
