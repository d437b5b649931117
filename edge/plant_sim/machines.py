"""The simulated machines: PackML state, counters that survive a restart, faults now and then.

A machine knows nothing of its protocol: it says what changed, and a server or a device publishes
it. Like a real one it keeps its totals in memory that a restart does not clear, so the plant can
always be asked what really happened.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.state import Command, State, after, completed
from mes.kernel.log import get_logger

log = get_logger(__name__)

ACTING_S = 0.4
"""How long an acting state lasts when nothing has to be done in it."""
QUIET_S = 2.0
"""A machine tells its totals when nothing has changed for so long: what they count is out by then."""
AGAIN_S = 60.0
"""Totals are told again after this time."""
RING = 32
"""State changes and scans that a machine remembers."""
SCRAP_RATE = 0.02
FAULT_MEAN_S = 2400.0
"""Mean running time between two faults of one machine, in seconds."""
REPAIR_S = (40.0, 120.0)
FAULTS = ("SPINDLE_OVERLOAD", "TOOL_BREAKAGE", "COOLANT_LOW", "GUARD_OPEN", "DRIVE_FAULT")


@dataclass(slots=True)
class Made:
    """What a machine made for one job.

    Args:
        job_order: The job.
        quantity: Pieces it was asked for, counted from its first start here.
        good_before: Good pieces reported for the job before this machine began with it.
        scrap_before: Scrap reported before.
    """

    job_order: str
    item: str
    quantity: int
    good: int = 0
    scrap: int = 0
    good_before: int = 0
    scrap_before: int = 0

    @property
    def finished(self) -> bool:
        """Whether as many good pieces are made as were asked for."""
        return self.good + self.scrap >= self.quantity


@dataclass(slots=True)
class Totals:
    """What a machine has counted in its life."""

    good: int = 0
    scrap: int = 0
    states: int = 0
    scans: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A numbered state change or scan, as the machine remembers it."""

    number: int
    value: int | str
    at: datetime


@dataclass(frozen=True, slots=True)
class Signal:
    """One analog signal: its value at rest and at work, and what noise is on it."""

    name: str
    unit: str
    rest: float
    work: float
    noise: float
    lag_s: float = 1.0
    """Time constant with which it follows."""


@dataclass(slots=True)
class Memory:
    """What a machine keeps when it is switched off."""

    totals: Totals = field(default_factory=Totals)
    state: State = State.IDLE
    fault: str = ""
    made: Made | None = None
    changes: deque[Entry] = field(default_factory=lambda: deque(maxlen=RING))
    scans: deque[Entry] = field(default_factory=lambda: deque(maxlen=RING))

    def dump(self) -> str:
        """Return it as JSON."""
        return json.dumps(
            {
                "totals": asdict(self.totals),
                "state": int(self.state),
                "fault": self.fault,
                "made": asdict(self.made) if self.made else None,
                "changes": [[e.number, e.value, e.at.isoformat()] for e in self.changes],
                "scans": [[e.number, e.value, e.at.isoformat()] for e in self.scans],
            }
        )

    @classmethod
    def parse(cls, text: str) -> Memory:
        """Read what `dump` returned."""
        raw = json.loads(text)
        memory = cls(
            totals=Totals(**raw["totals"]),
            state=State(raw["state"]),
            fault=raw["fault"],
            made=Made(**raw["made"]) if raw["made"] else None,
        )
        for name, ring in (("changes", memory.changes), ("scans", memory.scans)):
            ring.extend(Entry(n, value, datetime.fromisoformat(at)) for n, value, at in raw[name])
        return memory


