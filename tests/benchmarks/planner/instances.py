"""Public instances: where they are, and which the default run takes."""

from __future__ import annotations

import tomllib
from pathlib import Path

from planner import bench
from planner.bench import Instance

SUITE = Path(__file__).with_name("suite.toml")
DATA = Path(__file__).parents[2] / "data" / "planner"


def suite() -> dict[str, list[str]]:
    """Names of a list in `suite.toml` -> instances as `format/name`."""
    return tomllib.loads(SUITE.read_text(encoding="utf-8"))


def listed(names: list[str]) -> list[Instance]:
    """The stored instances of a list."""
    rows = {f"{row.format}/{row.name}": row for row in bench.instances(DATA)}
    return [rows[name] for name in names]


def every(folder: Path) -> list[Instance]:
    """All instances in the folders of a format."""
    return bench.instances(folder)
