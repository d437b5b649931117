"""Compiled code checks no bounds: an index outside its array corrupts memory instead of raising."""

from __future__ import annotations

import pytest

from tests.fixtures.kernel_modes import check_kernel_in


@pytest.mark.timeout(900)
def test_no_index_of_the_kernel_is_outside_its_array() -> None:
    check_kernel_in("NUMBA_BOUNDSCHECK", examples=25)
