"""When could we deliver? The new order is put into the gaps of a plan that nobody else leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from planner.decoder import Decoder, Fit
from planner.fault import Fault, InvalidProblem
from planner.material import Supply
from planner.problem import Calendar, Operation, Problem, Release, Window
from planner.schedule import Reason, Schedule
from planner.ties import Ties

OVERTIME_MIN = 120
"""Minutes that a unit is kept open longer after each shift, where that helps."""

MOST_DELAYED = 3
"""So many orders are tried to be delayed for a new one."""

OptionKind = Literal[
    "split",  # quantity, first: a part by minute `first`, the rest by `end`
    "overtime",  # unit, minutes: the unit stays open longer, and its people
    "unit",  # unit: the step that waits longest goes to this one
    "delay",  # order, late: that order, of no higher priority, ends later by so many minutes
]


@dataclass(frozen=True)
class Option:
    """Another way to a date.

    Args:
        end: When the new order would be done.
        price: What it costs others, in points of the plan's objective.
    """

    kind: OptionKind
    end: int
    price: int
    params: Mapping[str, str | int]


@dataclass(frozen=True)
class Quote:
    """The earliest end of a new order.

    Args:
        end: Minute after the problem's origin.
        binding: What keeps it from being sooner: the reason of the step that waits longest.
        steps: Where its steps would go.
        longest: The number of the step that waits longest.
        placed: The same steps in the order in which they were placed.
    """

    end: int
    binding: Reason
    steps: tuple[Fit, ...]
    longest: int
    placed: tuple[Fit, ...]


class Desk:
    """Quotes on one plan, each in milliseconds; what is accepted is in the way of the next.

    The plan itself is untouched: whoever publishes decides when promised work enters it.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Schedule,
        skills: Iterable[str] = (),
        reserved: Mapping[str, Operation] | None = None,
        supply: Supply | None = None,
    ) -> None:
        """Take over a plan.

        Args:
            plan: Times for all of `problem`, from the decoder.
            skills: Skills that new orders may need beside those in the problem.
            reserved: Operations of the plan that are none of the problem's.
            supply: Material that nobody has been given yet; by default what the problem leaves.
        """
        self._supply = (supply or problem.left_over).copy()
        self.decoder = Decoder(problem, skills)
        self.reserved: dict[str, Operation] = dict(reserved or {})
        self.decoder.buffers.learn(self.reserved.values())
        for assignment in plan.assignments:
            if not self.decoder.is_placed(assignment.operation):
                self.decoder.keep(assignment, self.reserved.get(assignment.operation))

    def quote(self, operations: tuple[Operation, ...]) -> Quote:
        """The earliest end that moves nobody; reserves nothing.

        Args:
            operations: The steps of the new order, each after its predecessors.
        """
        (found,) = self.quote_parts([operations])
        return found

    def reserve(self, operations: tuple[Operation, ...]) -> Quote:
        """Accept, for as long as there is this desk."""
        found = self.accept(operations)
        self.reserved |= {step.block.operation.id: step.block.operation for step in found.steps}
        return found

    def quote_parts(self, parts: Sequence[tuple[Operation, ...]]) -> list[Quote]:
        """The earliest ends of several orders, each in the way of the next; reserves nothing."""
        supply = self._supply.copy()
        found = [self.accept(part) for part in parts]
        for quote in reversed(found):
            for fit in reversed(quote.placed):
                self.decoder.take_back(fit)
        self._supply = supply
        return found

    def on_another_unit(self, operations: tuple[Operation, ...]) -> Option | None:
        """The date when the step that waits longest goes to another unit than the best one."""
        found = self.quote(operations)
        step, unit = operations[found.longest], found.steps[found.longest].unit
        others = tuple(a for a in step.alternatives if a.unit != unit)
        if not others:
            return None
        other = replace(step, alternatives=others)
        asked = (*operations[: found.longest], other, *operations[found.longest + 1 :])
        elsewhere = self.quote(asked)
        return Option("unit", elsewhere.end, 0, {"unit": elsewhere.steps[found.longest].unit})

    def with_overtime(self, operations: tuple[Operation, ...]) -> Option | None:
        """The date when the unit that is waited for longest stays open longer, and its people stay too."""
        found = self.quote(operations)
        step, unit = operations[found.longest], found.steps[found.longest].unit
        if unit in self.decoder.problem.subcontractors:
            return None  # his hours are his own
        problem = longer(self.decoder.problem, unit, step.skill)
        skills = self.decoder.shared.people.of_skill
        open_longer = Desk(problem, self.decoder.schedule(), skills, self.reserved, self._supply)
        then = open_longer.quote(operations)
        old, new = self.decoder.lines[unit].time, open_longer.decoder.lines[unit].time
        minutes = 0
        for fit in then.steps:
            if fit.unit == unit:
                pieces = new.pieces(fit.block.begin, fit.block.end)
                minutes += sum(end - start - (old.work(end) - old.work(start)) for start, end in pieces)
        if then.end >= found.end or not minutes:
            return None
        price = minutes * problem.weights.setup
        return Option("overtime", then.end, price, {"unit": unit, "minutes": minutes})

    def instead_of_others(self, operations: tuple[Operation, ...], weight: int) -> Iterator[Option]:
        """The dates when an order that is in the way, and weighs no more, is done after the new one."""
        found = self.quote(operations)
        fit = found.steps[found.longest]
        problem = self.decoder.problem
        line = self.decoder.lines[fit.unit]
        before = [] if line.outside else [b.operation.order for b in reversed(line.blocks[: fit.position])]
        for name in list(dict.fromkeys(before))[:MOST_DELAYED]:
            order = problem.order_by_id.get(name)
            if order is None or order.kind != "work" or order.weight > weight:
                continue
            ended = max(self.decoder.ends[o.id] for o in problem.operations if o.order == name)
            with self.lifted(name) as lifted:
                if not lifted:
                    continue
                supply = self._supply.copy()
                then = self.accept(operations)
                moved = self.accept(lifted)
                sound = self.is_sound()
                for step in reversed((*then.placed, *moved.placed)):
                    self.decoder.take_back(step)
                self._supply = supply
            late = max(0, moved.end - max(ended, order.due))
            if sound and then.end < found.end:
                price = late * order.weight * problem.weights.tardiness
                later = max(0, moved.end - ended)
                yield Option("delay", then.end, price, {"order": name, "later": later, "late": late})

    @contextmanager
    def lifted(self, order: str) -> Iterator[tuple[Operation, ...]]:
        """The steps of an order, taken out of the plan for as long as the block runs.

        Nothing is lifted, and () given, where one of them runs, is locked, is held, shares a batch or follows
        another order at a greatest lag.
        """
        decoder = self.decoder
        steps = tuple(o for o in decoder.problem.operations if o.order == order)
        mine = {o.id for o in steps}
        followed = any(not mine.issuperset(decoder.problem.successors[name]) for name in mine)
        links = [link for o in steps for link in o.predecessors if link.operation not in mine]
        tied = any(link.most is not None for link in links)
        if followed or tied or any(o.started or o.lock or o.frozen for o in steps):
            yield ()
            return
        out = [
            (line, block, decoder.ends[block.operation.id])
            for line in decoder.lines.values()
            for block in line.blocks
            if block.operation.id in mine
        ]
        if any(line.shares(block) for line, block, _ in out):
            yield ()
            return
        for line, block, _ in out:
            decoder.lift(line, block)
        try:
            yield tuple(sorted(steps, key=lambda o: next(e for _, b, e in out if b.operation is o)))
        finally:
            for line, block, end in out:
                decoder.put_back(line, block, end)

    def is_sound(self) -> bool:
        """Whether every set-up still has the time that it needs, and every step its place in a buffer."""
        problem = self.decoder.problem
        for unit, line in self.decoder.lines.items():
            for position, block in enumerate(line.blocks):
                need = problem.setup_minutes(unit, line.family_before(position), block.operation.family)
                if not block.operation.started and need > block.run - block.begin:
                    return False
        return not (self.decoder.buffers and self.decoder.buffers.is_overfull())

    def accept(self, operations: tuple[Operation, ...]) -> Quote:
        """Quote, and reserve the units, people and tools of the answer.

        Raises:
            InvalidProblem: A step has no unit that can do it.
        """
        steps: list[Fit] = []
        longest, binding, end, at = -1, Reason("now"), 0, 0
        faults = [
            Fault(f"operations {o.id}", "has no unit that can do it", "Give its work centre a unit")
            for o in operations
            if not o.alternatives
        ]
        if faults:
            raise InvalidProblem(faults)
        if self.decoder.buffers:
            return self._let_in(operations)
        turns = {asked.id: number for number, asked in enumerate(operations)}
        for chain in _in_chains(operations):
            pegged = [self._pegged(asked) for asked in chain]
            for operation, best in zip(pegged, self.decoder.earliest_chain(pegged), strict=True):
                ready, _ = self.decoder.ready(operation)
                self.decoder.place(best)
                steps.append(best)
                end = max(end, best.end)
                if best.start - ready > longest:
                    longest, binding, at = best.start - ready, best.block.reason, turns[operation.id]
        in_turn = sorted(steps, key=lambda fit: turns[fit.block.operation.id])
        return Quote(end, binding, tuple(in_turn), at, tuple(steps))

    def _let_in(self, operations: tuple[Operation, ...]) -> Quote:
        """As `accept`, where steps need places in buffers: those that begin too soon are put off."""
        longest, binding, at = -1, Reason("now"), 0
        rows = [self._pegged(asked) for asked in operations]
        self.decoder.buffers.learn((*self.reserved.values(), *rows))
        steps = tuple(self.decoder.settle(rows))
        for number, (operation, best) in enumerate(zip(rows, steps, strict=True)):
            ready, _ = self.decoder.ready(operation)
            if best.start - ready > longest:
                longest, binding, at = best.start - ready, best.block.reason, number
        return Quote(max(fit.end for fit in steps), binding, steps, at, steps)

    def _pegged(self, operation: Operation) -> Operation:
        """A step that is none of the problem's gets its material after all others."""
        if not operation.materials or operation.id in self.decoder.problem.operation_by_id:
            return operation
        waits = tuple(Release(at, "material", name) for name, at in self._supply.take(operation.materials))
        return replace(operation, releases=(*operation.releases, *waits), materials=())


