"""`lineside up`: the whole plant as one program, until it is told to stop."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mes.kernel import log, plugins
from mes.kernel.home import default_home
from mes.kernel.settings import Settings, load
from mes.supervisor import control, notify, units
from mes.supervisor.children import end_leftovers
from mes.supervisor.paths import Paths
from mes.supervisor.ports import listen
from mes.supervisor.progress import Progress, ProgressServer
from mes.supervisor.resolve import Resolved, resolve, write_endpoints
from mes.supervisor.settle import next_step
from mes.supervisor.tree import Tree
from mes.supervisor.welcome import link_token, open_browser

KEPT_AT_FRESH = frozenset({"cache", "lineside.toml", "run"})
LOG_LIMIT_BYTES = 20_000_000
HOUSEKEEPING_S = 60.0
DETACH_READY_S = 600.0
COMPLAIN_AFTER = 3
"""Restarts during a start after which a person is told."""

logger = log.get_logger(__name__)


class AlreadyRunning(RuntimeError):
    """A supervisor runs for this LINESIDE_HOME already."""


class CannotStart(RuntimeError):
    """A part cannot start with these settings; its own words say why."""


@dataclass(frozen=True)
class Options:
    """How to start."""

    fresh: bool = False
    browser: bool = True
    profile: str | None = None
    link: bool = True
    """Say the sign-in link: nobody reads it in the background, and a log would keep it."""


def take_lock(paths: Paths) -> IO[str]:
    """Make this process the one supervisor of the installation.

    Raises:
        AlreadyRunning: Another one is.
    """
    paths.make()
    lock = paths.lock.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyRunning(f"Lineside runs already for {paths.home}") from None
    return lock


async def up(options: Options, say: Callable[[str], None]) -> None:
    """Run the plant until SIGINT, SIGTERM or a `down` request.

    Raises:
        AlreadyRunning: A supervisor runs for this home already.
        CannotStart: Settings and database speak of two plants, or `--fresh` would leave one behind.
        SettingsError: A setting cannot be used.
        OSError: The address for the pages is not one of this machine.
    """
    home = default_home()
    paths = Paths(home)
    lock = take_lock(paths)
    try:
        ended = await end_leftovers(paths.pids)
        if ended:
            say(f"Ended what the last run left: {', '.join(ended)}")
        paths.endpoints.unlink(missing_ok=True)
        wishes = _wishes(options)
        if options.fresh:
            await check_fresh(wishes)
            _begin_anew(paths, wishes.profile)
        paths.profile.write_text(wishes.profile, encoding="ascii")
        with (paths.logs / "supervisor.log").open("a", encoding="utf-8") as output:
            log.configure("supervisor", wishes.log, output)
            await _run(paths, wishes, options, say)
    finally:
        lock.close()


async def _run(paths: Paths, wishes: Settings, options: Options, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    listener = _listener(wishes)
    port: int = listener.getsockname()[1]
    resolved = resolve(wishes, port)
    settings = resolved.settings
    link = f"{settings.http.url}/sign-in?token={link_token(paths.run)}"
    if wishes.http.fd is None:
        if wishes.http.port not in {0, port}:
            say(f"Port {wishes.http.port} is taken; the pages are on {port}.")
        if options.link:
            say(f"Sign in (once): {link}")
        if options.browser:
            open_browser(link)
    write_endpoints(paths.endpoints, settings)
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        stack.callback(paths.endpoints.unlink, missing_ok=True)
        tree = await _start(stack, resolved, paths, listener, stop)
        ready = asyncio.create_task(_tell_ready(tree, settings, began, say))
        refusal = asyncio.create_task(_refusal(tree, paths, stop))
        await stop.wait()
        ready.cancel()
        refusal.cancel()
        say("Stopping …")
    if refusal.done() and not refusal.cancelled():
        raise CannotStart(refusal.result())
    say("Stopped; the data are kept.")


async def _start(
    stack: AsyncExitStack, resolved: Resolved, paths: Paths, listener: socket.socket, stop: asyncio.Event
) -> Tree:
    progress = Progress(["packages", "pages"])
    for name in ("packages", "pages"):
        progress.enter(name, "done")
    page = Page(listener, progress)
    stack.callback(page.close)
    tree = Tree(paths, units.build(resolved, plugins.services(), listener.fileno(), page.close))
    page.open()
    transport = await notify.listen(paths.notify, tree.heard)
    stack.callback(transport.close)
    http = resolved.settings.http
    facts = {"url": http.url, "own": http.own, "profile": resolved.settings.profile, "pid": os.getpid()}
    door = await control.serve(paths.control, tree, stop.set, facts)
    stack.callback(paths.control.unlink, missing_ok=True)
    stack.callback(door.close)
    await stack.enter_async_context(tree.running())
    keeping = asyncio.create_task(_keep_house(paths, tree, page))
    stack.callback(keeping.cancel)
    return tree


def _wishes(options: Options) -> Settings:
    given = load()
    profile = options.profile or (given.profile if _profile_given(given) else "demo")
    return given.model_copy(update={"profile": profile})


def _listener(wishes: Settings) -> socket.socket:
    if wishes.http.fd is not None:
        inherited = socket.socket(fileno=wishes.http.fd)
        inherited.set_inheritable(False)
        return inherited
    return listen(wishes.http.host, wishes.http.port)


def _begin_anew(paths: Paths, profile: str) -> None:
    """Delete all data, and nothing that a person wrote."""
    written = paths.edge_config.read_bytes() if _written(paths, profile) else None
    for entry in _data(paths):
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    elsewhere = Path("/var/lib/lineside") / paths.digest
    if elsewhere.exists() and os.access(elsewhere, os.W_OK):
        shutil.rmtree(elsewhere)
    paths.make()
    if written is not None:
        paths.edge_config.parent.mkdir(mode=0o700)
        paths.edge_config.write_bytes(written)
        paths.edge_config.chmod(0o600)


def _written(paths: Paths, profile: str) -> bool:
    """Whether a person wrote the edge's CONFIG.toml, and not the simulator."""
    return _production(paths, profile) and paths.edge_config.exists()


