"""Stock and receipts of materials, and which of them an operation gets.

Materials are pegged before anything is planned: each operation gets pieces of the stock or of a receipt
for itself, the earliest that are left, and cannot start before they are there. A plan that keeps this
never uses what is not there, in whatever order it works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """So much of a material comes at minute `at`."""

    at: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Material:
    """What there is of a material now, and what comes; in whole units of any size."""

    id: str
    stock: int = 0
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class MaterialUse:
    """So much of a material must be there when the run starts."""

    material: str
    quantity: int = 1


class Supply:
    """What is left of stock and receipts, the earliest first."""

    def __init__(self, materials: Iterable[Material], horizon: int) -> None:
        self._horizon = horizon
        self._left = {
            row.id: [(0, row.stock), *sorted((r.at, r.quantity) for r in row.receipts)] for row in materials
        }

    def copy(self) -> Supply:
        """The same again, to be used up without being missed."""
        other = Supply((), self._horizon)
        other._left = {name: list(rows) for name, rows in self._left.items()}
        return other

    def take(self, uses: Iterable[MaterialUse]) -> list[tuple[str, int]]:
        """Use up what an operation needs; the materials that it waits for, and until which minute.

        What never comes is there beyond the horizon, as everything is.
        """
        waits = [(use.material, self._take(use)) for use in uses]
        return [(name, at) for name, at in waits if at > 0]

    def _take(self, use: MaterialUse) -> int:
        rows, missing, at = self._left[use.material], use.quantity, 0
        while missing > 0:
            if not rows:
                return self._horizon
            at, there = rows[0]
            used = min(missing, there)
            missing -= used
            rows[0] = (at, there - used)
            if used == there:
                rows.pop(0)
        return at
