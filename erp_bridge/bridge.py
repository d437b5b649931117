"""The process `lineside bridge`: plant to ERP, ERP to plant, and the comparison of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings

if TYPE_CHECKING:
    from erp_bridge.worker import Bridge


async def main(settings: Settings) -> None:
    """Work until cancelled."""
    import os

    from erp_bridge.service import make_adapter
    from erp_bridge.worker import Bridge, worker_name
    from mes.kernel.db import Database

    adapter = make_adapter(settings)
    async with await Database.open(
        settings.database_url, name="bridge", site=settings.site, max_size=6
    ) as db:
        bridge: Bridge = Bridge(db, adapter, settings, worker_name(os.getpid()))
        try:
            await bridge.run()
        finally:
            await adapter.close()


SERVICE = Service(name="bridge", command="bridge", needs=("postgres",), run=main)
