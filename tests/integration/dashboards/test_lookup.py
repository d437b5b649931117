"""Any number of the plant leads to its page, however it is written; nonsense leads nowhere."""

from decimal import Decimal

import pytest

from dashboards import service
from dashboards.model import Lookup, NumberUnknown
from mes.execution import service as execution
from mes.kernel.ids import LotNumber
from tests.fixtures.floor import Floor


async def look_up(floor: Floor, number: str) -> Lookup:
    return await floor.do(lambda tx: service.lookup(tx, number, currency="CNY", with_costs=True))


@pytest.mark.parametrize("written", ["Heat-7a", "HEAT-7A", "heat-7a"])
async def test_a_lot_of_the_erp_is_found_by_its_own_letters(floor: Floor, written: str) -> None:
    await floor.lot("CAST-40", "9", lot=LotNumber("Heat-7a"))
    assert (await look_up(floor, written)).number == "Heat-7a"


async def test_what_is_written_exactly_so_comes_first(floor: Floor) -> None:
    await floor.lot("CAST-40", "9", lot=LotNumber("heat-7"))
    await floor.lot("CAST-40", "9", lot=LotNumber("HEAT-7"))
    assert (await look_up(floor, "heat-7")).number == "heat-7"
    assert (await look_up(floor, "HEAT-7")).number == "HEAT-7"


async def test_lots_of_two_materials_with_one_number_are_both_shown(floor: Floor) -> None:
    for material in ("CAST-40", "SEAL"):
        await floor.lot(material, "9", lot=LotNumber("Heat-7a"))
    for written in ("Heat-7a", "heat-7A"):
        page = await look_up(floor, written)
        assert (page.kind, page.lot) == ("lot", None)
        assert [one.number for one in page.lots] == ["Heat-7a@CAST-40", "Heat-7a@SEAL"]
    for choice in page.lots:
        chosen = (await look_up(floor, choice.number)).lot
        assert chosen is not None
        assert chosen.material == choice.material


async def test_our_own_numbers_may_be_typed_small(floor: Floor) -> None:
    order = await floor.order(quantity=2)
    assert (await look_up(floor, order.lower())).number == order


@pytest.mark.parametrize("number", ["", "LOT\x00", "a\nb", "nothing"])
async def test_a_number_that_nothing_can_have_is_unknown(floor: Floor, number: str) -> None:
    with pytest.raises(NumberUnknown):
        await look_up(floor, number)


async def test_the_hours_of_people_are_those_that_were_booked(floor: Floor) -> None:
    """Machining has a break of ten minutes at ten: it is in no hour that is paid or costed."""
    order = await floor.order(quantity=2)
    await floor.plan(order)
    job = f"{order}-10"
    floor.after(24 * 3600 - 600)
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    floor.after(2400)
    await floor.do(lambda tx: execution.hold(tx, job, "end-of-shift"), "E-1001", "CNC-1")
    (shown,) = (await look_up(floor, order)).orders
    assert [(one.person, one.hours) for one in shown.labour] == [("Name of E-1001", Decimal("0.5"))]
