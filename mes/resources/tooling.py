"""Tools, moulds and fixtures: which there are, which steps need them, which are out of service."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from mes.kernel.db import Tx
from mes.kernel.errors import found
from mes.kernel.ids import MaterialId, ToolId, uuid7
from mes.kernel.outbox import append
from mes.resources import store
from mes.resources.events import ToolPutBack, ToolTakenOut
from mes.resources.model import (
    BackInThePast,
    ReasonKind,
    Step,
    Tool,
    ToolNotOut,
    ToolOut,
    ToolsNotThere,
    ToolStatus,
    ToolUnknown,
)
from mes.resources.service import check_reason


async def tools(tx: Tx, at: datetime) -> list[ToolStatus]:
    """Return the site's tools, and which of them are out of service at `at`."""
    out: dict[ToolId, list[ToolOut]] = defaultdict(list)
    for one in await store.outs.tools_out(tx, at):
        out[one.tool].append(one)
    return [
        ToolStatus(id=tool.id, name=tool.name, count=tool.count, out=tuple(out[tool.id]))
        for tool in await store.steps.tools(tx)
    ]


async def steps(tx: Tx) -> dict[tuple[MaterialId, int], Step]:
    """Return what the plant knows of steps that the ERP does not, by product and number."""
    return {(step.material, step.operation): step for step in await store.steps.steps(tx)}


async def take_out(tx: Tx, tool: str, count: int, until: datetime, reason: str) -> UUID:
    """Take pieces of a tool out of service until a time; returns the id to put them back by.

    Plans do without them until then. Nothing that runs is stopped.

    Args:
        count: 1 or more.
        reason: Why a machine may stand, too.

    Raises:
        ToolUnknown: No such tool.
        ToolsNotThere: Fewer are in service.
        BackInThePast: `until` is over.
        ReasonMissing, ReasonUnknown: It is no reason for a stop.
    """
    known = await _lock(tx, tool)
    await check_reason(tx, ReasonKind.STOP, reason)
    if until <= tx.now:
        raise BackInThePast(until=until.isoformat())
    there = known.count - sum(one.count for one in await _out(tx, known))
    if not 1 <= count <= there:
        raise ToolsNotThere(tool=tool, count=count, there=max(0, there))
    row = ToolOut(
        id=uuid7(),
        tool=known.id,
        count=count,
        since=tx.now,
        until=until,
        reason=reason,
        by=tx.cause.actor,
    )
    await store.outs.insert_out(tx, row)
    await append(tx, ToolTakenOut(site=tx.site, tool=known.id, count=count, until=until, reason=reason))
    return row.id


async def put_back(tx: Tx, tool: str, out: UUID | None = None) -> int:
    """Put pieces of a tool into service again before their time; returns how many.

    Args:
        out: Those that were taken out under this id; all that are out when None.

    Raises:
        ToolUnknown: No such tool.
        ToolNotOut: Nothing of it is out of service (any more).
    """
    known = await _lock(tx, tool)
    back = [one for one in await _out(tx, known) if out in {None, one.id}]
    if not back:
        raise ToolNotOut(tool=tool)
    count = sum(one.count for one in back)
    await store.outs.end_outs(tx, [one.id for one in back])
    await append(tx, ToolPutBack(site=tx.site, tool=known.id, count=count))
    return count


async def _lock(tx: Tx, tool: str) -> Tool:
    return found(await store.steps.lock_tool(tx, tool), ToolUnknown, tool=tool)


async def _out(tx: Tx, tool: Tool) -> list[ToolOut]:
    return [one for one in await store.outs.tools_out(tx, tx.now) if one.tool == tool.id]
