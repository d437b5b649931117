"""Orders that no plan can have, because their facts contradict each other: all others are planned.

A work centre whose last unit was taken out of service, or a set-up that takes longer than a step may wait,
must not keep the whole plant without a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from planner.fault import Fault, InvalidProblem
from planner.problem import Problem


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An order that is in no plan until somebody mends its faults."""

    order: str
    faults: tuple[Fault, ...]


def without_contradictions(
    plant: Callable[[Collection[str]], Problem], orders: Mapping[str, str]
) -> tuple[Problem, tuple[LeftOut, ...]]:
    """The plant without the orders that contradict themselves, and these.

    Args:
        plant: Makes the problem without some orders.
        orders: Operation -> its order, of all that can be left out.

    Raises:
        InvalidProblem: What is wrong is not an order's own.
    """
    found: dict[str, tuple[Fault, ...]] = {}
    while True:
        try:
            return plant(found.keys()), tuple(LeftOut(*row) for row in sorted(found.items()))
        except InvalidProblem as invalid:
            named: dict[str, list[Fault]] = {}
            for fault in invalid.faults:
                for order in {orders[name] for name in fault.operations if name in orders}:
                    named.setdefault(order, []).append(fault)
            news = {order: tuple(faults) for order, faults in named.items() if order not in found}
            if not news:
                raise
            found |= news
