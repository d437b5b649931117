"""Steps between which greatest lags hold are placed together."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

from planner.decoder.fitting import Decoder
from planner.decoder.line import Fit
from planner.problem import Operation
from planner.ties import further, in_chains
from planner.worktime import WorkTime


def settle(decoder: Decoder, operations: Sequence[Operation]) -> list[Fit]:
    """Place operations in gaps, each after those that it waits for, and as early as the next ones allow.

    A step whose place in a buffer others need before its next one starts is put behind them.

    Raises:
        LocksConflict: A buffer is full for ever.
    """
    chains, fits = list(in_chains(operations)), list[list[Fit]]()
    mine = {operation.id for operation in operations}
    decoder.buffers.floors.clear()
    while len(fits) < len(chains):
        fits.append([])
        evicted = _settle_chain(decoder, chains[len(fits) - 1], fits[-1], mine)
        if evicted is None:
            continue
        decoder.buffers.floors[evicted[0]] = evicted[1]
        first = next(i for i, row in enumerate(fits) if evicted[0] in {f.block.operation.id for f in row})
        for fit in reversed([fit for placed in fits[first:] for fit in placed]):
            decoder.take_back(fit)
        del fits[first:]
    return [fit for placed in fits for fit in placed]


def _settle_chain(
    decoder: Decoder, chain: Sequence[Operation], placed: list[Fit], mine: Container[str]
) -> tuple[str, int] | None:
    """Place a chain in gaps; who of `mine` must begin later, and when, because others need his place
    before one of the chain starts.

    Args:
        placed: Filled with what has its place.
    """
    found: tuple[str, int] | None = None
    for fit in earliest_chain(decoder, chain):
        evicted = decoder.buffers.evicted(fit.block.operation, fit.start) if decoder.buffers else None
        if found is None and evicted is not None and evicted[0] in mine:
            found = evicted
        decoder.place(fit)
        placed.append(fit)
    return found


def earliest_chain(decoder: Decoder, chain: Sequence[Operation]) -> list[Fit]:
    """As `earliest`, for all of a chain."""
    if len(chain) == 1:
        return [decoder.earliest(chain[0])]
    return find_chain(decoder, chain, lambda o: [a.unit for a in o.alternatives], gaps=True)


def find_chain(
    decoder: Decoder,
    chain: Sequence[Operation],
    units_of: Callable[[Operation], Iterable[str]],
    *,
    gaps: bool = False,
) -> list[Fit]:
    """As `fit_chain`, each where it ends first of the units that it may go to, in time if it can be."""

    def find(operation: Operation, latest: int) -> Fit:
        fits = [decoder.fit(operation, unit, gaps=gaps) for unit in units_of(operation)]
        return min(fits, key=lambda fit: (max(0, fit.start - latest), fit.end, fit.setup))

    return fit_chain(decoder, chain, find)


def fit_chain(
    decoder: Decoder, chain: Sequence[Operation], find: Callable[[Operation, int], Fit]
) -> list[Fit]:
    """Find places for steps between which greatest lags hold, and keep none of them.

    Who comes too late shifts the one before it, and that perhaps the one before that.

    Args:
        chain: Each with its greatest lag after the one before; whatever else they wait for is placed.
        find: Finds the place of one, best by the given minute, while those before it have theirs.
    """
    found: list[Fit] = []
    floors: list[tuple[int, int]] = []
    ends, rounds = dict(decoder.least_ends), 0
    while len(found) < len(chain):
        operation = chain[len(found)]
        most = _most_after(operation, chain[len(found) - 1]) if found else WorkTime.FOREVER
        latest = found[-1].end + most if found else WorkTime.FOREVER
        fit = find(operation, latest)
        if fit.start > latest:
            before = _take_away(decoder, found, floors)
            end = max(fit.start - most, before.end + further(rounds))
            decoder.least_ends[before.block.operation.id] = end, operation.id
            rounds += 1
            continue
        line = decoder.lines[fit.unit]
        floors.append((line.floor, line.frozen_until))
        found.append(fit)
        decoder.place(fit)
    placed = list(found)
    while found:
        _take_away(decoder, found, floors)
    decoder.least_ends = ends
    return placed


def _take_away(decoder: Decoder, found: list[Fit], floors: list[tuple[int, int]]) -> Fit:
    """Undo the last one."""
    fit = found.pop()
    decoder.take_back(fit)
    line = decoder.lines[fit.unit]
    line.floor, line.frozen_until = floors.pop()
    return fit


def _most_after(operation: Operation, before: Operation) -> int:
    """The greatest lag of an operation after another one."""
    found = [link.most for link in operation.predecessors if link.operation == before.id]
    return min((most for most in found if most is not None), default=WorkTime.FOREVER)
