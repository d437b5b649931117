"""Telemetry in the historian's tables: samples by COPY, the newest values, gaps and quarantine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import LiteralString

import psycopg
from psycopg.types.json import Jsonb

from edge.historian.connection import AWAY, BatchRefused, Store, StoreAway
from edge.historian.partitions import drop_old_chunks, keep_partitions
from edge.historian.rollups import DIRTY, GRACE_S, ROLL_UP_HOURS, ROLL_UP_MINUTES
from edge.rows import Aliases, Columns, Newest, Quarantined, Take, pack, read_telemetry, split_bucket
from mes.kernel.errors import unless_told_to_end
from mes.kernel.messages import Birth, DataType, Definition
from mes.kernel.topics import Stream

NEWEST_S = 0.5
"""`last_value` is brought up to date this often; an upsert a tag and batch would cost half the COPY."""


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
            raise unless_told_to_end(StoreAway(str(error))) from error
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
            raise unless_told_to_end(StoreAway(str(error))) from error

    async def find_newest(self) -> None:
        """Bring `last_value` up to date with the samples themselves, after an end without a word."""
        try:
            async with self._turn:
                await (await self.connection()).execute(FIND_NEWEST)
        except AWAY as error:
            raise unless_told_to_end(StoreAway(str(error))) from error

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
            raise unless_told_to_end(StoreAway(str(error))) from error

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
            raise unless_told_to_end(StoreAway(str(error))) from error
        return done

    async def maintain(self, *, keep_days: int = 30) -> None:
        """Make the partitions of the coming week, drop what is older than `keep_days`, limit quarantine."""
        timescale = await self._rows("select 1 from pg_extension where extname = 'timescaledb'")
        try:
            async with self._turn:
                connection = await self.connection()
                await connection.execute(FORGET_MALFORMED, (KEPT_MALFORMED,))
                if timescale:
                    await drop_old_chunks(connection, keep_days)
                else:
                    await keep_partitions(connection, "sample", keep_days)
                    await keep_partitions(connection, "sample_text", keep_days)
        except AWAY as error:
            raise unless_told_to_end(StoreAway(str(error))) from error


KEPT_MALFORMED = 1000
"""Messages of one source that nobody can read: the newest tell what is wrong; `mes.edge_link` counts all."""
FORGET_MALFORMED: LiteralString = """
delete from historian.quarantine where id in (
    select id from (
        select id, row_number() over (partition by edge, detail ->> 'source' order by id desc) as place
        from historian.quarantine where detail ? 'source'
    ) malformed where place > %s)
"""
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
