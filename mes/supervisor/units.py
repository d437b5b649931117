"""Which processes a plant has, and how each is started."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from mes.kernel.plugins import Service
from mes.kernel.settings import PREFIX, Settings
from mes.supervisor import broker, notify, postgres, store
from mes.supervisor.children import Spawn
from mes.supervisor.paths import Paths
from mes.supervisor.resolve import Resolved
from mes.supervisor.tree import Unit

MIGRATE = "migrate"
DATABASE_POLL_S = 0.2
LOG_LIMIT_BYTES = 5_000_000

LEAN = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"}
"""Fewer malloc arenas: a threaded process keeps tens of MB less (mallopt(3))."""


def build(
    resolved: Resolved, services: Mapping[str, Service], listener: int, before_serve: Callable[[], None]
) -> list[Unit]:
    """Return the units of this installation in the order they are shown.

    Args:
        resolved: What this start uses.
        services: What the installed packages offer.
        listener: Descriptor of the pages' listening socket, for `serve`.
        before_serve: Called each time before `serve` starts.
    """
    settings = resolved.settings
    paths = Paths(settings.home)
    offered = {
        name: service
        for name, service in services.items()
        if (settings.demo or not service.demo) and (name != "erp" or resolved.embedded_erp)
    }
    own = _own_units(resolved, paths)
    known = {unit.name for unit in own} | set(offered)
    maker = _Maker(settings, paths, known, listener, before_serve)
    return own + [maker.unit(service) for service in offered.values()]


def environment(settings: Settings, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a child's environment: ours without its settings, which it reads from the file."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) and name not in {"DATABASE_URL", "HISTORIAN_URL", notify.VARIABLE}
    }
    paths = Paths(settings.home)
    own = {"LINESIDE_HOME": str(settings.home), notify.VARIABLE: str(paths.notify)}
    return {**kept, **LEAN, **own, **(extra or {})}


START_S = 120.0
"""Time that a service has to become ready, in seconds."""
LONG_WORK_S = 86_400.0
"""Time that work in the background has to be done."""


class _Maker:
    """Makes the unit of an installed service."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        known: set[str],
        listener: int,
        before_serve: Callable[[], None],
    ) -> None:
        self._settings, self._paths, self._known = settings, paths, known
        self._listener, self._before_serve = listener, before_serve

    def unit(self, service: Service) -> Unit:
        needs = [need for need in service.needs if need in self._known and need != "postgres"]
        if "postgres" in service.needs:
            needs.append(MIGRATE)
        return Unit(
            name=service.name,
            needs=tuple(needs),
            spawn=lambda: self._spawn(service),
            ready=self._ready(service),
            prepare=(lambda: self._preparation(service)) if service.prepare else None,
            task=service.task,
            background=service.task,
            start_s=LONG_WORK_S if service.task else START_S,
        )

    def _ready(self, service: Service) -> Callable[[], Awaitable[bool]] | None:
        ask = service.ready
        if service.program is None or ask is None:
            return None if service.program is None else _at_once
        return lambda: ask(self._settings)

    async def _spawn(self, service: Service) -> Spawn:
        log = _log(self._paths, service.name)
        if service.program is not None:
            program = service.program(self._settings)
            env = environment(self._settings, program.env)
            return Spawn(service.name, program.argv, env, log, cwd=program.cwd)
        if service.name != "serve":
            return _ours(service.name, environment(self._settings), log, *service.command.split())
        self._before_serve()
        env = environment(self._settings, {"LINESIDE_HTTP__FD": str(self._listener)})
        return _ours("serve", env, log, "serve", fds=(self._listener,))

    async def _preparation(self, service: Service) -> Spawn:
        log = _log(self._paths, f"{service.name}.prepare")
        return _ours(f"{service.name}.prepare", environment(self._settings), log, "prepare", service.name)


async def _at_once() -> bool:
    return True


def _own_units(resolved: Resolved, paths: Paths) -> list[Unit]:
    units = []
    if resolved.cluster:
        units.append(_postgres(resolved.cluster, paths))
    needs = ("postgres",) if resolved.cluster else ()
    units.append(Unit(MIGRATE, lambda: _migration(resolved.settings, paths), needs=needs, task=True))
    if resolved.broker:
        units.append(_broker(resolved.broker, resolved.settings, paths))
    return units


def _postgres(cluster: postgres.Cluster, paths: Paths) -> Unit:
    async def start() -> Spawn:
        await postgres.prepare(cluster)
        return Spawn(
            "postgres",
            cluster.program().argv,
            postgres.environment(cluster),
            _log(paths, "postgres"),
            cwd=cluster.base,
            account=cluster.account,
            stop_signal=postgres.STOP_SIGNAL,
        )

    return Unit(
        "postgres",
        start,
        ready=lambda: postgres.ready(cluster),
        stop_signal=postgres.STOP_SIGNAL,
        stop_s=30.0,
    )


def _broker(embedded: broker.Embedded, settings: Settings, paths: Paths) -> Unit:
    async def start() -> Spawn:
        program = embedded.program()
        env = {**_plain(), **program.env}
        return Spawn("broker", program.argv, env, _log(paths, "broker"), cwd=program.cwd)

    async def ready() -> bool:
        return await asyncio.to_thread(broker.reachable, settings.broker)

    return Unit("broker", start, ready=ready)


async def _migration(settings: Settings, paths: Paths) -> Spawn:
    for url in {settings.database_url, settings.historian_url}:
        while not await store.answers(url):
            await asyncio.sleep(DATABASE_POLL_S)
    return _ours(MIGRATE, environment(settings), _log(paths, MIGRATE), "migrate", "--link")


def _ours(name: str, env: Mapping[str, str], log: Path, *command: str, fds: tuple[int, ...] = ()) -> Spawn:
    return Spawn(name, (sys.executable, "-m", "mes", *command), env, log, pass_fds=fds)


def _plain() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "TZ", "TMPDIR") if name in os.environ}


def _log(paths: Paths, name: str) -> Path:
    """Return the log file of a process; a long one is put aside first."""
    log = paths.logs / f"{name}.log"
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log
