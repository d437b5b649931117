"""From a bare machine to `lineside up`: what `make` runs before anything is installed.

Standard library only. `up` shows a page with progress on the final port at once, then
installs what is missing and hands the open port over to `lineside up`.
"""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # the oldest that is supported  # noqa: UP036
    sys.exit("Lineside needs Python 3.11 or newer: make PYTHON=python3.11 up")

sys.path[:1] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import fcntl
import hashlib
import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from mes.kernel.address import page_address
from mes.kernel.home import default_home
from mes.supervisor import ports, welcome
from mes.supervisor.progress import Progress, ProgressServer

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".lineside"
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
INSTALLER = ROOT / "requirements-uv.lock"

MOSQUITTO = Path("/usr/sbin/mosquitto")
"""Where Debian puts the broker: not on the PATH of an ordinary user."""

HIGHEST_PORT = 65535

Tell = Callable[[str, str], None]
"""Called with a stage and its state."""


class Missing(SystemExit):
    """Something must be installed by hand; the text says what."""


def main(arguments: Sequence[str]) -> None:
    """Do what the Makefile asks: `up`, `install`, `needs-of-tests`."""
    match list(arguments):
        case ["up", *rest]:
            up(rest)
        case ["install", "--dev"]:
            install(DEVELOPMENT, _quiet)
        case ["install"]:
            install(RUNTIME, _quiet)
        case ["needs-of-tests"]:
            need_for_tests()
        case _:
            raise Missing("usage: bootstrap.py up [ARGS] | install [--dev] | needs-of-tests")


def up(arguments: list[str]) -> None:
    """Serve the progress page, install, build the pages, become `lineside up`."""
    command = [str(PYTHON), "-m", "mes", "up", *arguments]
    if _runs_already():
        os.execv(command[0], command)
    host, port = _address()
    listener = ports.listen(host, port)
    url = page_address(host, listener.getsockname()[1])
    if port not in {0, listener.getsockname()[1]}:
        print(f"Port {port} is taken; the pages are on {listener.getsockname()[1]}.")
    link = f"{url}/sign-in?token={welcome.link_token(default_home() / 'run')}"
    print(f"Sign in (once): {link}", flush=True)
    progress = Progress(["tools", "packages", "pages"])
    server = ProgressServer(listener, progress)
    if "--detach" not in arguments and "--no-browser" not in arguments:
        welcome.open_browser(link)
    with _one_at_a_time():
        new = install(RUNTIME, lambda stage, state: _tell(progress, stage, state))
        compiling = _compile() if new else None
        _tell(progress, "pages", "starting")
        _call([str(PYTHON), "-m", "dashboards.build"])
        _tell(progress, "pages", "done")
    if compiling:
        compiling.terminate()
        compiling.wait()
    server.stop()
    listener.set_inheritable(True)
    os.environ["LINESIDE_HTTP__FD"] = str(listener.fileno())
    os.execv(command[0], command)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let a second start in this folder wait until the first has installed what both need."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(lock: Path, tell: Tell) -> bool:
    """Bring `.venv` to what `lock` says; return whether anything had to be installed.

    A development environment has everything that the runtime needs, and is kept for it.
    """
    tell("tools", "starting")
    if not _installed(INSTALLER):
        _make_environment()
        _note(INSTALLER)
    tell("tools", "done")
    tell("packages", "starting")
    there = _installed(lock) or (lock == RUNTIME and _installed(DEVELOPMENT) and _fits(RUNTIME))
    if not there:
        uv = [str(VENV / "bin" / "uv"), "pip"]
        where = ["--quiet", "--python", str(PYTHON)]
        _call([*uv, "sync", "--require-hashes", *where, str(lock)])
        _call([*uv, "install", "--no-deps", "--no-build-isolation", *where, "--editable", str(ROOT)])
        _note(lock)
    tell("packages", "done")
    return not there


