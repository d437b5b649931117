"""SQL of requests for a plan, and of plans: proposed, in force, gone."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from mes.kernel.db import Tx
from mes.kernel.ids import uuid7

LEASE_S = 15
"""A worker that has not renewed its lease for so long is taken for dead."""

QUESTIONS: LiteralString = "lineside_question"
"""Channel that wakes whoever answers questions."""

QUESTION_LEASE_S = 10
"""A planner that has not answered for so long is taken for dead; another machine's tries then."""

QUESTION_KEPT_S = 60
"""Whoever asked has long given up by then."""

WAITED_FOR_MIN = 60
"""So long a unit waits for the order of an accepted date."""

KEPT_DAYS = 14
"""How long requests and plans that are gone stay readable."""


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody or something wants a new plan.

    Args:
        reason: Code of what happened, such as `machine`.
        move: Look for a plan that moves published work, even when no order is late.
        attempts: How often a worker has begun to answer it.
    """

    id: UUID
    reason: str
    params: dict[str, Any]
    move: bool
    requested_at: datetime
    requested_by: str
    attempts: int


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


_REQUEST: LiteralString = "id, reason, params, move, requested_at, requested_by, attempts"
_PLAN: LiteralString = (
    "id, status, version, solver, proof, objective, bound, dispatch_objective, current_objective,"
    " late_orders, moved, trigger, body, diff, made_at, published_at, published_by, planned_on, renewed_at"
)


async def add_request(tx: Tx, reason: str, params: dict[str, Any], *, move: bool) -> UUID:
    """Ask for a new plan; wakes the worker at commit."""
    request = uuid7()
    await tx.execute(
        """
        with asked as (
            insert into planner.request (id, site, reason, params, move, requested_at, requested_by)
            values (%(id)s, %(site)s, %(reason)s, %(params)s, %(move)s, clock_timestamp(), %(by)s)
            returning id
        )
        select pg_notify('lineside_event', 'planner') from asked
        """,
        {
            "id": request,
            "site": tx.site,
            "reason": reason,
            "params": Jsonb(params),
            "move": move,
            "by": tx.cause.actor,
        },
    )
    return request


@dataclass(frozen=True, slots=True)
class Queue:
    """Who waits for a plan.

    Args:
        age_s: For how long, by the database's clock.
        urgent: Something broke, or a person waits.
    """

    age_s: float
    urgent: bool


async def queue(tx: Tx) -> Queue | None:
    """Return for how long somebody has waited for a plan, or None."""
    return await tx.fetch_one(
        Queue,
        """
        select extract(epoch from clock_timestamp() - min(requested_at))::float8 as age_s,
               bool_or(move) as urgent
        from planner.request where site = %(site)s and done_at is null having count(*) > 0
        """,
        {"site": tx.site},
    )


async def lock_plans(tx: Tx) -> None:
    """One transaction at a time claims requests or publishes on a site."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", {"key": f"planner:{tx.site}"}
    )


async def claim(tx: Tx, worker: str) -> list[Request]:
    """Take all open requests of the site, unless another living worker has one of them.

    A worker takes back at once what it held itself before it was killed.
    """
    await lock_plans(tx)
    busy = await tx.value(
        """
        select true from planner.request
        where site = %(site)s and done_at is null and worker <> %(worker)s and lease_until > clock_timestamp()
        limit 1
        """,
        {"site": tx.site, "worker": worker},
    )
    if busy:
        return []
    return await tx.fetch_all(
        Request,
        f"""
        update planner.request
        set worker = %(worker)s, attempts = attempts + 1,
            lease_until = clock_timestamp() + make_interval(secs => {LEASE_S})
        where site = %(site)s and done_at is null
        returning {_REQUEST}
        """,  # noqa: S608 - a number and a list of columns of ours
        {"site": tx.site, "worker": worker},
    )


async def renew(tx: Tx, worker: str, requests: list[UUID]) -> None:
    """Tell the other workers that this one is alive."""
    await tx.execute(
        f"""
        update planner.request set lease_until = clock_timestamp() + make_interval(secs => {LEASE_S})
        where id = any(%(requests)s) and worker = %(worker)s and done_at is null
        """,  # noqa: S608 - a number of ours
        {"requests": requests, "worker": worker},
    )


