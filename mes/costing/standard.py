"""Standard costing: what each event on the floor debits and credits. Pure, exact to the cent.

Work in process is debited with actual quantity x standard price; usage and efficiency come out when
the order closes, so that its work in process ends at 0.00.

Source:
    Standard costing chapter of a public managerial accounting text (LibreTexts 10.10); order-level
    settlement as in ERP systems. Worked figures: tests/data/oracles/costing_worked_order.json.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypedDict

from mes.costing.model import (
    NOWHERE,
    ZERO,
    Account,
    CostStandard,
    Lines,
    OrderActuals,
    Place,
    Sheet,
    StandardInput,
)
from mes.kernel.ids import LotNumber, MaterialId
from mes.kernel.quantity import Money, Quantity, round_money


def receive(
    material: MaterialId,
    quantity: Quantity,
    price: Money,
    paid: Money | None = None,
    lot: LotNumber | None = None,
) -> Lines:
    """Take goods into stock at standard; what was paid more or less is a price variance.

    Args:
        price: Standard price per unit of `quantity`.
        paid: Purchase price per unit; the standard price when None.
    """
    sheet = Sheet(price.currency)
    standard = value(quantity.value, price)
    owed = standard if paid is None else value(quantity.value, paid)
    sheet.add(Account.RAW_MATERIAL, standard, **_of(material, quantity, lot))
    sheet.add(Account.PURCHASE_PRICE_VARIANCE, owed - standard, material=material)
    sheet.add(Account.GR_IR, -owed, material=material)
    return sheet.closed()


def issue(
    material: MaterialId,
    quantity: Quantity,
    price: Money,
    place: Place = NOWHERE,
    lot: LotNumber | None = None,
) -> Lines:
    """Move material from stock into the order at standard price; a negative quantity returns it."""
    sheet = Sheet(price.currency, place)
    amount = value(quantity.value, price)
    sheet.add(Account.WIP, amount, **_of(material, quantity, lot))
    sheet.add(Account.RAW_MATERIAL, -amount, **_of(material, quantity, lot))
    return sheet.closed()


def labour(
    hours: Decimal, standard_rate: Money, place: Place = NOWHERE, actual_rate: Money | None = None
) -> Lines:
    """Absorb labour at the standard rate.

    Args:
        actual_rate: Money per hour where finance gives one: the difference is a rate variance.
            Without it (wages never come here) the standard amount is absorbed.
    """
    sheet = Sheet(standard_rate.currency, place)
    amount = value(hours, standard_rate)
    sheet.add(Account.WIP, amount, quantity=hours, uom="h")
    if actual_rate is None:
        sheet.add(Account.LABOUR_ABSORBED, -amount, quantity=hours, uom="h")
    else:
        accrued = value(hours, actual_rate)
        sheet.add(Account.LABOUR_RATE_VARIANCE, accrued - amount)
        sheet.add(Account.PAYROLL_ACCRUED, -accrued, quantity=hours, uom="h")
    return sheet.closed()


def machine(hours: Decimal, rate: Money, place: Place = NOWHERE) -> Lines:
    """Absorb machine time at the work centre's standard rate."""
    return _absorb(Account.MACHINE_ABSORBED, hours, rate, place)


def variable_overhead(hours: Decimal, rate: Money, place: Place = NOWHERE) -> Lines:
    """Absorb variable overhead at its standard rate per machine hour."""
    return _absorb(Account.VARIABLE_OVERHEAD_ABSORBED, hours, rate, place)


def fixed_overhead(hours: Decimal, rate: Money, place: Place = NOWHERE) -> Lines:
    """Absorb fixed overhead at its standard rate per machine hour."""
    return _absorb(Account.FIXED_OVERHEAD_ABSORBED, hours, rate, place)


