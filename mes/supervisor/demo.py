"""The one-time work of the demo plant: its past is booked beside the live plant, then it ends."""

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings


async def _book(settings: Settings) -> None:
    from mes.supervisor.history import book_history

    await book_history(settings)


HISTORY = Service(name="history", command="history", needs=("postgres",), run=_book, demo=True, task=True)