async def finish(
    tx: Tx, worker: str, requests: list[UUID], outcome: str, error: dict[str, Any] | None = None
) -> bool:
    """Close requests; False when another worker has taken them over meanwhile."""
    closed = await tx.execute(
        """
        update planner.request set done_at = clock_timestamp(), outcome = %(outcome)s, error = %(error)s
        where id = any(%(requests)s) and worker = %(worker)s and done_at is null
        """,
        {
            "requests": requests,
            "worker": worker,
            "outcome": outcome,
            "error": None if error is None else Jsonb(error),
        },
    )
    return closed == len(requests)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the newest request ended, and what was wrong."""

    outcome: str
    error: dict[str, Any] | None
    done_at: datetime


async def last_outcome(tx: Tx) -> Outcome | None:
    """Return how the newest finished request ended."""
    return await tx.fetch_one(
        Outcome,
        """
        select outcome, error, done_at from planner.request
        where site = %(site)s and done_at is not null order by done_at desc limit 1
        """,
        {"site": tx.site},
    )


async def waiting(tx: Tx) -> int:
    """Return how many requests are open."""
    return int(
        await tx.value(
            "select count(*) from planner.request where site = %(site)s and done_at is null",
            {"site": tx.site},
        )
    )


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody who must not compute wants to know something of the plan.

    Args:
        attempts: How often a worker has begun to answer it.
    """

    id: UUID
    kind: str
    body: dict[str, Any]
    attempts: int


async def add_question(tx: Tx, kind: str, body: dict[str, Any]) -> UUID:
    """Ask; wakes those who answer at commit."""
    question = uuid7()
    await tx.execute(
        """
        with asked as (
            insert into planner.question (id, site, kind, body, asked_at, asked_by)
            values (%(id)s, %(site)s, %(kind)s, %(body)s, clock_timestamp(), %(by)s)
            returning id
        )
        select pg_notify('lineside_question', '') from asked
        """,
        {"id": question, "site": tx.site, "kind": kind, "body": Jsonb(body), "by": tx.cause.actor},
    )
    return question


async def claim_question(tx: Tx, worker: str) -> Question | None:
    """Take the oldest open question of the site that no other living worker has.

    A worker takes back at once what it held itself before it was killed.
    """
    return await tx.fetch_one(
        Question,
        f"""
        update planner.question
        set worker = %(worker)s, attempts = attempts + 1,
            lease_until = clock_timestamp() + make_interval(secs => {QUESTION_LEASE_S})
        where id = (
            select id from planner.question
            where site = %(site)s and answer is null
              and (worker = %(worker)s or lease_until is null or lease_until < clock_timestamp())
            order by id for update skip locked limit 1
        )
        returning id, kind, body, attempts
        """,  # noqa: S608 - a number of ours
        {"site": tx.site, "worker": worker},
    )


async def answer_question(tx: Tx, question: UUID, answer: dict[str, Any]) -> None:
    """Tell the answer, if it is still waited for."""
    await tx.execute(
        "update planner.question set answer = %(answer)s where id = %(id)s",
        {"id": question, "answer": Jsonb(answer)},
    )


async def answer_to(tx: Tx, question: UUID) -> dict[str, Any] | None:
    """Return the answer, or None while there is none."""
    answer: dict[str, Any] | None = await tx.value(
        "select answer from planner.question where id = %(id)s", {"id": question}
    )
    return answer


