"""The process `lineside planner`; light to import, because the supervisor does."""

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings


async def main(settings: Settings) -> None:
    """Plan, and answer questions, until cancelled."""
    import asyncio

    from mes.kernel.db import Database
    from planner.answering import Answerer
    from planner.desk import Desk

    async with await Database.open(
        settings.database_url, name="planner", site=settings.site, max_size=4
    ) as db:
        desk = Desk(db, settings)
        answerer = Answerer(db, settings, desk.name)
        desk.on_news = answerer.forget
        async with asyncio.TaskGroup() as group:
            group.create_task(desk.run())
            group.create_task(answerer.run())


SERVICE = Service(name="planner", command="planner", needs=("postgres",), run=main)
