"""Asking the planner's process: whoever answers people must not compute, and waits without a connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.errors import PlantError
from planner import store

WAIT_S = 10.0
"""A planner that was killed is back by then and has answered."""
LOOK_S = 0.03
"""Seconds between two looks for an answer."""

LOST = {"lost": True}
"""Answer to a question that a planner did not survive: it is asked again by people, not by itself."""

SHOWN_FAULTS = 3
"""So many of the rows that are at fault are named."""


class PlannerSilent(PlantError):
    """The planner gives no answer: it restarts, or has much to do."""

    http_status = 503
    retryable = True
    remedy = "Ask again in a few seconds."


class PlantNotPlannable(PlantError):
    """The facts of the plant contradict each other: no date can be told."""

    http_status = 409
    retryable = True
    remedy = "Mend what is named here, then ask again."


async def inquire(db: Database, actor: str, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the planner's process and wait for its answer; no connection is held meanwhile.

    Raises:
        PlannerSilent: No answer within `WAIT_S` seconds.
        PlantNotPlannable: The plant's facts or locks are at fault.
    """
    async with db.transaction(Cause(actor=actor, at=utc_now())) as tx:
        question = await store.add_question(tx, kind, dict(body))
    answer = await _answer_to(db, question)
    async with db.transaction(Cause(actor=actor, at=utc_now())) as tx:
        await store.drop_question(tx, question)
    if answer is None or answer == LOST:
        raise PlannerSilent
    if faults := answer.get("faults"):
        rows = ", ".join(fault["row"] for fault in faults[:SHOWN_FAULTS])
        raise PlantNotPlannable(state={"faults": faults}, rows=rows)
    return answer


async def _answer_to(db: Database, question: UUID) -> dict[str, Any] | None:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        async with db.read() as tx:
            answer = await store.answer_to(tx, question)
        if answer is not None:
            return answer
        await asyncio.sleep(LOOK_S)
    return None
