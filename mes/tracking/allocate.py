"""Which lots are in which piece, where they were scanned for the order and not for the piece."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mes.kernel.ids import LotNumber, MaterialId
from mes.tracking.model import Basis, BuiltIn


@dataclass(frozen=True, slots=True)
class Used:
    """What an order used of a lot, net of returns, in `uom`; rows come in the order of first use."""

    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str


def allocate(
    need: Mapping[MaterialId, Decimal], scanned: Sequence[Used], pool: Iterable[Used]
) -> tuple[BuiltIn, ...]:
    """Return the components of one piece.

    What was scanned for the piece is in it. The rest of its need comes from what the order used
    and no other piece has, the lot used first before the others; when that is not enough, the
    record says less than the need, never more than was used.

    Args:
        need: Quantity of each material that a piece takes.
        scanned: Used for this very piece.
        pool: Used for the order at large, less what other pieces were given.
    """
    built = [_built(used, used.quantity, Basis.SCANNED) for used in scanned if used.quantity > 0]
    left = dict(need)
    for used in scanned:
        left[used.material] = left.get(used.material, Decimal(0)) - used.quantity
    for used in pool:
        take = min(used.quantity, left.get(used.material, Decimal(0)))
        if take > 0:
            built.append(_built(used, take, Basis.ALLOCATED))
            left[used.material] -= take
    return tuple(built)


def _built(used: Used, quantity: Decimal, basis: Basis) -> BuiltIn:
    return BuiltIn(material=used.material, lot=used.lot, quantity=quantity, uom=used.uom, basis=basis)
