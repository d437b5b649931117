"""The kernel holds as plain Python too, where no compiler is installed."""

from __future__ import annotations

import pytest

from tests.fixtures.kernel_modes import check_kernel_in


@pytest.mark.timeout(900)
def test_the_kernel_holds_as_plain_python() -> None:
    check_kernel_in("NUMBA_DISABLE_JIT", examples=8)
