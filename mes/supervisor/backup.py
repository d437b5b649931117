"""`lineside backup` and `lineside restore`: everything that the plant knows, in one file.

A backup is a tar of one `pg_dump` per database, what a person wrote, the secrets and a manifest. The ERP has
its own backup. A restored plant goes on from the backup, in whatever cluster it is: edges send again what
it does not know yet, the ERP is asked before it is told anything that happened until then, and numbers go
on well above those of the backup.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import typer

from mes.kernel.home import default_home
from mes.kernel.settings import Settings, load
from mes.supervisor import control, ownfiles, postgres, store

FORMAT = 1
MANIFEST = "manifest.json"
OWNERS = ("mes", "planner", "procrastinate", "erp", "historian")
KEPT_RUNNING = frozenset({"postgres", "broker", "erp", "migrate", "edge", "plant"})
"""What a restore leaves alone; everything else speaks to the database. Edges wait and send again."""
SAMPLES = ("historian.sample*", "historian.rollup_dirty")
"""Tables with the machines' samples, by far the largest; without them nothing is left to be summed."""
NUMBERS_GO_ON = "New orders and pieces get numbers well above those of the backup: later ones may be in use."
QUIET_S = 30.0
"""So long others may take to let go of a database."""

WithoutHistory = Annotated[
    bool, typer.Option("--without-history", help="Leave the machines' samples out; their sums stay.")
]
TakeSecrets = Annotated[
    bool, typer.Option("--secrets", help="Take the backup's passwords in place of this home's.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class BackupFailed(RuntimeError):
    """No backup was made, or nothing was restored; the text says why."""


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, such as plant.tar.")],
    without_history: WithoutHistory = False,  # noqa: FBT002
) -> None:
    """Write everything that the plant knows into one file, while it runs; the ERP has its own backup."""
    settings = _settings()
    try:
        size = write(settings, file, samples=not without_history)
    except (BackupFailed, postgres.PostgresError, OSError) as error:
        _refuse("backup", error)
    typer.echo(f"{file}: {size / 1e6:.1f} MB. It holds secrets: keep it where only you can read it.")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `lineside backup` wrote.")],
    yes: Yes = False,  # noqa: FBT002
    secrets: TakeSecrets = False,  # noqa: FBT002
) -> None:
    """Put the plant back to what a backup knows; everything newer is lost, but what edges still hold."""
    home = default_home()
    if not yes:
        typer.confirm(f"Everything in the databases of {home} is replaced. Go on?", abort=True)
    try:
        with _unpacked(file) as folder:
            _restore(home, folder, take_secrets=secrets)
    except (BackupFailed, postgres.PostgresError, OSError, tarfile.TarError) as error:
        _refuse("restore", error)


def write(settings: Settings, file: Path, *, samples: bool = True) -> int:
    """Write a backup, in one step, mode 0600; return its size in bytes.

    Args:
        samples: Whether the machines' samples go with it.

    Raises:
        BackupFailed: A database could not be read.
    """
    scratch = file.with_name(f".{file.name}.part")
    left_out = () if samples else tuple(f"--exclude-table-data={table}" for table in SAMPLES)
    with tempfile.TemporaryDirectory(prefix=".lineside-backup-", dir=file.absolute().parent) as folder:
        dumps = {name: Path(folder) / f"{name}.dump" for name in databases(settings)}
        for name, url in databases(settings).items():
            _run("pg_dump", url, "--format=custom", "--no-owner", *left_out, f"--file={dumps[name]}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
            _add_text(tar, MANIFEST, json.dumps(_manifest(settings), indent=1))
            for path in (*dumps.values(), *ownfiles.kept(settings.home)):
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


@contextmanager
def _unpacked(file: Path) -> Iterator[Path]:
    """A folder with what is in a backup, beside it where there is a place: it may be large."""
    beside = file.absolute().parent
    place = beside if os.access(beside, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".lineside-restore-", dir=place) as folder:
        with tarfile.open(file) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def _restore(home: Path, folder: Path, *, take_secrets: bool) -> None:
    manifest = _manifest_of(folder)
    _say_own(ownfiles.put_missing(home, folder))
    settings = load()
    if not settings.database_url:
        raise BackupFailed(
            f"no plant runs for {home}; what it lacked of settings and passwords is put back now. "
            "Start it (lineside up --detach) and say this again"
        )
    if set(manifest["databases"]) != set(databases(settings)):
        told = ", ".join(manifest["databases"])
        raise BackupFailed(f"the backup has the databases {told}; set HISTORIAN_URL accordingly")
    asyncio.run(_replace_databases(settings, folder))
    typer.echo(f"The plant is as it was at {manifest['made_at']}. {NUMBERS_GO_ON}")
    if take_secrets:
        _say_own(ownfiles.take_secrets(home, folder))
    elif others := ownfiles.other_secrets(home, folder):
        typer.echo(
            f"Kept this home's own passwords, though the backup's are others: {', '.join(others)}. Edges "
            "beside machines know those of the backup: --secrets takes them."
        )


def _say_own(names: Sequence[str]) -> None:
    if names:
        typer.echo(
            f"Put back: {', '.join(names)}. They count from the next start (lineside down, lineside up)."
        )


async def _replace_databases(settings: Settings, folder: Path) -> None:
    stopped = await _stop_services(settings)
    try:
        for name, url in databases(settings).items():
            await _let_go(url)
            await _load(folder / f"{name}.dump", url)
        await asyncio.to_thread(_migrate, settings)
    finally:
        for name in stopped:
            await control.ask(settings.home, "start", name)


def _manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise BackupFailed(f"format {manifest['format']} is not known to Lineside {version('lineside')}")
    return manifest


async def _load(dump: Path, url: str) -> None:
    """Replace our schemas by those of a dump, in one transaction: all of it or nothing."""
    script = dump.with_suffix(".sql")
    await asyncio.to_thread(_run, "pg_restore", None, "--no-owner", f"--file={script}", str(dump))
    drop = (
        f"set client_min_messages = warning; set lock_timeout = '{QUIET_S:.0f}s'; "
        f"drop schema if exists {', '.join(OWNERS)} cascade"
    )
    try:
        await asyncio.to_thread(
            _run, "psql", url, "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--no-psqlrc",
            f"--command={drop}", f"--file={script}", "--output=/dev/null",
        )  # fmt: skip
    except BackupFailed as error:
        if "lock timeout" not in str(error):
            raise
        raise _occupied(await store.other_sessions(url)) from error


def _migrate(settings: Settings) -> None:
    from mes.kernel import log
    from mes.migrate import migrate, restored

    log.configure("restore", settings.log)
    migrate(settings.database_url, settings.historian_url)
    restored(settings.database_url, settings.historian_url)


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
    while ours := [one for one in await store.other_sessions(url) if one.ours]:
        if asyncio.get_running_loop().time() > deadline:
            raise _occupied(ours)
        await asyncio.sleep(0.2)


def _occupied(sessions: Sequence[store.Session]) -> BackupFailed:
    told = ", ".join(f"{one.program} (process {one.pid}, from {one.place})" for one in sessions)
    return BackupFailed(f"still connected to {sessions[0].database if sessions else 'the database'}: {told}; "
                        "end them first")  # fmt: skip


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
