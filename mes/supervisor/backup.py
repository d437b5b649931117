"""`lineside backup` and `lineside restore`: everything that the plant knows, in one file.

A backup is a tar of one `pg_dump` per database, `lineside.toml`, the secrets and a manifest. The ERP has
its own backup. A restored plant goes on from the backup: edges send again what it does not know yet.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import typer

from mes.kernel.settings import SETTINGS_FILE, Settings, load
from mes.supervisor import control, postgres, store

FORMAT = 1
MANIFEST = "manifest.json"
OWNERS = ("mes", "planner", "erp", "historian")
KEPT_RUNNING = frozenset({"postgres", "broker", "erp", "migrate", "edge", "plant"})
"""What a restore leaves alone; everything else speaks to the database. Edges wait and send again."""
QUIET_S = 30.0


class BackupFailed(RuntimeError):
    """No backup was made, or nothing was restored; the text says why."""


def backup(file: Annotated[Path, typer.Argument(help="File to write, such as plant.tar.")]) -> None:
    """Write everything that the plant knows into one file, while it runs; the ERP has its own backup."""
    settings = _settings()
    try:
        size = write(settings, file)
    except (BackupFailed, postgres.PostgresError, OSError) as error:
        _refuse("backup", error)
    typer.echo(f"{file}: {size / 1e6:.1f} MB. It holds secrets: keep it where only you can read it.")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `lineside backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002
) -> None:
    """Put the plant back to what a backup knows; everything newer is lost, but what edges still hold."""
    settings = _settings()
    if not yes:
        typer.confirm(f"Everything in the databases of {settings.home} is replaced. Go on?", abort=True)
    try:
        made_at = asyncio.run(_restore(settings, file))
    except (BackupFailed, postgres.PostgresError, OSError, tarfile.TarError) as error:
        _refuse("restore", error)
    typer.echo(f"The plant is as it was at {made_at}.")


def write(settings: Settings, file: Path) -> int:
    """Write a backup, in one step, mode 0600; return its size in bytes.

    Raises:
        BackupFailed: A database could not be read.
    """
    scratch = file.with_name(f".{file.name}.part")
    with tempfile.TemporaryDirectory(prefix="lineside-backup-") as folder:
        dumps = {name: Path(folder) / f"{name}.dump" for name in databases(settings)}
        for name, url in databases(settings).items():
            _run("pg_dump", url, "--format=custom", "--no-owner", f"--file={dumps[name]}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
            _add_text(tar, MANIFEST, json.dumps(_manifest(settings), indent=1))
            for path in (*dumps.values(), *_own_files(settings.home)):
                inside = path.name if path in dumps.values() else str(path.relative_to(settings.home))
                tar.add(path, inside)
    scratch.replace(file)
    return file.stat().st_size


def databases(settings: Settings) -> dict[str, str]:
    """Return the databases of a plant by name; one, when the historian shares it."""
    found = {"mes": settings.database_url}
    if settings.historian_url != settings.database_url:
        found["historian"] = settings.historian_url
    return found


async def _restore(settings: Settings, file: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="lineside-restore-") as folder:
        manifest = _unpack(file, Path(folder))
        if set(manifest["databases"]) != set(databases(settings)):
            told = ", ".join(manifest["databases"])
            raise BackupFailed(f"the backup has the databases {told}; set HISTORIAN_URL accordingly")
        stopped = await _stop_services(settings)
        try:
            for name, url in databases(settings).items():
                await _let_go(url)
                await asyncio.to_thread(_load, Path(folder) / f"{name}.dump", url)
            await asyncio.to_thread(_migrate, settings)
        finally:
            for name in stopped:
                await control.ask(settings.home, "start", name)
    made_at: str = manifest["made_at"]
    return made_at


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    with tarfile.open(file) as tar:
        tar.extractall(folder, filter="data")
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise BackupFailed(f"format {manifest['format']} is not known to Lineside {version('lineside')}")
    return manifest


def _load(dump: Path, url: str) -> None:
    """Replace our schemas by those of a dump, in one transaction: all of it or nothing."""
    script = dump.with_suffix(".sql")
    _run("pg_restore", None, "--no-owner", f"--file={script}", str(dump))
    drop = f"set client_min_messages = warning; drop schema if exists {', '.join(OWNERS)} cascade"
    _run("psql", url, "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--no-psqlrc",
         f"--command={drop}", f"--file={script}", "--output=/dev/null")  # fmt: skip


def _migrate(settings: Settings) -> None:
    from mes.kernel import log
    from mes.migrate import migrate

    log.configure("restore", settings.log)
    migrate(settings.database_url, settings.historian_url)


async def _stop_services(settings: Settings) -> list[str]:
    try:
        status = await control.ask(settings.home, "status")
    except control.NotRunning:
        return []
    names = [one["name"] for one in status["processes"] if one["pid"] and one["name"] not in KEPT_RUNNING]
    for name in names:
        await control.ask(settings.home, "stop", name)
    return names


async def _let_go(url: str) -> None:
    """Wait until no process of ours uses the database."""
    deadline = asyncio.get_running_loop().time() + QUIET_S
    while others := await store.other_sessions(url):
        if asyncio.get_running_loop().time() > deadline:
            raise BackupFailed(f"still connected: {', '.join(others)}; stop them first")
        await asyncio.sleep(0.2)


def _run(program: str, url: str | None, *arguments: str) -> None:
    """Run one of PostgreSQL's programs; a password goes by the environment, where `ps` does not show it."""
    command = [str(postgres.programs() / program), *arguments]
    environment = dict(os.environ)
    if url is not None:
        command.append(f"--dbname={_without_password(url, environment)}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BackupFailed(f"{program}: {lines[0]}")


def _without_password(url: str, environment: dict[str, str]) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    environment["PGPASSWORD"] = unquote(parts.password)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{place}"))


def _manifest(settings: Settings) -> Mapping[str, Any]:
    return {
        "format": FORMAT,
        "version": version("lineside"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "site": settings.site,
        "databases": list(databases(settings)),
    }


def _own_files(home: Path) -> Iterator[Path]:
    yield from (path for path in (home / SETTINGS_FILE, home / "secrets") if path.exists())


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), 0o600
    tar.addfile(entry, io.BytesIO(text.encode()))


def _settings() -> Settings:
    settings = load()
    if not settings.database_url:
        typer.echo("No plant runs here: start it with `lineside up`, or set DATABASE_URL.", err=True)
        raise typer.Exit(1)
    return settings


def _refuse(what: str, error: Exception) -> None:
    typer.echo(f"lineside {what}: {error}", err=True)
    raise typer.Exit(1) from None
