"""The inside of one service process: settings, logs, readiness, a clean end."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
from collections.abc import Awaitable

from mes.kernel import log, plugins
from mes.kernel.settings import Settings, load
from mes.supervisor.notify import notify

READY_POLL_S = 0.25

END_S = 20.0
"""What has not ended so long after its signal says where it is, and is ended; kill -9 loses nothing."""


def run_service(name: str) -> None:
    """Run the service `name` in this process until SIGTERM or SIGINT.

    Raises:
        UnknownPlugin: No installed package offers it.
    """
    run_here(plugins.service(name))


def run_here(service: plugins.Service) -> None:
    """Run a service in this process until SIGTERM or SIGINT; it need not be one that `lineside up` starts."""
    settings = load()
    log.configure(service.name, settings.log)
    asyncio.run(_run(service, settings))


def prepare_service(name: str) -> None:
    """Do the slow work that the service `name` wants done before it starts."""
    settings = load()
    log.configure(f"{name}.prepare", settings.log)
    service = plugins.service(name)
    if service.prepare is not None:
        asyncio.run(_prepare(service.prepare(settings)))


async def _run(service: plugins.Service, settings: Settings) -> None:
    if service.run is None:
        raise plugins.UnknownPlugin(f"{service.name} is a foreign program; `lineside up` starts it")
    async with asyncio.TaskGroup() as group:
        announce = group.create_task(_announce(service, settings))
        work = group.create_task(_work(service.run(settings)))
        work.add_done_callback(lambda _: announce.cancel())
        _cancel_on_signal(work)


async def _work(running: Awaitable[None]) -> None:
    await running


async def _announce(service: plugins.Service, settings: Settings) -> None:
    while service.ready is not None and not await service.ready(settings):
        await asyncio.sleep(READY_POLL_S)
    notify(service.name)


async def _prepare(running: Awaitable[None]) -> None:
    work = asyncio.create_task(_work(running))
    _cancel_on_signal(work)
    await work


def _cancel_on_signal(work: asyncio.Task[None]) -> None:
    def end() -> None:
        faulthandler.dump_traceback_later(END_S, exit=True)
        work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
