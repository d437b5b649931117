"""OR-Tools' CP-SAT, loaded without pandas.

Its Python layer imports pandas for tables of variables, of which we make none: 1.3 of the 1.6 CPU
seconds that a solver's process took until it read its problem (measured, OR-Tools 9.15).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def _no_tables() -> Iterator[None]:
    """Let pandas stand aside while another module is imported; whoever asks later gets the real one."""
    if "pandas" in sys.modules:
        yield
        return
    empty = ModuleType("pandas")
    for name in ("Index", "Series", "DataFrame"):
        setattr(empty, name, type(name, (), {}))
    sys.modules["pandas"] = empty
    try:
        yield
    finally:
        del sys.modules["pandas"]


with _no_tables():
    from ortools.sat.python import cp_model

__all__ = ["cp_model"]
