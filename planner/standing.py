"""Does a proposal still hold, some time after it was made, and what are its times now?

The floor has moved on meanwhile: work began, ended or waits, a machine stands, somebody left. The
proposal's order and units are timed again on the plant as it is now, and the independent checker looks
at the result. That time has passed while people read is no fault: what was not begun begins later. It
does not hold when an order gets late that was in time, or when a unit, people or material are missing.
Work that came meanwhile goes into its gaps and moves nobody; what has become frozen meanwhile stays where
people prepare it, before the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from planner.checker import check
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode
from planner.decoder.turns import in_turn
from planner.objective import order_ends
from planner.problem import Operation, Problem, Published, Release
from planner.replan import with_the_rest
from planner.schedule import Assignment, Schedule

SLIP_MIN = 3
"""Minutes by which a start may slip beyond the time that passed: a plan lags behind the floor by as much."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as people have read it, seen from now.

    Args:
        places: Operation id -> unit and begin of its set-up, in minutes of the problem of now.
        late: Orders that it had late.
        age: Minutes since the picture of the plant that it was made on.
    """

    places: Mapping[str, Published]
    late: AbstractSet[str]
    age: int


@dataclass(frozen=True, slots=True)
class Slip:
    """One operation or order of a proposal that does not hold any more; "" for the whole."""

    row: str
    what: str

    def __str__(self) -> str:
        return f"{self.row} {self.what}"


@dataclass(frozen=True, slots=True)
class Retimed:
    """A proposal on the plant as it is now, with the work that came meanwhile in its gaps."""

    problem: Problem
    schedule: Schedule


def retimed(problem: Problem, proposal: Proposal) -> Retimed | list[Slip]:
    """Time a proposal again on the plant as it is now, or say what of it does not hold.

    Orders that it does not know fill its gaps; what is over is left out of account.
    """
    known = _known(problem, proposal.places)
    open_work = [o for o in known.operations if o.id in proposal.places and not o.started]
    elsewhere = [slip for o in open_work for slip in _elsewhere(o, proposal.places[o.id])]
    if elsewhere:
        return elsewhere
    asked = _without_places(known, problem)
    names = in_turn(known, {o.id: proposal.places[o.id] for o in open_work})
    choices = [Choice(name, proposal.places[name].unit) for name in names]
    try:
        schedule = decode(asked, [*choices, *_published(known, proposal.places)])
        found = _missing(known, proposal, [schedule.by_operation[name] for name in names])
        found += _late(known, proposal, schedule)
        if found:
            return found
        whole = _without_places(problem, problem)
        schedule = with_the_rest(whole, schedule)
    except LocksConflict as conflict:
        return [Slip(conflict.operation, conflict.what)]
    return [Slip("", fault) for fault in check(whole, schedule)] or Retimed(problem, schedule)


def _without_places(problem: Problem, whole: Problem) -> Problem:
    """The problem with no places of the plan in force but the frozen ones: those of the proposal count.

    Who waits for which receipt stays as it is in the `whole`: what is held is served first there, and is held
    no more here.
    """
    frozen = {operation.id for operation in problem.operations if operation.frozen}
    rows = (_untied(operation, frozen) for operation in problem.operations)
    return replace(problem, operations=tuple(_free(o, whole.releases_of(o)) for o in rows))


def _known(problem: Problem, places: Mapping[str, Published]) -> Problem:
    """The problem without the orders that the proposal has nothing of, unless they run or are frozen."""
    names = {o.order for o in problem.operations if o.id in places or o.started or o.frozen}
    return replace(
        problem,
        orders=tuple(order for order in problem.orders if order.id in names),
        operations=tuple(o for o in problem.operations if o.order in names),
    )


def _published(problem: Problem, places: Mapping[str, Published]) -> list[Choice]:
    """Steps that came back to an order, such as by a report taken back, stay on their unit."""
    return [Choice(o.id, o.published.unit) for o in problem.operations if o.published and o.id not in places]


def _missing(problem: Problem, proposal: Proposal, rows: list[Assignment]) -> list[Slip]:
    """What begins later than passed time explains: a unit, people, tools or material are missing."""
    found = []
    for row in rows:
        later = row.setup_start - proposal.places[row.operation].start
        stands = problem.unit_by_id[row.unit].stops
        if later > proposal.age + SLIP_MIN and (stands or row.reason.code in {"people", "release", "tool"}):
            found.append(Slip(row.operation, f"starts {later} minutes later"))
    return found


def _late(problem: Problem, proposal: Proposal, schedule: Schedule) -> list[Slip]:
    """The orders that people have read in time and that are late now."""
    read = {o.order for o in problem.operations if o.id in proposal.places} - proposal.late
    late = [
        (name, end - problem.order_by_id[name].due) for name, end in order_ends(problem, schedule).items()
    ]
    return [
        Slip(name, f"gets {minutes} minutes late") for name, minutes in late if name in read and minutes > 0
    ]


def _elsewhere(operation: Operation, place: Published) -> list[Slip]:
    if place.unit not in {alternative.unit for alternative in operation.alternatives}:
        return [Slip(operation.id, f"cannot be done on {place.unit}")]
    if operation.lock is not None and operation.lock.unit != place.unit:
        return [Slip(operation.id, f"is locked on {operation.lock.unit}")]
    return []


def _untied(operation: Operation, frozen: set[str]) -> Operation:
    """An operation without its greatest lag after a frozen one, which is no more than wished for."""
    links = operation.predecessors
    if not any(link.most is not None and link.operation in frozen for link in links):
        return operation
    loose = tuple(replace(link, most=None) if link.operation in frozen else link for link in links)
    return replace(operation, predecessors=loose)


def _free(operation: Operation, releases: tuple[Release, ...]) -> Operation:
    held = replace(operation, kept=False, releases=releases, materials=())
    return held if operation.frozen else replace(held, published=None)