def subcontract(quantity: Quantity, price: Money, owed: Decimal) -> Lines:
    """Take in work done by others at standard.

    Args:
        price: Standard price per piece.
        owed: Amount of the purchase order for all of it.
    """
    sheet = Sheet(price.currency)
    amount = value(quantity.value, price)
    sheet.add(Account.WIP, amount, quantity=quantity.value, uom=quantity.uom)
    sheet.add(Account.SUBCONTRACT_PRICE_VARIANCE, owed - amount)
    sheet.add(Account.GR_IR, -owed)
    return sheet.closed()


def complete(
    material: MaterialId, quantity: Quantity, unit_cost: Money, place: Place = NOWHERE, parts: int = 1
) -> Lines:
    """Move good pieces into finished goods at standard cost.

    Args:
        parts: In so many equal movements: each serial number is one, in the ERP too.
    """
    amount = value(quantity.value, unit_cost, parts)
    return _deliver(Account.FINISHED_GOODS, material, quantity, amount, Sheet(unit_cost.currency, place))


def scrap(material: MaterialId, quantity: Quantity, unit_cost: Money, place: Place = NOWHERE) -> Lines:
    """Expense lost pieces at the full standard cost of a piece, wherever they were lost."""
    amount = value(quantity.value, unit_cost)
    return _deliver(Account.SCRAP_EXPENSE, material, quantity, amount, Sheet(unit_cost.currency, place))


def scrap_lot(material: MaterialId, quantity: Quantity, price: Money, lot: LotNumber | None = None) -> Lines:
    """Expense material that is thrown away in stock."""
    sheet = Sheet(price.currency)
    amount = value(quantity.value, price)
    sheet.add(Account.SCRAP_EXPENSE, amount, **_of(material, quantity, lot))
    sheet.add(Account.RAW_MATERIAL, -amount, **_of(material, quantity, lot))
    return sheet.closed()


def count(material: MaterialId, quantity: Quantity, price: Money, lot: LotNumber | None = None) -> Lines:
    """Take what a count found more into stock, or (a negative quantity) expense what it did not find."""
    return scrap_lot(material, Quantity(-quantity.value, quantity.uom), price, lot)


def close(standard: CostStandard, actuals: OrderActuals) -> Lines:
    """Take usage and efficiency out of the order, so that its work in process ends at 0.00.

    Unfavourable variances are debits. What no component, class or work centre explains, such as a
    standard cost that is not the sum of its parts, goes to the standard cost variance.
    """
    sheet = Sheet(standard.currency)
    for material in sorted({*standard.materials, *actuals.materials}):
        allowed = _allowed(standard.materials.get(material), actuals.pieces, standard.currency)
        spent = actuals.materials.get(material, ZERO)
        sheet.add(Account.USAGE_VARIANCE, spent - allowed, material=material)
    for account, spent, inputs in (
        (Account.LABOUR_EFFICIENCY_VARIANCE, actuals.labour, standard.labour.values()),
        (Account.MACHINE_EFFICIENCY_VARIANCE, actuals.machine, standard.machine.values()),
        (
            Account.VARIABLE_OVERHEAD_EFFICIENCY_VARIANCE,
            actuals.variable_overhead,
            [standard.variable_overhead],
        ),
        (
            Account.FIXED_OVERHEAD_EFFICIENCY_VARIANCE,
            actuals.fixed_overhead,
            [standard.fixed_overhead],
        ),
    ):
        allowed = sum((_allowed(one, actuals.pieces, standard.currency) for one in inputs), ZERO)
        sheet.add(account, spent - allowed)
    explained = sum((line.amount for line in sheet.lines), ZERO)
    sheet.add(Account.STANDARD_COST_VARIANCE, actuals.residual - explained)
    sheet.add(Account.WIP, -actuals.residual)
    return sheet.closed()


def settle_pool(pool: Account, spent: Decimal, absorbed: Decimal, currency: str) -> Lines:
    """Compare what a machine or variable overhead pool cost with what orders absorbed of it.

    Args:
        pool: `MACHINE_POOL` or `VARIABLE_OVERHEAD_POOL`.
        spent: Actual amount of the period.
        absorbed: Credit balance of the absorption account.
    """
    absorption, variance = _POOLS[pool]
    sheet = Sheet(currency)
    sheet.add(absorption, absorbed)
    sheet.add(variance, spent - absorbed)
    sheet.add(pool, -spent)
    return sheet.closed()


