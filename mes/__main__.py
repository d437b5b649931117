"""The command `lineside`; services start without loading the rest of the command line."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path


def main() -> None:
    """Run what the command line says."""
    arguments = sys.argv[1:]
    if not (arguments and run_as_service(arguments)):
        _run_command(arguments or ["--help"])


def _run_command(arguments: list[str]) -> None:
    from mes.kernel.settings import SettingsError
    from mes.supervisor.cli import app

    try:
        app(arguments)
    except SettingsError as error:
        sys.exit(f"lineside: {error}")


def run_as_service(arguments: list[str]) -> bool:
    """Run a service when `arguments` are its command; say whether they were.

    `edge run CONFIG.toml` is the one command that has an argument.
    """
    name = arguments[0]
    if name not in entry_points(group="mes.services").names or "--help" in arguments:
        return False
    if arguments[:2] == ["edge", "run"] and len(arguments) == 3:
        os.environ["LINESIDE_EDGE__CONFIG"] = str(Path(arguments.pop()).absolute())
    if arguments not in ([name], [name, "run"]):
        return False
    from mes.kernel.settings import SettingsError
    from mes.supervisor.worker import run_service

    try:
        run_service(name)
    except SettingsError as error:
        sys.exit(f"lineside {name}: {error}")
    return True


if __name__ == "__main__":
    main()
