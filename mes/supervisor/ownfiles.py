"""What a backup keeps beside the databases: a person's own files and the secrets of a home."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from mes.kernel import secrets
from mes.kernel.settings import SETTINGS_FILE
from mes.supervisor.paths import EDGE_CONFIG

WRITTEN = (SETTINGS_FILE, EDGE_CONFIG)
"""Files that a person writes."""
OF_THE_SERVER = "postgres"
"""Secrets of that name are the embedded server's: another server, made on another machine, has its own."""


def kept(home: Path) -> Iterator[Path]:
    """Yield what a backup keeps of a home, files and the folder of secrets."""
    yield from (home / name for name in (*WRITTEN, "secrets") if (home / name).exists())


def put_missing(home: Path, backup: Path) -> list[str]:
    """Put files and secrets of an unpacked backup where the home has none; return their names."""
    put: list[str] = []
    for name in WRITTEN:
        if (backup / name).exists() and not (home / name).exists():
            (home / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(backup / name, home / name)
            put.append(name)
    for name, value in _secrets(backup):
        if not (home / "secrets" / name).exists():
            secrets.replace(home, name, value)
            put.append(name)
    return put


def other_secrets(home: Path, backup: Path) -> list[str]:
    """Return the names of the secrets that the home has otherwise than the backup."""
    return [name for name, value in _secrets(backup) if secrets.ensure(home, name) != value]


def take_secrets(home: Path, backup: Path) -> list[str]:
    """Put the backup's secrets in place of the home's; return the names of those that were others."""
    others = other_secrets(home, backup)
    for name, value in _secrets(backup):
        if name in others:
            secrets.replace(home, name, value)
    return others


def _secrets(backup: Path) -> Iterator[tuple[str, str]]:
    folder = backup / "secrets"
    for file in sorted(folder.iterdir()) if folder.exists() else ():
        if not file.name.startswith((OF_THE_SERVER, ".")):
            yield file.name, file.read_text(encoding="ascii").strip()
