"""What every page owes its reader: it fits the screen, anybody can use it, and it is small."""

import gzip
import re
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from psycopg.types.json import Json

from dashboards.build import STATIC
from erp_bridge.store.link import put_link
from mes.access.model import Role
from mes.kernel.db import Tx
from mes.kernel.ids import LotNumber
from tests.browser.access import SCHEMES, axe, axe_by_day_and_night
from tests.browser.conftest import ERP_PAGES, Site
from tests.browser.planning import plan_late_orders, quiet_hour
from tests.browser.test_terminal import eventually, job, scan, sit_down, status
from tests.fixtures.postgres import SITE

SIZES = {"tablet": (1024, 768), "portrait": (800, 1280), "desk": (1600, 900)}


async def overflow(page: Page) -> list[str]:
    """Return what sticks out of the window, and buttons that are cut off."""
    found: list[str] = await page.evaluate(
        """() => {
          const wide = document.documentElement.scrollWidth > innerWidth + 1 ? ['wider than the window'] : []
          const cut = [...document.querySelectorAll('.dock button, header.bar button')].filter((one) => {
            const box = one.getBoundingClientRect()
            return box.width > 0 && (box.right > innerWidth + 1 || box.bottom > innerHeight + 1)
          })
          return [...wide, ...cut.map((one) => `cut off: ${one.textContent.trim()}`)]
        }"""
    )
    return found


def ready_when(order: str) -> dict[str, str]:
    """Return what is on each page once it shows its plant."""
    return {
        "/": ".units li",
        "/board": ".tile",
        "/planner": ".orders li",
        f"/o/{order}": ".steps li",
        "/o/LOT-CAST-40-1": ".facts",
        "/o/nothing": "[role=alert]",
    }


async def at_each_size(page: Page, place: str, axe_at: str) -> dict[str, list[str]]:
    """Return what is wrong with a page: what sticks out at any size, and what axe finds at one."""
    faults = {}
    for name, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        faults[f"{place} {name}"] = [*await overflow(page), *(await axe(page) if name == axe_at else [])]
    return faults


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_anybody_can_use_the_pages(site: Site, scheme: str) -> None:
    """One plant at work; every page in one theme, each at another size and in another language."""
    (order, *_) = await plan_late_orders(site.floor, quiet_hour())
    unit = (await job(site, f"{order}-10")).equipment
    language = {"light": "en", "dark": "zh-CN"}[scheme]
    context = await site.context(Role.ADMINISTRATOR, language=language, color_scheme=scheme)
    page = await context.new_page()
    faults: dict[str, list[str]] = {}
    await page.goto(f"{site.url}/terminal/{unit}")
    await expect(page.locator(".sign-on")).to_be_visible()
    faults["sign-on"] = await axe(page)
    await sit_down(page)
    await scan(page, f"WO:{order}")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    faults |= await at_each_size(page, "terminal", "tablet")
    await scan(page, "CMD:SCRAP")
    await expect(page.get_by_role("dialog")).to_be_visible()
    faults["report"] = await axe(page)
    sizes = cycle(SIZES)
    for path, ready in ready_when(order).items():
        await page.goto(f"{site.url}{path}")
        await expect(page.locator(ready).first).to_be_visible()
        faults |= await at_each_size(page, path, next(sizes))
    wrong = [f"{place}: {found}" for place, found in faults.items() if found]
    assert not wrong, "\n".join(wrong)


async def test_the_sign_in_page_says_what_is_wrong(site: Site) -> None:
    context = await site.browser.new_context(locale="zh-TW")
    page = await context.new_page()
    await page.goto(f"{site.url}/board")
    await page.wait_for_url("**/sign-in?next=%2Fboard")
    assert await axe_by_day_and_night(page) == []
    await page.get_by_label("帳號").fill("nobody")
    await page.get_by_label("密碼").fill("a wrong pass phrase")
    await page.get_by_role("button", name="登入").click()
    await expect(page.get_by_role("alert")).to_contain_text("不正確")
    await context.close()


async def test_what_cannot_be_reached_is_said_with_what_to_do(site: Site) -> None:
    """A machine without an answer, a tag that it does not know, and an ERP that is away: in Chinese."""
    down = {"up": False, "reason": "TimeoutError", "since": 1_788_000_000_000}
    health = {"endpoints": {"machining": down}, "refused": {"CNC-1/spindle": "BadNodeIdUnknown"}}

    async def lose_both(tx: Tx) -> None:
        await put_link(tx, "tryton", "Tryton", reachable=False, detail="refused", ms=0.0)
        await tx.execute(
            "insert into mes.edge_link (edge, site, at, detail) values ('edge-1', %(site)s, now(), %(said)s)",
            {"site": SITE, "said": Json(health)},
        )

    await site.floor.do(lose_both)
    page = await site.page("/board", Role.PLANNER, language="zh-CN")
    await expect(page.get_by_text("edge-1：machining 没有应答")).to_be_visible()
    await expect(page.get_by_text("请检查设备是否开机")).to_be_visible()
    await expect(page.get_by_text("edge-1：读不到 CNC-1/spindle")).to_be_visible()
    await page.goto(f"{site.url}/")
    await expect(page.get_by_text("请检查 ERP 是否在运行")).to_be_visible()


async def test_gloves_find_every_action_of_the_terminal(site: Site) -> None:
    order = await site.floor.order(quantity=8)
    await site.floor.plan(order)
    page = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await sit_down(page)
    for size in SIZES.values():
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        boxes = [await button.bounding_box() for button in await page.locator(".dock button").all()]
        assert len(boxes) == 6
        assert all(box is not None and box["height"] >= 72 and box["width"] >= 72 for box in boxes)


