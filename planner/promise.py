"""When could we deliver? The new order is put into the gaps of a plan that nobody else leaves."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from random import Random
from typing import Literal

from planner.counter import Counter
from planner.decoder.chains import earliest_chain, settle
from planner.decoder.fitting import Decoder
from planner.decoder.line import Block, Fit
from planner.fault import Fault, InvalidProblem
from planner.material import Supply
from planner.problem import Crew, Operation, Order, Problem, Release, Window
from planner.schedule import Reason, Schedule
from planner.shared import left_free
from planner.ties import in_chains
from planner.worktime import WorkTime, merged, subtract

OVERTIME_MIN = 120
"""Minutes that a unit is kept open longer after each shift, where that helps."""

MOST_DELAYED = 3
"""So many orders are tried to be delayed for a new one."""

OptionKind = Literal[
    "split",  # quantity, first: a part by minute `first`, the rest by `end`
    "overtime",  # unit, minutes, first: it stays open longer, first from then, with somebody who stays
    "unit",  # unit: the step that waits longest goes to this one
    "delay",  # order, later, late: that order, of lower priority, ends so many minutes later
]


@dataclass(frozen=True)
class Overtime:
    """A unit is open while its calendar is not, and one more person of a skill is there.

    Args:
        skill: What that person can do; None where the work needs nobody.
    """

    unit: str
    skill: str | None
    windows: tuple[Window, ...]

    @property
    def minutes(self) -> int:
        return sum(window.end - window.start for window in self.windows)


@dataclass(frozen=True)
class Option:
    """Another way to a date.

    Args:
        end: When the new order would be done.
        price: What it costs others, in points of the plan's objective.
        parts: What is placed for it, where that is not what was asked for: one order for each part.
        overtime: What must be open for it.
    """

    kind: OptionKind
    end: int
    price: int
    params: Mapping[str, str | int]
    parts: tuple[tuple[Operation, ...], ...] = ()
    overtime: Overtime | None = None


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


@dataclass(frozen=True)
class Taken:
    """What was reserved for an option.

    Args:
        quotes: Where its steps go, one for each part.
        moved: Where the steps of the order that is delayed go.
    """

    quotes: tuple[Quote, ...]
    moved: Quote | None = None


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
        *,
        accepted: Iterable[str] = (),
    ) -> None:
        """Take over a plan.

        Args:
            plan: Times for all of `problem`, from the decoder.
            skills: Skills that new orders may need beside those in the problem.
            reserved: Operations of the plan that are none of the problem's.
            supply: Material that nobody has been given yet; by default what the problem leaves.
            accepted: Orders that nobody may delay for another: their dates were accepted.
        """
        self._accepted = frozenset(accepted)
        self._supply = (supply or problem.left_over).copy()
        self._opened: dict[str, list[Window]] = {}
        self._staying: list[Crew] = []
        self._steps_of: dict[str, list[Operation]] = {}
        for operation in problem.operations:
            self._steps_of.setdefault(operation.order, []).append(operation)
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

    def on_another_unit(self, operations: tuple[Operation, ...], found: Quote | None = None) -> Option | None:
        """The date when the step that waits longest goes to another unit than the best one.

        Args:
            found: The date otherwise, where it is known.
        """
        found = found or self.quote(operations)
        step, unit = operations[found.longest], found.steps[found.longest].unit
        others = tuple(a for a in step.alternatives if a.unit != unit)
        if not others:
            return None
        other = replace(step, alternatives=others)
        asked = (*operations[: found.longest], other, *operations[found.longest + 1 :])
        elsewhere = self.quote(asked)
        unit = elsewhere.steps[found.longest].unit
        only = replace(step, alternatives=tuple(a for a in others if a.unit == unit))
        fixed = (*operations[: found.longest], only, *operations[found.longest + 1 :])
        return Option("unit", elsewhere.end, 0, {"unit": unit}, (fixed,))

    def with_overtime(self, operations: tuple[Operation, ...], found: Quote | None = None) -> Option | None:
        """The date when the unit that is waited for longest stays open longer, with somebody who stays.

        Args:
            found: The date otherwise, where it is known.
        """
        found = found or self.quote(operations)
        overtime = self._overtime_of(operations, found)
        if overtime is None:
            return None
        with self.kept_open(overtime):
            then = self.quote(operations)
        if then.end >= found.end:
            return None
        price = overtime.minutes * self.decoder.problem.weights.overtime
        params: dict[str, str | int] = {"unit": overtime.unit, "minutes": overtime.minutes}
        params["first"] = overtime.windows[0].start
        return Option("overtime", then.end, price, params, overtime=overtime)

    def _overtime_of(self, operations: tuple[Operation, ...], found: Quote) -> Overtime | None:
        """The overtime that the steps would use if they could have all that there may be before the date."""
        step, unit = operations[found.longest], found.steps[found.longest].unit
        problem = self.decoder.problem
        if unit in problem.subcontractors:
            return None  # his hours are his own
        closed = self._after_shifts(unit, found.end)
        if not closed:
            return None
        with self.kept_open(Overtime(unit, step.skill, closed)):
            then = self.quote(operations)
            time = self.decoder.lines[unit].time
            pieces = [
                Window(*piece)
                for fit in then.steps
                if fit.unit == unit
                for piece in time.pieces(fit.block.begin, fit.block.end)
            ]
        used = overlap(pieces, closed)
        if then.end >= found.end or not used:
            return None
        return Overtime(unit, step.skill, merged(used))

    def _after_shifts(self, unit: str, until: int) -> tuple[Window, ...]:
        """When a unit may be open longer for new work: beside what is agreed on, after what runs there."""
        line = self.decoder.lines[unit]
        under_way = [
            Window(0, line.time.after(block.end))
            for block in takewhile(lambda block: block.operation.started, line.blocks)
        ]
        taken = (*self._opened.get(unit, ()), *under_way)
        return tuple(subtract(after_shifts(self.decoder.problem, unit, until), taken))

    @contextmanager
    def kept_open(self, overtime: Overtime) -> Iterator[None]:
        """The plant with that overtime, for as long as the block runs."""
        before = self.decoder.lines[overtime.unit].time
        spare = self._spare(overtime)
        self._open(overtime, spare)
        try:
            yield
        finally:
            self._retime(overtime.unit, before)
            self._staff(overtime, spare, 1)

    def _open(self, overtime: Overtime, spare: Iterable[Window]) -> None:
        """Open a unit longer; what is placed there stays where it is on the clock."""
        horizon, before = self.decoder.problem.horizon, self.decoder.lines[overtime.unit].time
        windows = [Window(*row) for row in before.windows_until(horizon)]
        self._retime(overtime.unit, WorkTime(merged([*windows, *overtime.windows]), horizon))
        self._staff(overtime, spare, -1)

    def _retime(self, unit: str, time: WorkTime) -> None:
        """Count what is placed on a unit in the working minutes of another calendar."""
        line = self.decoder.lines[unit]
        before, line.time, line.frozen_until = line.time, time, 0
        for block in line.blocks:
            has_setup = block.begin < block.run
            begin, run = before.at(block.begin), time.work(before.at(block.run))
            block.begin = time.work(begin) if has_setup else run
            block.run, block.end = run, time.work(before.after(block.end))
            line.hold(block)
            self.decoder.runs[block.operation.id] = time, block.run, block.end

    def _staff(self, overtime: Overtime, spare: Iterable[Window], taken: int) -> None:
        """Have one more person there, or one less."""
        if overtime.skill is not None:
            for counter in self.decoder.shared.people.of_skill[overtime.skill]:
                for window in spare:
                    counter.claim(window.start, window.end, taken)

    def _spare(self, overtime: Overtime) -> tuple[Window, ...]:
        """When whoever stays is free for new work: work under way that nobody is on record for has him first.

        So it is in every plan that is made once the overtime is agreed on.
        """
        problem, skill = self.decoder.problem, overtime.skill
        if skill is None or not any(o.started and o.skill for o in problem.operations):
            return overtime.windows
        before = self._left_free(skill, self._staying)
        then = self._left_free(skill, [*self._staying, _stays(skill, overtime.windows)])
        return merged(
            [
                Window(one, two)
                for window in overtime.windows
                for one, two in pairwise(_cuts(window, before, then))
                if then.free_at(one) > before.free_at(one)
            ]
        )

    def _left_free(self, skill: str, staying: Iterable[Crew]) -> Counter:
        """How many of a skill work under way leaves free, of those who are there and those who stay."""
        problem = self.decoder.problem
        units = {o.started.unit for o in problem.operations if o.started}
        hours = {name: WorkTime.of(problem, problem.unit_by_id[name]) for name in units}
        whole = replace(problem, crews=(*problem.crews, *staying))
        return left_free(whole, hours, (skill,)).people.counters[frozenset((skill,))]

    def instead_of_others(
        self, operations: tuple[Operation, ...], weight: int, found: Quote | None = None
    ) -> Iterator[Option]:
        """The dates when an order that is in the way, and weighs less, is done after the new one.

        Never one whose own date was accepted.

        Args:
            found: The date otherwise, where it is known.
        """
        found = found or self.quote(operations)
        fit = found.steps[found.longest]
        line = self.decoder.lines[fit.unit]
        before = [] if line.outside else [b.operation.order for b in reversed(line.blocks[: fit.position])]
        for name in list(dict.fromkeys(before))[:MOST_DELAYED]:
            order = self.decoder.problem.order_by_id.get(name)
            if order is None or order.kind != "work" or order.weight >= weight:
                continue
            if name in self._accepted:
                continue
            option = self._instead_of(operations, order, found.end)
            if option is not None:
                yield option

    def _instead_of(self, operations: tuple[Operation, ...], order: Order, end: int) -> Option | None:
        """The date when one order is done after the new one; None where that cannot be, or is no gain."""
        steps = self._steps_of[order.id]
        ended = max(self.decoder.ends[step.id] for step in steps)
        units = {self._where(step)[0] for step in steps}
        with self.lifted(order.id) as lifted:
            if not lifted or self.quote(operations).end >= end:
                return None
            supply = self._supply.copy()
            then, moved = self.accept(operations), self.accept(lifted)
            sound = self.is_sound(units | {step.unit for step in (*then.steps, *moved.steps)})
            for step in reversed((*then.placed, *moved.placed)):
                self.decoder.take_back(step)
            self._supply = supply
        if not sound:
            return None
        late, later = max(0, moved.end - max(ended, order.due)), max(0, moved.end - ended)
        points = self.decoder.problem.weights.tardiness
        words: dict[str, str | int] = {"order": order.id, "later": later, "late": late}
        params = {**words, "weight": order.weight, "points": points}
        return Option("delay", then.end, late * order.weight * points, params)

    def take(self, option: Option, operations: tuple[Operation, ...]) -> Taken:
        """Reserve what an option that was just found needs, for as long as there is this desk.

        Args:
            operations: The steps that it was found for.
        """
        if option.overtime is not None:
            self._open(option.overtime, self._spare(option.overtime))
            self._opened.setdefault(option.overtime.unit, []).extend(option.overtime.windows)
            if option.overtime.skill is not None:
                self._staying.append(_stays(option.overtime.skill, option.overtime.windows))
        delayed = self._lift(str(option.params["order"])) if option.kind == "delay" else []
        quotes = tuple(self.reserve(part) for part in option.parts or (operations,))
        moved = self.accept(tuple(block.operation for _, block, _ in delayed)) if delayed else None
        return Taken(quotes, moved)

    @contextmanager
    def lifted(self, order: str) -> Iterator[tuple[Operation, ...]]:
        """The steps of an order, taken out of the plan for as long as the block runs.

        Nothing is lifted, and () given, where one of them runs, is locked, is held, shares a batch or follows
        another order, or what is complete, at a greatest lag.
        """
        out = self._lift(order)
        try:
            yield tuple(block.operation for _, block, _ in out)
        finally:
            for unit, block, end in out:
                self.decoder.put_back(self.decoder.lines[unit], block, end)

    def _lift(self, order: str) -> list[tuple[str, Block, int]]:
        """Take the steps of an order out of the plan, the first to end first; none where they cannot be."""
        decoder = self.decoder
        steps = self._steps_of.get(order, ())
        mine = {o.id for o in steps}
        followed = any(not mine.issuperset(decoder.problem.successors[name]) for name in mine)
        links = [link for o in steps for link in o.predecessors if link.operation not in mine]
        tied = any(link.most is not None for link in links)
        if followed or tied or any(o.started or o.lock or o.frozen or o.after for o in steps):
            return []
        out = [(*self._where(step), decoder.ends[step.id]) for step in steps]
        if any(decoder.lines[unit].shares(block) for unit, block, _ in out):
            return []
        for unit, block, _ in out:
            decoder.lift(decoder.lines[unit], block)
        return sorted(out, key=lambda row: row[2])

    def _where(self, step: Operation) -> tuple[str, Block]:
        """The unit of a placed step, and what it is there."""
        run = self.decoder.runs[step.id][1]
        for alternative in step.alternatives:
            blocks = self.decoder.lines[alternative.unit].blocks
            first = bisect_left(blocks, run, key=lambda block: block.run)
            for block in takewhile(lambda block: block.run == run, islice(blocks, first, None)):
                if block.operation.id == step.id:
                    return alternative.unit, block
        raise KeyError(step.id)

    def is_sound(self, units: Iterable[str] | None = None) -> bool:
        """Whether every set-up still has the time that it needs, and every step its place in a buffer.

        Args:
            units: Those on which something was changed; by default all.
        """
        problem = self.decoder.problem
        for unit in self.decoder.lines if units is None else units:
            line = self.decoder.lines[unit]
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
        for chain in in_chains(operations):
            pegged = [self._pegged(asked) for asked in chain]
            for operation, best in zip(pegged, earliest_chain(self.decoder, pegged), strict=True):
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
        placed = tuple(settle(self.decoder, rows))
        fits = {fit.block.operation.id: fit for fit in placed}
        steps = tuple(fits[operation.id] for operation in rows)
        for number, (operation, best) in enumerate(zip(rows, steps, strict=True)):
            ready, _ = self.decoder.ready(operation)
            if best.start - ready > longest:
                longest, binding, at = best.start - ready, best.block.reason, number
        return Quote(max(fit.end for fit in steps), binding, steps, at, placed)

    def _pegged(self, operation: Operation) -> Operation:
        """A step that is none of the problem's gets its material after all others."""
        if not operation.materials or operation.id in self.decoder.problem.operation_by_id:
            return operation
        waits = tuple(Release(at, "material", name) for name, at in self._supply.take(operation.materials))
        return replace(operation, releases=(*operation.releases, *waits), materials=())


def _stays(skill: str, windows: tuple[Window, ...]) -> Crew:
    return Crew(f"stays for {skill}", (skill,), windows)


def _cuts(window: Window, *counters: Counter) -> list[int]:
    """The minutes of a window at which one of some counters may change, with its ends."""
    changes = (minute for counter in counters for minute in counter.changes(window.start, window.end))
    return sorted({window.start, window.end, *changes})


def after_shifts(problem: Problem, unit: str, until: int) -> tuple[Window, ...]:
    """When a unit may be open longer: after its windows that end before a minute, unless it stands still."""
    row = problem.unit_by_id[unit]
    windows = problem.calendar_by_id[row.calendar].windows
    ends = [
        *pairwise(windows),
        *((last, Window(problem.horizon, problem.horizon)) for last in windows[-1:]),
    ]
    closed = [
        Window(one.end, min(one.end + OVERTIME_MIN, two.start))
        for one, two in ends
        if one.end < min(until, two.start)
    ]
    return tuple(subtract(closed, row.stops))


def overlap(some: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """What windows of both have in common."""
    rows = tuple(others)
    return [
        Window(max(a.start, b.start), min(a.end, b.end))
        for a in some
        for b in rows
        if a.start < b.end and b.start < a.end
    ]


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
