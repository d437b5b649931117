"""The embedded ERP: Tryton in an environment and a process of its own, never imported by ours.

The environment and the recipe's database are made once and kept under the recipe's hash; an
installation starts from a copy of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mes.kernel import secrets
from mes.kernel.plugins import Program, Service
from mes.kernel.settings import Settings

RECIPE = Path(__file__).parent / "embedded"
LOCK_FILE = RECIPE / "requirements-tryton.lock"
DATABASE = "lineside"
VISITOR = "erp"
"""Account of a person who looks at the demo's ERP."""
SECRETS = {"lineside": "erp-password", VISITOR: "erp-visitor-password", "clerk": "erp-clerk-password"}
"""Users of the ERP and the secret that is each one's password."""


class StepFailed(RuntimeError):
    """A step of setting up the embedded ERP failed."""


def passwords(home: Path) -> dict[str, str]:
    """Return the password of each user of the ERP, by login."""
    return {login: secrets.ensure(home, name) for login, name in SECRETS.items()}


async def ensure_environment(cache: Path) -> Path:
    """Install the ERP's own environment unless it is there; return its Python."""
    env = cache / f"env-{_digest(LOCK_FILE)}"
    python = env / "bin" / "python"
    async with _only_one(cache / "env.lock"):
        if not (env / ".complete").exists():
            shutil.rmtree(env, ignore_errors=True)
            say("environment")
            await _install(env, python)
            (env / ".complete").touch()
    return python


async def _install(env: Path, python: Path) -> None:
    uv = _uv()
    if uv is None:
        await _run([sys.executable, "-m", "venv", str(env)])
        await _run([str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK_FILE)])
        return
    await _run([*uv, "venv", "-q", "--python", sys.executable, str(env)])
    await _run([*uv, "pip", "sync", "-q", "--require-hashes", "--python", str(python), str(LOCK_FILE)])


def _uv() -> list[str] | None:
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else None


async def ensure_template(cache: Path, users: Mapping[str, str]) -> Path:
    """Cook the recipe's database unless it is there; return its file.

    Its fiscal years start at the year before, so a new year has a new one.
    """
    python = await ensure_environment(cache)
    parts = (LOCK_FILE, RECIPE / "recipe.py", RECIPE / "plant.json")
    folder = cache / f"database-{datetime.now(UTC).year}-{_digest(*parts)}"
    template = folder / f"{DATABASE}.sqlite"
    async with _only_one(cache / "database.lock"):
        if not template.exists():
            await _cook(python, folder, users)
    return template


async def _cook(python: Path, folder: Path, users: Mapping[str, str]) -> None:
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    (scratch / f"{DATABASE}.sqlite").touch(mode=0o600)
    config = write_config(scratch, scratch)
    await _recipe(python, "cook", config, users, str(RECIPE / "plant.json"))
    _fold_in_log(scratch / f"{DATABASE}.sqlite")
    _note_passwords(scratch, users)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def _fold_in_log(database: Path) -> None:
    """Move everything from SQLite's write-ahead log into the file that is copied."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")


async def ensure_database(home: Path, template: Path, python: Path, users: Mapping[str, str]) -> Path:
    """Give the installation in `home` its own database with its own passwords."""
    folder = home / "erp"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = folder / f"{DATABASE}.sqlite"
    if not database.exists():
        scratch = database.with_suffix(".copy")
        shutil.copyfile(template, scratch)
        scratch.chmod(0o600)
        shutil.copyfile(template.parent / "passwords.sha256", folder / "passwords.sha256")
        scratch.rename(database)
    if (folder / "passwords.sha256").read_text() != _fingerprint(users):
        await _recipe(python, "passwords", write_config(folder, folder), users)
        _note_passwords(folder, users)
    return database


def write_config(folder: Path, database_folder: Path, listen: str = "", web_root: Path | None = None) -> Path:
    """Write trytond's configuration into `folder`; return its file.

    Args:
        listen: `host:port`; nothing for a process that serves nobody.
        web_root: Folder of the web client.
    """
    lines = ["[database]", "uri = sqlite://", f"path = {database_folder}"]
    lines += ["[session]", "timeout = 604800", "max_age = 604800"]
    lines += ["[attachment]", "filestore = False", "[web]"]
    if listen:
        lines.append(f"listen = {listen}")
    if web_root is not None:
        lines.append(f"root = {web_root}")
    file = folder / "trytond.conf"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


LOGGING = """[loggers]
keys = root, werkzeug
[handlers]
keys = stderr
[formatters]
keys = line
[logger_root]
level = WARNING
handlers = stderr
[logger_werkzeug]
level = WARNING
handlers =
qualname = werkzeug
[handler_stderr]
class = StreamHandler
args = (sys.stderr,)
formatter = line
[formatter_line]
format = %(asctime)s %(levelname)s %(name)s %(message)s
"""
"""Without it every call of the bridge is a line in the ERP's log."""