async def test_the_evidence_of_an_oee_is_one_click_away(site: Site) -> None:
    page = await site.page("/board", Role.PLANNER)
    await page.get_by_role("button", name="OEE of CNC 1: evidence").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("ISO 22400-2")).to_be_visible()
    await expect(dialog.locator(".elements").get_by_text("planned busy time")).to_be_visible()
    await expect(dialog.locator(".chain .quality")).to_contain_text("Nothing counted in this shift yet")
    assert await axe_by_day_and_night(page) == []


async def test_one_number_shows_the_order_live(site: Site) -> None:
    order = await site.floor.order(quantity=8)
    await site.floor.plan(order)
    page = await site.page(f"/o/{order.lower()}", Role.FINANCE)
    await expect(page.get_by_role("heading", name=re.compile(order))).to_have_count(1)
    await expect(page.get_by_text("Nothing used yet")).to_be_visible()
    terminal = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await sit_down(terminal)
    await scan(terminal, f"WO:{order}")
    await scan(terminal, "LOT:LOT-CAST-40-1")
    await expect(page.get_by_role("link", name="LOT-CAST-40-1")).to_be_visible(timeout=30_000)


async def test_a_completed_order_says_when_it_was_done(site: Site) -> None:
    order = await site.floor.order(quantity=8)
    done = "update mes.work_order set status = 'Completed', completed_at = due_at + %(by)s where id = %(id)s"
    for hours, said in ((-2, "2 h 00 before the wish"), (3, "3 h 00 after the wish")):
        by = {"by": timedelta(hours=hours), "id": order}
        await site.floor.do(lambda tx, by=by: tx.execute(done, by))  # type: ignore[misc]
        page = await site.page(f"/o/{order}", Role.FINANCE)
        await expect(page.locator(".promise .date")).to_contain_text("Completed")
        await expect(page.locator(".promise .date")).to_contain_text(said)


async def test_a_number_of_two_lots_lets_the_reader_choose(site: Site) -> None:
    for material in ("SEAL", "BOX"):
        await site.floor.lot(material, "9", lot=LotNumber("X-7"))
    page = await site.page("/o/X-7", Role.FINANCE)
    await expect(page.get_by_role("heading", name="Several lots are called X-7: which one?")).to_be_visible()
    await page.get_by_role("link", name="X-7@BOX").click()
    await expect(page.get_by_role("heading", name="Box", exact=True)).to_be_visible()
    assert site.faults == []


async def test_the_erp_opens_at_the_order_with_a_login_to_copy(site: Site) -> None:
    order = await site.floor.order(quantity=8)
    context = await site.context(Role.FINANCE, permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto(f"{site.url}/o/{order}")
    visitor = await (await context.request.get(f"{site.url}/api/v1/erp/visitor")).json()
    link = page.get_by_role("link", name="Open in the ERP")
    await expect(link).to_have_attribute("href", re.compile(re.escape(ERP_PAGES)))
    await expect(page.get_by_text(visitor["password"])).to_be_visible()
    await page.get_by_role("button", name="Copy the password").click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    assert await page.evaluate("() => navigator.clipboard.readText()") == visitor["password"]


async def test_what_an_account_may_not_see_is_not_sent(site: Site) -> None:
    order = await site.floor.order(quantity=8)
    page = await site.page(f"/o/{order}", Role.OPERATOR)
    await expect(page.get_by_text("This account may not see costs")).to_be_visible()


async def test_a_number_that_nothing_has_says_what_can_be_looked_up(site: Site) -> None:
    page = await site.page("/o/XY-1", Role.OPERATOR)
    await expect(page.get_by_role("alert")).to_contain_text("Nothing in this plant has the number XY-1")


async def test_one_connection_serves_all_tabs_of_a_browser(site: Site) -> None:
    context = await site.context(Role.PLANNER)
    streams = 0

    def count(request: object) -> None:
        nonlocal streams
        streams += str(getattr(request, "url", "")).endswith("/api/v1/live")

    context.on("request", count)
    tabs = [await context.new_page() for _ in range(3)]
    for tab in tabs:
        await tab.goto(f"{site.url}/board")
        await expect(tab.get_by_role("heading", name="CNC 1")).to_be_visible()
    assert streams == 1
    await tabs[0].close()

    async def opened() -> int:
        return streams

    await eventually(opened, 2)
    await tabs[1].wait_for_timeout(1_500)
    assert streams == 2


def loaded_at_start(page: str, parts: tuple[str, ...]) -> int:
    """Return the bytes of the scripts and the words that a page shows anything with, gzipped."""
    waiting = re.findall(r'/(assets/[^"]+\.js)"', (STATIC / page).read_text())
    waiting += [max(words(part), key=size) for part in parts]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        imports = re.findall(r'(?:from|import)"\./([^"]+\.js)"', (STATIC / name).read_text())
        waiting += [f"assets/{one}" for one in imports]
    return sum(map(size, seen))


def words(part: str) -> list[str]:
    """Return the files with a page's words, one for each language."""
    found = [f"assets/{path.name}" for path in (STATIC / "assets").glob(f"words-*-{part}-*.js")]
    assert len(found) == 3
    return found


def size(name: str) -> int:
    return len(gzip.compress((STATIC / name).read_bytes(), 9))


@pytest.mark.parametrize(
    ("page", "parts", "limit"),
    [("terminal.html", ("terminal",), 90_000), ("planner.html", ("terminal", "desk"), 150_000)],
)
def test_a_page_is_small_in_its_longest_language(
    built_pages: Path, page: str, parts: tuple[str, ...], limit: int
) -> None:
    assert built_pages.exists()
    assert loaded_at_start(page, parts) <= limit
