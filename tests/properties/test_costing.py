"""What holds for every order, whatever was booked on it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mes.costing import standard as std
from mes.costing.model import Account, CostStandard, Lines, OrderActuals, StandardInput
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.quantity import Money, Quantity

materials = st.sampled_from([MaterialId(code) for code in ("CAST", "SEAL", "BOLT")])
quantities = st.decimals("0.001", "500", places=3)
prices = st.decimals("0", "900", places=4).map(lambda amount: Money(amount, "CNY"))
hours = st.decimals("0", "12", places=6)
PUMP = MaterialId("PUMP")


pieces_of = st.builds(Quantity, quantities, st.just("pc"))

bookings = st.one_of(
    st.builds(std.receive, materials, pieces_of, prices, st.none() | prices),
    st.builds(std.issue, materials, pieces_of, prices),
    st.builds(std.labour, hours, prices, actual_rate=st.none() | prices),
    st.builds(std.machine, hours, prices),
    st.builds(std.complete, st.just(PUMP), pieces_of, prices),
    st.builds(std.scrap, st.just(PUMP), pieces_of, prices),
    st.builds(std.scrap_lot, materials, pieces_of, prices),
)


@given(st.lists(bookings, max_size=12))
def test_every_entry_balances_to_the_cent(entries: list[Lines]) -> None:
    assert sum(std.totals(entries).values()) == 0
    for lines in entries:
        assert all(line.debit >= 0 and line.credit >= 0 for line in lines)
        assert all(line.amount == round(line.amount, 2) for line in lines)


@given(st.lists(bookings, max_size=12), st.decimals("0", "900", places=4), st.integers(0, 40))
def test_a_closed_order_has_no_work_in_process(entries: list[Lines], unit_cost: Decimal, pieces: int) -> None:
    standard = CostStandard(
        material=PUMP,
        uom="pc",
        currency="CNY",
        unit_cost=unit_cost,
        materials={MaterialId("CAST"): StandardInput(Decimal(1), Decimal("120.005"), "pc")},
        labour={"L1": StandardInput(Decimal("0.0041666667"), Decimal(60), "h")},
        machine={EquipmentId("MC"): StandardInput(Decimal("0.0041666667"), Decimal(120), "h")},
    )
    wip = [line for lines in entries for line in lines if line.account is Account.WIP]
    spent: dict[MaterialId, Decimal] = {}
    for line in wip:
        if line.material is not None and line.material != PUMP:
            spent[line.material] = spent.get(line.material, Decimal(0)) + line.amount
    actuals = OrderActuals(
        materials=spent,
        labour=Decimal(0),
        machine=Decimal(0),
        residual=sum((line.amount for line in wip), Decimal(0)),
        pieces=Decimal(pieces),
    )
    assert std.totals([*entries, std.close(standard, actuals)]).get(Account.WIP, 0) == 0


@given(bookings)
def test_a_reversal_undoes_an_entry_line_by_line(lines: Lines) -> None:
    assert std.reverse(std.reverse(lines)) == lines
    assert set(std.totals([lines, std.reverse(lines)]).values()) <= {Decimal(0)}


@given(st.integers(1, 40), prices)
def test_pieces_with_serial_numbers_are_worth_as_much_one_by_one(count: int, cost: Money) -> None:
    each = std.totals([std.complete(PUMP, Quantity(Decimal(1), "pc"), cost)] * count)
    assert std.totals([std.complete(PUMP, Quantity(Decimal(count), "pc"), cost, parts=count)]) == each


@given(st.integers(0, 100_000), st.sampled_from([1, -1]))
def test_half_a_cent_goes_to_the_even_one(cents: int, sign: int) -> None:
    rounded = std.value(Decimal(sign) * (2 * cents + 1), Money(Decimal("0.005"), "CNY"))
    assert rounded * 100 % 2 == 0
    assert abs(rounded * 200) in {2 * cents, 2 * cents + 2}