def _in_chains(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    """What is placed together, each after all that it waits for."""
    ties, left = Ties.of(operations), {operation.id for operation in operations}
    chains = [ties.chain(operation) for operation in operations if operation.id not in ties.head_of]
    while chains:
        chain = next((c for c in chains if not any(_waits(c, left))), chains[0])
        chains.remove(chain)
        left -= {operation.id for operation in chain}
        yield chain


def _waits(chain: tuple[Operation, ...], left: set[str]) -> Iterator[bool]:
    own = {operation.id for operation in chain}
    for operation in chain:
        for link in operation.predecessors:
            yield link.operation in left and link.operation not in own


def longer(problem: Problem, unit: str, skill: str | None) -> Problem:
    """The plant with overtime on one unit, and for those who can do the skill."""
    row = problem.unit_by_id[unit]
    calendar = Calendar(
        f"{row.calendar} + {unit}", _extended(problem.calendar_by_id[row.calendar].windows, problem.horizon)
    )
    crews = tuple(
        replace(crew, windows=_extended(crew.windows, problem.horizon)) if skill in crew.skills else crew
        for crew in problem.crews
    )
    return replace(
        problem,
        calendars=(*problem.calendars, calendar),
        units=tuple(replace(u, calendar=calendar.id) if u.id == unit else u for u in problem.units),
        crews=crews,
    )


def _extended(windows: tuple[Window, ...], horizon: int) -> tuple[Window, ...]:
    """Every window that ends in a gap ends later by the overtime, or with the gap."""
    found: list[Window] = []
    for window in windows:
        end = min(horizon, window.end + OVERTIME_MIN)
        if found and found[-1].end >= window.start:
            found[-1] = Window(found[-1].start, end)
        else:
            found.append(Window(window.start, end))
    return tuple(found)


class Alike:
    """Orders like those of a plant: what is likely to be asked for next."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._random = Random(seed)
        routes: dict[str, list[Operation]] = {}
        for operation in problem.operations:
            if problem.order_by_id[operation.order].kind == "work":
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
                tools=step.tools,
            )
            for step in route
        )
