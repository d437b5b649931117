"""Amounts have the digits of their currency, whatever a database column keeps."""

from decimal import Decimal

import pytest

from mes.kernel.quantity import minor_unit, plain_money, round_money


@pytest.mark.parametrize(
    ("currency", "least", "rounded"),
    [("CNY", "0.01", "1234.57"), ("JPY", "1", "1235"), ("TND", "0.001", "1234.568"), ("XOF", "1", "1235")],
)
def test_a_currency_has_its_own_digits(currency: str, least: str, rounded: str) -> None:
    assert str(minor_unit(currency)) == least
    assert str(round_money(Decimal("1234.5678"), currency)) == rounded


@pytest.mark.parametrize(
    ("currency", "stored", "shown"),
    [
        ("CNY", "240.000", "240.00"),
        ("CNY", "0", "0.00"),
        ("CNY", "0.005", "0.005"),
        ("JPY", "240.000", "240"),
        ("TND", "240.125", "240.125"),
        ("TND", "240", "240.000"),
    ],
)
def test_the_same_amount_is_written_with_them(currency: str, stored: str, shown: str) -> None:
    assert str(plain_money(Decimal(stored), currency)) == shown
