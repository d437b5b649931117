"""The embedded PostgreSQL: real binaries, any account, kill -9 in the middle of the work."""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from mes.supervisor import accounts, ports, postgres, store
from mes.supervisor.children import Spawn, spawn
from mes.supervisor.paths import Paths
from mes.supervisor.postgres import Cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="张's 厂, b"))  # short enough for a socket
    account = accounts.unprivileged()
    digest = Paths(home).digest
    base, programs = postgres.locate(home, digest, account)
    port = ports.choose(home / "ports.json", {"postgres": 0})["postgres"]
    yield Cluster(base, programs, port, "super@word", "pass:word", account)
    shutil.rmtree(base)
    shutil.rmtree(home, ignore_errors=True)


async def _start(cluster: Cluster, log: Path) -> asyncio.subprocess.Process:
    await postgres.prepare(cluster)
    process = await spawn(
        Spawn(
            "postgres",
            cluster.program().argv,
            postgres.environment(cluster),
            log,
            cwd=cluster.base,
            account=cluster.account,
            stop_signal=postgres.STOP_SIGNAL,
        )
    )
    async with asyncio.timeout(60):
        while not await postgres.ready(cluster):
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
    return process


async def _stop(process: asyncio.subprocess.Process) -> None:
    process.send_signal(postgres.STOP_SIGNAL)
    async with asyncio.timeout(30):
        assert await process.wait() == 0


def test_a_folder_that_its_programs_cannot_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(postgres.PostgresError, match="choose another LINESIDE_HOME"):
        postgres.locate(tmp_path / 'a "plant"', "0" * 8, None)


async def test_what_was_committed_survives_kill_nine(cluster: Cluster, tmp_path: Path) -> None:
    process = await _start(cluster, tmp_path / "log")
    assert (cluster.base / "socket" / f".s.PGSQL.{cluster.port}").is_socket()
    with psycopg.connect(cluster.url) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept select generate_series(1, 1000)")
    process.kill()
    await process.wait()
    process = await _start_again(cluster, tmp_path / "log")
    with psycopg.connect(cluster.url) as connection:
        found = connection.execute("select count(*), current_setting('server_encoding') from kept").fetchone()
    assert found == (1000, "UTF8")
    await _stop(process)


async def _start_again(cluster: Cluster, log: Path) -> asyncio.subprocess.Process:
    """Start as the supervisor does: again while the killed server's children still end."""
    for _ in range(20):
        try:
            return await _start(cluster, log)
        except AssertionError:
            await asyncio.sleep(0.2)
    raise AssertionError(log.read_text())


async def test_only_a_password_opens_it_and_chinese_text_keeps_its_order(
    cluster: Cluster, tmp_path: Path
) -> None:
    process = await _start(cluster, tmp_path / "log")
    assert not await store.answers(cluster.url.replace("pass%3Aword", "wrong"))
    with psycopg.connect(cluster.url) as connection:
        found = connection.execute(
            "select upper('é'), '班' > '中', current_setting('password_encryption'), rolsuper"
            " from pg_roles where rolname = current_user"
        ).fetchone()
    assert found == ("É", True, "scram-sha-256", False)
    await _stop(process)


async def test_its_files_belong_to_an_account_that_is_not_root(cluster: Cluster, tmp_path: Path) -> None:
    process = await _start(cluster, tmp_path / "log")
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    assert cluster.data.stat().st_uid != 0 or os.geteuid() != 0
    assert stat.S_IMODE((cluster.data / "lineside.conf").stat().st_mode) == 0o600
    assert not (cluster.base / ".password").exists()
    await _stop(process)


async def test_data_of_another_major_version_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    await _stop(await _start(cluster, tmp_path / "log"))
    (cluster.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(postgres.PostgresError, match="PostgreSQL 12"):
        await postgres.prepare(cluster)
