"""Between the tables and the services: whose plant the database holds, and what is to be done next."""

from __future__ import annotations

from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.settings import Settings
from mes.supervisor import store

NEXT_STEP = (
    "No plant is defined yet. Write it down in a file (docs/how-to/set-up-your-own-plant.md has one to begin "
    "with), then: lineside plant load plant.toml"
)


async def settle(settings: Settings) -> None:
    """See that settings and database speak of one plant; in the demo define it.

    Raises:
        SiteDiffers, TimezoneDiffers: They do not.
    """
    from mes.resources import service as resources
    from mes.supervisor import demo

    cause = Cause(actor="service:supervisor", at=utc_now())
    async with (
        await Database.open(settings.database_url, name="settle", site=settings.site, max_size=1) as db,
        db.transaction(cause) as tx,
    ):
        await resources.check_site(tx, settings.site_tz)
        if settings.demo:
            await demo.define(tx, settings)


async def next_step(settings: Settings) -> str | None:
    """Return what an administrator does next, where there is no plant yet."""
    return None if await store.plant_defined(settings.database_url, settings.site) else NEXT_STEP
