"""SQL of scenarios, of the pictures that they are made on, and of the jobs that solve them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from mes.kernel.db import GIVES_UP_S, Tx, act_as_app, session_settings

KEPT_DAYS = 14
"""So long a scenario that nobody touches, and its plan, can be read."""
UNUSED_H = 24
"""A picture that no scenario uses is forgotten after so many hours."""

TASK: LiteralString = "planner.solve_scenario"
"""Name of the job in the queue."""

STALE_S = 15
"""A worker that has not said that it lives for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The plant at one moment.

    Args:
        version: Of the plan in force then.
        snapshot: A `PlanningSnapshot` as JSON.
        contents: What changes may name, as JSON.
    """

    id: UUID
    version: int | None
    taken_at: datetime
    snapshot: dict[str, Any]
    contents: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario without its picture and its plan.

    Args:
        revision: Counts its changes.
        job: The job of the queue that solves it, while it is asked for.
        attempts: How often a worker has begun to solve it since it was asked.
        stop: Somebody asked to end the search.
        planned_on: Version of the plan in force when its picture was taken.
    """

    id: UUID
    name: str
    picture: UUID
    changes: list[dict[str, Any]]
    revision: int
    status: str
    seconds: float | None
    job: int | None
    attempts: int
    stop: bool
    progress: dict[str, Any] | None
    error: dict[str, Any] | None
    plan: UUID | None
    comparison: dict[str, Any] | None
    version: int | None
    made_at: datetime
    made_by: str
    changed_at: datetime
    changed_by: str
    taken_at: datetime
    planned_on: int | None


_SCENARIO: LiteralString = """
    select s.id, s.name, s.picture, s.changes, s.revision, s.status, s.seconds, s.job, s.attempts, s.stop,
           s.progress, s.error, s.plan, s.comparison, s.version, s.made_at, s.made_by, s.changed_at,
           s.changed_by, p.taken_at, p.version as planned_on
    from planner.scenario s join planner.picture p on p.id = s.picture
"""


def queue_pool(url: str) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """Return a pool of the queue's own, not open yet: its sessions look into the queue's schema."""
    sessions = session_settings("queue")
    sessions["options"] += " -c search_path=procrastinate"
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=2,
        open=False,
        timeout=5.0,
        reconnect_timeout=GIVES_UP_S,
        kwargs=sessions,
        configure=act_as_app,
        check=AsyncConnectionPool.check_connection,
    )


async def insert_picture(tx: Tx, picture: Picture) -> None:
    """Store a picture, once."""
    await tx.execute(
        """
        insert into planner.picture (id, site, version, taken_at, snapshot, contents)
        values (%(id)s, %(site)s, %(version)s, %(taken_at)s, %(snapshot)s, %(contents)s)
        on conflict (id) do nothing
        """,
        {
            "id": picture.id,
            "site": tx.site,
            "version": picture.version,
            "taken_at": picture.taken_at,
            "snapshot": Jsonb(picture.snapshot),
            "contents": Jsonb(picture.contents),
        },
    )


async def has_picture(tx: Tx, picture: UUID) -> bool:
    """Say whether a picture is there."""
    found = await tx.value(
        "select true from planner.picture where site = %(site)s and id = %(id)s",
        {"site": tx.site, "id": picture},
    )
    return found is not None


async def snapshot(tx: Tx, picture: UUID) -> dict[str, Any]:
    """Return the whole plant of a picture; only for whoever may compute."""
    found: dict[str, Any] = await tx.value(
        "select snapshot from planner.picture where id = %(id)s", {"id": picture}
    )
    return found


async def contents(tx: Tx, picture: UUID) -> dict[str, Any]:
    """Return what changes of a picture may name."""
    found: dict[str, Any] = await tx.value(
        "select contents from planner.picture where id = %(id)s", {"id": picture}
    )
    return found


@dataclass(frozen=True, slots=True)
class NewScenario:
    """What a scenario begins with."""

    id: UUID
    name: str
    picture: UUID
    changes: list[dict[str, Any]]


async def insert_scenario(tx: Tx, scenario: NewScenario) -> None:
    """Store a new scenario."""
    await tx.execute(
        """
        insert into planner.scenario (id, site, name, picture, changes, revision, status, made_at, made_by,
            changed_at, changed_by)
        values (%(id)s, %(site)s, %(name)s, %(picture)s, %(changes)s, 1, 'draft', %(at)s, %(by)s, %(at)s,
            %(by)s)
        """,
        {
            "id": scenario.id,
            "site": tx.site,
            "name": scenario.name,
            "picture": scenario.picture,
            "changes": Jsonb(scenario.changes),
            "at": tx.now,
            "by": tx.cause.actor,
        },
    )


