"""`lineside doctor`: what would keep a plant from running well, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from mes.kernel import plugins
from mes.kernel.clock import utc_now
from mes.kernel.errors import PlantError
from mes.kernel.settings import SettingsError, load
from mes.supervisor import control, postgres, store
from mes.supervisor.paths import Paths
from mes.supervisor.settle import NEXT_STEP

DISK_NEEDED_BYTES = 2_000_000_000
MEMORY_NEEDED_BYTES = 2_000_000_000
FSYNC_SUSPICIOUS_S = 0.00005
"""A sync faster than this reaches no disk: a write cache answers (50 microseconds)."""
FSYNC_SLOW_S = 0.05

MARKS = {"good": "ok", "note": "note", "bad": "BAD"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["good", "note", "bad"]
    subject: str
    text: str

    @property
    def mark(self) -> str:
        """The finding's level in four letters."""
        return MARKS[self.level]

    def as_json(self) -> dict[str, Any]:
        """Return the finding for programs."""
        return asdict(self)


async def examine(home: Path) -> list[Finding]:
    """Look at everything; nothing is changed but a scratch file in `home`."""
    findings = [*_settings(), *_machine(home), *_database(home), *_plugins()]
    findings.append(await _plant(home))
    findings += [finding async for finding in _site()]
    return findings


def _settings() -> Iterator[Finding]:
    try:
        settings = load()
    except SettingsError as error:
        yield Finding("bad", "settings", str(error))
        return
    yield Finding("good", "settings", f"profile {settings.profile}, site {settings.site}")
    if settings.profile == "demo" and not settings.http.loopback:
        yield Finding("note", "demo", "the pages are reachable from outside, so demo features are off")
    if not settings.http.loopback and not settings.http.secure:
        text = "pages by plain http: a terminal that is loaded again without a network stays empty"
        yield Finding("note", "terminals", f"{text}; see docs/how-to/put-tablets-on-the-floor.md")


def _machine(home: Path) -> Iterator[Finding]:
    yield Finding("good", "python", sys.version.split()[0])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    level: Literal["good", "bad"] = "good" if free >= DISK_NEEDED_BYTES else "bad"
    yield Finding(level, "disk", f"{free / 1e9:.1f} GB free in {home}; at least 2 GB are needed")
    available = psutil.virtual_memory().available
    enough = available >= MEMORY_NEEDED_BYTES
    yield Finding("good" if enough else "note", "memory", f"{available / 1e9:.1f} GB available")
    yield _fsync(home)


def _fsync(home: Path) -> Finding:
    scratch = home / f".doctor-{os.getpid()}"
    times = []
    with scratch.open("wb") as file:
        for _ in range(20):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    scratch.unlink()
    median = sorted(times)[len(times) // 2]
    text = f"{median * 1000:.2f} ms for 4 kB"
    if median < FSYNC_SUSPICIOUS_S:
        return Finding("note", "fsync", f"{text}: too fast for a disk, a power cut may lose what was stored")
    if median > FSYNC_SLOW_S:
        return Finding("note", "fsync", f"{text}: slow, commits wait for it")
    return Finding("good", "fsync", text)


def _database(home: Path) -> Iterator[Finding]:
    if os.environ.get("DATABASE_URL"):
        yield Finding("good", "database", "your own, by DATABASE_URL")
        return
    if os.geteuid() == 0:
        yield Finding("note", "account", "running as root: PostgreSQL runs as the account lineside")
        elsewhere = Path("/var/lib/lineside") / Paths(home).digest
        if elsewhere.exists():
            text = f"that account cannot reach {home}: its files are in {elsewhere}"
            yield Finding("note", "database", text)
    try:
        found = postgres.programs()
    except postgres.PostgresError as error:
        yield Finding("bad", "database", str(error))
    else:
        yield Finding("good", "database", f"embedded, programs in {found}")


def _plugins() -> Iterator[Finding]:
    for group in (plugins.SERVICES, plugins.ROUTERS, plugins.MIGRATIONS):
        for name, entry in plugins.entries(group).items():
            try:
                entry.load()
            except (ImportError, AttributeError) as error:
                yield Finding("bad", f"{group} {name}", str(error))
        yield Finding("good", group, ", ".join(plugins.entries(group)) or "none")


async def _site() -> AsyncIterator[Finding]:
    """Compare what settings and database say of the site, where a database can be asked."""
    from mes.kernel.db import Database, DatabaseUnavailable
    from mes.resources import service as resources

    try:
        settings = load()
    except SettingsError:
        return
    if not settings.database_url or not await store.answers(settings.database_url):
        return
    try:
        async with (
            await Database.open(settings.database_url, name="doctor", site=settings.site, max_size=1) as db,
            db.read() as tx,
        ):
            await resources.check_site(tx, settings.site_tz)
            plant = await resources.read_plant(tx, utc_now())
    except DatabaseUnavailable:
        return
    except PlantError as refusal:
        yield Finding("bad", "site", f"{refusal.message} {refusal.remedy}")
        return
    if plant is None:
        yield Finding("note", "site", f"{settings.site}, {settings.site_tz}: {NEXT_STEP}")
    else:
        yield Finding("good", "site", f"{plant.site}, {plant.timezone}, {len(plant.equipment)} places")


async def _plant(home: Path) -> Finding:
    try:
        status = await control.ask(home, "status")
    except (control.NotRunning, control.ControlRefused):
        return Finding("note", "plant", "does not run; `lineside up` starts it")
    restarts = {item["name"]: item["restarts"] for item in status["processes"] if item["restarts"]}
    text = f"runs at {status['url']}"
    if restarts:
        return Finding("note", "plant", f"{text}; restarted: {restarts}")
    return Finding("good", "plant", text)
