"""Events in the MES's inbox, and what the machines themselves have counted beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from edge.historian.connection import AWAY, Store, StoreAway
from edge.rows import INBOX_COLUMNS, Inbox, Take, TallyKey, TallyStep, read_events
from mes.kernel.errors import unless_told_to_end
from mes.kernel.topics import Stream


class EventStore(Store):
    """The MES's side: events go to `mes.edge_inbox`, where intake makes facts of them.

    Args:
        site: Where the edges stand.
    """

    cursor_table = "mes.edge_cursor"
    stream = Stream.EVENTS

    def __init__(self, url: str, name: str, site: str) -> None:
        super().__init__(url, name)
        self._site = site

    async def _write(self, connection: psycopg.AsyncConnection, takes: Sequence[Take]) -> int:
        inbox = read_events(takes)
        async with connection.cursor() as cursor, cursor.copy(COPY_INBOX) as copy:
            for row in inbox.rows:
                await copy.write_row(row)
        await _store_tally(connection, inbox)
        for edge, version in inbox.acknowledged:
            await connection.execute(
                "update mes.edge_config set acknowledged_at = now()"
                " where (edge, version) = (%s, %s) and acknowledged_at is null",
                (edge, version),
            )
        await connection.execute("notify lineside_inbox")
        return len(inbox.rows)

    async def configs(self) -> list[tuple[str, int, Any]]:
        """Return the newest configuration of each edge: edge, version, body."""
        rows = await self._rows(
            "select distinct on (edge) edge, version, config from mes.edge_config order by edge, version desc"
        )
        return [(edge, version, config) for edge, version, config in rows]

    async def seed_config(self, edge: str, tags: Sequence[Mapping[str, Any]]) -> None:
        """Give `edge` its first configuration, if it has none."""
        await self._execute(
            "insert into mes.edge_config (edge, version, config) values (%s, 1, %s) on conflict do nothing",
            (edge, Jsonb({"tags": list(tags)})),
        )

    async def note_link(self, edge: str, figures: Mapping[str, Any], detail: Mapping[str, Any]) -> None:
        """Add to the figures of one edge that the status page shows."""
        await self._execute(
            """insert into mes.edge_link as l (edge, site, connected_at, at, samples_committed,
                   events_committed, duplicates_refused, replays, gaps_declared, quarantined, spool_depth,
                   ingest_lag_s, detail)
               values (%(edge)s, %(site)s, now(), now(), %(samples)s, %(events)s, %(duplicates)s,
                   %(replays)s, %(gaps)s, %(quarantined)s, %(spool_depth)s, %(lag_s)s, %(detail)s)
               on conflict (edge) do update set at = now(), site = excluded.site,
                   samples_committed = l.samples_committed + excluded.samples_committed,
                   events_committed = l.events_committed + excluded.events_committed,
                   duplicates_refused = l.duplicates_refused + excluded.duplicates_refused,
                   replays = l.replays + excluded.replays,
                   gaps_declared = l.gaps_declared + excluded.gaps_declared,
                   quarantined = l.quarantined + excluded.quarantined,
                   spool_depth = excluded.spool_depth, ingest_lag_s = excluded.ingest_lag_s,
                   detail = excluded.detail""",
            {"edge": edge, "site": self._site, "detail": Jsonb(dict(detail)), **figures},
        )

    async def _execute(self, query: LiteralString, params: Sequence[Any] | Mapping[str, Any]) -> None:
        try:
            async with self._turn:
                await (await self.connection()).execute(query, params)
        except AWAY as error:
            raise unless_told_to_end(StoreAway(str(error))) from error


COPY_INBOX = sql.SQL("copy mes.edge_inbox ({}) from stdin").format(
    sql.SQL(", ").join(sql.Identifier(column) for column in INBOX_COLUMNS)
)
ANEW = "(t.source_base is null or t.source_total > %(total)s)"
"""The machine's total begins: its run before, if there was one, is over."""
LOST_BEFORE = f"""
    t.lost_before + case when {ANEW} then
        greatest(0, least(t.lost - t.lost_before,
                          t.source_total - t.source_base - t.committed
                          - greatest(0, %(added)s::numeric - %(total)s::numeric))) else 0 end
"""
"""What was on its way when the total was told last, and has come since, is not lost."""
DOUBLED_BEFORE = f"t.doubled_before + case when {ANEW} then t.doubled - t.doubled_before else 0 end"
CHECK_TOTAL: LiteralString = f"""
insert into mes.edge_tally as t (edge, equipment, metric, committed, source_base, source_total, at)
values (%(edge)s, %(equipment)s, %(metric)s, %(added)s, %(total)s::numeric - %(added)s::numeric, %(total)s,
        %(at)s)
on conflict (edge, equipment, metric) do update set
    committed = t.committed + %(added)s,
    source_base = case when {ANEW} then %(total)s - t.committed - %(added)s else t.source_base end,
    source_total = %(total)s,
    lost_before = {LOST_BEFORE},
    doubled_before = {DOUBLED_BEFORE},
    lost = {LOST_BEFORE} + case when {ANEW} then 0
        else greatest(0, %(total)s - t.source_base - t.committed - %(added)s) end,
    doubled = {DOUBLED_BEFORE} + case when {ANEW} then 0
        else greatest(0, t.committed + %(added)s - %(total)s + t.source_base) end,
    at = %(at)s
"""  # noqa: S608 - constants


ADD_TO_TALLY: LiteralString = """
insert into mes.edge_tally as t (edge, equipment, metric, committed)
values (%(edge)s, %(equipment)s, %(metric)s, %(added)s)
on conflict (edge, equipment, metric) do update set committed = t.committed + excluded.committed
"""


async def _store_tally(connection: psycopg.AsyncConnection, inbox: Inbox) -> None:
    for step in sorted(inbox.tally.steps, key=_step_key):
        params = {"added": step.added, "total": step.total, "at": step.at}
        await connection.execute(CHECK_TOTAL, {**step.key._asdict(), **params})
    for key, added in sorted(inbox.tally.added.items()):
        await connection.execute(ADD_TO_TALLY, {**key._asdict(), "added": added})


def _step_key(step: TallyStep) -> TallyKey:
    return step.key
