"""The product's import graph, built once per run."""

from functools import lru_cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGES = ("edge", "mes", "planner", "erp_bridge", "dashboards")


@lru_cache(maxsize=1)
def graph() -> grimp.ImportGraph:
    """Return who imports whom, foreign packages too."""
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def own(module: str) -> bool:
    """Say whether a module is ours."""
    return module.partition(".")[0] in PACKAGES


@lru_cache(maxsize=1)
def sources() -> tuple[Path, ...]:
    """Return every Python file of the product, generated ones left out."""
    found = (
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "node_modules" not in path.parts and not path.name.endswith("_pb2.py")
    )
    return tuple(found)
