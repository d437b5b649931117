"""Secrets of this installation: random at first start, one file of mode 0600 each."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

RANDOM_BYTES = 32
"""Entropy of a generated secret in bytes (256 bits)."""


def ensure(home: Path, name: str) -> str:
    """Return the secret `name` of the installation in `home`; make it when it is missing.

    Two processes that ask at once get the same value: the file is written beside its
    place and linked into it, and whoever comes second reads what the first one wrote.

    Args:
        home: The installation's `LINESIDE_HOME`.
        name: A file name without a path, such as `broker-ingest`.

    Raises:
        ValueError: `name` has a path in it.
    """
    path = _path(home, name)
    if not path.exists():
        _create(path, secrets.token_urlsafe(RANDOM_BYTES))
    return path.read_text(encoding="ascii").strip()


def replace(home: Path, name: str, value: str) -> None:
    """Store `value` as the secret `name`, in one step, whatever was there before."""
    path = _path(home, name)
    scratch = _scratch(path, value)
    scratch.replace(path)


def _path(home: Path, name: str) -> Path:
    if Path(name).name != name or name in {"", ".", ".."}:
        raise ValueError(f"a secret is named by a plain file name, not {name!r}")
    folder = home / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


def _scratch(path: Path, value: str) -> Path:
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    return scratch


def _create(path: Path, value: str) -> None:
    scratch = _scratch(path, value)
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
