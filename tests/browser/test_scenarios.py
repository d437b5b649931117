"""What if: a planner copies the plan, changes it, has it solved, compares, publishes and takes it back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from mes.access.model import Role
from mes.kernel.settings import Settings
from planner.scenarios.worker import ScenarioWorker
from tests.browser.access import axe_by_day_and_night
from tests.browser.conftest import Site
from tests.browser.planning import POLICY


@pytest_asyncio.fixture(loop_scope="session")
async def solver(site: Site, tmp_path: Path) -> AsyncIterator[None]:
    """The part of the planner's process that solves scenarios."""
    settings = Settings(home=tmp_path / "worker", database_url=site.floor.db.url, planner=POLICY)
    worker = asyncio.create_task(ScenarioWorker(site.floor.db, settings).run())
    yield
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker


@pytest.mark.usefixtures("planned", "solver")
async def test_a_scenario_is_copied_changed_solved_compared_published_and_taken_back(site: Site) -> None:
    page = await site.page("/planner", Role.PLANNER)
    await page.get_by_role("button", name="What if").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Assembly 1 is down")
    await dialog.get_by_role("button", name="Copy the plan in force").click()
    await expect(dialog.get_by_role("status")).to_have_text("draft")
    await dialog.get_by_role("combobox", name="Change", exact=True).select_option("unit-down")
    await dialog.get_by_role("combobox", name="Unit", exact=True).select_option("ASM-1")
    await dialog.get_by_role("button", name="Add").click()
    await expect(dialog.get_by_role("listitem").filter(has_text="Assembly 1 stands still")).to_be_visible()
    await dialog.get_by_role("combobox", name="Search for").select_option("1 s")
    await dialog.get_by_role("button", name="Solve").click()
    await expect(dialog.get_by_role("status")).to_have_text("solved", timeout=240_000)
    await expect(dialog.get_by_role("row").filter(has_text="Unit stands still")).to_contain_text(" h ")
    await expect(dialog.get_by_role("listitem").filter(has_text="Unit stands still")).to_have_count(3)
    assert await axe_by_day_and_night(page) == []
    await dialog.get_by_role("button", name="Publish").click()
    await expect(dialog.get_by_role("status")).to_have_text("published")
    await dialog.get_by_role("button", name="All scenarios").click()
    await dialog.get_by_label("Take plan 2 back, because").fill("Assembly 1 stays up")
    await dialog.get_by_role("button", name="Take back").click()
    await expect(dialog.get_by_label("Take plan 3 back, because")).to_be_visible()
    assert site.faults == []