async def check_fresh(wishes: Settings) -> None:
    """See that beginning anew leaves nothing behind: a database that a person brought along is not emptied.

    Raises:
        CannotStart: Such a database holds a plant, or does not answer.
    """
    from mes.kernel.db import Database, DatabaseUnavailable

    for url, schema in ((wishes.database_url, "mes"), (wishes.historian_url, "historian")):
        if not url:
            continue
        try:
            async with (
                await Database.open(url, name="fresh", site=wishes.site, max_size=1) as db,
                db.read() as tx,
            ):
                full = await tx.value("select to_regnamespace(%(schema)s) is not null", {"schema": schema})
        except DatabaseUnavailable as error:
            raise CannotStart("The database of your own does not answer; nothing was deleted.") from error
        if full:
            raise CannotStart(
                f"The database of your own holds a plant (schema {schema}), and --fresh does not empty it: "
                "its orders would not fit a new ERP. Empty it, then say --fresh again; nothing was deleted."
            )


def what_fresh_deletes(profile: str | None) -> str:
    """Return what a person has to agree to before `--fresh`; empty where there is nothing to lose.

    A simulated plant makes itself anew: nobody is asked.

    Args:
        profile: That of the command line.

    Raises:
        SettingsError: A setting cannot be used.
    """
    paths, wishes = Paths(default_home()), load()
    if not _production(paths, profile or (wishes.profile if _profile_given(wishes) else None)):
        return ""
    found = sorted(entry.name for entry in _data(paths))
    return f"This is a production plant: {', '.join(found)} in {paths.home} are deleted." if found else ""


def _profile_given(wishes: Settings) -> bool:
    return "profile" in wishes.model_fields_set


def _production(paths: Paths, profile: str | None) -> bool:
    """Whether a home is a production plant's: by its settings, or because it was one when it last ran."""
    last = paths.profile.read_text(encoding="ascii").strip() if paths.profile.exists() else ""
    return "production" in {profile, last}


def _data(paths: Paths) -> list[Path]:
    return (
        [one for one in paths.home.iterdir() if one.name not in KEPT_AT_FRESH] if paths.home.exists() else []
    )


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)


async def _tell_ready(tree: Tree, settings: Settings, began: float, say: Callable[[str], None]) -> None:
    while not tree.ready:
        await asyncio.sleep(0.2)
    say(f"The plant runs after {time.monotonic() - began:.0f} s: {settings.http.url}   (Ctrl-C stops it)")
    step = await next_step(settings)
    if step:
        say(step)


