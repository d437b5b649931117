"""Where Lineside keeps its data; standard library only, the bootstrap needs it too."""

from __future__ import annotations

import os
import sys
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
