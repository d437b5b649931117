"""Take a picture of every page of a running demo plant, in each size, theme and language.

`python -m tests.browser.screenshots LINK` with a fresh link of `lineside sign-in`. The pictures are
for people to look at: what is cut off, wraps badly or is hard to read shows there and nowhere else.
It sits down at a terminal, so the plant's own people leave that one for a minute. A page that does not
come into its pose is taken as it is, and named at the end.

`--sample` takes each page in each size once, in another language and theme each time; `--sheets` puts
four pictures on one.
"""

import argparse
import asyncio
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.test_pages import SIZES
from tests.browser.test_terminal import scan

LANGUAGES: Final = ("en", "zh-CN", "zh-TW")
SCHEMES: Final = ("light", "dark")


@dataclass(frozen=True)
class Plant:
    """What the pages are taken of: an order, a piece and a lot of it."""

    url: str
    order: str
    serial: str
    lot: str


Pose = Callable[[Page, Plant], Awaitable[None]]


async def _open(page: Page, address: str, ready: str) -> None:
    await page.goto(address)
    await expect(page.locator(ready).first).to_be_visible(timeout=20_000)


def _at(path: str, ready: str) -> Pose:
    async def pose(page: Page, plant: Plant) -> None:
        await _open(page, plant.url + path.format(**vars(plant)), ready)

    return pose


async def _evidence(page: Page, plant: Plant) -> None:
    await _open(page, f"{plant.url}/board", ".tile .oee")
    await page.locator(".tile .oee").first.click()
    await expect(page.locator(".evidence .chain")).to_be_visible()


async def _trouble(page: Page, plant: Plant) -> None:
    await _open(page, f"{plant.url}/board", "header .trouble")
    await page.locator("header .trouble").click()
    await expect(page.locator(".kinds li").first).to_be_visible()


async def _chain(page: Page, plant: Plant) -> None:
    """A broken machine and what follows at once; whether a better plan is found is the plant's affair."""
    await _trouble(page, plant)
    broken = page.locator(".kinds li").first
    await broken.locator("select").select_option("CNC-2")
    await broken.locator("button").click()
    await expect(page.locator(".chain > ol > li.on").first).to_be_visible(timeout=60_000)


async def _chosen(page: Page, plant: Plant) -> None:
    await _open(page, f"{plant.url}/planner", ".orders li button")
    await page.locator(".orders li button").first.click()


async def _fixes(page: Page, plant: Plant) -> None:
    """A unit that all orders need breaks down, so that some are late."""
    await _open(page, f"{plant.url}/planner", ".orders li button")
    if not await page.locator(".orders li.late").count():
        key, body = {"Idempotency-Key": str(uuid4())}, {"equipment": "TEST-1"}
        await page.request.post(f"{plant.url}/api/v1/trouble/break-machine", headers=key, data=body)
    late = page.locator(".orders li.late > button")
    await late.first.click(timeout=90_000)
    await page.locator(".fixes button").click()
    await expect(page.locator(".fixes h3")).to_be_visible(timeout=20_000)


async def _kept(page: Page, plant: Plant) -> None:
    await _promise(page, plant)
    await page.locator(".accept .input").first.fill("SO-2041")
    await page.locator(".accept button").click()
    await expect(page.locator(".kept li").first).to_be_visible(timeout=20_000)


async def _promise(page: Page, plant: Plant) -> None:
    await _open(page, f"{plant.url}/planner", ".actions button")
    await page.locator(".actions button").first.click()
    await expect(page.locator(".quote .input").first).not_to_have_value("")
    await page.locator(".quote button").click()
    await expect(page.locator(".answer")).to_be_visible(timeout=20_000)


async def _proposal(page: Page, plant: Plant) -> None:
    await _open(page, f"{plant.url}/planner", ".actions button")
    if not await page.locator(".proposal").count():
        key = {"Idempotency-Key": str(uuid4())}
        await page.request.post(f"{plant.url}/api/v1/trouble/rush-order", headers=key, data={})
    await expect(page.locator(".proposal")).to_be_visible(timeout=120_000)


async def _what_if(page: Page, plant: Plant) -> None:
    """A copy of the plan in which a unit stands still, and what that would cost."""
    await _open(page, f"{plant.url}/planner", ".actions button")
    await page.locator(".actions button").nth(1).click()
    await page.locator("[role=dialog] form input").first.fill("CNC 2")
    await page.locator("[role=dialog] form button").first.click()
    await expect(page.locator(".one [role=status]")).to_be_visible(timeout=20_000)
    await page.locator(".one select").first.select_option("unit-down")
    await page.locator(".one select").nth(1).select_option("CNC-2")
    await page.locator(".one form button").first.click()
    await page.locator(".one > form.line button").click()
    await expect(page.locator("[role=dialog] footer .primary")).to_be_visible(timeout=120_000)


