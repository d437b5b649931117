"""The loops of the bridge: collect and deliver, pull, compare, watch the link."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import psutil
from pydantic import TypeAdapter

from erp_bridge import embedded_erp, store
from erp_bridge.adapter import ErpAdapter, ErpLoginRefused, ErpUnavailable, Period, Stream
from erp_bridge.inbound import Inbound
from erp_bridge.outbound import Outbound
from erp_bridge.reconcile import GRACE_S, compare, refresh
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.errors import PlantError
from mes.kernel.log import get_logger
from mes.kernel.outbox import event_wakeups, to_json
from mes.kernel.settings import Settings

logger = get_logger(__name__)

GATHER_S = 0.2
"""After a wake-up more comes: several steps go into few calls."""
CALM_S = 10.0
"""Reading waits so long at most for the deliveries to pause: an ERP has one writer, or one core."""
IDLE_S = 5.0
RETRY_S = 2.0
RETRY = timedelta(seconds=RETRY_S)
COMPARE_S = 10.0
HEALTH_S = 15.0
PERIODS_S = 60.0
PERIODS = "periods"
"""Cursor: what the ERP last said of the periods of its books."""
_PERIODS: TypeAdapter[tuple[Period, ...]] = TypeAdapter(tuple[Period, ...])
POLLS = {
    Stream.MATERIALS: timedelta(seconds=60),
    Stream.RATES: timedelta(seconds=60),
    Stream.PEOPLE: timedelta(seconds=60),
    Stream.LOTS: timedelta(seconds=15),
    Stream.PURCHASES: timedelta(seconds=15),
    Stream.ORDERS: timedelta(seconds=2),
    Stream.SALES: timedelta(seconds=10),
}
"""How often each stream is asked; masters first, since orders name them."""
REFUSED_S = 30.0
"""How often records that the plant refused are offered again."""


def worker_name(pid: int) -> str:
    """Return a name that no other process of any machine has, as long as this one lives."""
    return f"bridge@{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.2f}"


def is_dead(worker: str) -> bool:
    """Say whether a worker was a process of this machine that is over; nobody knows of other machines."""
    host, _, process = worker.removeprefix("bridge@").partition(":")
    pid = process.partition(":")[0]
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        if psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE:
            return True
        return worker_name(int(pid)) != worker
    except psutil.NoSuchProcess:
        return True


class Bridge:
    """All loops of one bridge process."""

    def __init__(self, db: Database, adapter: ErpAdapter, settings: Settings, worker: str) -> None:
        self._db = db
        self._adapter = adapter
        self._settings = settings
        self._outbound = Outbound(db, adapter, settings, worker)
        self._inbound = Inbound(db, adapter, settings.site_tz)
        self._up = True
        self._calm = asyncio.Event()
        self._waits: dict[str, str] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver())
            group.create_task(self._pull())
            group.create_task(self._repeat(COMPARE_S, self._compare))
            group.create_task(self._repeat(HEALTH_S, self._watch))
            group.create_task(self._repeat(PERIODS_S, self._learn_periods))
            group.create_task(self._install_web_client())

    async def _deliver(self) -> None:
        while True:
            await self._tried("deliver", self._deliver_on)
            await asyncio.sleep(RETRY_S)

    async def _deliver_on(self) -> None:
        await self._bury_the_dead()
        async with event_wakeups(self._db) as wakeup:
            while True:
                await self._turn()
                self._waits.pop("deliver", None)
                await wakeup.wait(await self._patience())
                await asyncio.sleep(GATHER_S)

    async def _bury_the_dead(self) -> None:
        """Take over at once what a killed bridge of this machine had leased."""
        async with self._db.transaction(self._cause()) as tx:
            for worker in await store.lanes.workers(tx):
                if is_dead(worker):
                    logger.info("bridge.takes_over", worker=worker)
                    await store.lanes.bury(tx, worker)

    async def _turn(self) -> None:
        self._calm.clear()
        self._outbound.reachable = None
        try:
            await self._know_periods()
            while await self._outbound.collect():
                pass
            await self._outbound.open_books()
            await self._look_first()
            while await self._outbound.deliver():
                pass
        finally:
            self._calm.set()
        if self._outbound.reachable is not None:
            await self._note_link(up=self._outbound.reachable)

    async def _look_first(self) -> None:
        """See how the ERP's ledger stood before anything of ours came into it."""
        async with self._db.read() as tx:
            if await store.records.cursor(tx, store.mirror.LEDGER_BEGIN):
                return
        try:
            await refresh(self._db, self._adapter)
        except (ErpUnavailable, ErpLoginRefused) as error:
            logger.info("bridge.ledger_not_seen", reason=str(error))

    async def _patience(self) -> float:
        async with self._db.read() as tx:
            due = await store.lanes.wait_s(tx)
        return IDLE_S if due is None else min(max(due, 0.0), IDLE_S)

    async def _pull(self) -> None:
        due = dict.fromkeys(POLLS, utc_now())
        refused_due = utc_now()
        while True:
            for stream in Stream:
                if due[stream] <= utc_now():
                    done = await self._tried(stream, partial(self._follow, stream))
                    due[stream] = utc_now() + (POLLS[stream] if done else RETRY)
            if refused_due <= utc_now():
                await self._tried("refused", self._inbound.take_refused)
                refused_due = utc_now() + timedelta(seconds=REFUSED_S)
            wait = (min(due.values()) - utc_now()).total_seconds()
            await asyncio.sleep(max(wait, 0.1))

    async def _follow(self, stream: Stream) -> None:
        if stream is not Stream.ORDERS:
            await self._until_calm()
        if not self._inbound.periods:
            await self._learn_periods()
        await self._inbound.follow(stream)

    async def _tried(self, name: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Do it; what refuses it ends no other loop, and is said once. Return whether it was done."""
        try:
            await work()
        except PlantError as error:
            if self._waits.get(name) != error.message:
                logger.warning("bridge.waits", what=name, reason=error.message)
            self._waits[name] = error.message
            return False
        if self._waits.pop(name, None) is not None:
            logger.info("bridge.goes_on", what=name)
        return True

    async def _until_calm(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CALM_S):
                await self._calm.wait()

    async def _know_periods(self) -> None:
        """Know the periods before anything is given its day: as last heard, while the ERP is away.

        Raises:
            ErpUnavailable: It is away, and never told them.
        """
        if self._outbound.periods is not None:
            return
        try:
            await self._learn_periods()
        except (ErpUnavailable, ErpLoginRefused):
            async with self._db.read() as tx:
                kept = await store.records.cursor(tx, PERIODS)
            if not kept:
                raise
            self._use_periods(_PERIODS.validate_json(kept))

    async def _learn_periods(self) -> None:
        periods = tuple(await self._adapter.periods())
        self._use_periods(periods)
        async with self._db.transaction(self._cause()) as tx:
            await store.records.move_cursor(tx, PERIODS, _PERIODS.dump_json(periods).decode())

    def _use_periods(self, periods: tuple[Period, ...]) -> None:
        self._inbound.periods = periods
        self._outbound.periods = periods

    async def _repeat(self, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._tried(work.__name__, work)
            await asyncio.sleep(every_s)

    async def _compare(self) -> None:
        await self._until_calm()
        await refresh(self._db, self._adapter)
        async with self._db.transaction(self._cause()) as tx:
            outcome = await compare(tx, self._settings.currency)
            await store.comparison.agree(tx, GRACE_S)
            await store.comparison.put_comparison(tx, self._settings.erp.adapter, to_json(outcome))

    async def _watch(self) -> None:
        health = await self._adapter.health()
        name = (await self._adapter.capabilities()).name
        async with self._db.transaction(self._cause()) as tx:
            await store.link.put_link(
                tx,
                self._settings.erp.adapter,
                f"{name} {health.version}".strip(),
                reachable=health.reachable,
                detail=health.detail,
                ms=health.latency_ms,
            )
        self._up = health.reachable

    async def _note_link(self, *, up: bool) -> None:
        """Tell at once when delivery finds the ERP gone or back."""
        if up != self._up:
            logger.info("erp.back" if up else "erp.lost")
            self._up = up
            await self._watch()

    async def _install_web_client(self) -> None:
        settings = self._settings
        if not (settings.demo and settings.erp.adapter == "tryton"):
            return
        try:
            installed = await embedded_erp.install_web_client(settings.home)
        except embedded_erp.StepFailed as error:
            logger.warning("erp.web_client_failed", reason=str(error))
            return
        logger.info("erp.web_client", installed=installed)

    def _cause(self) -> Cause:
        return Cause(actor="service:bridge", at=utc_now())
