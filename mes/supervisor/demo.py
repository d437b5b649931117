"""What makes the demo plant a plant: its own definition at each start, its past beside the live work."""

from mes.kernel.db import Tx
from mes.kernel.plugins import Service
from mes.kernel.settings import Settings


async def define(tx: Tx, settings: Settings) -> None:
    """Put the pump plant's equipment, calendars, skills and reasons into the database.

    Only what is not there yet, or what a newer version of the file changed: what people changed
    since stays as they left it.

    Raises:
        SiteDiffers, TimezoneDiffers: The settings name another place than the pump plant's.
    """
    from mes.resources import service as resources
    from mes.resources.model import SiteDiffers, TimezoneDiffers

    plant = resources.load_plant()
    if plant.site != settings.site:
        raise SiteDiffers(plant=plant.site, settings=settings.site)
    if plant.timezone != settings.site_tz:
        raise TimezoneDiffers(site=plant.site, plant=plant.timezone, settings=settings.site_tz)
    await resources.keep_plant(tx, plant)


async def _book(settings: Settings) -> None:
    from mes.supervisor.history import book_history

    await book_history(settings)


HISTORY = Service(name="history", command="history", needs=("postgres",), run=_book, demo=True, task=True)
