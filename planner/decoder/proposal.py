"""Proposals: an order of operations and a unit for each, which become plans here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planner.decoder.chains import find_chain
from planner.decoder.fitting import Decoder
from planner.decoder.line import Fit
from planner.decoder.locks import LocksConflict, fit_lock, stuck
from planner.decoder.turns import InOrder, held_first, in_turn
from planner.problem import Operation, Problem
from planner.rings import Rings
from planner.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Choice:
    """A proposal: do this operation next, on this unit."""

    operation: str
    unit: str


def decode(problem: Problem, proposal: Iterable[Choice]) -> Schedule:
    """Time a proposal. Operations it leaves out go last, on their first unit.

    Locked work has its place before all others; where that leaves no plan, and the proposal says when its
    turn is, it is placed in its turn.

    A step whose buffer is full is held back until another one has left a place. If all that is left is held
    back, the orders go one after the other.

    Raises:
        LocksConflict: Locks that no plan, or not this proposal, can keep.
    """
    choices = list(proposal)
    try:
        return _decoded(problem, choices)[0].schedule()
    except LocksConflict as conflict:
        if {o.id for o in problem.operations if o.lock} - {choice.operation for choice in choices}:
            raise
        try:
            return _decoded(problem, choices, locks_first=False)[0].schedule()
        except LocksConflict:
            raise conflict from None


def placed_order(problem: Problem, proposal: Iterable[Choice]) -> list[Choice]:
    """The order in which `decode` places what is neither started nor locked, and where.

    Raises:
        LocksConflict: As `decode`.
    """
    fits = _decoded(problem, list(proposal))[1]
    return [Choice(fit.block.operation.id, fit.unit) for fit in fits]


def _decoded(
    problem: Problem, proposal: list[Choice], *, locks_first: bool = True
) -> tuple[Decoder, list[Fit]]:
    """All operations placed, and their order."""
    units = {choice.operation: choice.unit for choice in proposal}
    held = held_first(problem) if locks_first else []
    names = list(dict.fromkeys([*held, *units, *(o.id for o in problem.operations)]))
    tried = _in_line(Decoder(problem, locks_first=locks_first), names, units)
    if tried[2]:
        decoder = Decoder(problem, locks_first=locks_first)
        tried = _in_line(decoder, names, units, rings=Rings(problem, decoder.buffers.flows))
    for other in (_as_published, _one_by_one) if tried[2] else ():
        if tried[2]:
            decoder = Decoder(problem, locks_first=locks_first)
            tried = _in_line(decoder, other(problem, names), units, elsewhere=True)
    decoder, order, left = tried
    if left:
        waits = problem.operation_by_id[left[0]]
        raise stuck(waits, decoder.buffers.full(problem.ties.chain(waits)) or "")
    return decoder, order


def _in_line(
    decoder: Decoder,
    names: Iterable[str],
    units: Mapping[str, str],
    *,
    elsewhere: bool = False,
    rings: Rings | None = None,
) -> tuple[Decoder, list[Fit], list[str]]:
    """Place operations in an order; also the order that came of it, and who found no place in a buffer.

    Args:
        elsewhere: They may go to other units where frozen work that is held back has theirs.
        rings: Nobody goes into one of these who would keep others in it for ever.
    """
    problem = decoder.problem
    order = InOrder(problem, decoder)
    frozen = _Frozen(problem, decoder)
    known, has_buffers = problem.operation_by_id, bool(problem.buffers)
    found: list[Fit] = []
    held_back: list[str] = []
    for name in dict.fromkeys(names):
        stack = [name] if not decoder.is_placed(name) and order.is_ready(name) else []
        while stack:
            operation, on = known[stack.pop()], None
            if has_buffers:
                chain = problem.ties.chain(operation)
                on = frozen.units(chain, units, elsewhere=elsewhere)
                waits = on is None or decoder.buffers.full(chain)
                if rings and not waits:
                    waits = rings.strands(chain, decoder.buffers.free(), decoder.is_placed)
                if not operation.lock and waits:
                    held_back.append(operation.id)
                    continue
            for fit in _fits(decoder, operation, {**units, **on} if on else units):
                decoder.place(fit)
                found.append(fit)
            stack += reversed(order.placed(operation.id))
            if held_back and (operation.frozen or decoder.buffers.leaves(problem.ties.chain(operation))):
                stack += reversed(held_back)
                held_back.clear()
    return decoder, found, held_back


class _Frozen:
    """Whose turn it is on each unit while frozen work waits for places in buffers."""

    def __init__(self, problem: Problem, decoder: Decoder) -> None:
        self._decoder = decoder
        self._rows: dict[str, list[str]] = {}
        for name in held_first(problem) if problem.buffers else ():
            row = problem.operation_by_id[name]
            if row.frozen and row.fixed_unit is not None:
                self._rows.setdefault(row.fixed_unit, []).append(name)

    def units(
        self, chain: Iterable[Operation], units: Mapping[str, str], *, elsewhere: bool
    ) -> dict[str, str] | None:
        """Other units for those of a chain before which frozen work goes; None where it has to wait for that.

        Args:
            units: Where they go by the proposal.
            elsewhere: Whether they may go to others.
        """
        found: dict[str, str] = {}
        for operation in chain if self._rows else ():
            unit, name = _unit_of(operation, units), operation.id
            if self._bars(name, unit):
                able = [a.unit for a in operation.alternatives] if operation.fixed_unit is None else []
                other = next((a for a in able if elsewhere and not self._bars(name, a)), None)
                if other is None:
                    return None
                found[name] = other
        return found

    def _bars(self, operation: str, unit: str) -> bool:
        """Whether frozen work of a unit goes before an operation there, and has no place yet."""
        left = (name for name in self._rows.get(unit, ()) if not self._decoder.is_placed(name))
        return next(left, operation) != operation


def _as_published(problem: Problem, names: list[str]) -> list[str]:
    """What is held first, in its published order, then the rest as it is."""
    held = {o.id: o.published for o in problem.operations if o.published and (o.frozen or o.kept)}
    return [*in_turn(problem, held), *names]


def _one_by_one(problem: Problem, names: list[str]) -> list[str]:
    """One order after the other; first those whose work lies in buffers or is under way."""
    begun = {o.order for o in problem.operations if o.stored or o.started}
    rows = [problem.operation_by_id[name] for name in names]
    turn = {
        order: (order not in begun, row) for row, order in enumerate(dict.fromkeys(o.order for o in rows))
    }
    return [*held_first(problem), *(o.id for o in sorted(rows, key=lambda o: turn[o.order]))]


def _fits(decoder: Decoder, operation: Operation, units: Mapping[str, str]) -> list[Fit]:
    """Where an operation of a proposal fits, and all of its chain."""
    if operation.id in decoder.problem.ties.chains:
        chain = decoder.problem.ties.chain(operation)
        return find_chain(decoder, chain, lambda other: (_unit_of(other, units),))
    if operation.lock:
        return [fit_lock(decoder, operation, operation.lock)]
    return [decoder.fit(operation, _unit_of(operation, units))]


def _unit_of(operation: Operation, units: Mapping[str, str]) -> str:
    return operation.fixed_unit or units.get(operation.id, operation.alternatives[0].unit)


def proposal_of(problem: Problem, schedule: Schedule) -> list[Choice]:
    """The order and the units of a plan, to be timed again."""
    units = {a.operation: a.unit for a in schedule.assignments}
    names = problem.ties.in_sequence(problem, list(units), units)
    return [Choice(name, units[name]) for name in names]
