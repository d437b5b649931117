"""The historian's tables, on PostgreSQL and on real TimescaleDB: the same statements on both."""

from __future__ import annotations

import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from edge.historian import CursorMoved, Historian
from edge.historian.rollups import DIRTY
from edge.rows import Aliases, Quarantined, Take
from mes.kernel.messages import (
    BAD,
    Batch,
    Birth,
    DataType,
    Definition,
    Gap,
    Kind,
    Sample,
    decode,
    encode_batch,
)
from mes.kernel.topics import Stream
from mes.migrate import migrate
from tests.fixtures.edge import free_port, rows
from tests.fixtures.node import install_from_lock, node

BRIDGE = Path(__file__).with_name("timescale")
MINUTE = 60_000
NOW = time.time_ns() // 1_000_000 // MINUTE * MINUTE - 5 * MINUTE
"""A whole minute, five minutes ago."""


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[str]:
    """TimescaleDB compiled to WebAssembly, behind a bridge that speaks PostgreSQL's protocol."""
    install_from_lock(BRIDGE, "@unni-craftsman")
    port = free_port()
    with subprocess.Popen(
        [*node().program, "bridge.mjs", str(port)],
        cwd=BRIDGE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the bridge did not start"
        yield f"postgresql://postgres:x@127.0.0.1:{port}/postgres?sslmode=disable"
        process.kill()


@pytest.fixture(params=["postgres", "timescale"])
def historian_url(request: pytest.FixtureRequest, database_url: str) -> str:
    """A migrated historian; TimescaleDB serves one for the whole run, emptied for each test."""
    if request.param == "postgres":
        return database_url
    url: str = request.getfixturevalue("timescale_server")
    migrate(database_url, url)
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        found = connection.execute(
            "select tablename from pg_tables where schemaname = 'historian'"
        ).fetchall()
        names = [f"historian.{name}" for (name,) in found if name != "alembic_version"]
        connection.execute(f"truncate {', '.join(names)} restart identity")
    return url


@pytest.fixture
async def historian(historian_url: str) -> AsyncIterator[Historian]:
    store = Historian(historian_url, "test", "SUZ")
    await store.maintain()
    yield store
    await store.close()


class Line:
    """One epoch of one edge, for a store."""

    def __init__(self, historian: Historian) -> None:
        self.historian = historian
        self.epoch = uuid4()
        self.cursor = 0
        self.names = Aliases({})

    async def learn(self) -> None:
        definitions = (
            Definition(1, "P-1/force", Kind.ANALOG, "P-1", "force", DataType.DOUBLE, "kN"),
            Definition(2, "P-1/recipe", Kind.ANALOG, "P-1", "recipe", DataType.STRING),
            Definition(3, "P-1/door", Kind.ANALOG, "P-1", "door", DataType.BOOLEAN),
        )
        self.names = await self.historian.learn("edge-1", Birth(self.epoch, 1, definitions))

    def take(self, *samples: Sample) -> Take:
        self.cursor += 1
        batch = decode(encode_batch(self.epoch, self.cursor, 1, NOW, samples))
        assert isinstance(batch, Batch)
        return Take("edge-1", Stream.TELEMETRY, batch, self.cursor - 1, self.names)

    def gap(self, last: int) -> Take:
        before, self.cursor = self.cursor, last
        gap = Gap(self.epoch, before + 1, last, {"reason": "spool_full", "samples": 7})
        return Take("edge-1", Stream.TELEMETRY, gap, before)


@pytest.fixture
async def line(historian: Historian) -> Line:
    line = Line(historian)
    await line.learn()
    return line


async def test_samples_and_their_cursor_are_one(line: Line, historian_url: str) -> None:
    samples = [Sample(1, 1.5, NOW), Sample(1, 2.5, NOW), Sample(1, None, NOW + 10, BAD)]
    words = [Sample(2, "PUMP-40", NOW), Sample(3, True, NOW)]
    assert await line.historian.commit([line.take(*samples), line.take(*words)]) == 5
    await line.historian.show_newest()
    stored = (
        "select path, value, quality from historian.sample join historian.tag using (tag_id) order by 1, 2"
    )
    assert rows(historian_url, stored) == [
        ("P-1/door", 1.0, 192),
        ("P-1/force", 1.5, 192),
        ("P-1/force", 2.5, 192),
        ("P-1/force", None, 0),
    ]
    assert rows(historian_url, "select value from historian.sample_text") == [("PUMP-40",)]
    newest = "select path, value, text, quality from historian.last_value join historian.tag using (tag_id)"
    assert min(rows(historian_url, newest)) == ("P-1/door", 1.0, None, 192)
    assert sorted(rows(historian_url, newest))[2] == ("P-1/recipe", None, "PUMP-40", 192)
    assert await line.historian.cursors() == {("edge-1", line.epoch): 2}


async def test_a_second_ingest_cannot_store_the_same_batch(line: Line, historian_url: str) -> None:
    take = line.take(Sample(1, 1.0, NOW))
    await line.historian.commit([take])
    with pytest.raises(CursorMoved):
        await line.historian.commit([take])
    assert rows(historian_url, "select count(*) from historian.sample") == [(1,)]


async def test_a_batch_out_of_its_turn_stores_nothing(line: Line, historian_url: str) -> None:
    first = line.take(Sample(1, 1.0, NOW))
    second = line.take(Sample(1, 2.0, NOW))
    with pytest.raises(CursorMoved):
        await line.historian.commit([second])
    await line.historian.commit([first, second])
    line.take(Sample(1, 3.0, NOW))
    with pytest.raises(CursorMoved):
        await line.historian.commit([line.take(Sample(1, 4.0, NOW))])
    assert rows(historian_url, "select count(*) from historian.sample") == [(2,)]


async def test_a_gap_is_kept_and_the_cursor_goes_over_it(line: Line, historian_url: str) -> None:
    await line.historian.commit([line.take(Sample(1, 1.0, NOW)), line.gap(5), line.take(Sample(1, 2.0, NOW))])
    gaps = rows(historian_url, "select from_seq, to_seq, reason, samples from historian.gap")
    assert gaps == [(2, 5, "spool_full", 7)]
    assert await line.historian.cursor("edge-1", line.epoch) == 6
    assert await line.historian.cursor("edge-1", UUID(int=0)) == 0


async def test_a_time_far_ahead_goes_to_quarantine(line: Line, historian_url: str) -> None:
    ahead = time.time_ns() // 1_000_000 + 3_600_000
    await line.historian.commit([line.take(Sample(1, 1.0, ahead), Sample(1, 2.0, NOW), Sample(9, 3.0, NOW))])
    assert rows(historian_url, "select value from historian.sample") == [(2.0,)]
    reasons = rows(historian_url, "select idx, reason from historian.quarantine order by idx")
    assert reasons == [(0, "time_in_future"), (2, "unknown_alias")]


async def test_the_same_thing_is_quarantined_once(line: Line, historian_url: str) -> None:
    item = Quarantined("edge-1", "events", "not_json", b"{", line.epoch, 3, 1, {"why": "x"})
    await line.historian.quarantine(item)
    await line.historian.quarantine(item)
    assert rows(historian_url, "select reason from historian.quarantine") == [("not_json",)]


async def test_minutes_and_hours_follow_also_late_data(line: Line, historian_url: str) -> None:
    await line.historian.commit([line.take(Sample(1, 10.0, NOW), Sample(1, 40.0, NOW + 45_000))])
    await line.historian.roll_up()
    minute = "select n, n_good, sum, min, max, first, last, twa from historian.rollup_1m"
    assert rows(historian_url, minute) == [(2, 2, 50.0, 10.0, 40.0, 10.0, 40.0, 17.5)]
    await line.historian.commit(
        [line.take(Sample(1, 100.0, NOW + 30_000), Sample(1, None, NOW + 50_000, BAD))]
    )
    await line.historian.roll_up()
    assert rows(historian_url, minute)[0][:5] == (4, 3, 150.0, 10.0, 100.0)
    assert rows(historian_url, "select n, max from historian.rollup_1h") == [(4, 100.0)]
    assert await line.historian.roll_up() == 0


async def test_a_minute_rolled_up_before_its_last_batch_is_rolled_up_again(
    line: Line, historian_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last samples of a minute come when it has ended, and its first ones are rolled up by then."""
    running = NOW / 1000 + 30
    monkeypatch.setattr(time, "time", lambda: running)
    await line.historian.commit([line.take(Sample(1, 10.0, NOW))])
    await line.historian.commit([line.take(Sample(1, 20.0, NOW + 1))])
    await line.historian.roll_up()
    assert rows(historian_url, "select n from historian.rollup_1m") == [(2,)]
    running += 60
    await line.historian.commit([line.take(Sample(1, 30.0, NOW + 59_999))])
    await line.historian.roll_up()
    assert rows(historian_url, "select n from historian.rollup_1m") == [(3,)]


async def test_a_roll_up_waits_for_a_batch_that_is_being_stored(database_url: str) -> None:
    """A mark that is there already is taken again by a late batch, and not claimed meanwhile."""
    historian = Historian(database_url, "test", "SUZ")
    line = Line(historian)
    await historian.maintain()
    await line.learn()
    await historian.commit([line.take(Sample(1, 10.0, NOW))])
    with psycopg.connect(database_url) as late:
        late.execute(DIRTY, ([line.names.tag_ids[1]], [NOW // MINUTE]))
        assert await historian.roll_up() == 0
    await historian.roll_up()
    assert rows(database_url, "select n from historian.rollup_1m") == [(1,)]
    await historian.close()


async def test_a_minute_that_may_still_get_samples_is_not_rolled_up(line: Line, historian_url: str) -> None:
    now = time.time_ns() // 1_000_000
    await line.historian.commit([line.take(Sample(1, 10.0, now))])
    assert await line.historian.roll_up() == 0


async def test_what_no_text_can_hold_is_quarantined_all_the_same(line: Line, historian_url: str) -> None:
    item = Quarantined("edge-1", "events", "bad\0", b"\0{", line.epoch, 3, 1, {"payload": "\0"})
    await line.historian.quarantine(item)
    assert rows(historian_url, "select reason, payload from historian.quarantine") == [("unreadable", b"\0{")]


async def test_of_a_device_that_says_nonsense_the_newest_messages_are_kept(
    line: Line, historian_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.historian.telemetry.KEPT_MALFORMED", 2)
    for seq, source in enumerate(["a", "a", "b", "a", None]):
        detail = {} if source is None else {"source": source}
        await line.historian.quarantine(
            Quarantined("edge-1", "events", "not_json", b"{", line.epoch, seq, 0, detail)
        )
    await line.historian.maintain()
    kept = rows(historian_url, "select seq from historian.quarantine order by seq")
    assert kept == [(1,), (2,), (3,), (4,)]


async def test_the_newest_value_is_found_again_after_an_end_without_a_word(
    line: Line, historian_url: str
) -> None:
    await line.historian.commit([line.take(Sample(1, 1.0, NOW))])
    await line.historian.commit([line.take(Sample(1, 7.0, NOW + 1))])
    await line.historian.find_newest()
    newest = "select value from historian.last_value where value is not null"
    assert rows(historian_url, newest) == [(7.0,)]


async def test_samples_that_came_before_their_partition_move_into_it(database_url: str) -> None:
    """Plain PostgreSQL only: TimescaleDB makes its own chunks."""
    historian_url = database_url
    store = Historian(historian_url, "test", "SUZ")
    early = Line(store)
    await early.learn()
    await early.historian.commit([early.take(Sample(1, 5.0, NOW))])
    assert rows(historian_url, "select count(*) from historian.sample_default") == [(1,)]
    await store.maintain()
    assert rows(historian_url, "select count(*) from historian.sample_default") == [(0,)]
    assert rows(historian_url, "select value from historian.sample") == [(5.0,)]
    await store.close()


async def test_maintenance_drops_what_is_too_old_and_nothing_else(line: Line, historian_url: str) -> None:
    day = 24 * 60 * MINUTE
    await line.historian.commit([line.take(Sample(1, 1.0, NOW), Sample(1, 2.0, NOW - 20 * day))])
    await line.historian.maintain()
    await line.historian.maintain()
    assert rows(historian_url, "select value from historian.sample order by 1") == [(1.0,), (2.0,)]
    await line.historian.maintain(keep_days=9)
    assert rows(historian_url, "select value from historian.sample") == [(1.0,)]
