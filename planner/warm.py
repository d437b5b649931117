"""Is the kernel compiled? Whoever plans must not wait half a minute for it.

The first plans after an installation are made without the kernel, while another process compiles
it into the cache; from then on loading it takes half a second. Nothing here imports numba before
it compiles.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import platform
import shutil
import sys
import tempfile
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

KERNEL = Path(__file__).with_name("kernel.py")

PROCESSOR = Path("/proc/cpuinfo")


def cache_folder() -> Path | None:
    """Where compiled code is kept: the first of the possible folders that can be written to.

    `NUMBA_CACHE_DIR`, then the data folder `LINESIDE_HOME`, then the user's own cache. None when
    all of them are closed to this user.
    """
    given, home, user = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("LINESIDE_HOME"), _user_cache()
    folders = [Path(given) if given else None, Path(home) / "cache" / "numba" if home else None, user]
    return next((folder for folder in folders if folder is not None and _is_open(folder)), None)


def _user_cache() -> Path | None:
    try:
        return Path.home() / ".cache" / "lineside" / "numba"
    except RuntimeError:  # an account without a home
        return None


def _is_open(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def use_cache() -> None:
    """Tell numba where to keep compiled code; call before the kernel is imported.

    Where nothing can be kept it is compiled for this process alone.
    """
    folder = cache_folder()
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="lineside-kernel-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def is_installed() -> bool:
    """Whether there is a compiler; without one nothing is annealed, plain Python is too slow."""
    return _numba() is not None


@cache
def _numba() -> str | None:
    try:
        return version("numba")
    except PackageNotFoundError:
        return None


def is_warm() -> bool:
    """Whether the kernel was compiled before, so that it can be loaded at once."""
    file = marker()
    return file is not None and file.exists()


def warm_up() -> None:
    """Compile the kernel into the cache; of several processes the first does it, the others wait."""
    if not is_installed():
        return
    use_cache()
    file = marker()
    if file is None or file.exists():
        return
    with file.with_suffix(".busy").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not file.exists():
            from planner import kernel

            kernel.compile_all()
            file.touch()


def marker() -> Path | None:
    """The file that says "compiled": for this kernel, this numba and this kind of processor."""
    folder, numba = cache_folder(), _numba()
    if folder is None or numba is None:
        return None
    stat = KERNEL.stat()
    text = f"{numba} {sys.version} {_processor()} {KERNEL} {stat.st_mtime_ns} {stat.st_size}"
    return folder / f"kernel-{sha256(text.encode()).hexdigest()[:16]}.ready"


@cache
def _processor() -> str:
    """What compiled code depends on: a cache may be carried to another machine."""
    if not PROCESSOR.exists():
        return f"{platform.machine()} {platform.processor()}"
    text = PROCESSOR.read_text(encoding="utf-8", errors="replace")
    names = ("model name", "flags", "Features", "CPU part")
    found = {line for line in text.splitlines() if line.startswith(names)}
    return f"{platform.machine()} {sorted(found)}"
