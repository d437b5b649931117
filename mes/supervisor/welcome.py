"""The first words of a start: the sign-in link, and the browser where there is one.

Standard library only, like the page behind the link.
"""

from __future__ import annotations

import os
import secrets
import sys
import webbrowser
from pathlib import Path

LINK_FILE = "link-token"
"""In `run`, mode 0600: the token of the sign-in link that was shown at the very start."""


def link_token(run: Path) -> str:
    """Return the token of this start's sign-in link; make it when nobody did yet."""
    file = run / LINK_FILE
    if not file.exists():
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32))
    return file.read_text().strip()


def open_browser(link: str) -> None:
    """Open the link where there is a display and a person in front of it."""
    display = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if display and sys.stdout.isatty():
        webbrowser.open(link)
