"""Public instances: where they are, which the default run takes, and what is known of them."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from planner.problem import Problem
from planner.readers import read_fjsp, read_fjsp_with_setups, read_jsp

SUITE = Path(__file__).with_name("suite.toml")
DATA = Path(__file__).parents[2] / "data" / "planner"

READERS: dict[str, Callable[[str], Problem]] = {
    "jsp": read_jsp,
    "fjsp": read_fjsp,
    "sdst": read_fjsp_with_setups,
}


@dataclass(frozen=True)
class Instance:
    """A file in a format; the name of its folder says which."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def format(self) -> str:
        return self.path.parent.name

    @cached_property
    def problem(self) -> Problem:
        return READERS[self.format](self.path.read_text(encoding="utf-8"))


def suite() -> dict[str, list[str]]:
    """Names of a list in `suite.toml` -> instances as `format/name`."""
    return tomllib.loads(SUITE.read_text(encoding="utf-8"))


def instances(names: list[str], folder: Path = DATA) -> list[Instance]:
    """The instances of a list."""
    return [Instance(folder / f"{name}.txt") for name in names]


def every(folder: Path) -> list[Instance]:
    """All instances in the folders of a format."""
    return [Instance(p) for kind in READERS for p in sorted((folder / kind).glob("*.txt"))]


def best_known() -> dict[str, int]:
    """`format/name` -> the best makespan that anyone has published."""
    with (DATA / "best_known.csv").open(encoding="utf-8") as file:
        return {row["instance"]: int(row["best"]) for row in csv.DictReader(file)}
