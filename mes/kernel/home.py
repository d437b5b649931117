"""Where Lineside keeps its data; standard library only, the bootstrap needs it too."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path


def default_home() -> Path:
    """Return `LINESIDE_HOME`, else the platform's data folder, `/var/lib/lineside` as root."""
    chosen = os.environ.get("LINESIDE_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "lineside"
    if os.geteuid() == 0:
        return Path("/var/lib/lineside")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "lineside"
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "lineside"


SOCKET_PATH_LIMIT = 90
"""Bytes; a Unix socket's path ends at 104 on macOS and 108 on Linux (unix(7))."""


def sockets(home: Path) -> Path:
    """Return a folder with a short path for Unix sockets: `run`, else one in the system's own."""
    run = home / "run"
    if len(str(run)) <= SOCKET_PATH_LIMIT:
        return run
    digest = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"lineside-{os.getuid()}-{digest}"