async def scenarios(tx: Tx) -> list[Scenario]:
    """Return the scenarios that nobody has given up, the newest first."""
    return await tx.fetch_all(
        Scenario,
        _SCENARIO + "where s.site = %(site)s and s.status <> 'discarded' order by s.made_at desc, s.id desc",
        {"site": tx.site},
    )


async def scenario_by_id(tx: Tx, scenario: UUID) -> Scenario | None:
    """Return a scenario, whatever became of it."""
    return await tx.fetch_one(
        Scenario,
        _SCENARIO + "where s.site = %(site)s and s.id = %(id)s",
        {"site": tx.site, "id": scenario},
    )


async def lock_scenario(tx: Tx, scenario: UUID) -> Scenario | None:
    """Return a scenario that nobody else changes until the end of the transaction."""
    return await tx.fetch_one(
        Scenario,
        _SCENARIO + "where s.site = %(site)s and s.id = %(id)s for update of s",
        {"site": tx.site, "id": scenario},
    )


async def change_scenario(tx: Tx, scenario: UUID, name: str, changes: list[dict[str, Any]]) -> None:
    """Store other changes; what was solved before is no answer to them."""
    await tx.execute(
        """
        update planner.scenario
        set name = %(name)s, changes = %(changes)s, revision = revision + 1, status = 'draft', error = null,
            progress = null, plan = null, comparison = null, changed_at = %(at)s, changed_by = %(by)s
        where id = %(id)s
        """,
        {
            "id": scenario,
            "name": name,
            "changes": Jsonb(changes),
            "at": tx.now,
            "by": tx.cause.actor,
        },
    )


async def end_scenario(tx: Tx, scenario: UUID, status: str, version: int | None = None) -> None:
    """A scenario was published or given up."""
    await tx.execute(
        """
        update planner.scenario
        set status = %(status)s, version = %(version)s, job = null, changed_at = %(at)s, changed_by = %(by)s
        where id = %(id)s
        """,
        {"id": scenario, "status": status, "version": version, "at": tx.now, "by": tx.cause.actor},
    )


def queue_of(site: str) -> str:
    """Return the name of a site's queue."""
    return f"scenarios-{site}"


async def add_job(tx: Tx, scenario: UUID) -> int:
    """Put the solve of a scenario into the site's queue; workers hear of it at commit."""
    job: int = await tx.value(
        """
        select (procrastinate.procrastinate_defer_jobs_v1(array[row(
            %(queue)s, %(task)s, 0, null, null, jsonb_build_object('scenario', %(scenario)s::text), null
        )]::procrastinate.procrastinate_job_to_defer_v1[]))[1]
        """,
        {"queue": queue_of(tx.site), "task": TASK, "scenario": scenario},
    )
    return job


async def end_job(tx: Tx, job: int) -> None:
    """Take a job out of the queue; whoever runs it is told to stop."""
    await tx.execute("select procrastinate.procrastinate_cancel_job_v1(%(job)s, true, true)", {"job": job})


async def drop_job(tx: Tx, job: int) -> None:
    """Forget a job whose worker is dead."""
    await tx.execute("delete from procrastinate.procrastinate_jobs where id = %(job)s", {"job": job})


async def ask(tx: Tx, scenario: UUID, job: int, seconds: float) -> None:
    """A scenario waits for a worker."""
    await tx.execute(
        """
        update planner.scenario
        set status = 'waiting', job = %(job)s, seconds = %(seconds)s, attempts = 0, stop = false,
            worker = null, progress = null, error = null, plan = null, comparison = null,
            changed_at = %(at)s, changed_by = %(by)s
        where id = %(id)s
        """,
        {"id": scenario, "job": job, "seconds": seconds, "at": tx.now, "by": tx.cause.actor},
    )


async def ask_again(tx: Tx, scenario: UUID, job: int) -> None:
    """A scenario waits for another worker; how often it was begun is not forgotten."""
    await tx.execute(
        """
        update planner.scenario set status = 'waiting', job = %(job)s, worker = null, progress = null
        where id = %(id)s
        """,
        {"id": scenario, "job": job},
    )


