"""Materials with their work masters, rates and people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.adapter import OddRecord, Page, understand
from erp_bridge.adapters.tryton.chart import unit_of
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.adapters.tryton.values import decimal_of
from erp_bridge.documents import (
    BillLine,
    MaterialDefinition,
    OperationDefinition,
    OperationsDefinition,
    Person,
    Rate,
)


class Masters:
    """What the ERP knows of products and of people."""

    def __init__(self, rpc: Rpc, currency: str, zone: ZoneInfo) -> None:
        self._rpc = rpc
        self._currency = currency
        self._zone = zone

    async def pull_materials(self, cursor: str, limit: int) -> Page:  # noqa: ARG002 - small, whole
        """Return all materials, and the work masters of those that are made here."""
        fields = ["code", "name", "default_uom.symbol", "default_uom.digits", "cost_price", "producible"]
        fields += ["attributes", "boms"]
        domain: list[Any] = [("type", "=", "goods"), ("code", "!=", None)]
        rows = await self._rpc.search_read("product.product", domain, fields, [("id", "ASC")])
        by_id = {row["id"]: row for row in rows}
        materials, odd = understand(rows, lambda row: str(row["code"]), self._material)
        masters, unclear = await self._masters(
            [row for row in rows if row["producible"] and row["boms"]], by_id
        )
        return Page((*materials, *masters), cursor, odd=(*odd, *unclear), whole=True)

    async def pull_rates(self, cursor: str, limit: int) -> Page:  # noqa: ARG002
        """Return the hourly rates of machines and of labour."""
        domain: list[Any] = [("cost_method", "=", "hour"), ("category", "!=", None)]
        rows = await self._rpc.search_read("production.work.center", domain, ["category.name", "cost_price"])
        machines, odd = understand(rows, lambda row: f"center,{row['id']}", _machine_rate)
        domain = [("producible", "=", True)]
        rows = await self._rpc.search_read("product.product", domain, ["attributes"])
        classed = [row for row in rows if "labour_class" in (row["attributes"] or {})]
        labour, unclear = understand(classed, lambda row: f"product.product,{row['id']}", _labour_rate)
        records = tuple(
            Rate(
                kind="labour" if kind == "labour" else "machine",
                code=code,
                per_hour=rate,
                currency=self._currency,
            )
            for (kind, code), rate in sorted(dict([*machines, *labour]).items())
        )
        return Page(records, cursor, odd=(*odd, *unclear), whole=True)

    async def pull_people(self, cursor: str, limit: int) -> Page:  # noqa: ARG002
        """Return all employees."""
        fields = ["party.code", "party.name", "end_date"]
        rows = await self._rpc.search_read("company.employee", [], fields, [("id", "ASC")])
        records, odd = understand(rows, lambda row: f"company.employee,{row['id']}", self._person)
        return Page(tuple(records), cursor, odd=tuple(odd), whole=True)

    def _material(self, row: Row) -> MaterialDefinition:
        return MaterialDefinition(
            id=row["code"],
            name=row["name"],
            product=row["producible"],
            uom=unit_of(row["default_uom."]["symbol"]),
            standard_price=row["cost_price"] or Decimal(0),
            currency=self._currency,
            erp_ref=f"product.product,{row['id']}",
            digits=row["default_uom."]["digits"],
        )

    async def _masters(
        self, made: list[Row], by_id: dict[int, Row]
    ) -> tuple[list[OperationsDefinition], list[OddRecord]]:
        if not made:
            return [], []
        links = [row["boms"][0] for row in made]
        fields = ["product", "bom", "routing"]
        rows = await self._rpc.read("model.product.product-production.bom.read", links, fields)
        boms = {row["product"]: row for row in rows}
        inputs = await self._rpc.search_read(
            "production.bom.input",
            [("bom", "in", [row["bom"] for row in rows])],
            ["bom", "product", "quantity", "unit.symbol"],
            [("id", "ASC")],
        )
        steps = await self._rpc.search_read(
            "production.routing.step",
            [("routing", "in", [row["routing"] for row in rows if row["routing"]])],
            ["routing", "operation.name", "operation.work_center_category.name"],
            [("sequence", "ASC")],
        )
        routed = [row for row in made if row["id"] not in boms or boms[row["id"]]["routing"]]
        return understand(
            routed,
            lambda row: _master_id(row["code"]),
            lambda row: _definition(row, boms[row["id"]], inputs, steps, by_id),
        )

    def _person(self, row: Row) -> Person:
        if not row["party."]["code"]:
            msg = f"employee {row['party.']['name']} has no code"
            raise LookupError(msg)
        return Person(
            id=row["party."]["code"],
            name=row["party."]["name"],
            active=row["end_date"] is None or row["end_date"] >= datetime.now(self._zone).date(),
            erp_ref=f"company.employee,{row['id']}",
        )


def _definition(
    row: Row, bom: Row, inputs: list[Row], steps: list[Row], by_id: dict[int, Row]
) -> OperationsDefinition:
    standard = row["attributes"] or {}
    routing = [step for step in steps if step["routing"] == bom["routing"]]
    operations = [_operation(step, standard) for step in routing]
    first = min((one.operation for one in operations), default=0)
    bill: dict[tuple[int, str], BillLine] = {}
    for line in inputs:
        if line["bom"] == bom["bom"]:
            one = _bill_line(line, by_id, first)
            before = bill.get((one.operation, one.material))
            if before is not None and before.uom != one.uom:
                msg = f"component {one.material} is there in two units"
                raise ValueError(msg)
            total = one.quantity + (before.quantity if before else 0)
            bill[one.operation, one.material] = replace(one, quantity=total)
    return OperationsDefinition(
        id=_master_id(row["code"]),
        material=row["code"],
        operations=tuple(operations),
        bill=tuple(bill.values()),
        erp_ref=f"production.bom,{bom['bom']}",
    )


def _bill_line(line: Row, by_id: dict[int, Row], first: int) -> BillLine:
    if line["product"] not in by_id:
        msg = f"component product.product,{line['product']} has no code, or is no goods"
        raise LookupError(msg)
    component = by_id[line["product"]]
    return BillLine(
        operation=int((component["attributes"] or {}).get("operation", first)),
        material=component["code"],
        quantity=decimal_of(line["quantity"]),
        uom=unit_of(line["unit."]["symbol"]),
    )


def _operation(step: Row, standard: Row) -> OperationDefinition:
    number, _, name = step["operation."]["name"].partition(" ")
    if not number.isdecimal():
        msg = f"operation {step['operation.']['name']!r} does not begin with its number"
        raise ValueError(msg)
    operation = int(number)
    return OperationDefinition(
        operation=operation,
        name=name,
        work_center=step["operation."]["work_center_category."]["name"],
        setup_s=Decimal(standard.get("setup_s", 0) if operation == 10 else 0),
        run_s=Decimal(standard.get(f"run_s_{operation}", 0)),
        labour_class=standard.get("labour_class", ""),
    )


def _master_id(code: str) -> str:
    return f"WM-{code}"


def _machine_rate(row: Row) -> tuple[tuple[str, str], Decimal]:
    return ("machine", row["category."]["name"]), _money(row["cost_price"], "cost price")


def _labour_rate(row: Row) -> tuple[tuple[str, str], Decimal]:
    standard = row["attributes"]
    return ("labour", standard["labour_class"]), _money(standard.get("labour_rate"), "attribute labour_rate")


def _money(sent: Decimal | None, what: str) -> Decimal:
    if sent is None:
        msg = f"no {what}"
        raise LookupError(msg)
    return sent
