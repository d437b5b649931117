"""Who may import whom: the contracts, and what they cannot say."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.graph import ROOT, graph, own

ADAPTER_MAY_IMPORT = {"erp_bridge.adapter", "erp_bridge.documents", "erp_bridge.reversals"}
CHECKER_MAY_IMPORT = {"planner.problem", "planner.schedule"}
KERNEL = {
    "address",
    "audit",
    "bus",
    "clock",
    "commands",
    "db",
    "errors",
    "home",
    "ids",
    "log",
    "messages",
    "outbox",
    "plugins",
    "proto",
    "quantity",
    "secrets",
    "settings",
    "topics",
}
"""A new file here is a decision: write an ADR, then add it."""

COMPOSITION = {"mes.serve", "mes.floor"}
"""Modules that put a process together may reach for every service."""


def test_the_contracts_hold() -> None:
    """.importlinter: layers, activities, edge, planner core, SQL."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:]


def test_a_store_is_private_to_its_activity() -> None:
    """`mes.execution.store`, file or folder, is imported inside `mes.execution` and nowhere else."""
    intruders = [
        f"{importer} -> {store}"
        for store in graph().modules
        if ".store." in f"{store}." and own(store)
        for importer in graph().find_modules_that_directly_import(store)
        if not importer.startswith(store.partition(".store")[0] + ".")
    ]
    assert intruders == []


def test_routes_are_private_to_the_app() -> None:
    """`api` modules are found by entry point; nobody imports them."""
    intruders = [
        f"{importer} -> {module}"
        for module in graph().modules
        if module.endswith(".api") and own(module)
        for importer in graph().find_modules_that_directly_import(module)
    ]
    assert intruders == []


def test_the_kernel_does_not_grow_unseen() -> None:
    kernel = {module.rpartition(".")[2] for module in graph().find_children("mes.kernel")}
    assert kernel == KERNEL


def test_an_adapter_knows_the_port_and_the_documents_only() -> None:
    """So that a third party can write one outside this repository."""
    wrong = [
        f"{adapter} -> {target}"
        for adapter in graph().modules
        if adapter.startswith("erp_bridge.adapters.")
        for target in graph().find_modules_directly_imported_by(adapter)
        if own(target)
        and target not in ADAPTER_MAY_IMPORT
        and not target.startswith(("erp_bridge.adapters", "mes.kernel."))
    ]
    assert wrong == []


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    imported = {
        target for target in graph().find_modules_directly_imported_by("planner.checker") if own(target)
    }
    assert imported <= CHECKER_MAY_IMPORT


@pytest.mark.parametrize(
    ("library", "home"),
    [("numba", "planner.kernel"), ("ortools", "planner.cp.cp_sat"), ("structlog", "mes.kernel.log")],
)
def test_a_dear_library_has_one_door(library: str, home: str) -> None:
    """numba is the solver's child's alone; the others bring pandas and rich along, but for their door."""
    importers = {
        module for module in graph().modules if library in graph().find_modules_directly_imported_by(module)
    }
    assert importers <= {home}


def test_no_process_loads_tables_or_coloured_tracebacks() -> None:
    """pandas and rich are most of the time in which a process starts, and we use neither."""
    modules = "mes.kernel.db, mes.migrate, mes.serve, erp_bridge.worker, planner.worker, planner.cp.search"
    look = f"import sys, {modules}; print(*sorted({{'pandas', 'rich'}} & sys.modules.keys()))"
    result = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
