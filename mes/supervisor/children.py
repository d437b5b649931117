"""Child processes that cannot outlive their supervisor, and the traces they leave."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
"""Source: prctl(2)."""

STOP_S = 10.0
"""Time a leftover process has to end after its stop signal, in seconds."""


@dataclass(frozen=True)
class Identity:
    """One process and no other: a process id is reused, its start time is not."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a running process; None when it has ended."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started)

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return _start_time(self.pid) == self.started


@dataclass(frozen=True)
class Account:
    """The unprivileged account a child runs under."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Spawn:
    """How to start one child."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    pass_fds: tuple[int, ...] = ()


def die_with_parent(parent: int, stop_signal: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process `stop_signal` when its parent ends.

    Called in the child. Linux only; elsewhere the next start ends what was left.

    Args:
        parent: Process id of the parent, which may have ended meanwhile.
        stop_signal: Number of the signal.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


async def spawn(child: Spawn) -> asyncio.subprocess.Process:
    """Start a child whose output goes to its log file.

    Raises:
        OSError: The program is missing or may not be executed.
    """
    child.log.parent.mkdir(parents=True, exist_ok=True)
    account = child.account
    with child.log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *child.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(child.env),
            cwd=child.cwd,
            pass_fds=child.pass_fds,
            start_new_session=True,
            preexec_fn=_in_child(child.stop_signal),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def remember(folder: Path, name: str, pid: int, stop_signal: int) -> None:
    """Write the child's identity to `folder`, so that a later start can find it."""
    identity = Identity.of(pid)
    if identity is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{name}.json"
    scratch.write_text(json.dumps({**asdict(identity), "stop_signal": stop_signal}))
    scratch.replace(folder / f"{name}.json")


def forget(folder: Path, name: str) -> None:
    """Remove the identity that `remember` wrote."""
    (folder / f"{name}.json").unlink(missing_ok=True)


async def end_leftovers(folder: Path) -> list[str]:
    """End the children of a supervisor that is gone, and return their names.

    Only processes whose pid and start time are both on file are touched.
    """
    found = [(path.stem, *_read(path)) for path in sorted(folder.glob("*.json"))]
    alive = [(name, identity, number) for name, identity, number in found if identity.alive]
    for _, identity, number in alive:
        _send(identity, number)
    await _wait_gone([identity for _, identity, _ in alive])
    for name, _, _ in found:
        forget(folder, name)
    return [name for name, _, _ in alive]


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and its descendants in MB (10^6 bytes).

    Pages that descendants share count once, with the process itself.
    """
    try:
        top = psutil.Process(pid)
        below = top.children(recursive=True)
        total = top.memory_info().rss
    except psutil.Error:
        return 0.0
    return round((total + sum(_private(child) for child in below)) / 1e6, 1)


def _private(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))


def _in_child(stop_signal: int) -> Callable[[], None]:
    parent = os.getpid()
    return lambda: die_with_parent(parent, stop_signal)


def _start_time(pid: int) -> str | None:
    if sys.platform.startswith("linux"):
        return _start_ticks(pid)
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return None


def _start_ticks(pid: int) -> str | None:
    """Return field 22 of /proc/<pid>/stat: ticks since boot, no clock step changes them."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _read(path: Path) -> tuple[Identity, int]:
    data = json.loads(path.read_text())
    return Identity(data["pid"], data["started"]), data["stop_signal"]


def _send(identity: Identity, number: int) -> None:
    if identity.alive:
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


async def _wait_gone(identities: Sequence[Identity]) -> None:
    deadline = asyncio.get_running_loop().time() + STOP_S
    while any(identity.alive for identity in identities):
        if asyncio.get_running_loop().time() > deadline:
            for identity in identities:
                _send(identity, signal.SIGKILL)
        await asyncio.sleep(0.05)