def _compile() -> subprocess.Popen[bytes]:
    """Compile the packages beside the page build, so that ten processes need not do it at once.

    What only the solver of a large plant needs is left to it.
    """
    packages = next((VENV / "lib").glob("python3*/site-packages"))
    command = [str(PYTHON), "-m", "compileall", "-q", "-j", "0", "-x", "/(numba|llvmlite)/", str(packages)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - ours


def need_for_tests() -> None:
    """Stop with the line to type when some tests could not run.

    Raises:
        Missing: Chromium, the Chinese fonts or Mosquitto are not installed.
    """
    wanted = []
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        wanted.append("chromium")
    if not _has_chinese_font():
        wanted.append("fonts-noto-cjk")
    if not (shutil.which("mosquitto") or MOSQUITTO.exists()):
        wanted.append("mosquitto")
    if wanted:
        raise Missing(f"The tests need: apt-get install {' '.join(wanted)}")


def _has_chinese_font() -> bool:
    lister = shutil.which("fc-list")
    if lister is None:
        return any(Path("/usr/share/fonts").rglob("NotoSansCJK*"))
    shown = subprocess.run([lister, ":lang=zh-cn"], capture_output=True, check=False)  # noqa: S603 - fixed
    return bool(shown.stdout.strip())


def _make_environment() -> None:
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        raise Missing("Python's venv is missing: apt-get install python3-venv")
    if not PYTHON.exists():
        _call([sys.executable, "-m", "venv", str(VENV)])
    if not (VENV / "bin" / "pip").exists():
        _call([str(PYTHON), "-m", "ensurepip", "--upgrade"])
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    _call([*pip, "--require-hashes", "--no-deps", "-r", str(INSTALLER)])


def _installed(lock: Path) -> bool:
    return PYTHON.exists() and _stamps().get(lock.name) == _digest(lock)


def _fits(lock: Path) -> bool:
    """Say whether what is installed was locked together with this version of `lock`."""
    return _stamps().get(f"{lock.name} of dev") == _digest(lock)


def _note(lock: Path) -> None:
    stamps = {} if lock == INSTALLER else {INSTALLER.name: _digest(INSTALLER)}
    stamps[lock.name] = _digest(lock)
    if lock == DEVELOPMENT:
        stamps[f"{RUNTIME.name} of dev"] = _digest(RUNTIME)
    STAMP.write_text(json.dumps(stamps))


def _stamps() -> dict[str, str]:
    if not STAMP.exists():
        return {}
    stamps: dict[str, str] = json.loads(STAMP.read_text())
    return stamps


def _digest(lock: Path) -> str:
    """Return what an installation depends on: the lock, our metadata, the interpreter."""
    parts = (lock.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _runs_already() -> bool:
    lock = default_home() / "run" / "supervisor.lock"
    if not lock.exists() or not PYTHON.exists():
        return False
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _address() -> tuple[str, int]:
    """Return host and port of the pages, as the settings will have them.

    Raises:
        Missing: They are written so that nobody can read them.
    """
    file = default_home() / "lineside.toml"
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8")).get("http", {}) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Missing(f"{file}: {error}") from None
    if not isinstance(given, dict):
        raise Missing(f"{file}: http is a table, [http], with host and port in it")
    host = os.environ.get("LINESIDE_HTTP__HOST", str(given.get("host", "127.0.0.1")))
    port = os.environ.get("LINESIDE_HTTP__PORT", str(given.get("port", 8080)))
    if not port.isdecimal() or int(port) > HIGHEST_PORT:
        raise Missing(
            f"http.port (LINESIDE_HTTP__PORT, or in {file}) is {port!r}: a number up to {HIGHEST_PORT}"
        )
    return host, int(port)


def _call(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - our own commands
    if done.returncode != 0:
        raise Missing(f"failed: {' '.join(command)}")


def _tell(progress: Progress, stage: str, state: str) -> None:
    progress.enter(stage, state)
    if state == "starting":
        print(f"  {stage} …", flush=True)


def _quiet(_stage: str, _state: str) -> None:
    """Say nothing: there is no page and nobody waits for each step."""


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("Stopped; the next start goes on from here.")
