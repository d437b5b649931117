"""Run the benchmarks: `python -m tests.benchmarks [AREA ...]`, or `make bench ARGS="ingest"`.

An area is a module `<area>.py` or a package here with `async def run() -> list[Figure]`; words that begin
with `--` are for the area, which names those that it knows in `OPTIONS`. Each writes
`build/bench/<area>.json` and prints a table with the limit or a peer beside it. `--help` tells what there is,
and measures nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType

from tests.benchmarks.figure import Figure

HERE = Path(__file__).parent
OURS = frozenset({"__init__", "__main__", "figure"})
RESULTS = Path("build") / "bench"


def areas() -> list[str]:
    """Return the name of every area."""
    modules = {path.stem for path in HERE.glob("*.py")} | {
        path.parent.name for path in HERE.glob("*/__init__.py")
    }
    return sorted(modules - OURS)


def machine() -> str:
    """Return what the figures were measured on, with its load: a busy machine measures itself."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, load {load:.1f} at the start"
    )


def write(area: str, on: str, figures: list[Figure], *, partly: bool = False) -> Path:
    """Write the figures of an area for the documentation.

    Args:
        partly: Keep the figures that were measured before and are not among these.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{area}.json"
    before = json.loads(file.read_text()) if partly and file.exists() else {"figures": {}, "beside": {}}
    content = {
        "machine": on,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": before["figures"] | {figure.name: figure.value for figure in figures},
        "beside": before["beside"] | {figure.name: figure.beside for figure in figures if figure.beside},
    }
    file.write_text(json.dumps(content, indent=1) + "\n")
    return file


def show(area: str, on: str, figures: list[Figure]) -> None:
    """Print the figures of an area, and what they were measured on."""
    print(f"\n{area} ({on})")
    for figure in figures:
        print(f"  {figure.name:44} {figure.value:>14,.3f} {figure.unit:12} {figure.beside}")


def options(area: ModuleType) -> tuple[str, ...]:
    """Return the options that an area knows, without their dashes."""
    found: tuple[str, ...] = getattr(area, "OPTIONS", ())
    return found


def described(modules: Mapping[str, ModuleType]) -> str:
    """Return what some areas measure, and the options that they know."""
    lines = [(__doc__ or "").splitlines()[0]]
    for name, area in modules.items():
        lines += ["", f"{name}: {(area.__doc__ or '').strip()}"]
        lines += [f"  --{option}" for option in options(area)]
    return "\n".join(lines)


def main(words: list[str]) -> int:
    """Run the wanted areas, or all; return the exit code."""
    wanted = [word for word in words if not word.startswith("-")]
    given = {word.lstrip("-").partition("=")[0] for word in words if word.startswith("-")}
    if unknown := sorted(set(wanted) - set(areas())):
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(areas()) or 'none'}", file=sys.stderr)
        return 2
    modules = {area: import_module(f"tests.benchmarks.{area}") for area in wanted or areas()}
    if given & {"help", "h"}:
        print(described(modules))
        return 0
    known = sorted({option for area in modules.values() for option in options(area)} | {"help"})
    if foreign := sorted(given - set(known)):
        there_are = ", ".join(f"--{one}" for one in known)
        print(f"no option --{', --'.join(foreign)} here; there are {there_are}", file=sys.stderr)
        return 2
    for area, module in modules.items():
        on = machine()
        figures: list[Figure] = asyncio.run(module.run())
        show(area, on, figures)
        print(f"  -> {write(area, on, figures, partly='only' in given)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
