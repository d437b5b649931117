"""The suite on the ERP in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from erp_bridge.adapter import Period, Stream
from erp_bridge.adapters.memory import Books, MemoryAdapter
from erp_bridge.documents import (
    BillLine,
    Incoming,
    MaterialCount,
    MaterialDefinition,
    MaterialLot,
    OperationDefinition,
    OperationsDefinition,
    OperationsRequest,
)
from tests.conformance.erp_suite import Bench, ErpSuite, Order

PRICES = {
    "PUMP-40": "653.33", "CAST-40": "120", "SHAFT": "60", "IMP-40": "45", "SEAL": "25",
    "BOLT": "0.50", "GREASE": "80", "MOTOR-A": "380", "BOX": "12",
}  # fmt: skip
PLACES = {"CAST-40": 10, "SHAFT": 20, "IMP-40": 20, "SEAL": 30, "BOLT": 30, "GREASE": 30,
          "MOTOR-A": 40, "BOX": 60}  # fmt: skip
RUN_S = {10: 40, 20: 10, 30: 10, 40: 10, 50: 12, 60: 8}
QUANTITIES = {"BOLT": "8", "GREASE": "0.050"}


def demo_books() -> Books:
    """Return the demo plant's facts, as far as the suite asks for them."""
    books = Books()
    books.prices = {code: Decimal(price) for code, price in PRICES.items()}
    books.lots = {(code, f"LOT-{code}-0001") for code in PLACES}
    year = datetime.now(UTC).year
    books.periods = [
        Period(date(each, 1, 1), date(each, 12, 31), open=True) for each in (year - 1, year, year + 1)
    ]
    materials: list[Incoming] = [
        MaterialDefinition(
            id=code, name=code, product=code == "PUMP-40", uom=uom(code),
            standard_price=Decimal(price), currency="CNY", erp_ref=code,
        )
        for code, price in PRICES.items()
    ]  # fmt: skip
    books.records[Stream.MATERIALS] = [*materials, _master()]
    return books


def uom(code: str) -> str:
    return "kg" if code == "GREASE" else "pc"


def _master() -> OperationsDefinition:
    steps = tuple(
        OperationDefinition(
            operation=operation, name=str(operation), work_center="MC", run_s=Decimal(seconds),
            setup_s=Decimal(60 if operation == 10 else 0), labour_class="L1",
        )
        for operation, seconds in RUN_S.items()
    )  # fmt: skip
    bill = tuple(
        BillLine(operation=at, material=code, quantity=Decimal(QUANTITIES.get(code, "1")), uom=uom(code))
        for code, at in PLACES.items()
    )
    return OperationsDefinition(id="WM-PUMP-40", material="PUMP-40", operations=steps, bill=bill, erp_ref="")


class MemoryBench:
    """The ERP in memory, and its people."""

    def __init__(self) -> None:
        self.running: Order | None = None
        self.books = demo_books()
        self.adapter = MemoryAdapter(self.books)

    async def demand(self, material: str, quantity: int, words: str = "") -> str:
        orders = self.books.records.setdefault(Stream.ORDERS, [])
        number = f"S-{len(orders) + 1}"
        wanted = words.partition("deliver by ")[2] or "2026-12-01T10:00:00+00:00"
        orders.append(
            OperationsRequest(
                erp_ref=f"production,{len(orders) + 1}", material=material,
                quantity=Decimal(quantity), uom="pc", due_at=datetime.fromisoformat(wanted).astimezone(UTC),
                priority=1 if "rush" in words else 5, cancelled=False, customer_order=number,
                customer="C-01", customer_name="Waterworks",
            )
        )  # fmt: skip
        return number

    async def production_state(self, erp_ref: str) -> str:
        return self.books.states[erp_ref]

    async def promise(self, customer_order: str) -> str:
        return self.books.promises[customer_order]

    async def touch(self, erp_refs: Sequence[str]) -> None:
        orders = self.books.records[Stream.ORDERS]
        orders += [one for one in orders if isinstance(one, OperationsRequest) and one.erp_ref in erp_refs]

    async def postpone(self, customer_order: str, day: date) -> None:
        orders = self.books.records[Stream.ORDERS]
        (sold,) = [one for one in orders if isinstance(one, OperationsRequest)
                   and one.customer_order == customer_order]  # fmt: skip
        changed = replace(sold, due_at=datetime.combine(day, time(10), UTC))
        self.books.records.setdefault(Stream.SALES, []).append(changed)

    async def copy_materials(self, price: Decimal, copies: Mapping[str, str]) -> None:
        for code in copies.values():
            self.books.prices[code] = price
            self.books.lots.add((code, f"LOT-{code}-0001"))

    async def deliver(self, material: str, lot: str, quantity: Decimal, price: Decimal) -> None:
        stocked = self.books.records.setdefault(Stream.LOTS, [])
        self.books.lots.add((material, lot))
        stocked.append(
            MaterialLot(
                receipt=f"stock,{len(stocked) + 1}", lot=lot, material=material, quantity=quantity,
                uom=uom(material), price=price, currency="CNY", supplier="V-01", purchase="P-1",
                received_at=datetime.now(UTC), expires_at=None,
            )
        )  # fmt: skip

    async def count(self, material: str, lot: str, found: Decimal) -> None:
        stocked = self.books.records[Stream.LOTS]
        before = sum(one.quantity for one in stocked
                     if isinstance(one, MaterialLot | MaterialCount) and one.lot == lot)  # fmt: skip
        stocked.append(
            MaterialCount(
                movement=f"stock,{len(stocked) + 1}", lot=lot, material=material, quantity=found - before,
                uom=uom(material), counted_at=datetime.now(UTC), expires_at=None,
            )
        )  # fmt: skip

    async def close_year(self, year: int) -> None:
        self.books.periods = [
            Period(one.start, one.end, open=one.open and one.start.year != year) for one in self.books.periods
        ]

    async def switch(self, *, on: bool) -> None:
        self.books.faults.away = not on


class TestMemory(ErpSuite):
    """ERP-01 and on."""

    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench()
