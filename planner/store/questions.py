"""SQL of questions to the planner."""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from mes.kernel.db import Tx
from mes.kernel.ids import uuid7

QUESTIONS: LiteralString = "lineside_question"
"""Channel that wakes whoever answers questions."""

QUESTION_LEASE_S = 10
"""A planner that has not answered for so long is taken for dead; another machine's tries then."""

QUESTION_KEPT_S = 60
"""Whoever asked has long given up by then."""


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
