"""Other ways to value stock and orders: actual cost, moving average, first in first out. Pure.

Lineside books at standard cost; these serve comparison with an ERP that values otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mes.kernel.errors import PlantError
from mes.kernel.quantity import Money, round_money


@dataclass(frozen=True, slots=True)
class Layer:
    """Stock that came in together.

    Args:
        quantity: In the material's unit, > 0.
        price: Money per unit.
    """

    quantity: Decimal
    price: Money


@dataclass(frozen=True, slots=True)
class Valued:
    """Amount of what was issued and of what is left."""

    issued: Decimal
    left: Decimal


class StockTooSmall(PlantError):
    """More is issued than there is."""

    http_status = 409
    remedy = "Count the stock and correct it first."


def moving_average(layers: Sequence[Layer], issued: Decimal) -> Valued:
    """Value an issue at the average of all layers.

    Raises:
        StockTooSmall: The layers hold less.
    """
    currency = layers[0].price.currency
    whole = _worth(layers)
    quantity = sum((layer.quantity for layer in layers), Decimal(0))
    if issued > quantity:
        raise StockTooSmall(quantity=str(quantity), issued=str(issued))
    amount = round_money(whole * issued / quantity, currency)
    return Valued(amount, whole - amount)


def first_in_first_out(layers: Sequence[Layer], issued: Decimal) -> Valued:
    """Value an issue at the prices of the oldest layers.

    Raises:
        StockTooSmall: The layers hold less.
    """
    open_quantity, amount = issued, Decimal(0)
    for layer in layers:
        taken = min(open_quantity, layer.quantity)
        amount += taken * layer.price.amount
        open_quantity -= taken
    if open_quantity:
        raise StockTooSmall(missing=str(open_quantity), issued=str(issued))
    amount = round_money(amount, layers[0].price.currency)
    return Valued(amount, _worth(layers) - amount)


def actual_cost(inputs: Iterable[Layer], extra: Decimal = Decimal(0)) -> Decimal:
    """Return the amount of an order: each input at its actual price, and `extra` as it is.

    The amount itself is posted for the good pieces, never a rounded unit cost x pieces.
    """
    return extra + sum(
        (round_money(one.quantity * one.price.amount, one.price.currency) for one in inputs), Decimal(0)
    )


def _worth(layers: Sequence[Layer]) -> Decimal:
    return sum(
        (round_money(layer.quantity * layer.price.amount, layer.price.currency) for layer in layers),
        Decimal(0),
    )