async def begin(tx: Tx, scenario: UUID, job: int, worker: str) -> bool:
    """A worker begins with a scenario; False when it is not asked for any more, or by another job."""
    begun = await tx.execute(
        """
        update planner.scenario set status = 'solving', worker = %(worker)s, attempts = attempts + 1
        where site = %(site)s and id = %(id)s and job = %(job)s
        """,
        {"site": tx.site, "id": scenario, "job": job, "worker": worker},
    )
    return begun == 1


async def tell(tx: Tx, scenario: UUID, job: int, progress: dict[str, Any]) -> None:
    """Say how far a search is."""
    await tx.execute(
        "update planner.scenario set progress = %(progress)s where id = %(id)s and job = %(job)s",
        {"id": scenario, "job": job, "progress": Jsonb(progress)},
    )


async def put_back(tx: Tx, scenario: UUID, job: int) -> bool:
    """A worker that is stopped in order gives its job back: that was no attempt."""
    given = await tx.execute(
        """
        update planner.scenario
        set status = 'waiting', worker = null, attempts = greatest(0, attempts - 1), progress = null
        where id = %(id)s and job = %(job)s and status = 'solving'
        """,
        {"id": scenario, "job": job},
    )
    return given == 1


async def store_solution(tx: Tx, scenario: UUID, job: int, plan: UUID, comparison: dict[str, Any]) -> bool:
    """Store what was found; False when another job, or nobody, is to solve it by now."""
    stored = await tx.execute(
        """
        update planner.scenario
        set status = 'solved', job = null, stop = false, plan = %(plan)s, comparison = %(comparison)s,
            error = null
        where id = %(id)s and job = %(job)s
        """,
        {"id": scenario, "job": job, "plan": plan, "comparison": Jsonb(comparison)},
    )
    return stored == 1


async def store_end(
    tx: Tx, scenario: UUID, job: int, status: str, error: dict[str, Any] | None = None
) -> bool:
    """A search ended without a plan: `failed` with its reason, or `draft` when it was stopped."""
    stored = await tx.execute(
        """
        update planner.scenario
        set status = %(status)s, job = null, stop = false, progress = null, error = %(error)s
        where id = %(id)s and job = %(job)s
        """,
        {"id": scenario, "job": job, "status": status, "error": None if error is None else Jsonb(error)},
    )
    return stored == 1


async def ask_to_stop(tx: Tx, scenario: UUID) -> None:
    """Note that the search is to end."""
    await tx.execute("update planner.scenario set stop = true where id = %(id)s", {"id": scenario})


async def lost(tx: Tx, own: str | None) -> list[UUID]:
    """Return the scenarios that wait for a worker who will not come back; nobody else gets them meanwhile.

    Args:
        own: A worker of this name has just begun: what it is said to work on it lost when it was killed.
    """
    return [
        row.id
        for row in await tx.fetch_all(
            Lost,
            f"""
            select s.id from planner.scenario s
            left join procrastinate.procrastinate_jobs j on j.id = s.job
            left join procrastinate.procrastinate_workers w on w.id = j.worker_id
            where s.site = %(site)s and s.job is not null and (
                j.id is null or j.status not in ('todo', 'doing')
                or j.status = 'doing' and (
                    w.id is null or w.last_heartbeat < clock_timestamp() - make_interval(secs => {STALE_S})
                    or s.status = 'solving' and s.worker = %(own)s
                )
            )
            order by s.id for update of s skip locked
            """,  # noqa: S608 - a number of ours
            {"site": tx.site, "own": own},
        )
    ]


@dataclass(frozen=True, slots=True)
class Lost:
    id: UUID


async def prune(tx: Tx) -> None:
    """Forget what nobody looks at any more."""
    await tx.execute(
        """
        with gone as (
            delete from planner.scenario
            where site = %(site)s and job is null
              and changed_at < now() - make_interval(days => %(days)s)
            returning plan
        )
        update planner.plan set status = 'discarded', closed_at = %(at)s, closed_by = %(by)s
        where id in (select plan from gone) and status = 'scenario'
        """,
        {"site": tx.site, "days": KEPT_DAYS, "at": tx.now, "by": tx.cause.actor},
    )
    await tx.execute(
        """
        delete from planner.picture p
        where site = %(site)s and taken_at < now() - make_interval(hours => %(hours)s)
          and not exists (select from planner.scenario s where s.picture = p.id)
        """,
        {"site": tx.site, "hours": UNUSED_H},
    )
