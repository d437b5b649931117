"""Look beside a small plan where CP-SAT has nothing more to say.

Its model lets a set-up run through a break, so what is cheapest there may not be so once the decoder has
timed it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from random import Random

from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, proposal_of
from planner.objective import score
from planner.problem import Operation, Problem
from planner.progress import Stop
from planner.schedule import Schedule

PLACED_PER_SECOND = 25_000
"""Operations that are placed, and their plan's cost counted, in a CPU second (measured at 5 to 140)."""

MOST_TRIES = 200
"""Plans that are timed for each pair of operations, at the most: of five operations 5,000."""

ROUNDS = 4
"""So often the search cools down, each time from the cheapest plan."""

HEAT, LAST_HEAT = 0.1, 0.001
"""First temperature, a share of what the plan costs beyond the bound; the share of that at a round's end."""

UNIT_SHARE = 0.4
"""Share of the moves that take another unit where there is one."""


def tries_in(seconds: float, operations: int) -> int:
    """How many plans are timed in so many CPU seconds."""
    return int(min(seconds * PLACED_PER_SECOND / max(1, operations), MOST_TRIES * operations**2))


def varied(
    problem: Problem,
    plan: Schedule,
    *,
    bound: int,
    tries: int,
    seed: int,
    stop: Stop,
    on_better: Callable[[int], None],
) -> Schedule:
    """The cheapest plan that is met when one operation after the other goes elsewhere, by annealing.

    Args:
        bound: No plan costs less than this many points.
        tries: Plans that are timed.
        on_better: Is told what each plan costs that is cheaper than all before.
    """
    random = Random(seed)
    movable = [o for o in problem.operations if not o.started]
    best, least = plan, score(problem, plan).total
    for part in range(ROUNDS if movable else 0):
        row, cost, heat = proposal_of(problem, best), least, HEAT * (least - bound)
        count = tries * (part + 1) // ROUNDS - tries * part // ROUNDS
        for number in range(count):
            if least <= bound or stop():
                return best
            tried = _moved(problem, row, random.choice(movable), random)
            try:
                timed = decode(problem, tried)
            except LocksConflict:
                continue
            now = score(problem, timed).total
            if now <= cost or random.random() < exp((cost - now) / (heat * LAST_HEAT ** (number / count))):
                row, cost = tried, now
            if now < least:
                best, least = timed, now
                on_better(now)
    return best


def _moved(problem: Problem, row: list[Choice], operation: Operation, random: Random) -> list[Choice]:
    """The proposal with one operation at another place in the order, and perhaps on another unit."""
    units = {choice.operation: choice.unit for choice in row}
    is_held = operation.lock or operation.frozen or operation.kept
    others = [a.unit for a in operation.alternatives if a.unit != units[operation.id] and not is_held]
    if others and random.random() < UNIT_SHARE:
        units[operation.id] = random.choice(others)
    names = [choice.operation for choice in row if choice.operation != operation.id]
    names.insert(random.randrange(len(names) + 1), operation.id)
    return [Choice(name, units[name]) for name in problem.ties.in_sequence(problem, names, units)]
