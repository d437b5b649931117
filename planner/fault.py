"""What is wrong in a problem, told so that it can be mended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

OPERATIONS = "operations "
"""What the row of a fault begins with where operations are at fault; their ids follow."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a problem: the row it is in, what it is, and how to mend it.

    Args:
        code: What it is, for whoever has words of his own for it: `no-unit` (no unit can do the step),
            `no-time` (the set-up between two steps takes longer than the later may wait); empty for others.
        params: What such words speak of.
    """

    row: str
    what: str
    remedy: str
    code: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.row}: {self.what}. {self.remedy}."

    @property
    def operations(self) -> tuple[str, ...]:
        """Ids of the operations that are at fault."""
        if not self.row.startswith(OPERATIONS):
            return ()
        return tuple(self.row.removeprefix(OPERATIONS).split(", "))


class InvalidProblem(ValueError):
    """The problem contradicts itself; `faults` names every row and its remedy."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))
