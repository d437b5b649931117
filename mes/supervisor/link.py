"""One-time sign-in links, made where no password exists yet."""

from __future__ import annotations

from mes.access.service import make_one_time_link
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.settings import Settings
from mes.supervisor.paths import Paths
from mes.supervisor.welcome import LINK_FILE


async def register(settings: Settings) -> None:
    """Make the link that `up` has shown already a good one."""
    file = Paths(settings.home).run / LINK_FILE
    if not file.exists():
        return
    await make(settings, file.read_text().strip())
    file.unlink()


async def make(settings: Settings, token: str | None = None) -> str:
    """Return an address that signs the administrator in, once."""
    cause = Cause(actor="service:supervisor", at=utc_now())
    async with (
        await Database.open(settings.database_url, name="link", site=settings.site, max_size=1) as db,
        db.transaction(cause) as tx,
    ):
        return await make_one_time_link(tx, settings.http.url, token=token)
