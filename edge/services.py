"""The services `edge`, `ingest` and `plant`; light to import, as the supervisor does."""

from __future__ import annotations

from pathlib import Path

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings

WAIT_S = 0.3
GARBAGE = 50_000
"""Objects between two collections: a batch makes thousands, and none in a cycle."""


async def run_edge(settings: Settings) -> None:
    """Run the edge agent of this installation; without a CONFIG.toml it waits for one."""
    from edge.agent import Agent
    from edge.control import Control
    from edge.plant_sim.service import edge_config_path
    from edge.tags import load_config
    from mes.kernel.home import sockets

    path = edge_config_path(settings)
    if settings.edge.config is None:
        await _written(path, by_itself=settings.demo)
    agent = Agent(load_config(path))
    if not settings.demo:
        await agent.run()
        return
    control = Control()
    control.register("unplug", agent.unplug)
    control.register("state", agent.state)
    async with control.listening(sockets(settings.home) / "edge.sock"):
        await agent.run()


async def _written(path: Path, *, by_itself: bool) -> None:
    """Wait for the edge's configuration, which the simulated plant or an engineer writes."""
    import asyncio

    from mes.kernel.log import get_logger

    if not by_itself and not path.exists():
        get_logger(__name__).warning("edge.waits", config=str(path), remedy="write this file")
    while not path.exists():
        await asyncio.sleep(WAIT_S)


async def run_ingest(settings: Settings) -> None:
    """Run ingest between the broker and the databases."""
    import gc

    from edge.ingest import Ingest, Stores

    gc.freeze()
    gc.set_threshold(GARBAGE)
    seed = {}
    if settings.profile == "demo":
        from edge.plant_sim.layout import tags

        seed[settings.edge.id] = tags()
    stores = Stores.open(settings.database_url, settings.historian_url, settings.site)
    await Ingest(settings.broker.url_for("ingest"), stores, seed).run()


async def run_plant(settings: Settings) -> None:
    """Run the simulated plant."""
    from edge.plant_sim.service import Plant

    await Plant(settings).run()


async def plant_ready(settings: Settings) -> bool:
    """Tell whether the machines' servers listen and CONFIG.toml is written."""
    import asyncio

    from edge.plant_sim.service import edge_config_path

    if not edge_config_path(settings).exists():
        return False
    for port in settings.plant.ports.values():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
    return True


EDGE = Service(name="edge", command="edge run", needs=("broker",), run=run_edge)
INGEST = Service(name="ingest", command="ingest", needs=("broker", "postgres"), run=run_ingest)
PLANT = Service(name="plant", command="plant", needs=("broker",), run=run_plant, ready=plant_ready, demo=True)
