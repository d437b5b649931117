"""Buffers and greatest lags together: chains that would never find their places.

All of a chain are placed together, and what they leave in a buffer for others lies there until those are
placed. So a chain has to get through on its own, be the buffers empty otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from planner.buffers import Delivery, Flows
from planner.fault import Fault

if TYPE_CHECKING:
    from planner.problem import Operation, Problem


def tied_place_faults(problem: Problem) -> Iterator[Fault]:
    """Steps of chains for which there is no place, or none in time."""
    flows = Flows(problem)
    for chain in problem.ties.chains.values() if problem.buffers else ():
        held: Counter[str] = Counter()
        for number, operation in enumerate(chain):
            for give in flows.gives.get(operation.id, ()):
                if give.count > give.own:
                    yield from _place_faults(operation, give, held, flows.places)
                    yield from _setup_faults(problem, chain[: number + 1], give, flows)
                held[give.buffer] += give.count
            buffer, inside = flows.buffer_of(operation), {before.id for before in chain[:number]}
            if buffer is not None:
                held[buffer] -= sum(link.operation in inside for link in operation.predecessors)


def _place_faults(
    operation: Operation, give: Delivery, held: Counter[str], places: dict[str, int]
) -> Iterator[Fault]:
    wanted = held[give.buffer] + give.count - give.own
    if wanted > places[give.buffer] >= give.count:
        what = f"wants {wanted} places of {give.buffer}, which has {places[give.buffer]}, together with what"
        what += " those leave there that greatest lags tie to it"
        remedy = f"Give the buffer {wanted} places, or take a greatest lag away"
        yield Fault(f"operations {operation.id}", what, remedy)


def _setup_faults(
    problem: Problem, chain: Sequence[Operation], give: Delivery, flows: Flows
) -> Iterator[Fault]:
    """The last one may have to wait for the place that one before it leaves when it starts."""
    last, room = chain[-1], 0
    tables = [problem.setup_tables[a.unit] for a in last.alternatives if a.unit in problem.setup_tables]
    setup = max((m for table in tables for (_, to), m in table.items() if to == last.family), default=0)
    for before, after in reversed(list(pairwise(chain))):
        most = (link.most or 0 for link in after.predecessors if link.operation == before.id)
        room += min(a.minutes for a in before.alternatives) + min(most)
        if flows.takes.get(before.id, ("", 0))[0] == give.buffer and setup > room:
            what = f"comes at most {room} minutes after the start of {before.id}, whose place in"
            what += f" {give.buffer} it may need for its set-up of {setup}"
            remedy = f"Allow {setup} minutes, or give one of the two another buffer"
            yield Fault(f"operations {last.id}", what, remedy)
            return
