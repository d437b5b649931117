"""Scenarios are solved by workers of a task queue, on this machine and on others.

The queue (procrastinate) hands out jobs and wakes whoever waits. What became of a scenario is our own row:
a job that was given to somebody else stores nothing, and a reaper gives the jobs of dead workers out again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, DatabaseBusy, DatabaseUnavailable, Tx, act_as_app
from mes.kernel.errors import PlantError
from mes.kernel.log import get_logger
from mes.kernel.settings import Settings
from planner.child import SolverLost, SolverRefused
from planner.fault import InvalidProblem
from planner.pool import SolverPool
from planner.refusal import refusal
from planner.scenarios import service, store
from planner.scenarios.solving import Found, Search
from planner.scenarios.store import Scenario
from planner.view import ACTOR

log = get_logger(__name__)

T = TypeVar("T")

HEARTBEAT_S = 5.0
POLL_S = 10.0
"""A job whose notification was lost is found after so long; nothing else looks into the queue."""
REAP_S = 5.0
"""Seconds between two looks for jobs of the dead."""
TELL_S = 1.0
RETRY_S = 2.0
STANDBY_S = 5.0
STOP_S = 10.0
"""A search that somebody stopped has so long to hand over its plan; then its process is ended."""


class _GivenBack(BaseRetryStrategy):
    """A job of a worker that is stopped in order goes to the next one; others end with their error."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002
        return RetryDecision() if isinstance(exception, asyncio.CancelledError) else None


@contextlib.asynccontextmanager
async def turn(home: Path) -> AsyncIterator[None]:
    """Search alone on this machine: whoever comes second waits for the first to end, or to be killed."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "search.lock").open("w") as file:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(STANDBY_S)
        yield


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has cleaned up."""
    task.cancel()
    await asyncio.wait((task,))


class ScenarioWorker:
    """Solves one scenario after the other, of one site."""

    def __init__(self, db: Database, settings: Settings, pool: SolverPool | None = None) -> None:
        self.db, self.settings, self.pool = db, settings, pool or SolverPool()
        self.name = f"{platform.node()}:{settings.home}"

    async def run(self) -> None:
        """Take part until cancelled; go on through losses of the database."""
        async with turn(self.settings.home):
            while True:
                try:
                    await self._take_part()
                except (DatabaseUnavailable, DatabaseBusy, ConnectorException) as lost:
                    log.warning("queue.lost", reason=type(lost).__name__)
                await asyncio.sleep(RETRY_S)

    async def _take_part(self) -> None:
        await self.reap(own=True)
        pool = store.queue_pool(self.db.url)
        await pool.open()
        try:
            async with self._app().open_async(pool) as app:
                await self._work(app)
        finally:
            await pool.close()

    def _app(self) -> App:
        app = App(connector=PsycopgConnector(configure=act_as_app))
        app.task(name=store.TASK, pass_context=True, retry=_GivenBack())(self.solve)
        return app

    async def _work(self, app: App) -> None:
        """Work, and look for jobs of the dead, until the queue is lost."""
        worker = Worker(
            app,
            queues=[store.queue_of(self.settings.site)],
            name=self.name,
            fetch_job_polling_interval=POLL_S,
            abort_job_polling_interval=POLL_S,
            shutdown_graceful_timeout=0,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=store.STALE_S,
        )
        working = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
        try:
            while not working.done():
                await asyncio.wait((working,), timeout=REAP_S)
                await self.reap()
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def reap(self, *, own: bool = False) -> dict[UUID, str]:
        """Give out again, or give up, what dead workers were to solve; returns what became of it.

        Args:
            own: This worker has not begun yet: what it is said to work on it lost when it was killed.
        """
        async with self._transaction() as tx:
            lost = await store.lost(tx, self.name if own else None)
            outcomes = {scenario: await service.worker_lost(tx, scenario) for scenario in lost}
        for scenario, outcome in outcomes.items():
            log.warning("scenario.worker_lost", scenario=str(scenario), outcome=outcome)
        return outcomes

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Tx]:
        async with self.db.transaction(Cause(actor=ACTOR, at=utc_now())) as tx:
            yield tx

    async def _patiently(self, act: Callable[[Tx], Awaitable[T]]) -> T:
        """Carry out one act, however long the database is away."""
        while True:
            try:
                async with self._transaction() as tx:
                    return await act(tx)
            except (DatabaseUnavailable, DatabaseBusy):
                await asyncio.sleep(RETRY_S)

    async def solve(self, context: JobContext, scenario: str) -> None:
        """The job of the queue: solve one scenario, unless it was given to another job meanwhile."""
        name, job = UUID(scenario), context.job.id or 0
        search: Search | None = None
        searching: asyncio.Task[None] | None = None
        try:
            found = await self._patiently(lambda tx: service.begin(tx, name, job, self.name))
            if found is not None:
                search = Search(self.db, self.settings.planner, found, self.pool)
                searching = asyncio.create_task(self._search(search))
                await asyncio.shield(searching)
        except asyncio.CancelledError:
            if context.abort_reason() is not AbortReason.USER_REQUEST:
                if searching is not None:
                    await _end(searching)
                with contextlib.suppress(DatabaseUnavailable, DatabaseBusy):
                    async with self._transaction() as tx:
                        await store.put_back(tx, name, job)
                raise
            if (current := asyncio.current_task()) is not None:
                current.uncancel()
            if search is not None and searching is not None:
                await self._stopped(search, searching)

    async def _search(self, search: Search) -> None:
        scenario = search.scenario
        telling = asyncio.create_task(self._tell(search))
        try:
            found = await search.run()
        except (InvalidProblem, SolverRefused) as refused:
            await self._fail(scenario, refusal(refused))
        except SolverLost:
            outcome = await self._patiently(
                lambda tx: service.solver_lost(tx, scenario.id, scenario.job or 0)
            )
            log.warning("scenario.solver_lost", scenario=str(scenario.id), outcome=outcome)
        except PlantError as error:
            if error.retryable:
                raise
            await self._fail(scenario, error.as_json())
        else:
            await self._store(scenario, found)
        finally:
            telling.cancel()

    async def _stopped(self, search: Search, searching: asyncio.Task[None]) -> None:
        """Somebody ended the search: what was found by then is the plan."""
        search.stop.set()
        try:
            await asyncio.wait((searching,), timeout=STOP_S)
        finally:
            if not searching.done():
                await _end(searching)
        if not searching.cancelled():
            searching.result()
            return
        found = await search.so_far()
        if found is not None:
            await self._store(search.scenario, found)
        else:
            await self._patiently(lambda tx: service.ended(tx, search.scenario, "draft"))

    async def _store(self, scenario: Scenario, found: Found) -> None:
        stored = await self._patiently(lambda tx: service.solved(tx, scenario, found.plan, found.comparison))
        log.info("scenario.solved", scenario=str(scenario.id), stored=stored, attempt=scenario.attempts)

    async def _fail(self, scenario: Scenario, error: dict[str, Any]) -> None:
        await self._patiently(lambda tx: service.ended(tx, scenario, "failed", error))
        log.warning("scenario.failed", scenario=str(scenario.id), error=error["error"])

    async def _tell(self, search: Search) -> None:
        """Say how far the search is, while it runs."""
        told: dict[str, Any] | None = None
        while True:
            if search.progress != told:
                told = dict(search.progress)
                with contextlib.suppress(DatabaseUnavailable, DatabaseBusy):
                    async with self._transaction() as tx:
                        await store.tell(tx, search.scenario.id, search.scenario.job or 0, told)
            await asyncio.sleep(TELL_S)
