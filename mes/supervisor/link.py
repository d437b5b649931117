"""One-time sign-in links, made where no password exists yet."""

from __future__ import annotations

from mes.access.model import AccountShut
from mes.access.service import make_one_time_link
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.log import get_logger
from mes.kernel.settings import Settings
from mes.supervisor.paths import Paths
from mes.supervisor.welcome import LINK_FILE

log = get_logger(__name__)


async def register(settings: Settings) -> None:
    """Make the link that `up` has shown already a good one.

    Where the administrator's account is shut it leads nowhere, and the plant starts all the same.
    """
    file = Paths(settings.home).run / LINK_FILE
    if not file.exists():
        return
    try:
        await make(settings, file.read_text().strip())
    except AccountShut as shut:
        log.warning("link.account_shut", **shut.params, remedy=shut.remedy)
    file.unlink()


async def make(settings: Settings, token: str | None = None) -> str:
    """Return an address that signs the administrator in, once."""
    cause = Cause(actor="service:supervisor", at=utc_now())
    async with (
        await Database.open(settings.database_url, name="link", site=settings.site, max_size=1) as db,
        db.transaction(cause) as tx,
    ):
        return await make_one_time_link(tx, settings.http.url, token=token)
