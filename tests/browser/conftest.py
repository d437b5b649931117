"""A server with the built pages on a port of its own, and a browser that is signed in there.

All tests share one loop, and in it one Chromium; each has its own database, server and contexts.
"""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright, expect

from dashboards import build
from mes.access import service as access
from mes.access.guard import Plant
from mes.access.model import Grant, Role
from mes.app import build_app, installed_routers
from mes.kernel.clock import utc_now
from mes.kernel.settings import Erp, Http, Settings
from mes.resources.service import person_card
from planner import answering, api, asking
from planner.answering import Answerer
from tests.browser.planning import POLICY, plan_late_orders, quiet_hour
from tests.fixtures.floor import Floor, own_floor
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

        token = (await self.floor.do(link)).partition("token=")[2]
        signed_in = await made.request.post(f"{self.url}/api/v1/sign-in/link", data={"token": token})
        assert signed_in.ok
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


class Chromium:
    """One Chromium for all tests; another one when it should ever have died."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    async def browser(self) -> Browser:
        """Return the browser that runs."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = await self._playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        return self._browser

    async def close(self) -> None:
        """End it."""
        if self._browser is not None:
            await self._browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    """The browser."""
    async with async_playwright() as playwright:
        made = Chromium(playwright)
        yield made
        await made.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of this folder in the loop of their browser."""
    for item in items:
        if item.nodeid.startswith("tests/browser/") and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session")
async def floor(postgres_server: str, floor_template: str) -> AsyncIterator[Floor]:
    """The pump plant with crew A at work, for this test alone."""
    async with own_floor(postgres_server, floor_template) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def site(floor: Floor, chromium: Chromium, tmp_path: Path, built_pages: Path) -> AsyncIterator[Site]:
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
    made = Site(url, floor, await chromium.browser())
    yield made
    for context in made.contexts:
        await context.close()
    server.should_exit = True
    await serving
    bound.close()


@pytest_asyncio.fixture(loop_scope="session")
async def planned(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[datetime]:
    """A plan in force, the planner's process at its questions, and the hour at which it all is."""
    at = quiet_hour()
    for asked in (answering, api):
        monkeypatch.setattr(asked, "utc_now", lambda: at)
    monkeypatch.setattr(asking, "WAIT_S", 60.0)  # the machine that tests run on may be slow
    await plan_late_orders(site.floor, at)
    settings = Settings(database_url=site.floor.db.url, planner=POLICY)
    planner = asyncio.create_task(Answerer(site.floor.db, settings, "planner").run())
    yield at
    planner.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await planner
