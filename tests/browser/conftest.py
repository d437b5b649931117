"""A server with the built pages on a port of its own, and a browser that is signed in there."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from dashboards import build
from mes.access import service as access
from mes.access.guard import Plant
from mes.access.model import Grant, Role
from mes.app import build_app, installed_routers
from mes.kernel.clock import utc_now
from mes.kernel.settings import Erp, Http, Settings
from mes.resources.service import person_card
from tests.fixtures.floor import Floor
from tests.fixtures.postgres import SITE

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=30_000)


ERP_PAGES = "http://erp.invalid/#lineside"

# A page on a busy machine takes its time; what never comes still fails.
expect.set_options(timeout=30_000)


class Server(uvicorn.Server):
    """Leaves the signals to the tests."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Site:
    """The pages over the test's own plant.

    Args:
        faults: What a page wrote to its console as an error, or threw.
    """

    url: str
    floor: Floor
    browser: Browser
    faults: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def context(self, *roles: Role, language: str = "en", **options: object) -> BrowserContext:
        """Return a browser of its own, signed in with an account of these roles."""
        made = await self.browser.new_context(locale=language, **options)  # type: ignore[arg-type]
        self.contexts.append(made)
        made.on("weberror", lambda fault: self.faults.append(str(fault.error)))
        made.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)

        async def link(tx: object) -> str:
            account = f"a-{len(self.contexts)}"
            await access.make_account(tx, account, tuple(Grant(role, SITE) for role in roles))  # type: ignore[arg-type]
            return await access.make_one_time_link(tx, self.url, account)  # type: ignore[arg-type]

        page = await made.new_page()
        await page.goto(await self.floor.do(link))
        await page.wait_for_url(f"{self.url}/")
        await page.close()
        return made

    async def page(self, path: str, *roles: Role, **options: object) -> Page:
        """Open one page in a browser of its own."""
        context = await self.context(*(roles or (Role.ADMINISTRATOR,)), **options)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(f"{self.url}{path}")
        return page


def free_socket() -> socket.socket:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


@pytest.fixture(scope="session")
def built_pages() -> Path:
    """The pages as a user gets them."""
    build.build()
    return build.STATIC


@pytest_asyncio.fixture
async def site(floor: Floor, tmp_path: Path, built_pages: Path) -> AsyncIterator[Site]:
    """The real server on a free port, and a browser."""
    assert built_pages.exists()
    floor.now = utc_now()
    bound = free_socket()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "profile": "demo",
            "site": SITE,
            "http": Http(url=url).model_dump(),
            "erp": Erp(web_url=ERP_PAGES).model_dump(),
        }
    )
    app = build_app(Plant(floor.db, settings, person_card), installed_routers())
    server = Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        made = Site(url, floor, browser)
        yield made
        for context in made.contexts:
            await context.close()
        await browser.close()
    server.should_exit = True
    await serving
    bound.close()
