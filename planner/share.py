"""What CP-SAT brought to a plan, whoever made its sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class CpShare:
    """The work of CP-SAT in one search.

    Args:
        before: What the plan cost, in points, that it was given (where it had several turns: first).
        after: That less the points that it took off, in all its turns.
        bound: It has proved that no plan costs less than this many points.
        solutions: How many solutions of its model it met; its hint is one of them.
        deterministic: What it used of its deterministic time, in units of the solver.
    """

    before: int
    after: int
    bound: int
    solutions: int
    deterministic: float

    @property
    def gain(self) -> int:
        """The points that it took off."""
        return self.before - self.after

    @property
    def unused(self) -> CpShare:
        """The same work, where the plan that it led to was not taken."""
        return replace(self, after=self.before)

    def __add__(self, later: CpShare) -> CpShare:
        """Both turns of one search."""
        return CpShare(
            self.before,
            self.after - later.gain,
            max(self.bound, later.bound),
            self.solutions + later.solutions,
            round(self.deterministic + later.deterministic, 3),
        )
