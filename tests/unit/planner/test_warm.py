"""Where compiled code is kept, and who compiles it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planner import warm
from planner.child import compile_in_child
from planner.pool import SolverPool


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No folder is given; below the returned file there can be none."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("LINESIDE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(file))
    return file


def test_compiled_code_lies_in_the_data_folder(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = nowhere.parent / "home"
    monkeypatch.setenv("LINESIDE_HOME", str(home))
    assert warm.cache_folder() == home / "cache" / "numba"


def test_a_user_who_may_not_write_there_has_his_own(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_HOME", str(nowhere))
    monkeypatch.setenv("HOME", str(nowhere.parent / "me"))
    assert warm.cache_folder() == nowhere.parent / "me" / ".cache" / "lineside" / "numba"


def test_where_nothing_can_be_written_a_command_compiles_for_itself(nowhere: Path) -> None:
    assert warm.cache_folder() is None
    assert warm.marker() is None
    assert not warm.is_warm()
    asked = "import os; from planner import warm; warm.use_cache(); print(os.environ['NUMBA_CACHE_DIR'])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert folder.name.startswith("lineside-kernel-")
    assert not folder.exists()


async def test_the_kernel_is_compiled_in_a_process_of_its_own(copied_cache: Path) -> None:
    assert not warm.is_warm()
    assert await compile_in_child(SolverPool())
    assert warm.is_warm()
    assert os.listdir(copied_cache)


def test_another_processor_has_its_own_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    here = warm.marker()
    monkeypatch.setattr(warm, "_processor", lambda: "another one")
    assert warm.marker() != here


def test_without_a_compiler_nothing_is_annealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_numba", lambda: None)
    assert not warm.is_installed()
    assert not warm.is_warm()
    warm.warm_up()
