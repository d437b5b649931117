"""The process `lineside planner`; light to import, because the supervisor does."""

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings


async def main(settings: Settings) -> None:
    """Plan, answer questions and solve scenarios, until cancelled."""
    import asyncio

    from mes.kernel.db import Database
    from planner.answering import Answerer
    from planner.desk import Desk
    from planner.pool import SolverPool
    from planner.scenarios.worker import ScenarioWorker

    async with await Database.open(
        settings.database_url, name="planner", site=settings.site, max_size=4
    ) as db:
        pool = SolverPool()
        desk = Desk(db, settings, pool)
        answerer = Answerer(db, settings, desk.name, pool)
        desk.on_news = answerer.forget
        async with asyncio.TaskGroup() as group:
            group.create_task(desk.run())
            group.create_task(answerer.run())
            group.create_task(ScenarioWorker(db, settings, pool).run())


async def solve_scenarios(settings: Settings) -> None:
    """Solve scenarios, on another machine than the planner's or beside it, until cancelled."""
    from mes.kernel.db import Database
    from planner.scenarios.worker import ScenarioWorker

    async with await Database.open(
        settings.database_url, name="worker", site=settings.site, max_size=2
    ) as db:
        await ScenarioWorker(db, settings).run()


SERVICE = Service(name="planner", command="planner", needs=("postgres",), run=main)
WORKER = Service(name="worker", command="worker", run=solve_scenarios)
"""Not among those that `lineside up` starts: the planner's process does the same."""
