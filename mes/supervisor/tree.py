"""The processes of one plant: started in order of needs, kept alive, stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mes.kernel.log import get_logger
from mes.kernel.settings import EXIT_CONFIG
from mes.supervisor.children import Identity, Spawn, forget, memory_mb, remember, spawn
from mes.supervisor.paths import Paths

logger = get_logger(__name__)

BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 10.0
STEADY_S = 30.0
"""A process that ran this long had a good start: the next death waits the first back-off."""

READY_POLL_S = 0.1


class State(StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class Unit:
    """One process to keep alive, or one task to get done."""

    name: str
    spawn: Callable[[], Awaitable[Spawn]]
    """Called before each start; it may write configuration or do slow work first."""
    needs: tuple[str, ...] = ()
    ready: Callable[[], Awaitable[bool]] | None = None
    """Asked until true; without it the child notifies."""
    prepare: Callable[[], Awaitable[Spawn]] | None = None
    """A process that must succeed before each start."""
    task: bool = False
    """It ends with code 0 when its work is done, and is then not started again."""
    background: bool = False
    """Nobody waits for it: the plant is ready without it."""
    stop_signal: signal.Signals = signal.SIGTERM
    start_s: float = 120.0
    """Time it has to become ready, in seconds; then it is ended and tried again."""
    stop_s: float = 10.0


@dataclass
class Kept:
    """A unit with what happened to it so far."""

    unit: Unit
    state: State = State.WAITING
    pid: int | None = None
    restarts: int = 0
    failures: int = 0
    """Deaths in a row without a steady run between them."""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    exit_code: int | None = None
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    notified: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        """Every unit is wanted from the start."""
        self.wanted.set()

    def enter(self, state: State) -> None:
        """Change the state."""
        self.state = state
        self.since = datetime.now(UTC)
        if state in {State.READY, State.DONE}:
            self.is_ready.set()
        else:
            self.is_ready.clear()
        logger.info("process.state", process=self.unit.name, state=state.value, pid=self.pid)

    def as_json(self) -> dict[str, Any]:
        """Return what `lineside status` shows; memory in MB."""
        return {
            "name": self.unit.name,
            "pid": self.pid,
            "state": self.state.value,
            "restarts": self.restarts,
            "rss_mb": memory_mb(self.pid) if self.pid else 0.0,
            "since": self.since.isoformat(),
            "exit_code": self.exit_code,
        }


class NoSuchProcess(LookupError):
    """The plant has no process of this name."""


class Tree:
    """Keeps its units alive while `running()` is open."""

    def __init__(self, paths: Paths, units: Sequence[Unit]) -> None:
        """Check the order: every need must be among the units.

        Raises:
            NoSuchProcess: A unit needs another that is not there.
        """
        self._paths = paths
        self._kept = {unit.name: Kept(unit) for unit in units}
        self.changed: Callable[[], None] = lambda: None
        for unit in units:
            for need in unit.needs:
                if need not in self._kept:
                    raise NoSuchProcess(f"{unit.name} needs {need}, which is not installed")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything; at the end stop it, the last started first."""
        keepers = [asyncio.create_task(self._keep(kept), name=name) for name, kept in self._kept.items()]
        try:
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            for level in reversed(self._levels()):
                await asyncio.gather(*(self._end(kept) for kept in level))

    def heard(self, name: str, state: str) -> None:
        """Take a child's notification."""
        if state == "READY=1" and name in self._kept:
            self._kept[name].notified.set()

    def states(self) -> list[dict[str, Any]]:
        """Return every long-running process as `lineside status` shows it."""
        return [kept.as_json() for kept in self._kept.values() if not kept.unit.task]

    def stages(self) -> list[tuple[str, State]]:
        """Return every unit with its state, tasks too, in the order of start."""
        return [(name, kept.state) for name, kept in self._kept.items()]

    @property
    def ready(self) -> bool:
        """Whether every wanted unit is ready."""
        waited_for = [kept for kept in self._kept.values() if not kept.unit.background]
        return all(kept.is_ready.is_set() for kept in waited_for if kept.wanted.is_set())

    @property
    def refused(self) -> str | None:
        """Name of a task that cannot be done with these settings."""
        return next(
            (name for name, kept in self._kept.items() if kept.unit.task and kept.exit_code == EXIT_CONFIG),
            None,
        )

    def failing(self, name: str) -> bool:
        """Whether the process waits to be tried again after two or more deaths in a row."""
        kept = self._kept.get(name)
        return kept is not None and kept.state is State.BACKOFF and kept.failures > 1

    async def wait_ready(self, name: str) -> None:
        """Return when the unit `name` is ready."""
        await self._find(name).is_ready.wait()

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process; it comes back by itself.

        Raises:
            NoSuchProcess: No process of this name runs.
        """
        kept = self._find(name)
        if kept.pid is None:
            raise NoSuchProcess(f"{name} does not run now")
        os.kill(kept.pid, number)

    async def stop(self, name: str) -> None:
        """Stop a process and leave it stopped until `start`."""
        kept = self._find(name)
        kept.wanted.clear()
        await self._end(kept)

    async def pause(self, name: str, seconds: float) -> None:
        """Stop a process; it is started again after so many seconds, if nobody did before."""
        await self.stop(name)
        asyncio.get_running_loop().call_later(seconds, self.start, name)

    def start(self, name: str) -> None:
        """Start a process that was stopped."""
        self._find(name).wanted.set()

    def _find(self, name: str) -> Kept:
        if name not in self._kept:
            raise NoSuchProcess(f"no process {name!r}; there are {', '.join(self._kept)}")
        return self._kept[name]

    async def _keep(self, kept: Kept) -> None:
        while not (kept.unit.task and kept.state is State.DONE):
            await self._wait_wanted(kept)
            try:
                good = await self._live_once(kept)
            except OSError as error:
                logger.error("process.start_failed", process=kept.unit.name, reason=str(error))
                good = False
            if kept.wanted.is_set() and not (kept.unit.task and good):
                await self._back_off(kept, steady=good)
        self.changed()

    async def _wait_wanted(self, kept: Kept) -> None:
        if not kept.wanted.is_set():
            kept.enter(State.STOPPED)
            await kept.wanted.wait()
        kept.enter(State.WAITING)
        if kept.unit.prepare is not None:
            await self._prepare(kept)
        for need in kept.unit.needs:
            await self._kept[need].is_ready.wait()

    async def _prepare(self, kept: Kept) -> None:
        assert kept.unit.prepare is not None  # noqa: S101 - the caller looked
        kept.enter(State.PREPARING)
        while True:
            child = await spawn(await kept.unit.prepare())
            remember(self._paths.pids, f"{kept.unit.name}.prepare", child.pid, signal.SIGTERM)
            try:
                code = await child.wait()
            except asyncio.CancelledError:
                child.terminate()
                raise
            forget(self._paths.pids, f"{kept.unit.name}.prepare")
            if code == 0:
                return
            kept.exit_code = code
            logger.error("process.prepare_failed", process=kept.unit.name, exit_code=code)
            await self._back_off(kept, steady=False)

    async def _live_once(self, kept: Kept) -> bool:
        """Run the process until it ends; return whether that run was a good one."""
        kept.notified.clear()
        kept.enter(State.STARTING)
        child = await kept.unit.spawn()
        process = kept.process = await spawn(child)
        kept.pid = process.pid
        remember(self._paths.pids, kept.unit.name, process.pid, child.stop_signal)
        began = asyncio.get_running_loop().time()
        try:
            kept.exit_code = await self._attend(kept, process)
        finally:
            if process.returncode is not None:
                kept.pid = None
                forget(self._paths.pids, kept.unit.name)
        if kept.unit.task:
            kept.enter(State.DONE if kept.exit_code == 0 else State.BACKOFF)
            return kept.exit_code == 0
        return asyncio.get_running_loop().time() - began >= STEADY_S

    async def _attend(self, kept: Kept, process: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(process.wait())
        ready = asyncio.create_task(self._become_ready(kept))
        try:
            done, _ = await asyncio.wait(
                {ended, ready}, timeout=kept.unit.start_s, return_when=asyncio.FIRST_COMPLETED
            )
            if ready in done and not ended.done():
                await ready
                kept.enter(State.READY)
                self.changed()
            elif not ended.done():
                logger.error("process.not_ready", process=kept.unit.name, after_s=kept.unit.start_s)
                process.kill()
            return await ended
        finally:
            ready.cancel()
            ended.cancel()

    async def _become_ready(self, kept: Kept) -> None:
        if kept.unit.task:
            await asyncio.Event().wait()
        if kept.unit.ready is None:
            await kept.notified.wait()
            return
        while not await kept.unit.ready():
            await asyncio.sleep(READY_POLL_S)

    async def _back_off(self, kept: Kept, *, steady: bool) -> None:
        kept.restarts += 1
        kept.failures = 0 if steady else kept.failures + 1
        wait_s = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2 ** max(0, kept.failures - 1))
        logger.warning("process.ended", process=kept.unit.name, exit_code=kept.exit_code, again_in_s=wait_s)
        kept.enter(State.BACKOFF)
        self.changed()
        await asyncio.sleep(wait_s)

    async def _end(self, kept: Kept) -> None:
        process, identity = kept.process, Identity.of(kept.pid) if kept.pid else None
        if process is None or identity is None:
            return
        record = self._paths.pids / f"{kept.unit.name}.json"
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(kept.unit.stop_signal)
        try:
            async with asyncio.timeout(kept.unit.stop_s):
                await process.wait()
        except TimeoutError:
            logger.warning("process.killed", process=kept.unit.name, after_s=kept.unit.stop_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        record.unlink(missing_ok=True)
        kept.pid = None
        kept.enter(State.STOPPED)

    def _levels(self) -> list[list[Kept]]:
        """Return the units by depth of needs, those without needs first."""
        depth: dict[str, int] = {}

        def deep(name: str) -> int:
            if name not in depth:
                depth[name] = 1 + max((deep(need) for need in self._kept[name].unit.needs), default=-1)
            return depth[name]

        levels: list[list[Kept]] = [[] for _ in range(1 + max(map(deep, self._kept), default=0))]
        for name, kept in self._kept.items():
            levels[depth[name]].append(kept)
        return levels
