"""One record of Tryton that makes no sense spoils no other."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from erp_bridge.adapter import Page, Stream
from erp_bridge.adapters.tryton.masters import Masters
from erp_bridge.documents import OperationsDefinition, Person, Rate

Row = dict[str, Any]


def product(number: int, code: str, **more: Any) -> Row:
    plain = {"default_uom.": {"symbol": "u", "digits": 0}, "cost_price": Decimal(1), "producible": False,
             "attributes": None, "boms": []}  # fmt: skip
    return {"id": number, "code": code, "name": code, **plain, **more}


def made(number: int, code: str) -> Row:
    return product(number, code, producible=True, boms=[number])


def step(routing: int, name: str) -> Row:
    operation = {"name": name, "work_center_category.": {"name": "MC"}}
    return {"routing": routing, "operation.": operation}


def part(bom: int, number: int, quantity: float = 1.0) -> Row:
    return {"bom": bom, "product": number, "quantity": quantity, "unit.": {"symbol": "u"}}


TABLES: dict[str, list[Row]] = {
    "product.product": [
        product(1, "SEAL"), product(2, "BOLT"), product(3, "NOTHING", cost_price=None),
        made(11, "GOOD"), made(12, "DRILLED"), made(13, "NAMELESS"), made(14, "UNROUTED"),
        made(15, "TWO-UNITS"),
    ],
    "production.bom.input": [
        part(11, 1), part(11, 1, 2.0), part(11, 2), part(12, 1), part(13, 99), part(14, 1),
        part(15, 1), {**part(15, 1), "unit.": {"symbol": "kg"}},
    ],
    "production.routing.step": [
        step(11, "10 Machining"), step(12, "Drilling"), step(13, "10 Machining"), step(15, "10 Machining"),
    ],
    "company.employee": [
        {"id": 1, "party.": {"code": "E-1", "name": "Ann"}, "end_date": None},
        {"id": 2, "party.": {"code": None, "name": "Bob"}, "end_date": None},
    ],
    "production.work.center": [
        {"id": 1, "category.": {"name": "MC"}, "cost_price": Decimal(150)},
        {"id": 2, "category.": {"name": "ASM"}, "cost_price": None},
    ],
}  # fmt: skip


class Tables:
    """The answers of a Tryton whose records are not as we would have them."""

    async def search_read(self, model: str, domain: Any, *rest: Any) -> list[Row]:
        return list(TABLES[model])

    async def read(self, method: str, ids: list[int], fields: Any) -> list[Row]:
        assert method == "model.product.product-production.bom.read"
        return [{"product": one, "bom": one, "routing": None if one == 14 else one} for one in ids]


async def pull(stream: Stream) -> Page:
    masters = Masters(Tables(), "CNY", ZoneInfo("Asia/Shanghai"))  # type: ignore[arg-type]
    pullers = {
        Stream.MATERIALS: masters.pull_materials,
        Stream.RATES: masters.pull_rates,
        Stream.PEOPLE: masters.pull_people,
    }
    return await pullers[stream]("", 200)


async def test_a_master_with_an_odd_operation_or_component_spoils_no_other() -> None:
    page = await pull(Stream.MATERIALS)
    (good,) = [one for one in page.records if isinstance(one, OperationsDefinition)]
    assert {line.material: line.quantity for line in good.bill} == {"SEAL": 3, "BOLT": 1}
    odd = {one.key: one.detail for one in page.odd}
    assert set(odd) == {"WM-DRILLED", "WM-NAMELESS", "WM-TWO-UNITS"}
    assert "'Drilling'" in odd["WM-DRILLED"]
    assert "product.product,99" in odd["WM-NAMELESS"]
    assert page.whole


async def test_a_person_without_a_code_and_a_centre_without_a_price_are_odd() -> None:
    people = await pull(Stream.PEOPLE)
    assert [one.id for one in people.records if isinstance(one, Person)] == ["E-1"]
    assert [one.key for one in people.odd] == ["company.employee,2"]


async def test_a_labour_class_without_its_rate_is_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [product(7, "A", attributes={"labour_class": "L1", "labour_rate": Decimal(40)}),
            product(8, "B", attributes={"labour_class": "L2"})]  # fmt: skip
    monkeypatch.setitem(TABLES, "product.product", rows)
    page = await pull(Stream.RATES)
    assert {one.code: one.per_hour for one in page.records if isinstance(one, Rate)} == {"MC": 150, "L1": 40}
    assert {one.key for one in page.odd} == {"center,2", "product.product,8"}
    assert "labour_rate" in " ".join(one.detail for one in page.odd)
