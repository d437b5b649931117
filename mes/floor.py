"""The process `lineside floor`: readings to facts, costs, audit blocks and timers; one is active.

Any number may run; the one that holds an advisory lock works, the others wait for it to go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mes.kernel.log import get_logger
from mes.kernel.plugins import Service
from mes.kernel.settings import Settings

if TYPE_CHECKING:
    from mes.kernel.db import Database, Tx

LOCK = 0x464C4F4F
"""Advisory lock key ("FLOO") of the active floor worker."""
ACTOR = "service:floor"
BATCH = 200
STANDBY_S = 2.0
READING_GATHER_S, EVENT_GATHER_S = 0.05, 0.25
"""What is committed so close together is worked off together: readings are on screens, entries not."""
RETRY_S = 0.5
QUIET_S = 5.0
"""Longest wait for a notification; what one lost would have told is found then."""
SEAL_S = 1.0
TIMERS_S = 10.0
SUMS_S = 15.0
WAITING_S = 60.0
TIDY_S = 600.0

FAILED_S = 5.0
"""A loop that failed waits so long before it begins anew."""

Step = Callable[["Tx"], Awaitable[int]]
Loop = Callable[[], Coroutine[Any, Any, None]]

log = get_logger(__name__)


async def main(settings: Settings) -> None:
    """Work as soon as no other floor worker does, until cancelled."""
    from mes.kernel.db import Database

    async with (
        await Database.open(
            settings.database_url, name="floor-lock", site=settings.site, max_size=1
        ) as leader,
        await Database.open(
            settings.database_url, name="floor", site=settings.site, min_size=2, max_size=6
        ) as db,
    ):
        while True:
            await _until_active(leader)
            await _while_active(leader, db)


async def _until_active(leader: Database) -> None:
    while not await _active(leader):
        await asyncio.sleep(STANDBY_S)


async def _while_active(leader: Database, db: Database) -> None:
    """Run every loop until the lock is lost with its session.

    A loop that fails begins anew after a while, and the others go on: states and counts do not wait
    for one odd entry.
    """
    watch = asyncio.ensure_future(_until_inactive(leader))
    running = {asyncio.ensure_future(loop()): loop for loop in _loops(db)}
    try:
        while not watch.done():
            done, _ = await asyncio.wait([watch, *running], return_when=asyncio.FIRST_COMPLETED)
            for ended in done - {watch}:
                log.error("floor.loop_failed", exc_info=ended.exception())
                loop = running.pop(ended)
                running[asyncio.ensure_future(_after(FAILED_S, loop))] = loop
        watch.result()
    finally:
        for task in (watch, *running):
            task.cancel()
        await asyncio.gather(watch, *running, return_exceptions=True)


async def _after(pause_s: float, loop: Loop) -> None:
    await asyncio.sleep(pause_s)
    await loop()


async def _until_inactive(leader: Database) -> None:
    while await _active(leader):
        await asyncio.sleep(STANDBY_S)


async def _active(leader: Database) -> bool:
    """Say whether this process holds the lock; take it when it is free.

    The lock lives in the one session of `leader`: when that breaks, another process may have it.
    """
    from mes.kernel.db import DatabaseBusy, DatabaseUnavailable

    try:
        async with leader.read() as tx:
            return bool(
                await tx.value(
                    """
                    select case when exists (
                        select from pg_locks
                        where locktype = 'advisory' and granted and pid = pg_backend_pid()
                          and classid = 0 and objid = %(key)s)
                    then true else pg_try_advisory_lock(%(key)s) end
                    """,
                    {"key": LOCK},
                )
            )
    except (DatabaseUnavailable, DatabaseBusy):
        return False


def _loops(db: Database) -> list[Loop]:
    from mes.costing import service as costing
    from mes.dispatching import service as dispatching
    from mes.execution import service as execution
    from mes.intake import service as intake
    from mes.kernel import commands, outbox
    from mes.maintenance import service as maintenance
    from mes.performance import service as performance
    from mes.workorders import service as workorders

    async def absorb(tx: Tx) -> int:
        return (await intake.absorb(tx, BATCH)).rows

    async def seal(tx: Tx) -> int:
        return await _seal(tx)

    timers = (
        intake.retry_known,
        absorb,
        dispatching.dispatch_due,
        workorders.close_due,
        maintenance.plan_due,
    )
    return [
        lambda: _on_notice(db, intake.CHANNEL, READING_GATHER_S, absorb),
        lambda: _on_notice(db, intake.SCANS, READING_GATHER_S, intake.act_on_next, enough=1),
        lambda: _on_notice(db, outbox.CHANNEL, EVENT_GATHER_S, performance.follow_events),
        lambda: _on_notice(db, outbox.CHANNEL, EVENT_GATHER_S, costing.book_events),
        lambda: _every(db, SEAL_S, (seal,)),
        lambda: _every(db, TIMERS_S, timers),
        lambda: _every(db, SUMS_S, (performance.roll_up,)),
        lambda: _every(db, WAITING_S, (costing.book_waiting, execution.end_forgotten)),
        lambda: _every(db, TIDY_S, (intake.forget, commands.forget)),
    ]


async def _seal(tx: Tx) -> int:
    from mes.kernel import audit

    block = await audit.seal(tx)
    return 0 if block is None else block.events


async def _on_notice(db: Database, channel: str, gather_s: float, step: Step, *, enough: int = BATCH) -> None:
    """Run the step whenever something was committed, and now and then without."""
    from mes.kernel.db import wakeups

    async with wakeups(db, channel) as wakeup:
        while True:
            await _patiently(lambda: _work_off(db, (step,), enough))
            await _patiently(lambda: wakeup.wait(QUIET_S))
            await asyncio.sleep(gather_s)


async def _every(db: Database, pause_s: float, steps: tuple[Step, ...]) -> None:
    while True:
        await _patiently(lambda: _work_off(db, steps))
        await asyncio.sleep(pause_s)


async def _work_off(db: Database, steps: tuple[Step, ...], enough: int = BATCH) -> None:
    """Run each step in transactions of its own until it finds less than one of them can hold."""
    from mes.kernel.clock import utc_now
    from mes.kernel.db import Cause

    for step in steps:
        while True:
            async with db.transaction(Cause(actor=ACTOR, at=utc_now())) as tx:
                found = await step(tx)
            if found < enough:
                break


async def _patiently(work: Callable[[], Awaitable[object]]) -> None:
    """Do `work`; wait a little where the database is away or busy, and leave it to the next turn."""
    from mes.kernel.db import DatabaseBusy, DatabaseUnavailable

    try:
        await work()
    except (DatabaseUnavailable, DatabaseBusy):
        await asyncio.sleep(RETRY_S)


async def ready(settings: Settings) -> bool:
    """Say whether a floor worker is active, this one or another."""
    from mes.kernel.db import Database, DatabaseBusy, DatabaseUnavailable

    async with await Database.open(
        settings.database_url, name="floor-ready", site=settings.site, max_size=1
    ) as db:
        try:
            async with db.read() as tx:
                return bool(
                    await tx.value(
                        """
                        select exists (select from pg_locks where locktype = 'advisory' and granted
                                       and classid = 0 and objid = %(key)s)
                        """,
                        {"key": LOCK},
                    )
                )
        except (DatabaseUnavailable, DatabaseBusy):
            return False


SERVICE = Service(name="floor", command="floor", needs=("postgres",), run=main, ready=ready)
