"""The kernel holds as plain Python and with every index checked, not only as it is compiled.

Compiled code checks no bounds: a fault there corrupts memory instead of raising.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("test_kernel.py")
CACHE = Path(__file__).parents[3] / "build"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_kernel_holds_in_another_mode(mode: str) -> None:
    quick = {"NUMBA_OPT": "1", "NUMBA_CACHE_DIR": str(CACHE / mode.lower()), "KERNEL_EXAMPLES": "10"}
    environment = {**os.environ, **quick, mode: "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", str(TESTS)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
