"""What follows from trouble is shown where it was made, up to the plan that is published there."""

import re
from datetime import UTC, date, datetime

from playwright.async_api import Locator, expect

from erp_bridge.adapter import Period
from erp_bridge.adapters.memory import Books, MemoryAdapter
from erp_bridge.outbound import Outbound
from mes.access.model import Role
from mes.kernel.settings import Settings
from tests.browser.access import axe_by_day_and_night
from tests.browser.conftest import Site
from tests.browser.planning import propose_the_other_way_round


async def tell_the_erp(site: Site) -> None:
    """Let the bridge send what happened to an ERP."""
    year = datetime.now(UTC).year
    period = Period(date(year, 1, 1), date(year, 12, 31), open=True)
    bridge = Outbound(site.floor.db, MemoryAdapter(Books(periods=[period])), Settings(), "bridge", (period,))
    while await bridge.collect():
        pass
    await bridge.deliver()


def step(drawer: Locator, name: str) -> Locator:
    """Return one link of the chain."""
    return drawer.locator(".chain > ol > li").filter(has_text=name)


async def test_trouble_is_followed_to_the_promise_in_the_erp(site: Site, planned: datetime) -> None:
    await site.floor.lot("BOX", "50")
    page = await site.page("/board", Role.ADMINISTRATOR)
    await page.get_by_role("button", name="Make trouble").click()
    drawer = page.get_by_role("dialog", name="Make trouble")
    scrap = drawer.get_by_role("listitem").filter(has_text="Scrap a lot")
    await scrap.get_by_role("combobox").select_option(label="LOT-BOX-0001 (50 pc)")
    await scrap.get_by_role("button", name="Do it").click()
    await expect(step(drawer, "On the floor")).to_contain_text("Lot scrapped")
    await expect(step(drawer, "Late orders 3 / 3")).to_contain_text("WO-000001 +")
    await expect(step(drawer, "New plan")).to_contain_text("No better plan is proposed so far")

    await propose_the_other_way_round(site.floor, planned)
    plan = step(drawer, "New plan")
    await expect(plan).to_contain_text(re.compile(r"[1-9]\d* operations move; orders later: [1-9]"))
    await plan.get_by_role("button", name="What changes").click()
    changes = page.get_by_role("dialog", name="What changes")
    await expect(changes.get_by_role("row").nth(1)).to_contain_text("WO-00000")
    assert await axe_by_day_and_night(page) == []
    await changes.get_by_role("button", name="Close").click()

    await plan.get_by_role("button", name="Publish").click()
    await expect(plan).to_contain_text("Version 2 is in force")
    await expect(plan.get_by_role("button", name="Publish")).to_have_count(0)
    await expect(step(drawer, "Terminals")).to_contain_text(re.compile(r"Jobs for Assembly 1: \d+"))
    promises = step(drawer, "Promises in the ERP")
    await expect(promises.get_by_text("on its way").first).to_be_visible()
    await tell_the_erp(site)
    await expect(promises.get_by_text("on its way")).to_have_count(0)
    await expect(promises.get_by_text(re.compile(r"^in the ERP \d"))).not_to_have_count(0)
    assert await axe_by_day_and_night(page) == []
    assert site.faults == []

    cable = drawer.get_by_role("listitem").filter(has_text="Unplug the edge")
    await cable.get_by_role("button", name="Do it").click()
    await expect(drawer.get_by_text("The simulated plant does not answer")).to_be_visible()
    await expect(step(drawer, "On the floor")).to_contain_text("Lot scrapped")
    await expect(plan).to_contain_text("Version 2 is in force")
