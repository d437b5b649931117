"""Quantities with their unit and money with its currency; exact decimals, never floats."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Self

from mes.kernel.errors import PlantError


class UnitMismatch(PlantError):
    """Two quantities of different units cannot be added or compared."""

    http_status = 422
    remedy = "Convert one of them with the unit's exact factor first."


class CurrencyMismatch(PlantError):
    """Two amounts of different currencies cannot be added."""

    http_status = 422
    remedy = "Convert one of them at the posting date's rate first."


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount of something in one unit of measure.

    Args:
        value: Any sign; corrections are negative.
        uom: Unit code as the ERP names it (`pc`, `kg`, `h`).
    """

    value: Decimal
    uom: str

    def __add__(self, other: Self) -> "Quantity":
        if self.uom != other.uom:
            raise UnitMismatch(left=self.uom, right=other.uom)
        return Quantity(self.value + other.value, self.uom)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.value, self.uom)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (ISO 4217 code)."""

    amount: Decimal
    currency: str

    def __add__(self, other: Self) -> "Money":
        if self.currency != other.currency:
            raise CurrencyMismatch(left=self.currency, right=other.currency)
        return Money(self.amount + other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)


COUNTED = frozenset({"pc"})
"""Units that are counted: there is no half of one."""
MEASURED_DIGITS = 6
"""Decimals of a measured unit of which nobody said how many it has: what a database column keeps."""


def unit_digits(uom: str) -> int:
    """Return how many decimals quantities in `uom` have where the ERP does not say."""
    return 0 if uom in COUNTED else MEASURED_DIGITS


EXPONENTS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
         "XAF", "XOF", "XPF"),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
"""Minor-unit digits that are not 2 (ISO 4217, column "minor unit")."""


def minor_unit(currency: str) -> Decimal:
    """Return the least amount of `currency`: a cent, a yen, a millime."""
    return Decimal(1).scaleb(-EXPONENTS.get(currency, 2))


def plain_money(amount: Decimal, currency: str) -> Decimal:
    """Return the same amount with the digits of `currency`; one that is finer keeps its own."""
    written = amount.quantize(minor_unit(currency))
    return written if written == amount else amount


def round_money(amount: Decimal, currency: str) -> Decimal:
    """Round `amount` to the minor unit of `currency`, an exact half to the even neighbour.

    Source:
        Tryton 8.0 rounds what it posts so (`trytond/modules/currency/currency.py`, `Currency.round`,
        `ROUND_HALF_EVEN`, called by `account_stock_continental/stock.py`): with another rule here
        every half cent would be a difference. It is also IEEE 754's rule, and has no drift.
    """
    return amount.quantize(minor_unit(currency), ROUND_HALF_EVEN)