async def drop_question(tx: Tx, question: UUID) -> None:
    """Nobody waits for the answer any more."""
    await tx.execute(
        f"""
        delete from planner.question where id = %(id)s
           or asked_at < clock_timestamp() - make_interval(secs => {QUESTION_KEPT_S})
        """,  # noqa: S608 - a number of ours
        {"id": question},
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


@dataclass(frozen=True, slots=True)
class JobNow:
    """Where a job stands at this moment."""

    id: str
    status: str
    equipment: str | None
    started_at: datetime | None
    locked: bool


async def jobs_now(tx: Tx, jobs: list[str]) -> dict[str, JobNow]:
    """Return the present state of the jobs of a plan."""
    rows = await tx.fetch_all(
        JobNow,
        "select id, status, equipment, started_at, locked from mes.job_order where id = any(%(jobs)s)",
        {"jobs": jobs},
    )
    return {row.id: row for row in rows}


@dataclass(frozen=True, slots=True)
class OrderNow:
    """What a customer was promised so far."""

    id: str
    customer_order: str
    due_at: datetime
    promised_at: datetime | None


async def open_customer_orders(tx: Tx, orders: list[str]) -> dict[str, OrderNow]:
    """Return those of the work orders that a customer waits for."""
    rows = await tx.fetch_all(
        OrderNow,
        """
        select id, customer_order, due_at, promised_at from mes.work_order
        where id = any(%(orders)s) and customer_order is not null
          and status in ('Waiting', 'Released', 'Running')
        """,
        {"orders": orders},
    )
    return {row.id: row for row in rows}


async def overdue_jobs(tx: Tx, at: datetime, minutes: int) -> int:
    """Return how many jobs should have been planned, started or ended more than `minutes` ago."""
    return int(
        await tx.value(
            """
            select count(*) from mes.job_order j join mes.work_order w on w.id = j.work_order
            where w.site = %(site)s and not w.simulated and w.status in ('Released', 'Running')
              and %(at)s - make_interval(mins => %(minutes)s) > case
                when j.status = 'Running' then j.planned_end
                when j.status in ('Waiting', 'Pending', 'Dispatched', 'Ready')
                    then coalesce(j.planned_start, w.released_at) end
            """,
            {"site": tx.site, "at": at, "minutes": minutes},
        )
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """A date that was accepted; its places are kept until the order comes.

    Args:
        name: Order id under which plans keep its places.
        places: Step -> `equipment`, `start` and `end`.
    """

    id: UUID
    name: str
    material: str
    quantity: Decimal
    priority: int
    customer_order: str | None
    promised_at: datetime
    places: dict[str, dict[str, str]]
    begins_at: datetime
    held_until: datetime
    accepted_at: datetime
    accepted_by: str


_HOLD: LiteralString = (
    "id, name, material, quantity, priority, customer_order, promised_at, places, begins_at,"
    " held_until, accepted_at, accepted_by"
)


async def insert_hold(tx: Tx, hold: Hold) -> None:
    """Keep the places of an accepted date."""
    await tx.execute(
        """
        insert into planner.promise (id, site, name, material, quantity, priority, customer_order,
            promised_at, places, status, begins_at, held_until, accepted_at, accepted_by)
        values (%(id)s, %(site)s, %(name)s, %(material)s, %(quantity)s, %(priority)s, %(customer_order)s,
            %(promised_at)s, %(places)s, 'held', %(begins_at)s, %(held_until)s, %(accepted_at)s,
            %(accepted_by)s)
        """,
        {
            **{name: getattr(hold, name) for name in hold.__slots__},
            "site": tx.site,
            "places": Jsonb(hold.places),
        },
    )


async def holds(tx: Tx, at: datetime) -> list[Hold]:
    """Return the accepted dates whose places are kept at a moment, the earliest date first.

    When the order has not come some time after its work should have begun, others use the places.
    """
    return await tx.fetch_all(
        Hold,
        f"""
        select {_HOLD} from planner.promise
        where site = %(site)s and status = 'held' and held_until > %(at)s
          and begins_at > %(at)s - make_interval(mins => {WAITED_FOR_MIN})
        order by promised_at, name
        """,  # noqa: S608 - a constant list of columns and a number of ours
        {"site": tx.site, "at": at},
    )


async def move_hold(tx: Tx, hold: UUID, places: dict[str, dict[str, str]]) -> None:
    """A plan has the steps of an accepted date elsewhere."""
    await tx.execute(
        "update planner.promise set places = %(places)s where id = %(id)s and status = 'held'",
        {"id": hold, "places": Jsonb(places)},
    )


async def release_hold(tx: Tx, hold: UUID) -> bool:
    """Give the places of an accepted date back; False when they are not kept."""
    released = await tx.execute(
        """
        update planner.promise set status = 'released', closed_at = %(at)s, closed_by = %(by)s
        where site = %(site)s and id = %(id)s and status = 'held'
        """,
        {"site": tx.site, "id": hold, "at": tx.now, "by": tx.cause.actor},
    )
    return released == 1


async def redeem_hold(tx: Tx, work_order: str) -> None:
    """The order has come that a date was accepted for: from now on the plan has the order itself."""
    await tx.execute(
        """
        update planner.promise
        set status = 'ordered', work_order = %(order)s, closed_at = %(at)s, closed_by = %(by)s
        where id = (
            select p.id from planner.promise p
            join mes.work_order w on w.customer_order = p.customer_order and w.material = p.material
            where p.site = %(site)s and w.id = %(order)s and p.status = 'held'
            order by p.accepted_at limit 1
        )
        """,
        {"site": tx.site, "order": work_order, "at": tx.now, "by": tx.cause.actor},
    )


async def prune(tx: Tx) -> None:
    """Forget what nobody asks for any more."""
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
