"""What the ERP refused, and on what the books differ, is put right on the first page by those who may."""

from dataclasses import asdict
from typing import Any

from playwright.async_api import expect

from erp_bridge import service, store
from erp_bridge.adapters.memory import Books, MemoryAdapter
from erp_bridge.outbound import Outbound
from erp_bridge.store.explained import Explained
from mes.access.model import Role
from mes.kernel.db import Tx
from mes.kernel.settings import Settings
from tests.browser.access import axe_by_day_and_night
from tests.browser.conftest import Site
from tests.browser.test_terminal import eventually


async def the_erp_refuses(site: Site, order: str) -> int:
    """Let the bridge make the documents of an order, and the ERP refuse the first; return its number."""
    bridge = Outbound(site.floor.db, MemoryAdapter(Books()), Settings(), "bridge")
    while await bridge.collect():
        pass

    async def refuse(tx: Tx) -> int:
        *_, first = await service.documents(tx, order, None, 10)
        await store.lanes.mark_dead(tx, first.id, "ErpProductionMissing", f"no production {order}")
        why: dict[str, Any] = {
            "code": "LotNumberTaken",
            "detail": "LOT-7 is taken",
            "params": {"lot": "LOT-7"},
        }
        await store.records.keep(tx, "lots", "IN-7", version="1", body={}, **why)
        return first.id

    return await site.floor.do(refuse)


async def test_what_the_erp_refused_is_put_right_on_the_first_page(site: Site) -> None:
    order = await site.floor.order()
    document = await the_erp_refuses(site, order)

    async def state() -> str:
        async with site.floor.db.read() as tx:
            row = await store.lanes.document(tx, document)
        return row.state if row else ""

    page = await site.page("/", Role.FINANCE)
    desk = page.get_by_role("region", name="Between plant and ERP something waits for you")
    await expect(desk.get_by_role("link", name=order)).to_be_visible()
    await expect(desk).to_contain_text("The ERP has no production of this number")
    await expect(desk).to_contain_text("Lots of other materials have the number LOT-7")
    await expect(desk).to_contain_text("Lot or stock move")
    await expect(desk).to_contain_text("Give the lot another number in the ERP")
    assert await axe_by_day_and_night(page) == []
    await desk.get_by_role("button", name="Send again").click()
    await expect(desk.get_by_role("link", name=order)).to_have_count(0)
    assert await state() == "retry"

    await the_erp_refuses(site, order)
    await page.reload()
    about = desk.get_by_role("listitem")
    await about.filter(has_text=order).get_by_role("button", name="Leave out").click()
    await desk.get_by_label("Why it is left out").fill("booked by hand")
    await desk.get_by_role("button", name="Leave it out for good").click()
    await eventually(state, "skipped")
    await expect(desk.get_by_role("link", name=order)).to_have_count(0)

    for _ in range(2):
        await the_erp_refuses(site, await site.floor.order())
    await page.reload()
    await expect(desk).to_contain_text("2 documents for one reason")
    await desk.get_by_role("button", name="Send all 2 again").click()
    await expect(desk.get_by_text("for one reason")).to_have_count(0)

    await about.filter(has_text="IN-7").get_by_role("button", name="Leave out").click()
    await desk.get_by_label("Why it is left out").fill("not ours")
    await desk.get_by_role("button", name="Leave it out until the ERP changes it").click()
    await expect(desk).to_have_count(0)

    await page.goto(f"{site.url}/o/{order}")
    await expect(page.get_by_role("row").filter(has_text="left out")).to_contain_text("booked by hand")
    assert site.faults == []


async def test_who_may_not_repair_sees_no_desk(site: Site) -> None:
    await the_erp_refuses(site, await site.floor.order())
    page = await site.page("/", Role.PLANNER)
    await expect(page.locator(".units li").first).to_be_visible()
    await expect(page.get_by_role("button", name="Send again")).to_have_count(0)


async def the_books_differ(site: Site, *cases: dict[str, str], at: str) -> None:
    """Keep a comparison as the bridge makes one."""
    sums = {"value_difference": "20.00" if cases else "0.00", "value_waiting": "0.00"}
    outcome: dict[str, Any] = {"at": at, "currency": "CNY", "cases": cases, "accounts": [], **sums}
    outcome |= {"quantity_difference": "0.00", "judged": 2, "waiting": 0, "late": 0}

    async def keep(tx: Tx) -> None:
        explained = [vars_of(one) for one in await store.explained.explained(tx)]
        await store.link.put_link(tx, "tryton", "Tryton", reachable=True, detail="", ms=1.0)
        await store.comparison.put_comparison(tx, "tryton", {**outcome, "explained": explained})

    await site.floor.do(keep)


def vars_of(row: Explained) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: str(value) for name, value in asdict(row).items()}


async def test_a_difference_is_explained_with_a_reason_on_the_first_page(site: Site) -> None:
    order = str(await site.floor.order())
    price = {"kind": "value", "work_order": order, "subject": "6f3e0b51-0000-7000-8000-000000000001"}
    wip = {**price, "what": "wip", "mine": "120.00", "theirs": "130.00", "why": "price"}
    raw = {**price, "what": "raw_material", "mine": "-120.00", "theirs": "-130.00", "why": "price"}
    moved = {"kind": "quantity", "work_order": "", "subject": "stock.move,99", "what": "BOLT", "why": ""}
    await the_books_differ(site, wip, raw, {**moved, "mine": "0", "theirs": "8"}, at="2026-03-02T06:30:00Z")
    page = await site.page("/", Role.FINANCE)
    books = page.get_by_role("region", name="Plant and ERP differ on these")
    await expect(books.get_by_role("row").filter(has_text="Work in progress")).to_contain_text("-CNY")
    await expect(books.get_by_text("Stock move 99")).to_be_visible()
    assert await axe_by_day_and_night(page) == []
    changed = books.get_by_role("listitem").filter(has_text=order)
    await changed.get_by_role("button", name="Explain").click()
    keep = changed.get_by_role("button", name="Keep this reason")
    await expect(keep).to_be_disabled()
    await changed.get_by_label("Why the books differ here").fill("castings cost more since Monday")
    await keep.click()
    await expect(books.get_by_role("link", name=order)).to_have_count(0)

    await the_books_differ(site, at="2026-03-02T06:30:10Z")
    await page.reload()
    await page.get_by_text("Explained (2)").click()
    await expect(books.get_by_text("castings cost more since Monday")).to_have_count(2)
    await expect(page.get_by_text("Not compared since 02 Mar, 14:30")).to_be_visible()
    await expect(page.get_by_text("Plant and ERP agree")).to_have_count(0)
    assert site.faults == []

    planner = await site.page("/", Role.PLANNER)
    await expect(planner.locator(".units li").first).to_be_visible()
    await expect(planner.get_by_text("Explained (2)")).to_have_count(0)
