"""SQL of this activity, one file for each kind of fact."""

from mes.performance.store import board, counts, elements, evidence, states, sums

__all__ = ["board", "counts", "elements", "evidence", "states", "sums"]
