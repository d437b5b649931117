"""What every proposal places before the rest."""

from __future__ import annotations

from functools import lru_cache

from planner.decoder.proposal import Choice, placed_order
from planner.decoder.turns import held_first, in_turn
from planner.problem import Problem


def first_in_line(problem: Problem) -> list[str]:
    """The operations that every proposal places before the rest.

    Frozen ones in their published order, then those that follow held or complete ones at a greatest lag, the
    most pressing first, then whatever these or locked ones wait for.
    Where one of them finds its buffer full, also whoever leaves it a place goes first.

    Raises:
        LocksConflict: No order lets them all into their buffers.
    """
    entries = (choice.operation for choice in _first_places(problem))
    return [name for name in entries if name not in problem.ties.head_of] or held_first(problem)


def units_of_first(problem: Problem) -> dict[str, str]:
    """Operation id -> its unit, of free ones that go first where frozen ones need places in buffers.

    Raises:
        LocksConflict: No order lets them all into their buffers.
    """
    known = problem.operation_by_id
    first = _first_places(problem)
    return {choice.operation: choice.unit for choice in first if known[choice.operation].fixed_unit is None}


def _first_places(problem: Problem) -> list[Choice]:
    """What goes first where there are buffers, so that all find their places; else nothing."""
    return _let_in_first(problem) if problem.buffers and held_first(problem) else []


@lru_cache(maxsize=2)
def _let_in_first(problem: Problem) -> list[Choice]:
    held = set(held_first(problem))
    published = {o.id: o.published for o in problem.operations if o.published and not o.started}
    order = placed_order(problem, [Choice(n, published[n].unit) for n in in_turn(problem, published)])
    last = max((row for row, choice in enumerate(order) if choice.operation in held), default=-1)
    return order[: last + 1]
