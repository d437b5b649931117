"""The worked order of the costing oracle comes out to the cent, entry by entry."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mes.costing import standard as std
from mes.costing.model import (
    Account,
    CostLine,
    CostStandard,
    EntryNotBalanced,
    Lines,
    OrderActuals,
    StandardInput,
    balanced,
)
from mes.costing.valuation import Layer, StockTooSmall, actual_cost, first_in_first_out, moving_average
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.quantity import Money, Quantity

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "oracles" / "costing_worked_order.json").read_text(encoding="utf-8")
)
UNIT, ORDER, ACTUAL = ORACLE["standard_per_unit"], ORACLE["order"], ORACLE["actual"]
A, B, PUMP = MaterialId("A"), MaterialId("B"), MaterialId("PUMP")


def money(amount: str) -> Money:
    return Money(Decimal(amount), "CNY")


def bought(text: str, uom: str) -> tuple[Quantity, Money]:
    quantity, price = text.split(" @ ")
    return Quantity(Decimal(quantity), uom), money(price)


def given(key: str) -> StandardInput:
    part = UNIT[key]
    if "price" in part:
        return StandardInput(Decimal(part["qty"]), Decimal(part["price"]), part["uom"])
    return StandardInput(Decimal(part["h"]), Decimal(part["rate"]), "h")


STANDARD = CostStandard(
    material=PUMP,
    uom="pc",
    currency="CNY",
    unit_cost=Decimal(UNIT["total"]),
    materials={A: given("A"), B: given("B")},
    labour={"L1": given("labour")},
    machine={EquipmentId("MC"): given("machine")},
    variable_overhead=given("variable_overhead"),
    fixed_overhead=given("fixed_overhead"),
)
COST = money(UNIT["total"])
HOURS = Decimal(ACTUAL["machine_h"])


def issues() -> list[Lines]:
    return [
        std.issue(A, Quantity(Decimal(ACTUAL["A_kg"]), "kg"), money(UNIT["A"]["price"])),
        std.issue(B, Quantity(Decimal(ACTUAL["B_pc"]), "pc"), money(UNIT["B"]["price"])),
    ]


def work() -> list[Lines]:
    return [
        std.labour(
            Decimal(ACTUAL["labour_h"]),
            money(UNIT["labour"]["rate"]),
            actual_rate=money(ACTUAL["labour_rate"]),
        ),
        std.machine(HOURS, money(UNIT["machine"]["rate"])),
        std.variable_overhead(HOURS, money(UNIT["variable_overhead"]["rate"])),
        std.fixed_overhead(HOURS, money(UNIT["fixed_overhead"]["rate"])),
        std.subcontract(
            Quantity(Decimal(ORDER["started"]), "pc"),
            money(UNIT["subcontract"]),
            Decimal(ACTUAL["subcontract_po"]),
        ),
    ]


def deliveries(*parts: int) -> list[Lines]:
    good = [std.complete(PUMP, Quantity(Decimal(part), "pc"), COST) for part in parts]
    return [*good, std.scrap(PUMP, Quantity(Decimal(ORDER["scrap"]), "pc"), COST)]


def closing(so_far: list[Lines]) -> Lines:
    by_material = {
        material: sum(
            (
                line.amount
                for lines in so_far
                for line in lines
                if line.account is Account.WIP and line.material == material
            ),
            Decimal(0),
        )
        for material in (A, B)
    }
    labour, machine, variable, fixed, _ = (
        next(line.amount for line in lines if line.account is Account.WIP) for lines in work()
    )
    actuals = OrderActuals(
        materials=by_material,
        labour=labour,
        machine=machine,
        variable_overhead=variable,
        fixed_overhead=fixed,
        residual=std.totals(so_far)[Account.WIP],
        pieces=Decimal(ORDER["good"] + ORDER["scrap"]),
    )
    return std.close(STANDARD, actuals)


def worked_order(before_work: Callable[[], list[Lines]] = issues, *parts: int) -> list[Lines]:
    a, paid_a = bought(ACTUAL["A_bought"], "kg")
    b, paid_b = bought(ACTUAL["B_bought"], "pc")
    receipts = [
        std.receive(A, a, money(UNIT["A"]["price"]), paid_a),
        std.receive(B, b, money(UNIT["B"]["price"]), paid_b),
    ]
    in_order = [*before_work(), *work(), *deliveries(*(parts or (ORDER["good"],)))]
    pools = ACTUAL["pools"]

    def absorbed(account: Account) -> Decimal:
        return -std.totals(in_order)[account]

    return [
        *receipts,
        *in_order,
        closing(in_order),
        std.settle_pool(
            Account.MACHINE_POOL, Decimal(pools["machine"]), absorbed(Account.MACHINE_ABSORBED), "CNY"
        ),
        std.settle_pool(
            Account.VARIABLE_OVERHEAD_POOL,
            Decimal(pools["variable_overhead"]),
            absorbed(Account.VARIABLE_OVERHEAD_ABSORBED),
            "CNY",
        ),
        std.settle_fixed_pool(
            Decimal(pools["fixed_overhead"]),
            Decimal(pools["fixed_overhead_budget"]),
            absorbed(Account.FIXED_OVERHEAD_ABSORBED),
            "CNY",
        ),
        std.ship(PUMP, Quantity(Decimal(90), "pc"), COST),
    ]


def sides(lines: Lines) -> tuple[dict[str, str], dict[str, str]]:
    debits: dict[str, str] = {}
    credits_: dict[str, str] = {}
    for line in lines:
        name = line.account.value
        if line.account is Account.USAGE_VARIANCE:
            name += f"_{line.material}"
        if line.debit:
            debits[name] = str(line.debit)
        else:
            credits_[name] = str(line.credit)
    return debits, credits_


@pytest.mark.parametrize("entry", ORACLE["entries"], ids=lambda entry: f"{entry['n']}-{entry['event']}")
def test_an_entry_is_the_oracles(entry: dict[str, Any]) -> None:
    debits, credits_ = sides(worked_order()[entry["n"] - 1])
    assert (debits, credits_) == (entry["dr"], entry["cr"])


def test_the_checks_of_the_oracle_hold() -> None:
    entries, checks = worked_order(), ORACLE["checks"]
    balance = std.totals(entries)
    assert str(balance[Account.WIP]) == checks["wip"]
    assert str(balance[Account.RAW_MATERIAL]) == checks["raw_material"]
    assert str(balance[Account.FINISHED_GOODS]) == checks["finished_goods"]
    variances = [amount for account, amount in balance.items() if "variance" in account]
    assert str(sum(variances)) == checks["net_variance"]
    spent = (Account.GR_IR, Account.PAYROLL_ACCRUED, Account.MACHINE_POOL)
    pools = (Account.VARIABLE_OVERHEAD_POOL, Account.FIXED_OVERHEAD_POOL)
    assert str(-sum(balance[account] for account in (*spent, *pools))) == checks["total_cost_in"]
    assert sum(balance.values()) == 0


def test_issuing_too_much_and_reversing_it_changes_no_total() -> None:
    def with_reversal() -> list[Lines]:
        price = money(UNIT["A"]["price"])
        return [
            std.issue(A, Quantity(Decimal(212), "kg"), price),
            std.issue(A, Quantity(Decimal(-5), "kg"), price),
            issues()[1],
        ]

    assert std.totals(worked_order(with_reversal)) == std.totals(worked_order())


def test_partial_confirmations_add_up() -> None:
    parts = deliveries(40, 40, 16)[:3]
    amounts = [str(lines[0].debit) for lines in parts]
    assert amounts == ["1580.00", "1580.00", "632.00"]
    assert std.totals(worked_order(issues, 40, 40, 16)) == std.totals(worked_order())


def test_an_entry_and_its_reversal_leave_nothing() -> None:
    for lines in worked_order():
        assert set(std.totals([lines, std.reverse(lines)]).values()) == {Decimal(0)}


def test_actual_costing_posts_the_amount_and_not_a_rounded_unit_cost() -> None:
    expect = ORACLE["more"][2]["expect"]
    inputs = [
        Layer(Decimal(ACTUAL["A_kg"]), bought(ACTUAL["A_bought"], "kg")[1]),
        Layer(Decimal(ACTUAL["B_pc"]), bought(ACTUAL["B_bought"], "pc")[1]),
        Layer(Decimal(ACTUAL["labour_h"]), money(ACTUAL["labour_rate"])),
        *(
            Layer(HOURS, money(UNIT[key]["rate"]))
            for key in ("machine", "variable_overhead", "fixed_overhead")
        ),
    ]
    total = actual_cost(inputs, Decimal(ACTUAL["subcontract_po"]))
    assert str(total) == expect["total"] == expect["value_posted_for_96_good"]


def test_moving_average_and_fifo_value_an_issue() -> None:
    expect = ORACLE["more"][3]["expect"]
    layers = [Layer(Decimal(100), money("10.00")), Layer(Decimal(50), money("11.50"))]
    average, fifo = moving_average(layers, Decimal(120)), first_in_first_out(layers, Decimal(120))
    assert [str(average.issued), str(average.left)] == [expect["average_issue"], expect["average_left"]]
    assert [str(fifo.issued), str(fifo.left)] == [expect["fifo_issue"], expect["fifo_left"]]


@pytest.mark.parametrize("method", [moving_average, first_in_first_out])
def test_no_more_is_issued_than_there_is(method: Callable[[list[Layer], Decimal], object]) -> None:
    with pytest.raises(StockTooSmall):
        method([Layer(Decimal(10), money("1.00"))], Decimal(11))


def test_a_late_entry_leaves_a_closed_order_at_zero() -> None:
    late = std.machine(Decimal("0.5"), money("120.00"))
    both = std.totals([late, std.settle_late(late, "CNY")])
    assert both[Account.WIP] == 0
    assert both[Account.STANDARD_COST_VARIANCE] == Decimal("60.00")


def test_an_entry_that_does_not_balance_is_refused() -> None:
    with pytest.raises(EntryNotBalanced):
        balanced([CostLine(account=Account.WIP, debit=Decimal(1), currency="CNY")])
