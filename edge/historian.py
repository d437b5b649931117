"""Where the streams end: telemetry in the historian's tables, events in the MES's inbox.

The only file of the edge that speaks to a database. A batch and its cursor are one transaction:
either both are there or neither, whatever is killed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from edge.rows import (
    INBOX_COLUMNS,
    Aliases,
    Columns,
    Inbox,
    Newest,
    Quarantined,
    Take,
    TallyKey,
    TallyStep,
    pack,
    read_events,
    read_telemetry,
    split_bucket,
)
from mes.kernel.messages import Birth, DataType, Definition
from mes.kernel.topics import Stream

AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
"""What psycopg raises when the database is gone, busy or full: the same may succeed later."""
NEWEST_S = 0.5
"""`last_value` is brought up to date this often; an upsert a tag and batch would cost half the COPY."""
GRACE_S = 40
"""A minute is rolled up so long after its end: longer than a statement of ingest may take."""
DAYS_AHEAD = 7
"""Partitions are made this far ahead."""


class CursorMoved(RuntimeError):
    """Another ingest has advanced this cursor: nothing was stored, begin again from the database."""


class StoreAway(ConnectionError):
    """The database does not answer; the same batches are to be stored when it does."""


class BatchRefused(ValueError):
    """The database refuses what is in a batch."""


class Store:
    """A database connection that is made when it is needed and made again when it broke.

    Args:
        url: PostgreSQL URL.
        name: Shown in `pg_stat_activity`.
    """

    cursor_table: LiteralString = ""
    stream: Stream

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: psycopg.AsyncConnection | None = None
        self._turn = asyncio.Lock()

    async def connection(self) -> psycopg.AsyncConnection:
        """Return the open connection.

        Raises:
            StoreAway: The database does not answer.
        """
        if self._connection is None or self._connection.broken or self._connection.closed:
            try:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    application_name=self._name,
                    connect_timeout=5,
                    tcp_user_timeout=10_000,
                    options="-c statement_timeout=30s -c lock_timeout=10s -c timezone=UTC",
                    prepare_threshold=None,
                )
            except AWAY as error:
                raise StoreAway(str(error)) from error
        return self._connection

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def cursors(self) -> dict[tuple[str, UUID], int]:
        """Return the committed number of each recent epoch, by edge.

        Raises:
            StoreAway: The database does not answer.
        """
        query = sql.SQL("select edge, epoch, seq from {} where stream = %s order by at desc limit 400")
        rows = await self._rows(query.format(self._cursors), (self.stream.value,))
        return {(edge, epoch): seq for edge, epoch, seq in rows}

    async def cursor(self, edge: str, epoch: UUID) -> int:
        """Return the committed number of one epoch, 0 for an unknown one."""
        query = sql.SQL("select seq from {} where (edge, epoch, stream) = (%s, %s, %s)")
        rows = await self._rows(query.format(self._cursors), (edge, epoch, self.stream.value))
        return int(rows[0][0]) if rows else 0

    @property
    def _cursors(self) -> sql.SQL:
        return sql.SQL(self.cursor_table)

    async def _rows(
        self, query: sql.Composed | LiteralString, params: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        try:
            async with self._turn:
                connection = await self.connection()
                return await (await connection.execute(query, params)).fetchall()
        except AWAY as error:
            raise StoreAway(str(error)) from error

    async def commit(self, takes: Sequence[Take]) -> int:
        """Store `takes` and advance their cursors in one transaction.

        Returns:
            How many samples were stored.

        Raises:
            StoreAway: The database does not answer; nothing was stored.
            CursorMoved: Another ingest was faster; nothing was stored.
            BatchRefused: The database refuses the contents; nothing was stored.
        """
        try:
            async with self._turn:
                connection = await self.connection()
                async with connection.transaction():
                    await self._advance(connection, takes)
                    stored = await self._write(connection, takes)
                self._committed()
                return stored
        except AWAY as error:
            raise StoreAway(str(error)) from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise BatchRefused(str(error)) from error

    async def _write(self, connection: psycopg.AsyncConnection, takes: Sequence[Take]) -> int:
        raise NotImplementedError

    def _committed(self) -> None:
        """Called after each commit."""

    async def _advance(self, connection: psycopg.AsyncConnection, takes: Sequence[Take]) -> None:
        """Move each cursor from where this ingest believes it is, or refuse."""
        moves: dict[tuple[str, UUID], tuple[int, int]] = {}
        for take in takes:
            key = (take.edge, take.message.epoch)
            moves[key] = (moves.get(key, (take.before, 0))[0], take.seq)
        first = sql.SQL(
            """insert into {table} as c (edge, epoch, stream, seq)
               values (%(edge)s, %(epoch)s, %(stream)s, %(after)s)
               on conflict (edge, epoch, stream) do update set seq = excluded.seq, at = now()
               where c.seq = %(before)s"""
        ).format(table=self._cursors)
        later = sql.SQL(
            """update {table} set seq = %(after)s, at = now()
               where (edge, epoch, stream, seq) = (%(edge)s, %(epoch)s, %(stream)s, %(before)s)"""
        ).format(table=self._cursors)
        for (edge, epoch), (before, after) in sorted(moves.items(), key=str):
            params = {"edge": edge, "epoch": epoch, "stream": self.stream.value}
            done = await connection.execute(
                later if before else first, {**params, "before": before, "after": after}
            )
            if done.rowcount != 1:
                raise CursorMoved(f"{edge} {epoch}")


class EventStore(Store):
    """The MES's side: events go to `mes.edge_inbox`, where intake makes facts of them."""

    cursor_table = "mes.edge_cursor"
    stream = Stream.EVENTS

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
            """insert into mes.edge_link as l (edge, connected_at, at, samples_committed, events_committed,
                   duplicates_refused, replays, gaps_declared, quarantined, spool_depth, ingest_lag_s, detail)
               values (%(edge)s, now(), now(), %(samples)s, %(events)s, %(duplicates)s, %(replays)s, %(gaps)s,
                   %(quarantined)s, %(spool_depth)s, %(lag_s)s, %(detail)s)
               on conflict (edge) do update set at = now(),
                   samples_committed = l.samples_committed + excluded.samples_committed,
                   events_committed = l.events_committed + excluded.events_committed,
                   duplicates_refused = l.duplicates_refused + excluded.duplicates_refused,
                   replays = l.replays + excluded.replays,
                   gaps_declared = l.gaps_declared + excluded.gaps_declared,
                   quarantined = l.quarantined + excluded.quarantined,
                   spool_depth = excluded.spool_depth, ingest_lag_s = excluded.ingest_lag_s,
                   detail = excluded.detail""",
            {"edge": edge, "detail": Jsonb(dict(detail)), **figures},
        )

    async def _execute(self, query: LiteralString, params: Sequence[Any] | Mapping[str, Any]) -> None:
        try:
            async with self._turn:
                await (await self.connection()).execute(query, params)
        except AWAY as error:
            raise StoreAway(str(error)) from error