class Machine:
    """One simulated machine.

    Args:
        unit: Code of the equipment, such as `CNC-1`.
        signals: Its analog signals.
        folder: Where its memory is kept; none: nowhere.
        seed: For its own random numbers.
        scans: Whether it has a scanner that reads the job's label.
        publish: Told each change: signal, value, time.
        pace: Speed of its time; a test lets it run faster.
    """

    def __init__(
        self,
        unit: str,
        *,
        signals: tuple[Signal, ...] = (),
        folder: Path | None = None,
        seed: int = 0,
        scans: bool = False,
        pace: float = 1.0,
    ) -> None:
        self.unit = unit
        self.signals = signals
        self.values = {signal.name: signal.rest for signal in signals}
        self.publish: Callable[[str, int | float | str, datetime], None] = _nowhere
        self._file = None if folder is None else folder / f"{unit}.json"
        self.memory = self._recall()
        self._random = random.Random(f"{seed}{unit}")
        self._scanner = scans
        self._pace = pace
        self._wanted: Made | None = None
        self._cycle_s = 10.0
        self._setup_s = 0.0
        self._repair_at = time.monotonic() + REPAIR_S[1] / pace if self.memory.fault else None
        self._fault_in = self._random.expovariate(1 / FAULT_MEAN_S)
        self._wake = asyncio.Event()
        self._watchers: list[Callable[[], None]] = []
        self._changed_at = time.monotonic()
        self._told_at = 0.0
        self._last_time = max(
            (entry.at for entry in (*self.memory.changes, *self.memory.scans)), default=datetime.now(UTC)
        )
        if not self.memory.changes:
            self.memory.changes.append(Entry(0, int(self.state), self.now()))
            self._save()

    # -- what the plant asks of it ---------------------------------------------------------------

    @property
    def state(self) -> State:
        """Its PackML state."""
        return self.memory.state

    @property
    def faulted(self) -> bool:
        """Whether it stands with a fault."""
        return bool(self.memory.fault)

    @property
    def totals(self) -> Totals:
        """What it has counted in its life."""
        return self.memory.totals

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change of state, count or fault."""
        self._watchers.append(callback)

    def run(
        self,
        *,
        job_order: str,
        item: str,
        quantity: int,
        cycle_s: float,
        setup_s: float = 0.0,
        good: int = 0,
        scrap: int = 0,
    ) -> None:
        """Work on a job; saying it again changes nothing.

        Args:
            quantity: Pieces that the MES still wants.
            cycle_s: Seconds for a piece.
            setup_s: Seconds before the first piece.
            good: Good pieces that the MES knows of already.
            scrap: Scrap that the MES knows of already.
        """
        made = self.memory.made
        if made is None or made.job_order != job_order:
            made = Made(job_order, item, quantity, good_before=good, scrap_before=scrap)
            self.memory.made = made
            self._setup_s = setup_s
            if self._scanner:
                self.scan(f"WO:{job_order.rpartition('-')[0]}")
            self._save()
        elif made.finished:
            unreported = made.good + made.scrap - (good - made.good_before) - (scrap - made.scrap_before)
            if quantity > unreported:
                made.quantity = made.good + made.scrap + quantity - max(unreported, 0)
                self._wake.set()
        self._cycle_s = cycle_s
        if self._wanted is not made:
            self._wanted = made
            self._wake.set()

    def stop(self) -> None:
        """Work on nothing."""
        if self._wanted is not None:
            self._wanted = None
            self._wake.set()

    def fault(self, reason: str, repair_after_s: float | None = None) -> None:
        """Break; without a time it stays broken until `repair`."""
        self.memory.fault = reason
        self._repair_at = None if repair_after_s is None else time.monotonic() + repair_after_s / self._pace
        log.info("machine.fault", unit=self.unit, reason=reason)
        self._changed("fault", reason)
        self._wake.set()

    def repair(self) -> None:
        """Take the fault away."""
        if self.memory.fault:
            self.memory.fault = ""
            self._repair_at = None
            log.info("machine.repaired", unit=self.unit)
            self._changed("fault", "")
            self._wake.set()

    def made_for(self, job_order: str) -> Made | None:
        """Return what was made for a job, none when it was not the last one here."""
        made = self.memory.made
        return made if made is not None and made.job_order == job_order else None

    def scan(self, payload: str) -> None:
        """Read a label with the machine's own scanner."""
        self.totals.scans += 1
        at = self.now()
        self.memory.scans.append(Entry(self.totals.scans, payload, at))
        self._changed("scan", payload, at)

    # -- its life --------------------------------------------------------------------------------

    async def live(self) -> None:
        """Follow commands, make pieces, break; for ever."""
        while True:
            self._wake.clear()
            if not await self._step():
                await self._wake.wait()

    async def _step(self) -> bool:
        """Do the next thing; false when there is nothing to do."""
        state = self.state
        if completed(state) is not state:
            await self._act(state)
            return True
        command = self._next_command()
        if command is not None:
            self._enter(after(state, command))
            return True
        if state is State.EXECUTE:
            await self._make_piece()
            return True
        return False

    async def _act(self, state: State) -> None:
        duration = ACTING_S
        if state is State.STARTING:
            duration, self._setup_s = ACTING_S + self._setup_s, 0.0
        if await self._pause(duration) or state in {State.ABORTING, State.STOPPING, State.CLEARING}:
            self._enter(completed(state))
        else:
            command = self._next_command()
            self._enter(completed(state) if command is None else after(state, command))

    def _next_command(self) -> Command | None:
        """Return the command that brings the machine nearer to what is wanted."""
        state, made = self.state, self._wanted
        if self.faulted:
            return None if state in {State.ABORTED, State.ABORTING} else Command.ABORT
        if state is State.ABORTED:
            return Command.CLEAR
        if made is not None and not made.finished:
            starts = {State.STOPPED: Command.RESET, State.COMPLETE: Command.RESET, State.IDLE: Command.START}
            return starts.get(state)
        if state is State.EXECUTE:
            return Command.COMPLETE if made is not None else Command.STOP
        if made is None and state in {State.STOPPED, State.COMPLETE}:
            return Command.RESET
        return None

    async def _make_piece(self) -> None:
        made = self._wanted
        cycle = self._cycle_s * self._random.uniform(0.95, 1.1)
        self._fault_in -= cycle
        if self._fault_in <= 0:
            self._fault_in = self._random.expovariate(1 / FAULT_MEAN_S)
            await self._pause(cycle * self._random.random())
            self.fault(self._random.choice(FAULTS), self._random.uniform(*REPAIR_S))
            return
        if not await self._pause(cycle) or made is None:
            return
        if self._random.random() < SCRAP_RATE:
            made.scrap += 1
            self.totals.scrap += 1
            self._changed("scrap", self.totals.scrap)
        else:
            made.good += 1
            self.totals.good += 1
            self._changed("good", self.totals.good)

    async def _pause(self, seconds: float) -> bool:
        """Wait; false when something else is wanted meanwhile."""
        deadline = time.monotonic() + seconds / self._pace
        state, wanted = self.state, self._wanted
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                break
            self._wake.clear()
            if self._wanted is not wanted or (self.faulted and state is not State.ABORTING):
                self._wake.set()
                return False
        return True

    def tick(self) -> None:
        """Once a second: move the analog signals, end a fault, tell the totals when it is quiet."""
        now = time.monotonic()
        if self._repair_at is not None and now >= self._repair_at:
            self.repair()
        for signal in self.signals:
            self._move(signal)
        quiet = now - self._changed_at > QUIET_S
        if quiet and (self._told_at < self._changed_at or now - self._told_at > AGAIN_S):
            self._told_at = now
            self.tell_totals()

    def tell_totals(self) -> None:
        """Publish what the machine has counted in its life."""
        at = self.now()
        for name, value in asdict(self.totals).items():
            self.publish(f"total_{name}", value, at)

    def _move(self, signal: Signal) -> None:
        working = self.state is State.EXECUTE
        target = signal.work if working else signal.rest
        value = self.values[signal.name]
        fresh = value + (target - value) / max(signal.lag_s, 1.0)
        if working:
            fresh += self._random.gauss(0, signal.noise)
        fresh = round(fresh, 2)
        if abs(fresh - value) >= signal.noise / 2:
            self.values[signal.name] = fresh
            self.publish(signal.name, fresh, self.now())

    def _enter(self, state: State) -> None:
        self.memory.state = state
        self.totals.states += 1
        at = self.now()
        self.memory.changes.append(Entry(self.totals.states, int(state), at))
        self._changed("state", int(state), at)

    def _changed(self, name: str, value: int | str, at: datetime | None = None) -> None:
        """Remember first, then tell."""
        self._changed_at = time.monotonic()
        self._save()
        self.publish(name, value, at or self.now())
        for watcher in self._watchers:
            watcher()

    def now(self) -> datetime:
        """Return the time, later than any time before: each change has its own millisecond."""
        now = datetime.now(UTC)
        now = max(
            now.replace(microsecond=now.microsecond // 1000 * 1000),
            self._last_time + timedelta(milliseconds=1),
        )
        self._last_time = now
        return now

    def _save(self) -> None:
        if self._file is not None:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(self.memory.dump(), encoding="utf-8")
            os.replace(fresh, self._file)

    def _recall(self) -> Memory:
        if self._file is None or not self._file.exists():
            return Memory()
        try:
            return Memory.parse(self._file.read_text(encoding="utf-8"))
        except (ValueError, KeyError, TypeError) as error:
            log.warning("machine.memory_lost", unit=self.unit, reason=str(error))
            return Memory()

    def snapshot(self) -> dict[str, Any]:
        """Return its state, its fault and its totals, for the trouble drawer."""
        return {"state": self.state.label, "fault": self.memory.fault, "totals": asdict(self.totals)}


def _nowhere(_name: str, _value: float | str, _at: datetime) -> None:
    return None
