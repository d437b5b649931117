"""A whole plant as a visitor sees it: trouble from the drawer, and the same order in the ERP's own pages."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Chromium
from tests.fixtures.plant import RunningPlant

pytestmark = pytest.mark.timeout(600)

PATIENCE_MS = 180_000


@pytest_asyncio.fixture(loop_scope="session")
async def board(running_plant: RunningPlant, chromium: Chromium, built_pages: Path) -> AsyncIterator[Page]:
    """The board of a plant at work, opened by the link that `lineside sign-in` prints."""
    assert built_pages.exists()
    printed = await asyncio.to_thread(running_plant.lineside, "sign-in")
    assert printed.returncode == 0, printed.stderr
    url = await asyncio.to_thread(lambda: running_plant.url)
    context = await (await chromium.browser()).new_context(locale="en", base_url=url)
    page = await context.new_page()
    await page.goto(printed.stdout.strip())
    await page.get_by_role("button", name="Make trouble").wait_for()
    await page.goto("/board")
    yield page
    await context.close()


def kind(drawer: Locator, name: str) -> Locator:
    return drawer.get_by_role("listitem").filter(has_text=name)


async def test_a_broken_machine_is_followed_in_the_drawer(board: Page) -> None:
    await board.get_by_role("button", name="Make trouble").click()
    drawer = board.get_by_role("dialog")
    broken = kind(drawer, "Break a machine")
    await broken.get_by_role("combobox").select_option("CNC-3")
    await broken.get_by_role("button").click()
    chain = drawer.get_by_role("region", name="What happens now").or_(drawer.locator("section.chain"))
    await expect(
        chain.get_by_role("listitem")
        .filter(has_text=re.compile("State of a machine.*CNC 3.*Broken down"))
        .first
    ).to_be_visible(timeout=PATIENCE_MS)
    await expect(broken).to_have_class(re.compile("active"), timeout=PATIENCE_MS)
    for counter, value in (("Lost", "0"), ("Doubled", "0"), ("Difference to the ERP", "0.00")):
        shown = drawer.locator("dl.counters > div").filter(has_text=counter).locator("dd")
        await expect(shown).to_have_text(value, timeout=PATIENCE_MS)
    await expect(board.locator("article.tile").filter(has_text="CNC 3").first).to_contain_text("Broken down")


async def an_order_in_both_books(page: Page) -> str:
    """Return the number of an order that used up lots and cost something, waiting for one."""
    wanted = {"MaterialActual", "CostPosting"}
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while True:
            status = await (await page.request.get("/api/v1/status")).json()
            for number in (order["work_order"] for order in status["recent_orders"]):
                found = await page.request.get(f"/api/v1/erp/documents?work_order={number}&state=applied")
                if wanted <= {document["noun"] for document in await found.json()}:
                    return str(number)
            await asyncio.sleep(1.0)


async def sign_in_to_the_erp(page: Page, login: str, password: str) -> None:
    await page.locator(".login-dialog #login").fill(login, timeout=PATIENCE_MS)
    await page.locator(".login-dialog").get_by_role("button", name="Login").click(timeout=PATIENCE_MS)
    await page.locator("input[type=password]").fill(password, timeout=PATIENCE_MS)
    await page.keyboard.press("Enter")


async def test_the_order_is_in_the_erps_own_pages_with_its_moves_and_entries(
    board: Page,
) -> None:
    number = await an_order_in_both_books(board)
    await board.goto(f"/o/{number}")
    entry = board.get_by_role("row").filter(has_text="Cost posting").get_by_role("link").first
    await expect(entry).to_be_visible(timeout=PATIENCE_MS)
    visitor = board.locator(".erp-login dd.mono")
    await expect(visitor).to_have_count(2, timeout=PATIENCE_MS)
    login, password = await visitor.all_inner_texts()

    async with board.context.expect_page() as opened:
        await board.get_by_role("link", name="Open in the ERP").click(timeout=PATIENCE_MS)
    erp = await opened.value
    await sign_in_to_the_erp(erp, login, password)
    await expect(erp.get_by_label("Reference:")).to_have_value(number, timeout=PATIENCE_MS)
    moves = erp.get_by_role("row").filter(has_text="LOT-").filter(has_text="Done")
    await expect(moves.first).to_be_visible(timeout=PATIENCE_MS)

    async with board.context.expect_page() as opened:
        await entry.click()
    ledger = await opened.value
    await expect(ledger.get_by_role("row").filter(has_text="5.1.5.1").first).to_be_visible(
        timeout=PATIENCE_MS
    )