@dataclass(slots=True)
class Kept:
    """What the historian's connection remembers between two transactions.

    Args:
        newest: Readings that `last_value` does not show yet, by tag.
        shown_at: When it was brought up to date (monotonic, seconds).
        dirty: Rollups of running minutes that are marked out of date.
        running: The minute that ran then, since 1970 UTC.
    """

    newest: dict[int, Newest] = field(default_factory=dict)
    shown_at: float = 0.0
    dirty: set[int] = field(default_factory=set)
    running: int = 0

    def copy(self) -> Kept:
        """Return another one for the next transaction, that may fail."""
        return Kept(dict(self.newest), self.shown_at, self.dirty, self.running)

    def remember(self, readings: Mapping[int, Newest]) -> None:
        """Keep the newer reading of each tag."""
        for tag, reading in readings.items():
            if tag not in self.newest or reading[0] >= self.newest[tag][0]:
                self.newest[tag] = reading


class Historian(Store):
    """The time-series side.

    Args:
        site: Written to each tag.
    """

    cursor_table = "historian.ingest_cursor"
    stream = Stream.TELEMETRY

    def __init__(self, url: str, name: str, site: str = "") -> None:
        super().__init__(url, name)
        self._site = site
        self._kept = Kept()
        self._next = Kept()

    async def learn(self, edge: str, birth: Birth) -> Aliases:
        """Give each tag of `birth` its number in this database.

        Raises:
            StoreAway: The database does not answer.
            BatchRefused: The database refuses a name.
        """
        names = Aliases({definition.alias: definition for definition in birth.definitions})
        try:
            async with self._turn:
                connection = await self.connection()
                async with connection.transaction():
                    for definition in sorted(birth.definitions, key=lambda found: found.name):
                        names.tag_ids[definition.alias] = await self._tag_id(connection, edge, definition)
        except AWAY as error:
            raise StoreAway(str(error)) from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise BatchRefused(str(error)) from error
        names.doubles = {
            alias: tag_id
            for alias, tag_id in names.tag_ids.items()
            if names.definitions[alias].datatype is DataType.DOUBLE
        }
        return names

    async def _tag_id(self, connection: psycopg.AsyncConnection, edge: str, definition: Definition) -> int:
        found = await connection.execute(
            """insert into historian.tag (path, site, edge, equipment, metric, kind, datatype, unit)
               values (%s, %s, %s, %s, %s, %s, %s, %s)
               on conflict (path) do update set edge = excluded.edge, unit = excluded.unit
               returning tag_id""",
            (
                definition.name,
                self._site,
                edge,
                definition.equipment,
                definition.metric,
                definition.kind.value,
                int(definition.datatype),
                definition.unit,
            ),
        )
        row = await found.fetchone()
        return int(row[0]) if row else 0

    async def _write(self, connection: psycopg.AsyncConnection, takes: Sequence[Take]) -> int:
        columns = read_telemetry(takes)
        self._next = self._kept.copy()
        await self._copy(connection, columns)
        for take, gap in columns.gaps:
            reason, samples = str(gap.body.get("reason", "")), gap.body.get("samples")
            await connection.execute(
                """insert into historian.gap (edge, stream, epoch, from_seq, to_seq, reason, samples)
                   values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
                (take.edge, take.stream.value, gap.epoch, gap.from_seq, gap.to_seq, reason, samples),
            )
        for item in columns.strange:
            await _quarantine(connection, item)
        for edge, samples in sorted(columns.by_edge.items()):
            await connection.execute(
                """insert into historian.ingest_total as t (edge, samples) values (%s, %s)
                   on conflict (edge) do update set samples = t.samples + excluded.samples, at = now()""",
                (edge, samples),
            )
        return columns.count

    async def _copy(self, connection: psycopg.AsyncConnection, columns: Columns) -> None:
        if columns.tags:
            packed = pack(columns)
            async with connection.cursor() as cursor, cursor.copy(COPY_SAMPLES) as copy:
                await copy.write(packed.copy)
            await self._touch(connection, packed.touched)
            self._next.remember(packed.newest)
            if time.monotonic() - self._kept.shown_at >= NEWEST_S and self._next.newest:
                await self._show_newest(connection)
        for at, tag, quality in columns.nulls:
            await connection.execute(
                "insert into historian.sample values (%s, %s, null, %s)", (at, tag, quality)
            )
            await connection.execute(NEWEST_ONE, (tag, at, None, quality))
        for row in columns.texts:
            await connection.execute("insert into historian.sample_text values (%s, %s, %s::jsonb, %s)", row)
            await connection.execute(NEWEST_ONE, (row[1], row[0], row[2], row[3]))

    def _committed(self) -> None:
        self._kept = self._next

    async def _touch(self, connection: psycopg.AsyncConnection, touched: set[int]) -> None:
        """Mark rollups as out of date; a minute that still runs is marked once only.

        It is not rolled up before it has ended and a transaction that began in it is over, so its
        mark is still there. The mark of another is taken again, so that no roll up can go by.
        """
        running = int(time.time()) // 60
        if running != self._kept.running:
            marked = {bucket for bucket in self._kept.dirty if split_bucket(bucket)[1] >= running}
            self._next.dirty, self._next.running = marked, running
        fresh = sorted(touched - self._next.dirty)
        if fresh:
            await connection.execute(DIRTY, tuple(map(list, zip(*map(split_bucket, fresh), strict=True))))
            both = touched | self._next.dirty
            self._next.dirty = {bucket for bucket in both if split_bucket(bucket)[1] >= running}

    async def _show_newest(self, connection: psycopg.AsyncConnection) -> None:
        newest, self._next.newest = self._next.newest, {}
        tags = sorted(newest)
        columns = map(list, zip(*(newest[tag] for tag in tags), strict=True))
        await connection.execute(NEWEST, (tags, *columns))
        self._next.shown_at = time.monotonic()

    async def show_newest(self) -> None:
        """Bring `last_value` up to date with what has been stored since it was."""
        try:
            async with self._turn:
                self._next = self._kept.copy()
                if self._kept.newest:
                    await self._show_newest(await self.connection())
                    self._committed()
        except AWAY as error:
            raise StoreAway(str(error)) from error

    async def find_newest(self) -> None:
        """Bring `last_value` up to date with the samples themselves, after an end without a word."""
        try:
            async with self._turn:
                await (await self.connection()).execute(FIND_NEWEST)
        except AWAY as error:
            raise StoreAway(str(error)) from error

    async def quarantine(self, item: Quarantined) -> None:
        """Keep what cannot be stored elsewhere; the same thing twice is kept once."""
        try:
            async with self._turn:
                connection = await self.connection()
                try:
                    await _quarantine(connection, item)
                except psycopg.DataError:
                    await _quarantine(connection, replace(item, reason="unreadable", detail={}))
        except AWAY as error:
            raise StoreAway(str(error)) from error

    async def roll_up(self, limit: int = 500) -> int:
        """Bring minutes, then hours, that changed up to date; returns how many were."""
        done = 0
        try:
            async with self._turn:
                connection = await self.connection()
                for minutes, query in ((1, ROLL_UP_MINUTES), (60, ROLL_UP_HOURS)):
                    found = await connection.execute(
                        query, {"limit": limit, "minutes": minutes, "grace": GRACE_S}
                    )
                    done += found.rowcount
        except AWAY as error:
            raise StoreAway(str(error)) from error
        return done

    async def maintain(self, *, keep_days: int = 30) -> None:
        """Make the partitions of the coming week, and drop what is older than `keep_days`."""
        timescale = await self._rows("select 1 from pg_extension where extname = 'timescaledb'")
        try:
            async with self._turn:
                connection = await self.connection()
                if timescale:
                    await _maintain_chunks(connection, keep_days)
                else:
                    await _maintain_partitions(connection, "sample", keep_days)
                    await _maintain_partitions(connection, "sample_text", keep_days)
        except AWAY as error:
            raise StoreAway(str(error)) from error


ROLL_UP_MINUTES: LiteralString = """
with claimed as (
    delete from historian.rollup_dirty d using (
        select minutes, tag_id, bucket from historian.rollup_dirty
        where minutes = %(minutes)s
          and bucket < date_trunc('minute', now() - make_interval(secs => %(grace)s))
        order by bucket, tag_id limit %(limit)s for update skip locked
    ) due where (d.minutes, d.tag_id, d.bucket) = (due.minutes, due.tag_id, due.bucket)
    returning d.tag_id, d.bucket
), hours as (
    insert into historian.rollup_dirty (minutes, tag_id, bucket)
    select distinct 60, tag_id, date_trunc('hour', bucket, 'UTC') from claimed
    on conflict (minutes, tag_id, bucket) do update set minutes = excluded.minutes
)
insert into historian.rollup_1m (tag_id, bucket, n, n_good, sum, min, max, first, last, twa)
select c.tag_id, c.bucket, r.n, r.n_good, r.sum, r.min, r.max, r.first, r.last, r.twa
from claimed c cross join lateral (
    select count(*) as n, count(*) filter (where good) as n_good,
           sum(value) filter (where good) as sum, min(value) filter (where good) as min,
           max(value) filter (where good) as max,
           (array_agg(value order by time) filter (where good))[1] as first,
           (array_agg(value order by time desc) filter (where good))[1] as last,
           sum(value * held) filter (where good) / nullif(sum(held) filter (where good), 0) as twa
    from (
        select time, value, quality = 192 and value is not null as good,
               extract(epoch from lead(time, 1, c.bucket + interval '1 minute') over (order by time) - time)
                   as held
        from historian.sample s
        where s.tag_id = c.tag_id and s.time >= c.bucket and s.time < c.bucket + interval '1 minute'
    ) one
) r
where r.n > 0
on conflict (tag_id, bucket) do update set n = excluded.n, n_good = excluded.n_good, sum = excluded.sum,
    min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last, twa = excluded.twa
"""
ROLL_UP_HOURS: LiteralString = """
with claimed as (
    delete from historian.rollup_dirty d using (
        select minutes, tag_id, bucket from historian.rollup_dirty
        where minutes = %(minutes)s and bucket < now()
        order by bucket, tag_id limit %(limit)s for update skip locked
    ) due where (d.minutes, d.tag_id, d.bucket) = (due.minutes, due.tag_id, due.bucket)
    returning d.tag_id, d.bucket
)
insert into historian.rollup_1h (tag_id, bucket, n, n_good, sum, min, max, first, last, twa)
select c.tag_id, c.bucket, r.n, r.n_good, r.sum, r.min, r.max, r.first, r.last, r.twa
from claimed c cross join lateral (
    select sum(n) as n, sum(n_good) as n_good, sum(sum) as sum, min(min) as min, max(max) as max,
           (array_agg(first order by bucket) filter (where n_good > 0))[1] as first,
           (array_agg(last order by bucket desc) filter (where n_good > 0))[1] as last,
           avg(twa) as twa
    from historian.rollup_1m m
    where m.tag_id = c.tag_id and m.bucket >= c.bucket and m.bucket < c.bucket + interval '1 hour'
) r
where r.n > 0
on conflict (tag_id, bucket) do update set n = excluded.n, n_good = excluded.n_good, sum = excluded.sum,
    min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last, twa = excluded.twa
"""


COPY_INBOX = sql.SQL("copy mes.edge_inbox ({}) from stdin").format(
    sql.SQL(", ").join(sql.Identifier(column) for column in INBOX_COLUMNS)
)
CHECK_TOTAL: LiteralString = """
insert into mes.edge_tally as t (edge, equipment, metric, committed, source_base, source_total, at)
values (%(edge)s, %(equipment)s, %(metric)s, %(added)s, %(total)s::numeric - %(added)s::numeric, %(total)s,
        %(at)s)
on conflict (edge, equipment, metric) do update set
    committed = t.committed + %(added)s,
    source_base = case when t.source_base is null or t.source_total > %(total)s
                       then %(total)s - t.committed - %(added)s else t.source_base end,
    source_total = %(total)s,
    lost = case when t.source_base is null or t.source_total > %(total)s then 0
                else greatest(0, %(total)s - t.source_base - t.committed - %(added)s) end,
    doubled = case when t.source_base is null or t.source_total > %(total)s then 0
                   else greatest(0, t.committed + %(added)s - %(total)s + t.source_base) end,
    at = %(at)s
"""


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


COPY_SAMPLES: LiteralString = (
    "copy historian.sample (time, tag_id, value, quality) from stdin (format binary)"
)
NEWEST: LiteralString = """
insert into historian.last_value as l (tag_id, time, value, quality)
select tag, to_timestamp(ms / 1000.0), value, quality
from unnest(%s::int[], %s::bigint[], %s::float8[], %s::smallint[]) u(tag, ms, value, quality)
on conflict (tag_id) do update
set time = excluded.time, value = excluded.value, text = null, quality = excluded.quality
where excluded.time >= l.time
"""
FIND_NEWEST: LiteralString = """
insert into historian.last_value as l (tag_id, time, value, quality)
select t.tag_id, s.time, s.value, s.quality
from historian.tag t cross join lateral (
    select time, value, quality from historian.sample
    where tag_id = t.tag_id order by time desc limit 1
) s
on conflict (tag_id) do update
set time = excluded.time, value = excluded.value, text = null, quality = excluded.quality
where excluded.time > l.time
"""
NEWEST_ONE: LiteralString = """
insert into historian.last_value as l (tag_id, time, value, text, quality)
values (%s, %s, null, %s::jsonb, %s)
on conflict (tag_id) do update set time = excluded.time, text = excluded.text, quality = excluded.quality
where excluded.time >= l.time
"""
"""A value that is bad keeps the number before it, and says by its quality that it is old."""
DIRTY: LiteralString = """
insert into historian.rollup_dirty (minutes, tag_id, bucket)
select 1, tag, to_timestamp(minute * 60.0) from unnest(%s::int[], %s::bigint[]) u(tag, minute)
on conflict (minutes, tag_id, bucket) do update set minutes = excluded.minutes
"""


async def _quarantine(connection: psycopg.AsyncConnection, item: Quarantined) -> None:
    await connection.execute(
        """insert into historian.quarantine (edge, stream, epoch, seq, idx, reason, payload, detail)
           values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
        (
            item.edge,
            item.stream,
            item.epoch,
            item.seq,
            item.idx,
            item.reason,
            item.payload,
            Jsonb(json.loads(json.dumps(dict(item.detail), default=str))),
        ),
    )


