"""Half a cent: the plant and the real Tryton round it alike."""

import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mes.kernel.quantity import round_money
from tests.fixtures.tryton import Tryton

pytestmark = pytest.mark.timeout(300)

ASK = """
(currency,) = pool.get("currency.currency").search([("code", "=", "CNY")])
print("ready", flush=True)
for line in sys.stdin:
    print(currency.round(Decimal(line)), flush=True)
"""

half_cents = st.integers(-10_000_000, 10_000_000).map(lambda cents: Decimal(2 * cents + 1) / 200)
amounts = st.decimals("-99999", "99999", places=6)


class Currency:
    """The currency of a real Tryton, asked over a pipe."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def round(self, amount: Decimal) -> Decimal:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{amount}\n")
        self._process.stdin.flush()
        return Decimal(self.answer())


@pytest.fixture(scope="module")
def currency(
    tryton_template: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Currency]:
    """The company's currency, in a process of the ERP's own environment; no server is needed for it."""
    with Tryton.at_rest(*tryton_template, tmp_path_factory.mktemp("erp")).run_inside(ASK) as process:
        found = Currency(process)
        assert found.answer() == "ready"
        yield found
        assert process.stdin is not None
        process.stdin.close()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(half_cents, amounts))
def test_half_a_cent_is_rounded_as_tryton_does(currency: Currency, amount: Decimal) -> None:
    assert round_money(amount, "CNY") == currency.round(amount)
