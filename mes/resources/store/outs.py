"""SQL of tools that are out of service."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from mes.kernel.db import Tx
from mes.resources.model import ToolOut


async def tools_out(tx: Tx, at: datetime) -> list[ToolOut]:
    """Return what is out of service at `at`, the first that comes back first."""
    return await tx.fetch_all(
        ToolOut,
        """
        select o.id, o.tool, o.count, o.since, o.until, o.reason, o.by
        from mes.tool_out o
        where o.site = %(site)s and o.ended_at is null and o.until > %(at)s
        order by o.until, o.id
        """,
        {"site": tx.site, "at": at},
    )


async def insert_out(tx: Tx, out: ToolOut) -> None:
    """Note that pieces of a tool are out of service."""
    await tx.execute(
        """
        insert into mes.tool_out (id, site, tool, count, since, until, reason, by)
        values (%(id)s, %(site)s, %(tool)s, %(count)s, %(since)s, %(until)s, %(reason)s, %(by)s)
        """,
        {"site": tx.site, **{name: getattr(out, name) for name in out.__slots__}},
    )


async def end_outs(tx: Tx, outs: Collection[UUID]) -> None:
    """Note that pieces are in service again, from `tx.now` on."""
    await tx.execute(
        "update mes.tool_out set ended_at = %(at)s, ended_by = %(by)s where id = any(%(outs)s)",
        {"outs": list(outs), "at": tx.now, "by": tx.cause.actor},
    )
