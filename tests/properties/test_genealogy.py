"""As-built records: no piece is given what was not used, and none less than there was."""

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mes.kernel.ids import LotNumber, MaterialId
from mes.tracking.allocate import Used, allocate
from mes.tracking.model import Basis

MATERIALS = ("SEAL", "BOLT")
quantities = st.decimals(min_value=0, max_value=50, places=3)


@st.composite
def uses(draw: st.DrawFn) -> list[Used]:
    named = draw(st.lists(st.tuples(st.sampled_from(MATERIALS), st.integers(1, 4)), unique=True, max_size=8))
    return [
        Used(MaterialId(material), LotNumber(f"{material}-{number}"), draw(quantities), "pc")
        for material, number in named
    ]


needs = st.dictionaries(st.sampled_from([MaterialId(one) for one in MATERIALS]), quantities)


@given(needs, uses(), uses())
def test_a_piece_gets_its_need_as_far_as_it_was_used(
    need: dict[MaterialId, Decimal], scanned: list[Used], pool: list[Used]
) -> None:
    built = allocate(need, scanned, pool)
    given_to: Counter[tuple[str, Basis]] = Counter()
    for part in built:
        given_to[part.material, part.basis] += part.quantity  # type: ignore[assignment]
    for material in MATERIALS:
        by_scan = sum((one.quantity for one in scanned if one.material == material), Decimal(0))
        in_pool = sum((one.quantity for one in pool if one.material == material), Decimal(0))
        wanted = max(need.get(MaterialId(material), Decimal(0)) - by_scan, Decimal(0))
        assert given_to[material, Basis.SCANNED] == by_scan
        assert given_to[material, Basis.ALLOCATED] == min(wanted, in_pool)


@given(needs, uses())
def test_no_lot_gives_more_than_was_used_of_it(need: dict[MaterialId, Decimal], pool: list[Used]) -> None:
    used = {(one.material, one.lot): one.quantity for one in pool}
    for part in allocate(need, [], pool):
        assert 0 < part.quantity <= used[part.material, part.lot]


@given(needs, uses(), st.integers(1, 6))
def test_pieces_share_the_lots_and_never_more(
    need: dict[MaterialId, Decimal], pool: list[Used], pieces: int
) -> None:
    left = {(one.material, one.lot): one for one in pool}
    total: Counter[tuple[MaterialId, LotNumber]] = Counter()
    for _ in range(pieces):
        for part in allocate(need, [], list(left.values())):
            place = (part.material, part.lot)
            total[place] += part.quantity  # type: ignore[assignment]
            before = left[place]
            left[place] = Used(*place, before.quantity - part.quantity, "pc")
    assert all(quantity <= {(o.material, o.lot): o.quantity for o in pool}[place]
               for place, quantity in total.items())  # fmt: skip