async def _changes(page: Page, plant: Plant) -> None:
    await _proposal(page, plant)
    await page.locator(".proposal button").nth(1).click()
    await expect(page.locator(".diff")).to_be_visible()


async def _unit_with_work(page: Page, plant: Plant) -> str:
    units = [one["id"] for one in (await _json(page.context, f"{plant.url}/api/v1/site"))["terminals"]]
    for _ in range(60):
        for unit in units:
            shown = await _json(page.context, f"{plant.url}/api/v1/terminals/{unit}")
            if shown["job"] or any(one["startable"] for one in shown["queue"]):
                return str(unit)
        await page.wait_for_timeout(1_000)
    return str(units[0])


async def _at_work(page: Page, plant: Plant) -> None:
    address = f"{plant.url}/terminal/{await _unit_with_work(page, plant)}"
    await _open(page, address, ".dock, .sign-on .demo button, .banner.watch button")
    if await page.locator(".banner.watch button").count():
        await page.locator(".banner.watch button").click()
    seat = page.locator(".sign-on .demo button")
    if await page.locator(".sign-on").count():
        await seat.first.click()
    await expect(page.locator(".who .face")).to_be_visible()
    if not await page.locator(".dock .main.hold").count():
        await page.locator(".dock .main").click()
    await expect(page.locator(".dock .main.hold")).to_be_visible()


def _tapped(button: str, shown: str) -> Pose:
    async def pose(page: Page, plant: Plant) -> None:
        await _at_work(page, plant)
        await page.locator(button).click()
        await expect(page.locator(shown).first).to_be_visible()

    return pose


def _scanned(text: str, shown: str) -> Pose:
    async def pose(page: Page, plant: Plant) -> None:
        await _at_work(page, plant)
        await scan(page, text)
        await expect(page.locator(shown).first).to_be_visible()

    return pose


async def _offline(page: Page, plant: Plant) -> None:
    await _at_work(page, plant)
    await page.context.set_offline(True)
    await expect(page.locator(".status .chip.bad")).to_be_visible(timeout=30_000)


async def _sign_in_page(page: Page, plant: Plant) -> None:
    await _open(page, f"{plant.url}/sign-in", "form")


SIGN_IN: Final = "sign-in"
"""Taken without an account."""
DIALOG: Final = "[role=dialog] .content"
POSES: Final[dict[str, Pose]] = {
    "home": _at("/", ".units li"),
    "board": _at("/board", ".tile"),
    "evidence": _evidence,
    "trouble": _trouble,
    "trouble-chain": _chain,
    "planner": _at("/planner", ".orders li"),
    "planner-chosen": _chosen,
    "planner-fixes": _fixes,
    "planner-promise": _promise,
    "planner-kept": _kept,
    "planner-proposal": _proposal,
    "planner-changes": _changes,
    "planner-what-if": _what_if,
    "order": _at("/o/{order}", ".steps li"),
    "serial": _at("/o/{serial}", ".steps li"),
    "lot": _at("/o/{lot}", ".facts"),
    "unknown": _at("/o/XY-1", "[role=alert]"),
    "terminals": _at("/terminal", ".choose li"),
    "terminal-work": _at_work,
    "terminal-report": _tapped(".dock button:nth-child(3)", DIALOG),
    "terminal-scrap": _tapped(".dock button:nth-child(4)", DIALOG),
    "terminal-stop": _tapped(".dock button:nth-child(5)", DIALOG),
    "terminal-menu": _tapped(".status .who", DIALOG),
    "terminal-refused": _scanned("LOT:LOT-NOPE-9", ".say.bad, .conflicts"),
    "terminal-pin": _scanned("EMP:E-1009", ".sign-on .pin"),
    "terminal-offline": _offline,
    SIGN_IN: _sign_in_page,
}


