"""Is the kernel compiled? Whoever plans must not wait half a minute for it.

The first plan after an installation is made without the kernel, while another process compiles it
into the cache; from then on loading it takes half a second. Nothing here imports numba.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

KERNEL = Path(__file__).with_name("kernel.py")

STALE_S = 900.0
"""A compilation that takes longer than this has died."""

POLITE = 19


def cache_folder() -> Path:
    """Where compiled code is kept: the data folder, or the user's cache without one."""
    given, home = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("LINESIDE_HOME")
    if given:
        return Path(given)
    return Path(home) / "cache" / "numba" if home else Path.home() / ".cache" / "lineside" / "numba"


def use_cache() -> None:
    """Tell numba where to keep compiled code; call before the kernel is imported."""
    os.environ["NUMBA_CACHE_DIR"] = str(cache_folder())


def is_warm() -> bool:
    """Whether the kernel can be imported at once: compiled before, or nothing to compile with."""
    file = marker()
    return file is None or file.exists()


def warm_up() -> None:
    """Compile the kernel into the cache, unless another process is at it."""
    file = marker()
    if file is None:
        return
    use_cache()
    with alone(file.with_suffix(".busy")) as is_first:
        if is_first and not file.exists():
            os.nice(POLITE)
            from planner import kernel

            file.write_text(f"{kernel.COMPILED}\n")


def warm_up_beside() -> None:
    """Compile the kernel in a process of its own that gives way to everything."""
    subprocess.Popen(
        [sys.executable, "-m", "planner", "warm"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def marker() -> Path | None:
    """The file that says "compiled", for this kernel and this numba; None without numba."""
    try:
        numba = version("numba")
    except PackageNotFoundError:
        return None
    stat = KERNEL.stat()
    text = f"{numba} {sys.version} {stat.st_mtime_ns} {stat.st_size}"
    return cache_folder() / f"kernel-{sha256(text.encode()).hexdigest()[:16]}.ready"


@contextmanager
def alone(file: Path) -> Iterator[bool]:
    """True for the first process that comes; the others are told that somebody is at it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and time.time() - file.stat().st_mtime > STALE_S:
        file.unlink(missing_ok=True)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        file.unlink(missing_ok=True)
