"""What the ERP refused is put right on the first page, by those who may."""

from playwright.async_api import expect

from erp_bridge import service, store
from erp_bridge.adapters.memory import Books, MemoryAdapter
from erp_bridge.outbound import Outbound
from mes.access.model import Role
from mes.kernel.db import Tx
from mes.kernel.settings import Settings
from tests.browser.conftest import Site
from tests.browser.test_pages import axe_by_day_and_night
from tests.browser.test_terminal import eventually


async def the_erp_refuses(site: Site, order: str) -> int:
    """Let the bridge make the documents of an order, and the ERP refuse the first; return its number."""
    bridge = Outbound(site.floor.db, MemoryAdapter(Books()), Settings(), "bridge")
    while await bridge.collect():
        pass

    async def refuse(tx: Tx) -> int:
        *_, first = await service.documents(tx, order, None, 10)
        await store.lanes.mark_dead(tx, first.id, "ErpProductionMissing", f"no production {order}")
        taken = {"version": "1", "code": "LotNumberTaken", "detail": "LOT-7 is taken"}
        await store.records.keep(tx, "lots", "IN-7", body={}, **taken)
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
    await expect(desk).to_contain_text("LOT-7 is taken")
    await expect(desk).to_contain_text("Lot or stock move")
    await expect(desk).to_contain_text("Give the lot another number in the ERP")
    assert await axe_by_day_and_night(page) == []
    await desk.get_by_role("button", name="Send again").click()
    await expect(desk.get_by_role("link", name=order)).to_have_count(0)
    assert await state() == "retry"

    await the_erp_refuses(site, order)
    await page.reload()
    await desk.get_by_role("button", name="Leave out").click()
    await desk.get_by_label("Why it is left out").fill("booked by hand")
    await desk.get_by_role("button", name="Leave it out for good").click()
    await eventually(state, "skipped")
    await expect(desk.get_by_role("link", name=order)).to_have_count(0)
    assert site.faults == []


async def test_who_may_not_repair_sees_no_desk(site: Site) -> None:
    await the_erp_refuses(site, await site.floor.order())
    page = await site.page("/", Role.PLANNER)
    await expect(page.locator(".units li").first).to_be_visible()
    await expect(page.get_by_role("button", name="Send again")).to_have_count(0)