async def sign_in(browser: Browser, link: str) -> Any:
    """Return what a signed-in browser keeps."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(link)
    await page.wait_for_url(lambda url: "/sign-in" not in url)
    state = await context.storage_state()
    state["origins"] = []
    await context.close()
    return state


async def _json(context: BrowserContext, url: str) -> Any:
    return await (await context.request.get(url)).json()


async def choose(context: BrowserContext, url: str) -> Plant:
    """Find an order with pieces, a piece of it and a lot that it used; a plant that is new has them soon."""
    api = f"{url}/api/v1"
    async with asyncio.timeout(300):
        while True:
            recent = (await _json(context, f"{api}/status"))["recent_orders"]
            for one in recent:
                order = (await _json(context, f"{api}/lookup/{one['work_order']}"))["orders"][0]
                if order["serials"] and order["materials"]:
                    serial, lot = order["serials"][0]["serial"], order["materials"][0]["lot"]
                    return Plant(url, order["work_order"], serial, lot)
            await asyncio.sleep(2)


class Shot(NamedTuple):
    """One picture to take."""

    pose: str
    language: str
    scheme: str
    size: str

    @property
    def file(self) -> str:
        return f"{'-'.join(self)}.png"


def shots(wanted: argparse.Namespace) -> Iterator[tuple[Shot, ...]]:
    """Name the pictures of each visit to a page."""
    looks = list(product(wanted.languages, wanted.schemes))
    for turn, pose in enumerate(wanted.only or POSES):
        if wanted.sample:
            for number, size in enumerate(SIZES):
                yield (Shot(pose, *looks[(turn + number * 2 + number // 2) % len(looks)], size),)
        else:
            for look in looks:
                yield tuple(Shot(pose, *look, size) for size in SIZES)


async def take(page: Page, shot: Shot, wanted: argparse.Namespace) -> None:
    """Save one picture, of the whole page where it is longer than the screen."""
    width, height = SIZES[shot.size]
    await page.set_viewport_size({"width": width, "height": height})
    await page.wait_for_timeout(350)
    await page.screenshot(path=wanted.out / shot.file, full_page=wanted.whole)


async def visit(browser: Browser, state: Any, plant: Plant, wanted: argparse.Namespace) -> list[str]:
    """Go through all pages; return what did not come into its pose."""
    failed = []
    for series in shots(wanted):
        first = series[0]
        width, height = SIZES[first.size]
        context = await browser.new_context(
            storage_state=None if first.pose == SIGN_IN else state,
            locale=first.language,
            color_scheme=first.scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
        )
        page = await context.new_page()
        try:
            await POSES[first.pose](page, plant)
        except (AssertionError, Error) as error:
            failed.append(f"{first.file}: {str(error).splitlines()[0]}")
        for shot in series:
            await take(page, shot, wanted)
        await context.close()
    return failed


async def put_together(browser: Browser, files: Sequence[Path]) -> None:
    """Save sheets of four pictures of one size each, as few images to look at."""
    for size in SIZES:
        of_size = [one for one in files if one.stem.endswith(size)]
        for number in range(0, len(of_size), 4):
            page = await browser.new_page(viewport={"width": 2 * 980, "height": 100})
            pictures = "".join(
                f"<figure><img src='data:image/png;base64,{b64encode(one.read_bytes()).decode()}'>"
                f"<figcaption>{one.stem}</figcaption></figure>"
                for one in of_size[number : number + 4]
            )
            style = "body{display:grid;grid-template-columns:1fr 1fr;gap:8px;margin:0;font:16px sans-serif}"
            await page.set_content(f"<style>{style}figure{{margin:0}}img{{width:100%}}</style>{pictures}")
            await page.screenshot(path=files[0].parent / f"sheet-{size}-{number:03}.png", full_page=True)
            await page.close()


async def main(wanted: argparse.Namespace) -> None:
    """Sign in by the link and take the pictures."""
    wanted.out.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        state = await sign_in(browser, wanted.link)
        context = await browser.new_context(storage_state=state)
        plant = await choose(context, wanted.link.split("/sign-in")[0])
        failed = await visit(browser, state, plant, wanted)
        if wanted.sheets:
            taken = [wanted.out / shot.file for series in shots(wanted) for shot in series]
            await put_together(browser, taken)
        await browser.close()
    if failed:
        sys.exit("\n".join(failed))


def wishes() -> argparse.Namespace:
    """Return what to take pictures of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("link", help="a one-time link of `lineside sign-in`")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--sample", action="store_true", help="each page in each size once")
    parser.add_argument("--whole", action="store_true", help="the whole page, below the screen too")
    parser.add_argument("--sheets", action="store_true", help="four pictures on one as well")
    parser.add_argument("--only", nargs="*", choices=POSES)
    parser.add_argument("--languages", nargs="*", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--schemes", nargs="*", choices=SCHEMES, default=SCHEMES)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(wishes()))
