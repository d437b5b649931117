"""What makes the demo plant a plant: its own definition at each start, its past beside the live work."""

from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.plugins import Service
from mes.kernel.settings import Settings


async def define(settings: Settings) -> None:
    """Put the pump plant's equipment, calendars, skills and reasons into the database."""
    from mes.resources import service as resources

    cause = Cause(actor="service:demo", at=utc_now())
    async with (
        await Database.open(settings.database_url, name="define", site=settings.site, max_size=1) as db,
        db.transaction(cause) as tx,
    ):
        await resources.put_plant(tx, resources.load_plant())


async def _book(settings: Settings) -> None:
    from mes.supervisor.history import book_history

    await book_history(settings)


HISTORY = Service(name="history", command="history", needs=("postgres",), run=_book, demo=True, task=True)
