"""The process `lineside serve`, over a real socket."""

import asyncio
import contextlib
import socket
from pathlib import Path

import httpx2

from mes import serve
from mes.kernel.secrets import ensure
from mes.kernel.settings import Http, Settings
from tests.fixtures.postgres import SITE


def listening() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen()
    return found


async def until_ready(settings: Settings) -> None:
    async with asyncio.timeout(30):
        while not await serve.ready(settings):
            await asyncio.sleep(0.05)


async def test_it_serves_on_the_inherited_socket_until_it_is_stopped(
    database_url: str, tmp_path: Path
) -> None:
    held = listening()
    port = held.getsockname()[1]
    http = Http(port=port, fd=held.dup().detach(), url=f"http://127.0.0.1:{port}")
    settings = Settings(home=tmp_path, profile="demo", site=SITE, database_url=database_url, http=http)
    process = asyncio.create_task(serve.main(settings))
    await until_ready(settings)
    secret = ensure(tmp_path, "token-cli")
    assert (tmp_path / "secrets" / "token-cli").stat().st_mode & 0o777 == 0o600
    headers = {"Authorization": f"Bearer cli.{secret}"}
    async with httpx2.AsyncClient(base_url=settings.http.url, headers=headers) as program:
        assert (await program.get("/api/v1/version")).json()["site"] == SITE
    process.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await process
    assert process.cancelled()
    held.close()


async def test_it_is_not_ready_before_it_listens() -> None:
    with listening() as free:
        port = free.getsockname()[1]
    settings = Settings(http=Http(port=port, url=f"http://127.0.0.1:{port}"))
    assert not await serve.ready(settings)
