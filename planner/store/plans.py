"""SQL of plans: proposed, in force, gone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from mes.kernel.db import Tx
from planner.store.locks import drop_old_locks

KEPT_DAYS = 14
"""How long requests and plans that are gone stay readable."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with its document for the pages, and what it changes."""

    id: UUID
    status: str
    version: int | None
    solver: str
    proof: str
    objective: int
    bound: int
    dispatch_objective: int
    current_objective: int | None
    late_orders: int
    moved: int
    trigger: list[dict[str, Any]]
    body: dict[str, Any]
    diff: dict[str, Any] | None
    made_at: datetime
    published_at: datetime | None
    published_by: str | None
    planned_on: int | None = None
    renewed_at: datetime | None = None


_PLAN: LiteralString = (
    "id, status, version, solver, proof, objective, bound, dispatch_objective, current_objective,"
    " late_orders, moved, trigger, body, diff, made_at, published_at, published_by, planned_on, renewed_at"
)


async def lock_plans(tx: Tx) -> None:
    """One transaction at a time claims requests or publishes on a site."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", {"key": f"planner:{tx.site}"}
    )


async def insert_plan(tx: Tx, plan: Plan) -> None:
    """Store a plan."""
    await tx.execute(
        """
        insert into planner.plan (id, site, status, version, solver, proof, objective, bound,
            dispatch_objective, current_objective, late_orders, moved, trigger, body, diff, made_at,
            published_at, published_by, planned_on)
        values (%(id)s, %(site)s, %(status)s, %(version)s, %(solver)s, %(proof)s, %(objective)s, %(bound)s,
            %(dispatch_objective)s, %(current_objective)s, %(late_orders)s, %(moved)s, %(trigger)s, %(body)s,
            %(diff)s, %(made_at)s, %(published_at)s, %(published_by)s, %(planned_on)s)
        """,
        {
            **{name: getattr(plan, name) for name in plan.__slots__},
            "site": tx.site,
            "trigger": Jsonb(plan.trigger),
            "body": Jsonb(plan.body),
            "diff": None if plan.diff is None else Jsonb(plan.diff),
        },
    )


async def insert_plan_aside(tx: Tx, plan: Plan) -> None:
    """Store a plan that waits for its publication; it is forgotten if that never comes."""
    await insert_plan(tx, plan)
    await tx.execute(
        "update planner.plan set closed_at = %(at)s, closed_by = %(by)s where id = %(id)s",
        {"id": plan.id, "at": tx.now, "by": tx.cause.actor},
    )


async def discard_plan(tx: Tx, plan: UUID) -> None:
    """Nobody wants this plan any more."""
    await tx.execute(
        """
        update planner.plan set status = 'discarded', closed_at = %(at)s, closed_by = %(by)s
        where id = %(id)s and version is null
        """,
        {"id": plan, "at": tx.now, "by": tx.cause.actor},
    )


async def close_proposal(tx: Tx, status: str) -> int:
    """End the open proposal of the site, if there is one."""
    return await tx.execute(
        """
        update planner.plan set status = %(status)s, closed_at = %(at)s, closed_by = %(by)s
        where site = %(site)s and status = 'proposed'
        """,
        {"site": tx.site, "status": status, "at": tx.now, "by": tx.cause.actor},
    )


async def replace_in_force(tx: Tx) -> None:
    """The plan in force gives way to the one that is published next in this transaction."""
    await tx.execute(
        """
        update planner.plan set status = 'superseded', closed_at = %(at)s, closed_by = %(by)s
        where site = %(site)s and status = 'in_force'
        """,
        {"site": tx.site, "at": tx.now, "by": tx.cause.actor},
    )


async def put_in_force(tx: Tx, plan: UUID, version: int) -> None:
    """The stored plan is the one in force now."""
    await tx.execute(
        """
        update planner.plan
        set status = 'in_force', version = %(version)s, published_at = %(at)s, published_by = %(by)s
        where id = %(plan)s
        """,
        {"plan": plan, "version": version, "at": tx.now, "by": tx.cause.actor},
    )


async def explain(tx: Tx, plan: Plan) -> bool:
    """Give the plan in force what a search has found out about it; False when that is known.

    Args:
        plan: The same work at the same times, with its proof and with the causes of lateness.
    """
    more = {name: plan.body[name] for name in ("orders", "rule", "score", "cp")}
    explained = await tx.execute(
        """
        update planner.plan
        set body = body || %(more)s, solver = %(solver)s, proof = %(proof)s, objective = %(objective)s,
            bound = %(bound)s, dispatch_objective = %(dispatch_objective)s
        where site = %(site)s and status = 'in_force' and body -> 'explained' = 'false'
        """,
        {
            "site": tx.site,
            "more": Jsonb({**more, "explained": True}),
            "solver": plan.solver,
            "proof": plan.proof,
            "objective": plan.objective,
            "bound": plan.bound,
            "dispatch_objective": plan.dispatch_objective,
        },
    )
    return explained == 1


async def renew_proposal(tx: Tx, plan: Plan) -> bool:
    """Store the times of now of a plan that is not published; False when it is, or discarded."""
    renewed = await tx.execute(
        """
        update planner.plan
        set body = %(body)s, diff = %(diff)s, late_orders = %(late)s, moved = %(moved)s,
            objective = %(objective)s, bound = %(bound)s, proof = %(proof)s, current_objective = %(current)s,
            renewed_at = %(at)s
        where id = %(plan)s and version is null and status <> 'discarded'
        """,
        {
            "plan": plan.id,
            "body": Jsonb(plan.body),
            "diff": None if plan.diff is None else Jsonb(plan.diff),
            "late": plan.late_orders,
            "moved": plan.moved,
            "objective": plan.objective,
            "bound": plan.bound,
            "proof": plan.proof,
            "current": plan.current_objective,
            "at": tx.now,
        },
    )
    return renewed == 1


@dataclass(frozen=True, slots=True)
class Ruling:
    """A plan that came in force, and who put it there."""

    version: int
    published_at: datetime
    published_by: str
    body: dict[str, Any]


async def overruled_by(tx: Tx, plan: Plan, planner: str) -> Ruling | None:
    """Return the newest plan that was put in force since `plan` was made and is none of the same wish.

    A plan of the `planner` that moves nobody overrules no proposal: it corrects times and adds new work.
    """
    return await tx.fetch_one(
        Ruling,
        """
        select version, published_at, published_by, body from planner.plan
        where site = %(site)s and version > coalesce(%(planned_on)s, 0)
          and (moved > 0 or published_by <> %(planner)s)
        order by version desc limit 1
        """,
        {"site": tx.site, "planned_on": plan.planned_on, "planner": planner},
    )


async def plan_by_id(tx: Tx, plan: UUID) -> Plan | None:
    """Return a plan, whatever became of it."""
    return await tx.fetch_one(
        Plan,
        f"select {_PLAN} from planner.plan where site = %(site)s and id = %(plan)s",  # noqa: S608
        {"site": tx.site, "plan": plan},
    )


async def plan_of(tx: Tx, status: str) -> Plan | None:
    """Return the plan that is `in_force` or `proposed`."""
    return await tx.fetch_one(
        Plan,
        f"select {_PLAN} from planner.plan where site = %(site)s and status = %(status)s",  # noqa: S608
        {"site": tx.site, "status": status},
    )


async def locks_not_kept(tx: Tx) -> frozenset[str]:
    """Return the jobs whose locks the plan in force is without, because no plan could keep them."""
    return await _in_force_without(tx, "released", "job_order")


async def orders_left_out(tx: Tx) -> frozenset[str]:
    """Return the orders that the plan in force is without, because their facts contradict each other."""
    return await _in_force_without(tx, "left_out", "work_order")


async def _in_force_without(tx: Tx, part: str, name: str) -> frozenset[str]:
    """Return the names in a list of the plan in force of what it is without."""
    found = await tx.value(
        """
        select array_agg(row ->> %(name)s::text)
        from planner.plan p cross join jsonb_array_elements(p.body -> %(part)s::text) row
        where p.site = %(site)s and p.status = 'in_force'
        """,
        {"site": tx.site, "part": part, "name": name},
    )
    return frozenset(found or ())


async def has_version(tx: Tx, version: int) -> bool:
    """Say whether a plan is or was in force under this version."""
    found = await tx.value(
        "select true from planner.plan where site = %(site)s and version = %(version)s",
        {"site": tx.site, "version": version},
    )
    return found is not None


async def plan_before(tx: Tx, version: int) -> UUID | None:
    """Return the plan that was in force before `version`, if it is still kept."""
    before: UUID | None = await tx.value(
        """
        select id from planner.plan where site = %(site)s and version < %(version)s
        order by version desc limit 1
        """,
        {"site": tx.site, "version": version},
    )
    return before


_SHOWN: LiteralString = """
    select (jsonb_build_object(
        'id', p.id, 'version', p.version, 'solver', p.solver, 'status', p.proof,
        'objective', p.objective, 'bound', p.bound,
        'gap', case when p.objective <= p.bound then 0
                    when p.bound > 0 then (p.objective - p.bound)::float8 / p.objective end,
        'dispatch_objective', p.dispatch_objective, 'current_objective', p.current_objective,
        'late_orders', p.late_orders, 'trigger', p.trigger, 'made_at', p.made_at,
        'published_at', p.published_at, 'by', p.published_by,
        'origin', p.body -> 'origin', 'rule', p.body -> 'rule', 'score', p.body -> 'score',
        'cp', p.body -> 'cp', 'released', coalesce(p.body -> 'released', '[]'),
        'breaks', coalesce(p.body -> 'breaks', '[]'),
        'left_out', coalesce(p.body -> 'left_out', '[]'),
        'orders', p.body -> 'orders', 'equipment', p.body -> 'equipment',
        'operations', coalesce(operations.rows, '[]'),
        'waiting', (select count(*) from planner.request where site = p.site and done_at is null),
        'trouble', (
            select case outcome when 'refused' then error end from planner.request
            where site = p.site and done_at is not null order by done_at desc limit 1
        )
    ) || case p.status when 'proposed'
        then jsonb_build_object('diff', coalesce(p.diff, '{}') || jsonb_build_object('trigger', p.trigger))
        else '{}' end)::text
    from planner.plan p
    cross join lateral (
        select jsonb_agg(row || jsonb_build_object(
            'status', coalesce(job.status, case upkeep.status when 'running' then 'Running'
                                           when 'done' then 'Completed' end, 'Waiting'),
            'locked', lock.job_order is not null,
            'lock', case when lock.job_order is not null then jsonb_build_object(
                'equipment', lock.equipment, 'start', lock.starts_at,
                'by', lock.locked_by, 'at', lock.locked_at) end
        ) order by place) as rows
        from jsonb_array_elements(p.body -> 'operations') with ordinality as operation (row, place)
        left join mes.job_order job on job.id = row ->> 'job_order'
        left join mes.maintenance upkeep on upkeep.id = row ->> 'job_order' and upkeep.status <> 'cancelled'
        left join planner.lock lock on lock.job_order = job.id and job.started_at is null
        left join planner.promise kept
            on kept.name = row ->> 'work_order' and kept.site = p.site and kept.status = 'held'
        where coalesce(job.id, upkeep.id, kept.name) is not null or p.status = 'scenario'
    ) operations
"""
"""A plan as the pages read it, with the present state of its jobs: text, because a process that answers
terminals must not build 10,000 rows of it."""


async def shown(tx: Tx, status: str) -> str | None:
    """Return the plan that is `in_force` or `proposed` as JSON."""
    text: str | None = await tx.value(
        _SHOWN + "where p.site = %(site)s and p.status = %(status)s", {"site": tx.site, "status": status}
    )
    return text


async def shown_by_id(tx: Tx, plan: UUID) -> str | None:
    """Return a plan as JSON, whatever became of it."""
    text: str | None = await tx.value(
        _SHOWN + "where p.site = %(site)s and p.id = %(plan)s", {"site": tx.site, "plan": plan}
    )
    return text


async def prune(tx: Tx) -> None:
    """Forget what nobody asks for any more."""
    await drop_old_locks(tx)
    params = {"site": tx.site, "days": KEPT_DAYS}
    await tx.execute(
        """
        delete from planner.request
        where site = %(site)s and done_at < now() - make_interval(days => %(days)s)
        """,
        params,
    )
    await tx.execute(
        """
        delete from planner.plan
        where site = %(site)s and status in ('superseded', 'discarded')
          and closed_at < now() - make_interval(days => %(days)s)
        """,
        params,
    )
