"""The process `lineside serve`: the API and the pages."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mes.kernel.plugins import Service
from mes.kernel.settings import Settings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from mes.kernel.db import Database

GRACE_S = 3
"""How long open replies may take when the process is asked to stop."""
RETRY_S = 0.5


async def main(settings: Settings) -> None:
    """Serve until cancelled."""
    from mes.access.guard import Plant
    from mes.app import build_app, installed_routers
    from mes.kernel.db import Database
    from mes.resources.service import person_card

    async with await Database.open(
        settings.database_url, name="serve", site=settings.site, min_size=1, max_size=8, readers=8
    ) as db:
        await _register_services(db, settings)
        app = build_app(Plant(db, settings, person_card), installed_routers())
        await _run(app, _server(app, settings), settings)


async def ready(settings: Settings) -> bool:
    """Say whether the pages answer and the database behind them too."""
    import httpx2

    async with httpx2.AsyncClient(base_url=settings.http.own, timeout=2.0) as client:
        try:
            return (await client.get("/readyz")).is_success
        except httpx2.TransportError:
            return False


def _server(app: object, settings: Settings) -> "uvicorn.Server":
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves the signals to whoever runs us."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=settings.http.host,
        port=settings.http.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=1000,
    )
    return Server(config)


async def _run(app: "FastAPI", server: "uvicorn.Server", settings: Settings) -> None:
    sockets = None if settings.http.fd is None else [socket.socket(fileno=settings.http.fd)]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        for end in app.state.before_stop:
            end()
        server.should_exit = True
        await serving
        raise


async def _register_services(db: "Database", settings: Settings) -> None:
    """Make the tokens of our own programs good; wait for the database as long as it takes."""
    from mes.access.service import SERVICE_RIGHTS, put_service_token
    from mes.kernel.clock import utc_now
    from mes.kernel.db import Cause, DatabaseBusy, DatabaseUnavailable
    from mes.kernel.secrets import ensure

    secrets = {
        name: await asyncio.to_thread(ensure, settings.home, f"token-{name}") for name in SERVICE_RIGHTS
    }
    while True:
        try:
            async with db.transaction(Cause(actor="service:serve", at=utc_now())) as tx:
                for name, secret in secrets.items():
                    await put_service_token(tx, name, secret)
        except (DatabaseUnavailable, DatabaseBusy):
            await asyncio.sleep(RETRY_S)
        else:
            return


SERVICE = Service(name="serve", command="serve", needs=("postgres",), run=main, ready=ready)
