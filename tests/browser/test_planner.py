"""The planner's page answers: what would help a late order, and when a customer can have what he wants."""

import asyncio
import re
from datetime import datetime, timedelta

import pytest
from playwright.async_api import Locator, Route, expect

from mes.access.model import Role
from mes.definitions import service as definitions
from mes.kernel.ids import EquipmentId, MaterialId
from mes.maintenance import service as maintenance
from mes.maintenance.model import MaintenanceDraft
from mes.resources import service as resources
from planner import store
from tests.browser.access import axe_by_day_and_night
from tests.browser.conftest import Site
from tests.browser.planning import plan_late_orders, propose_the_other_way_round, quiet_hour
from tests.fixtures.floor import work_master


async def test_a_late_order_says_what_would_help(site: Site, planned: datetime) -> None:
    stands = (EquipmentId("ASM-1"), "Aborted", planned, "breakdown")
    await site.floor.do(lambda tx: resources.set_equipment_state(tx, *stands))
    page = await site.page("/planner", Role.PLANNER)
    await page.locator(".orders li.late > button").first.click()
    await page.get_by_role("button", name="What would help").click()
    fixes = page.locator(".fixes li").filter(has_text="Assembly 1 repaired")
    await expect(fixes).to_contain_text(re.compile(r"saves \d+ (min|h)"))
    await expect(fixes).to_contain_text(re.compile(r"costs (\d|nobody)"))
    assert await axe_by_day_and_night(page) == []
    assert site.faults == []


@pytest.mark.usefixtures("planned")
async def test_a_planner_fixes_a_job_and_lets_it_go_and_others_see_it_at_once(site: Site) -> None:
    page = await site.page("/planner", Role.PLANNER)
    seller = await site.page("/planner", Role.FINANCE)
    for reader in (page, seller):
        await reader.get_by_role("application").press("ArrowDown")
    lock = page.locator(".plan-board .lock")
    unit = await lock.get_by_label("Unit at which it is fixed").input_value()
    await lock.get_by_role("button", name="Fix here").click()
    await expect(lock).to_contain_text("Fixed at")
    assert await axe_by_day_and_night(page) == []
    async with site.floor.db.read() as tx:
        (kept,) = await store.locks(tx)
    assert kept.equipment == unit
    await expect(seller.locator(".plan-board .detail")).to_contain_text("fixed by a person")
    await expect(seller.locator(".plan-board .lock")).to_have_count(0)
    await lock.get_by_role("button", name="Let plans move it").click()
    await expect(lock.get_by_role("button", name="Fix here")).to_be_visible()
    await expect(seller.locator(".plan-board .detail")).not_to_contain_text("fixed by a person")
    assert site.faults == []


@pytest.mark.usefixtures("planned")
async def test_what_can_be_done_stays_where_it_is_when_the_plan_comes(site: Site) -> None:
    page = await (await site.context(Role.PLANNER)).new_page()
    asked = asyncio.Event()

    async def come_late(route: Route) -> None:
        await asked.wait()
        await route.continue_()

    await page.route("**/api/v1/planner/plan", come_late)
    for width in (1920, 1280, 1000, 800):
        asked.clear()
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(f"{site.url}/planner")
        quoting = page.get_by_role("button", name="Quote a date")
        await expect(quoting).to_be_visible()
        before = await quoting.bounding_box()
        asked.set()
        await expect(page.get_by_role("button", name="What if")).to_be_enabled()
        assert await quoting.bounding_box() == before
    assert site.faults == []


async def ask_for_a_date(site: Site, role: Role) -> Locator:
    """Open the dialog and ask for forty pumps; return it with its answer."""
    page = await site.page("/planner", role)
    await page.get_by_role("button", name="Quote a date").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Product")).to_have_value("PUMP-40")
    await dialog.get_by_label("Pieces").fill("40")
    await dialog.get_by_role("button", name="Ask").click()
    await expect(dialog.locator(".answer")).to_be_visible()
    return dialog


