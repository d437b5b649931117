"""What is wrong in a problem, told so that it can be mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a problem: the row it is in, what it is, and how to mend it."""

    row: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.row}: {self.what}. {self.remedy}."


class InvalidProblem(ValueError):
    """The problem contradicts itself; `faults` names every row and its remedy."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))
