"""The process `lineside planner`; light to import, because the supervisor does."""

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings


async def main(settings: Settings) -> None:
    """Plan until cancelled."""
    from mes.kernel.db import Database
    from planner.desk import Desk

    async with await Database.open(
        settings.database_url, name="planner", site=settings.site, max_size=4
    ) as db:
        await Desk(db, settings).run()


SERVICE = Service(name="planner", command="planner", needs=("postgres",), run=main)