async def _recipe(python: Path, verb: str, config: Path, users: Mapping[str, str], *arguments: str) -> None:
    argv = [str(python), str(RECIPE / "recipe.py"), verb, str(config), DATABASE, *arguments]
    await _run(argv, json.dumps(dict(users)).encode())


def _note_passwords(folder: Path, users: Mapping[str, str]) -> None:
    (folder / "passwords.sha256").write_text(_fingerprint(users))


def _fingerprint(users: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(users), sort_keys=True).encode()).hexdigest()


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


async def _run(argv: Sequence[str], given: bytes = b"", cwd: Path | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    try:
        _, errors = await process.communicate(given)
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if process.returncode:
        tail = "\n".join(errors.decode(errors="replace").splitlines()[-15:])
        raise StepFailed(f"{Path(argv[0]).name} {' '.join(argv[1:3])}: exit {process.returncode}\n{tail}")


@contextlib.asynccontextmanager
async def _only_one(lock: Path) -> AsyncIterator[None]:
    """Let one process at a time make what others wait for."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


def say(step: str) -> None:
    """Write a line for the page that shows the progress of a first start."""
    sys.stdout.write(f"erp: {step}\n")
    sys.stdout.flush()


def cache_of(home: Path) -> Path:
    """Return where environments and recipe databases of this installation are kept."""
    return home / "cache" / "tryton"


def web_root(home: Path) -> Path:
    """Return the folder from which the ERP serves its web client; empty until installed."""
    return cache_of(home) / f"web-{_digest(RECIPE / 'web' / 'package-lock.json')}"


def web_client_ready(home: Path) -> bool:
    """Whether the web client is complete."""
    return (web_root(home) / "node_modules").is_dir()


async def install_web_client(home: Path) -> bool:
    """Install the ERP's web client beside the running ERP; False when there is no npm."""
    if web_client_ready(home):
        return True
    npm = shutil.which("npm")
    if npm is None:
        return False
    root = web_root(home)
    async with _only_one(root.parent / "web.lock"):
        if not web_client_ready(home):
            scratch = root.with_name(f".{root.name}.{os.getpid()}")
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(RECIPE / "web", scratch)
            await _run(
                [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
                cwd=scratch,
            )
            shutil.copytree(scratch / "node_modules" / "tryton-sao", root, dirs_exist_ok=True)
            (scratch / "node_modules").rename(root / "node_modules")
            shutil.rmtree(scratch)
    return True


async def prepare(settings: Settings) -> None:
    """Make everything that the ERP needs to start; quick when it was made before."""
    cache = cache_of(settings.home)
    cache.mkdir(parents=True, exist_ok=True)
    users = passwords(settings.home)
    python = await ensure_environment(cache)
    template = await ensure_template(cache, users)
    await ensure_database(settings.home, template, python, users)
    web_root(settings.home).mkdir(parents=True, exist_ok=True)


def program(settings: Settings) -> Program:
    """Say how to run the ERP on the port of `erp.url`."""
    folder = settings.home / "erp"
    env = cache_of(settings.home) / f"env-{_digest(LOCK_FILE)}"
    listen = urlsplit(settings.erp.url).netloc
    config = write_config(folder, folder, listen, web_root(settings.home))
    logging = folder / "logging.conf"
    logging.write_text(LOGGING, encoding="utf-8")
    trytond = str(env / "bin" / "trytond")
    argv = (trytond, "-c", str(config), "-d", DATABASE, "--logconf", str(logging))
    return Program(argv=argv, env={"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}, cwd=folder)


async def ready(settings: Settings) -> bool:
    """Whether the ERP answers."""
    import httpx2

    body = {"id": 0, "method": "common.server.version", "params": []}
    try:
        async with httpx2.AsyncClient(timeout=2) as client:
            reply = await client.post(f"{settings.erp.url}/rpc/", json=body)
    except httpx2.TransportError:
        return False
    return reply.status_code == httpx2.codes.OK


SERVICE = Service(name="erp", command="erp", prepare=prepare, program=program, ready=ready, demo=True)
