"""When could we deliver? The new order is put into the gaps of a plan that nobody else leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.decoder import Decoder
from planner.problem import Operation, Order, Problem
from planner.schedule import Reason, Schedule


@dataclass(frozen=True)
class Promise:
    """The earliest end of a new order.

    Args:
        end: Minute after the problem's origin.
        binding: What keeps it from being sooner: the reason of the step that waits longest.
        schedule: The plan with the new order in it.
    """

    end: int
    binding: Reason
    schedule: Schedule


def promise(problem: Problem, plan: Schedule, order: Order, operations: tuple[Operation, ...]) -> Promise:
    """Find the earliest end of `order` that moves nobody.

    Args:
        plan: Times for all of `problem`, from the decoder.
        operations: The steps of the new order, each after its predecessors.

    Raises:
        InvalidProblem: The new order contradicts the plant.
    """
    whole = replace(
        problem,
        orders=(*problem.orders, order),
        operations=(*problem.operations, *operations),
    )
    decoder = Decoder(whole)
    for assignment in plan.assignments:
        if not decoder.is_placed(assignment.operation):
            decoder.keep(assignment)
    rows = []
    for operation in operations:
        fits = [decoder.fit(operation, a.unit, gaps=True) for a in operation.alternatives]
        best = min(fits, key=lambda fit: (fit.end, fit.setup))
        ready, _ = decoder.ready(operation)
        decoder.place(best)
        rows.append((best.start - ready, operation.id))
    placed = decoder.schedule()
    longest = max(rows, key=lambda row: row[0])[1]
    end = max(decoder.ends[operation.id] for operation in operations)
    return Promise(end, placed.by_operation[longest].reason, placed)
