"""From a machine's running total to the pieces made since the last look."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class CounterRule:
    """How one counter behaves.

    Args:
        modulus: The counter starts again at 0 after `modulus - 1`; none: it never does.
        max_step: Largest believable difference between two readings, in counted units.
    """

    modulus: Decimal | None = None
    max_step: Decimal = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one reading says.

    Args:
        delta: Units since the reading before; never negative.
        raw: The reading itself.
        doubtful: A person has to look at it: the counter was set back, or jumped.
    """

    delta: Decimal
    raw: Decimal
    doubtful: bool = False


def count(base: Decimal | None, raw: Decimal, rule: CounterRule) -> Counted:
    """Return what was counted between the readings `base` and `raw`.

    The first reading ever counts nothing: what the machine made before belongs to nobody. A
    counter that stands at 0 after a higher reading was reset and has counted nothing since; one
    that was reset and has counted already may have lost pieces, so it is doubtful.

    Args:
        base: The reading before, none for the first.
        raw: This reading, >= 0.
    """
    if base is None:
        return Counted(Decimal(0), raw)
    if raw >= base:
        return Counted(raw - base, raw, doubtful=raw - base > rule.max_step)
    if rule.modulus is not None:
        rolled = rule.modulus - base + raw
        if 0 <= rolled <= rule.max_step:
            return Counted(rolled, raw)
    return Counted(raw, raw, doubtful=raw > 0)
