"""Can everybody use the page? What axe finds, by day and by night."""

from typing import Literal

from playwright.async_api import Page

from dashboards.build import WEB

AXE = WEB / "node_modules/axe-core/axe.min.js"
SERIOUS = {"serious", "critical"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def axe(page: Page) -> list[str]:
    """Return what axe finds that keeps people out."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes'][:4]]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


async def axe_by_day_and_night(page: Page) -> list[str]:
    """Return what axe finds in the light theme and in the dark one."""
    found = []
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found += [f"{scheme} {one}" for one in await axe(page)]
    return found
