"""Locks that dispatch rules do not keep: a plan with them, or the reason why not, or all but the fewest.

A rule asks who is most urgent, not whom a lock needs. CP-SAT finds an order of what the locks are tied to;
that work is then frozen in it, so that every rule and search keeps the locks while it puts the rest around.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from planner.contradiction import Contradiction, LockedPlace, Mend, Released, unlocked
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode
from planner.dispatch import best_dispatch, dispatch, edd
from planner.problem import Operation, Problem, Published
from planner.schedule import Schedule

MOST_TRIED = 600
"""Operations up to which all dispatch rules are tried; one takes seconds for ten thousand."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A plan that keeps all locks.

    Args:
        pinned: The problem with what the locks are tied to frozen where that plan has it, for a search that
            is to keep them; None where that is not possible.
    """

    schedule: Schedule
    rule: str
    pinned: Problem | None


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The problem without some locks, and why without these."""

    problem: Problem
    released: tuple[Released, ...]


def keep_locks(problem: Problem, refused: LocksConflict) -> Kept:
    """A plan that keeps all locks where the dispatch rules have none.

    Args:
        refused: What the rules said.

    Raises:
        LocksConflict: There is none, with the smallest set of locks at fault; or none was found; or no lock
            is at fault, because there is none.
    """
    from planner.cp.locks import Budget, LockModel, Unproved, contradiction

    names = _locked(problem)
    if not names:
        raise refused
    budget = Budget()
    found: list[Kept] = []

    def accept(order: list[Choice]) -> bool:
        kept = _with_the_rest(problem, order)
        found.extend([kept] if kept else [])
        return kept is not None

    try:
        core = LockModel(problem, names).core(names, budget)
        if core is not None:
            raise _refusal(contradiction(problem, core, budget))
        LockModel(problem, names).find(accept, budget)
    except Unproved:
        raise _unproved(problem, refused) from None
    return found[0]


def release_fewest(problem: Problem, refused: LocksConflict) -> Unlocked:
    """Take off as few locks as leave a plan; of equally many, those of cheaper orders. At least one goes.

    A lock that is not proved to be at fault goes only where no plan was found with it.

    Args:
        refused: What the search for a plan said.

    Raises:
        LocksConflict: There is no lock to take off.
    """
    from planner.cp.locks import Budget, LockModel, Unproved, contradiction

    names = _locked(problem)
    if not names:
        raise refused
    budget = Budget()
    kept, released = set(names), []
    try:
        kept = LockModel(problem, names).most(budget)
        for name in sorted(set(names) - kept):
            core = LockModel(problem, {*kept, name}).core([name, *sorted(kept)], budget) or {name}
            why = contradiction(problem, core, budget)
            released.append(Released(_place(problem.operation_by_id[name]), why))
    except Unproved:
        told = {row.lock.operation for row in released}
        rest = sorted(set(names) - kept - told)
        released += [Released(_place(problem.operation_by_id[name]), _guess(problem, name)) for name in rest]
    if not released:
        why = refused.contradiction or _guess(problem, _suspect(problem, refused))
        released = [Released(why.locks[0], why)]
    gone = {row.lock.operation for row in released}
    return Unlocked(unlocked(problem, gone), tuple(released))


def _locked(problem: Problem) -> list[str]:
    return [o.id for o in problem.operations if o.lock]


def _with_the_rest(problem: Problem, order: list[Choice]) -> Kept | None:
    """A plan in which what the locks are tied to goes in that order; None where they are not kept."""
    named = {choice.operation for choice in order}
    due = {row.id: row.due for row in problem.orders}
    rest = sorted((o for o in problem.operations if o.id not in named), key=lambda o: due[o.order])
    fastest = [Choice(o.id, min(o.alternatives, key=lambda a: a.minutes).unit) for o in rest]
    try:
        plan = decode(problem, [*order, *fastest])
    except LocksConflict:
        return None
    pinned = _pinned(problem, named, plan)
    if pinned is not None:
        try:
            rule, better = _dispatched(pinned)
        except LocksConflict:
            pinned = None
        else:
            return Kept(better, rule, pinned)
    return Kept(plan, "locks first", None)


def _dispatched(problem: Problem) -> tuple[str, Schedule]:
    """A plan by rules: by all of them where that is quick."""
    if len(problem.operations) <= MOST_TRIED:
        return best_dispatch(problem)
    return "edd", dispatch(problem, edd(problem))


def _pinned(problem: Problem, named: Collection[str], plan: Schedule) -> Problem | None:
    """The problem with some work frozen where a plan has it."""
    if any(o.kept for o in problem.operations):
        return None
    places: Mapping[str, Published] = {a.operation: Published(a.unit, a.start) for a in plan.assignments}
    rows = tuple(
        replace(o, frozen=True, published=places[o.id]) if o.id in named and not (o.started or o.lock) else o
        for o in problem.operations
    )
    return replace(problem, operations=rows)


def _place(operation: Operation) -> LockedPlace:
    if operation.lock is None:
        raise ValueError(operation.id)
    return LockedPlace(operation.id, operation.lock.unit, operation.lock.start)


def _suspect(problem: Problem, refused: LocksConflict) -> str:
    """The locked operation that was refused; the one with the last lock where work without one was."""
    locks = {o.id: o.lock.start for o in problem.operations if o.lock}
    return refused.operation if refused.operation in locks else max(locks, key=locks.__getitem__)


def _guess(problem: Problem, name: str) -> Contradiction:
    return Contradiction((_place(problem.operation_by_id[name]),), (), (Mend(name, None),), proved=False)


def _unproved(problem: Problem, refused: LocksConflict) -> LocksConflict:
    why = refused.contradiction or _guess(problem, _suspect(problem, refused))
    return LocksConflict(refused.operation, refused.what, refused.remedy, why)


def _refusal(why: Contradiction) -> LocksConflict:
    """A contradiction in words, by the lock that is the easiest to mend."""
    mend = why.mends[0]
    row = next(lock for lock in why.locks if lock.operation == mend.operation)
    others = ", ".join(str(lock) for lock in why.locks if lock is not row)
    what = f"is locked at minute {row.start} on {row.unit}, which cannot be ({', '.join(why.rules)})"
    if others:
        what += f" together with the lock of {others}"
    remedy = "Take the lock off"
    if mend.minute is not None:
        remedy = f"Move the lock to minute {mend.minute}, or take it off"
    return LocksConflict(row.operation, what, remedy, why)
