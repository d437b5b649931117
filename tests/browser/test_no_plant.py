"""An installation without a plant says on its first page what to do next."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from mes.kernel.db import Database
from mes.resources import service as resources
from tests.browser.conftest import Site
from tests.fixtures.floor import Floor
from tests.fixtures.postgres import SITE


@pytest_asyncio.fixture(loop_scope="session")
async def floor(database_url: str) -> AsyncIterator[Floor]:
    """A database in which nobody has defined a plant."""
    async with await Database.open(database_url, name="test", site=SITE, max_size=10) as db:
        yield Floor(db)


async def test_the_first_page_says_the_next_step_until_there_is_a_plant(site: Site) -> None:
    page = await site.page("/")
    step = page.get_by_text("lineside plant load plant.toml")
    await expect(step).to_be_visible()
    await site.floor.do(lambda tx: resources.put_plant(tx, resources.load_plant()))
    await page.reload()
    await expect(page.get_by_text("CNC 1").first).to_be_visible()
    await expect(step).to_have_count(0)