async def _refusal(tree: Tree, paths: Paths, stop: asyncio.Event) -> str:
    """Stop everything when a task cannot be done with these settings; return its last words."""
    while tree.refused is None:
        await asyncio.sleep(0.2)
    stop.set()
    return _last_line(paths.logs / f"{tree.refused}.log").removeprefix("lineside: ")


class Page:
    """The progress page, there whenever `serve` is not."""

    def __init__(self, listener: socket.socket, progress: Progress) -> None:
        """Begin closed."""
        self._listener, self._server = listener, None
        self.progress = progress

    _server: ProgressServer | None

    def open(self) -> None:
        """Answer on the pages' port."""
        if self._server is None:
            self._server = ProgressServer(self._listener, self.progress)

    def close(self) -> None:
        """Leave the port to `serve`: connections wait for it."""
        if self._server is not None:
            self._server.stop()
            self._server = None


async def _keep_house(paths: Paths, tree: Tree, page: Page) -> None:
    """Show the stages while they change, and keep the logs short."""
    next_look = 0.0
    while True:
        for name, state in tree.stages():
            page.progress.enter(name, state.value, _step(paths, name) if state == "preparing" else "")
        if tree.failing("serve"):
            page.open()
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + HOUSEKEEPING_S
            await asyncio.to_thread(_shorten_logs, paths)
        await asyncio.sleep(0.3 if not tree.ready else 5.0)


def _step(paths: Paths, name: str) -> str:
    """Return the step that a preparation has reached: `<service>: <step>` on its last line."""
    return _last_line(paths.logs / f"{name}.prepare.log").removeprefix(f"{name}: ")[:120]


def _last_line(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as log_file:
        log_file.seek(max(0, file.stat().st_size - 1000))
        lines = log_file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _shorten_logs(paths: Paths) -> None:
    """Put a long log aside and go on in the same file: its writer has it open for appending."""
    for file in paths.logs.glob("*.log"):
        if file.stat().st_size > LOG_LIMIT_BYTES:
            shutil.copyfile(file, file.with_suffix(".log.1"))
            os.truncate(file, 0)


def detach(arguments: list[str], say: Callable[[str], None]) -> int:
    """Start the supervisor in the background and wait until the plant runs.

    Returns:
        Exit code: 0 when it runs, 1 when it ended or is not ready after ten minutes.
    """
    paths = Paths(default_home())
    take_lock(paths).close()
    link_token(paths.run)
    output = paths.logs / "supervisor.log"
    given = os.environ.get("LINESIDE_HTTP__FD")
    with output.open("ab") as out:
        supervisor = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "mes", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(int(given),) if given else (),
        )
    return asyncio.run(_watch(supervisor, paths, say, shown=given is not None))


async def _watch(
    supervisor: subprocess.Popen[bytes], paths: Paths, say: Callable[[str], None], *, shown: bool
) -> int:
    deadline = time.monotonic() + DETACH_READY_S
    token = link_token(paths.run)
    complained: set[str] = set()
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            say(_last_line(paths.logs / "supervisor.log"))
            say(f"It ended with code {supervisor.returncode}; see {paths.logs / 'supervisor.log'}")
            return 1
        status = await _status(paths.home)
        if status and not shown:
            shown = True
            say(f"Sign in (once): {status['url']}/sign-in?token={token}")
        _complain(status, paths, complained, say)
        if status and status["ready"]:
            say(f"The plant runs in the background: {status['url']}   (`lineside down` stops it)")
            step = await next_step(load())
            if step:
                say(step)
            return 0
        await asyncio.sleep(0.3)
    say(f"Not ready after {DETACH_READY_S:.0f} s; see `lineside status` and {paths.logs}")
    return 1


def _complain(
    status: dict[str, Any] | None, paths: Paths, complained: set[str], say: Callable[[str], None]
) -> None:
    for process in status["processes"] if status else ():
        name = process["name"]
        if process["restarts"] >= COMPLAIN_AFTER and name not in complained:
            complained.add(name)
            say(f"{name} does not start and is tried again; see {paths.logs / name}.log")


async def _status(home: Path) -> dict[str, Any] | None:
    try:
        return await control.ask(home, "status")
    except (control.NotRunning, control.ControlRefused):
        return None
