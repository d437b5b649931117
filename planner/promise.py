"""When could we deliver? The new order is put into the gaps of a plan that nobody else leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from planner.decoder import Decoder, Fit
from planner.problem import Fault, InvalidProblem, Operation, Order, Problem
from planner.schedule import Reason, Schedule


@dataclass(frozen=True)
class Quote:
    """The earliest end of a new order.

    Args:
        end: Minute after the problem's origin.
        binding: What keeps it from being sooner: the reason of the step that waits longest.
        steps: Where its steps would go.
    """

    end: int
    binding: Reason
    steps: tuple[Fit, ...]


class Desk:
    """Quotes on one plan, each in milliseconds; what is accepted is in the way of the next.

    The plan itself is untouched: whoever publishes decides when promised work enters it.
    """

    def __init__(self, problem: Problem, plan: Schedule, skills: Iterable[str] = ()) -> None:
        """Take over a plan.

        Args:
            plan: Times for all of `problem`, from the decoder.
            skills: Skills that new orders may need beside those in the problem.
        """
        self.decoder = Decoder(problem, skills)
        for assignment in plan.assignments:
            if not self.decoder.is_placed(assignment.operation):
                self.decoder.keep(assignment)

    def quote(self, operations: tuple[Operation, ...]) -> Quote:
        """The earliest end that moves nobody; reserves nothing.

        Args:
            operations: The steps of the new order, each after its predecessors.
        """
        found = self.accept(operations)
        for fit in reversed(found.steps):
            self.decoder.take_back(fit)
        return found

    def accept(self, operations: tuple[Operation, ...]) -> Quote:
        """Quote, and reserve the units and people of the answer.

        Raises:
            InvalidProblem: A step has no unit that can do it.
        """
        steps: list[Fit] = []
        longest, binding, end = -1, Reason("now"), 0
        faults = [
            Fault(f"operations {o.id}", "has no unit that can do it", "Give its work centre a unit")
            for o in operations
            if not o.alternatives
        ]
        if faults:
            raise InvalidProblem(faults)
        for operation in operations:
            best = self.decoder.earliest(operation)
            ready, _ = self.decoder.ready(operation)
            self.decoder.place(best)
            steps.append(best)
            end = max(end, best.end)
            if best.start - ready > longest:
                longest, binding = best.start - ready, best.block.reason
        return Quote(end, binding, tuple(steps))


class Alike:
    """Orders like those of a plant: what is likely to be asked for next."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._random = Random(seed)
        routes: dict[str, list[Operation]] = {}
        for operation in problem.operations:
            routes.setdefault(operation.order, []).append(operation)
        self._routes = [routes[name] for name in sorted(routes)]

    def order(self, name: str) -> tuple[Operation, ...]:
        """The steps of an order called `name`, free to begin at once."""
        route = self._random.choice(self._routes)
        names = {step.id: f"{name}-{k}" for k, step in enumerate(route)}
        return tuple(
            Operation(
                names[step.id],
                name,
                step.alternatives,
                tuple(replace(link, operation=names[link.operation]) for link in step.predecessors),
                step.family,
                step.skill,
                step.resumable,
            )
            for step in route
        )


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
    desk = Desk(whole, plan)
    found = desk.accept(operations)
    return Promise(found.end, found.binding, desk.decoder.schedule())
