"""Make trouble in a whole plant, from the page: what follows is shown, and the counters stay at nought."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.fixtures.plant import RunningPlant

pytestmark = pytest.mark.timeout(600)

PATIENCE_MS = 180_000


@pytest_asyncio.fixture
async def board(running_plant: RunningPlant, built_pages: Path) -> AsyncIterator[Page]:
    """The board of a plant at work, opened by the link that `lineside sign-in` prints."""
    assert built_pages.exists()
    printed = await asyncio.to_thread(running_plant.lineside, "sign-in")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await (await browser.new_context(locale="en")).new_page()
        await page.goto(printed.stdout.strip())
        await page.get_by_role("button", name="Make trouble").wait_for()
        await page.goto(f"{page.url.rstrip('/')}/board")
        yield page
        await browser.close()


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
        .filter(has_text=re.compile("State of a machine.*CNC-3.*Broken down"))
        .first
    ).to_be_visible(timeout=PATIENCE_MS)
    await expect(broken).to_have_class(re.compile("active"), timeout=PATIENCE_MS)
    for counter, value in (("Lost", "0"), ("Doubled", "0"), ("Difference to the ERP", "0.00")):
        shown = drawer.locator("dl.counters > div").filter(has_text=counter).locator("dd")
        await expect(shown).to_have_text(value, timeout=PATIENCE_MS)
    await expect(board.locator("article.tile").filter(has_text="CNC 3").first).to_contain_text("Broken down")