@pytest.mark.usefixtures("planned")
async def test_a_date_that_a_customer_accepts_keeps_its_places(site: Site) -> None:
    dialog = await ask_for_a_date(site, Role.PLANNER)
    page = dialog.page
    other = await ask_for_a_date(site, Role.PLANNER)
    date = await dialog.locator(".answer b").inner_text()
    await expect(dialog.locator(".answer strong")).to_contain_text("Planned so")
    await expect(dialog.locator(".answer small")).to_contain_text("No job of these steps is finished yet")
    split = dialog.get_by_role("row").filter(has_text="In two parts: 20 pieces by")
    await expect(split).to_contain_text("free")
    assert await axe_by_day_and_night(page) == []
    await dialog.get_by_label("Customer order").fill("SO-77")
    await dialog.get_by_role("button", name="Keep this date").click()
    await expect(dialog.get_by_role("status")).to_contain_text("The places for SO-77 are kept until")
    await expect(dialog.locator(".answer b")).to_have_text(date)
    await other.get_by_role("button", name="Keep this date").click()
    gone = other.get_by_role("alert")
    await expect(gone).to_contain_text(
        re.compile(r"cannot be had any more: it would be \d\d \w{3,4}, \d\d:\d\d")
    )
    await expect(gone).not_to_contain_text(date)

    kept = dialog.get_by_role("listitem").filter(has_text="SO-77")
    await expect(kept).to_contain_text(date)
    await kept.get_by_role("button", name="Give back SO-77").click()
    await expect(kept).to_have_count(0)
    assert [fault for fault in site.faults if not fault.startswith("Failed to load resource")] == []

    await take_another_way(dialog)
    seller = await ask_for_a_date(site, Role.FINANCE)
    await expect(seller.get_by_role("button", name="Keep this date")).to_have_count(0)


@pytest.mark.usefixtures("planned")
async def test_a_date_is_asked_for_a_product_that_has_no_open_job(site: Site) -> None:
    other = work_master(id="WM-PUMP-65", material=MaterialId("PUMP-65"), components=())
    await site.floor.do(lambda tx: definitions.put_work_master(tx, other))
    page = await site.page("/planner", Role.PLANNER)
    await page.get_by_role("button", name="Quote a date").click()
    dialog = page.get_by_role("dialog")
    offered = dialog.locator("#products option")
    await expect(offered).to_have_text(["Pump-40", "Pump-65"])
    await dialog.get_by_label("Product").fill(await offered.last.get_attribute("value") or "")
    await dialog.get_by_role("button", name="Ask").click()
    await expect(dialog.locator(".answer strong")).to_contain_text("Planned so")
    assert site.faults == []


async def put_off(site: Site, by: timedelta) -> None:
    """The plan in force has the accepted date done later."""
    async with site.floor.db.read() as tx:
        (hold,) = await store.holds(tx, quiet_hour())
    later = {
        step: {**place, "end": (datetime.fromisoformat(place["end"]) + by).isoformat()}
        for step, place in hold.places.items()
    }
    await site.floor.do(lambda tx: store.move_hold(tx, hold.id, later))


@pytest.mark.usefixtures("planned")
async def test_a_kept_date_shows_what_was_promised_and_that_the_plan_is_beyond_it(site: Site) -> None:
    dialog = await ask_for_a_date(site, Role.PLANNER)
    date = await dialog.locator(".answer b").inner_text()
    await dialog.get_by_label("Customer order").fill("SO-79")
    await dialog.get_by_role("button", name="Keep this date").click()
    kept = dialog.get_by_role("listitem").filter(has_text="SO-79")
    await expect(kept).to_contain_text(f"promised {date}")
    await expect(kept).to_contain_text(f"now planned {date}")
    await expect(kept).not_to_contain_text("later than promised")
    await put_off(site, timedelta(hours=2))
    again = await site.page("/planner", Role.PLANNER)
    await again.get_by_role("button", name="Quote a date").click()
    kept = again.get_by_role("listitem").filter(has_text="SO-79")
    await expect(kept).to_contain_text(f"promised {date}")
    await expect(kept.locator(".bad")).to_contain_text("later than promised")
    assert await axe_by_day_and_night(again) == []
    assert site.faults == []