def settle_fixed_pool(spent: Decimal, budget: Decimal, absorbed: Decimal, currency: str) -> Lines:
    """Compare fixed overhead: spending against the budget, and the budget against absorption."""
    sheet = Sheet(currency)
    sheet.add(Account.FIXED_OVERHEAD_ABSORBED, absorbed)
    sheet.add(Account.FIXED_OVERHEAD_SPENDING_VARIANCE, spent - budget)
    sheet.add(Account.FIXED_OVERHEAD_VOLUME_VARIANCE, budget - absorbed)
    sheet.add(Account.FIXED_OVERHEAD_POOL, -spent)
    return sheet.closed()


def ship(material: MaterialId, quantity: Quantity, unit_cost: Money) -> Lines:
    """Move sold pieces out of finished goods at standard cost."""
    sheet = Sheet(unit_cost.currency)
    amount = value(quantity.value, unit_cost)
    sheet.add(Account.COGS, amount, **_of(material, quantity))
    sheet.add(Account.FINISHED_GOODS, -amount, **_of(material, quantity))
    return sheet.closed()


def reverse(lines: Lines) -> Lines:
    """Undo an entry: the same amounts on the other sides."""
    return tuple(line.reversed for line in lines)


def settle_late(lines: Lines, currency: str) -> Lines:
    """Return what an entry on a closed order needs besides, so that its WIP stays at 0.00."""
    late = sum((line.amount for line in lines if line.account is Account.WIP), ZERO)
    sheet = Sheet(currency)
    sheet.add(Account.STANDARD_COST_VARIANCE, late)
    sheet.add(Account.WIP, -late)
    return sheet.closed()


def value(quantity: Decimal, price: Money, parts: int = 1) -> Decimal:
    """Return quantity x price in the currency's minor unit, each of `parts` rounded by itself.

    The rule is `round_money`'s, that of the ERP's own postings: both books agree on half a cent too.
    """
    return parts * round_money(quantity / parts * price.amount, price.currency)


def totals(entries: Iterable[Lines]) -> Mapping[Account, Decimal]:
    """Return debits less credits by account."""
    sums: dict[Account, Decimal] = {}
    for lines in entries:
        for line in lines:
            sums[line.account] = sums.get(line.account, ZERO) + line.amount
    return sums


_POOLS = {
    Account.MACHINE_POOL: (Account.MACHINE_ABSORBED, Account.MACHINE_SPENDING_VARIANCE),
    Account.VARIABLE_OVERHEAD_POOL: (
        Account.VARIABLE_OVERHEAD_ABSORBED,
        Account.VARIABLE_OVERHEAD_SPENDING_VARIANCE,
    ),
}


def _absorb(account: Account, hours: Decimal, rate: Money, place: Place) -> Lines:
    sheet = Sheet(rate.currency, place)
    amount = value(hours, rate)
    sheet.add(Account.WIP, amount, quantity=hours, uom="h")
    sheet.add(account, -amount, quantity=hours, uom="h")
    return sheet.closed()


def _deliver(
    account: Account,
    material: MaterialId,
    quantity: Quantity,
    amount: Decimal,
    sheet: Sheet,
) -> Lines:
    sheet.add(account, amount, **_of(material, quantity))
    sheet.add(Account.WIP, -amount, **_of(material, quantity))
    return sheet.closed()


def _allowed(standard: StandardInput | None, pieces: Decimal, currency: str) -> Decimal:
    if standard is None:
        return ZERO
    return round_money(standard.quantity * pieces * standard.price, currency)


class _Dimensions(TypedDict):
    material: MaterialId
    quantity: Decimal
    uom: str
    lot: LotNumber | None


def _of(material: MaterialId, quantity: Quantity, lot: LotNumber | None = None) -> _Dimensions:
    return {"material": material, "quantity": quantity.value, "uom": quantity.uom, "lot": lot}