async def _maintain_partitions(
    connection: psycopg.AsyncConnection, table: LiteralString, keep_days: int
) -> None:
    rows = await (
        await connection.execute(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " where i.inhparent = format('historian.%%I', %s::text)::regclass",
            (table,),
        )
    ).fetchall()
    present = {row[0] for row in rows}
    today = datetime.now(UTC).date()
    for ahead in range(-1, DAYS_AHEAD + 1):
        day = today + timedelta(days=ahead)
        if f"{table}_{day:%Y%m%d}" not in present:
            await _make_partition(connection, table, day)
    oldest = f"{table}_{today - timedelta(days=keep_days):%Y%m%d}"
    for name in sorted(present):
        if len(name) == len(oldest) and name[-8:].isdigit() and name < oldest:
            await connection.execute(sql.SQL("drop table {}").format(sql.Identifier("historian", name)))


async def _make_partition(connection: psycopg.AsyncConnection, table: LiteralString, day: date) -> None:
    """Make one day's partition, with the rows that came before it and went to the default one."""
    names = {
        "parent": sql.Identifier("historian", table),
        "fresh": sql.Identifier("historian", f"{table}_{day:%Y%m%d}"),
        "default": sql.Identifier("historian", f"{table}_default"),
        "start": sql.Literal(f"{day} 00:00+00"),
        "end": sql.Literal(f"{day + timedelta(days=1)} 00:00+00"),
    }
    async with connection.transaction():
        for statement in MAKE_PARTITION:
            await connection.execute(sql.SQL(statement).format(**names))


MAKE_PARTITION: tuple[LiteralString, ...] = (
    "lock table {parent} in share row exclusive mode",
    "create table {fresh} (like {parent} including defaults)",
    """with early as (delete from {default} where time >= {start} and time < {end} returning *)
       insert into {fresh} select * from early""",
    "alter table {parent} attach partition {fresh} for values from ({start}) to ({end})",
)


async def _maintain_chunks(connection: psycopg.AsyncConnection, keep_days: int) -> None:
    for table in ("historian.sample", "historian.sample_text"):
        await connection.execute(
            "select drop_chunks(%s::regclass, older_than => make_interval(days => %s))", (table, keep_days)
        )