@pytest.mark.parametrize("spare_days", [0, 2])
async def test_a_proposal_names_the_dates_told_to_customers_that_it_puts_off(
    site: Site, planned: datetime, spare_days: int
) -> None:
    dialog = await ask_for_a_date(site, Role.PLANNER)
    await dialog.get_by_role("button", name="Keep this date").click()
    await expect(dialog.get_by_role("listitem")).to_have_count(1)
    sooner = """
        update planner.promise set promised_at = promised_at - interval '1 day',
            safe_at = promised_at - interval '1 day' + make_interval(days => %(spare)s) returning name
        """
    name = str(await site.floor.do(lambda tx: tx.value(sooner, {"spare": spare_days})))
    await propose_the_other_way_round(site.floor, planned)
    page = await site.page("/planner", Role.PLANNER)
    if spare_days:
        await expect(page.locator(".proposal")).to_be_visible()
        await expect(page.locator(".proposal .bad")).to_have_count(0)
        return
    told = page.locator(".proposal .bad")
    await expect(told).to_contain_text("Puts off dates that customers have accepted: Kept date")
    await expect(told).to_contain_text(name.removeprefix("PROMISE-"))
    assert await axe_by_day_and_night(page) == []
    assert site.faults == []


async def take_another_way(dialog: Locator) -> None:
    """Ask for the same once more, urgently, and take what is offered in two parts with one click."""
    await dialog.get_by_label("Priority").select_option("1, most urgent")
    await dialog.get_by_role("button", name="Ask").click()
    delay = dialog.get_by_role("row").filter(has_text="Linde is done")
    await expect(delay.first).to_contain_text(re.compile(r"late × weight 1 × 100 = [\d,]+ points|free"))
    assert await axe_by_day_and_night(dialog.page) == []
    await dialog.get_by_label("Customer order").fill("SO-78")
    await dialog.get_by_role("button", name="Take this In two parts").click()
    await expect(dialog.get_by_role("status")).to_contain_text("The places for SO-78 are kept until")
    parts = dialog.get_by_role("listitem").filter(has_text="In two parts: 20 pieces by")
    await expect(parts).to_have_count(2)
    await parts.first.get_by_role("button", name="Give back SO-78").click()
    await expect(parts).to_have_count(0)


async def test_maintenance_is_in_the_plan_and_is_begun_and_done_there(site: Site, planned: datetime) -> None:
    draft = MaintenanceDraft(
        equipment=EquipmentId("ASM-1"),
        name="Gauges",
        minutes=30,
        earliest=planned,
        latest=planned + timedelta(days=2),
    )
    number = await site.floor.do(lambda tx: maintenance.plan(tx, draft))
    await plan_late_orders(site.floor, planned, orders=1)
    page = await site.page("/planner", Role.PLANNER)
    row = page.locator(".orders li").filter(has_text="Gauges")
    await row.get_by_role("button").first.click()
    await expect(row).to_contain_text(f"Maintenance {number}")
    await expect(row.get_by_role("link")).to_have_count(0)
    await expect(page.locator(".plan-board .detail")).to_contain_text(f"{number}, Gauges, Assembly 1")
    assert await axe_by_day_and_night(page) == []
    for act, status in (("Maintenance begins", "running"), ("Maintenance is done", "done")):
        await row.get_by_role("button", name=act).click()
        await expect(row.get_by_text("Noted:")).to_be_visible()
        await expect(row.get_by_role("button", name=act)).to_be_enabled()
        async with site.floor.db.read() as tx:
            (known,) = await maintenance.maintenance(tx, planned)
        assert known.status == status
    assert site.faults == []
