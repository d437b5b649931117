"""The spool: what the edge has read and the database does not have yet, on disk.

SQLite in WAL mode with `synchronous=FULL`: a commit that returned survives a power cut. One row
is one batch as it goes over the wire; a group of batches, the counters' bases and the marks of
what was read commit together, so a reading is in the stream exactly once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

from mes.kernel.messages import Gap, encode_gap
from mes.kernel.topics import Stream

SCHEMA = """
create table if not exists epoch(
    id integer primary key, stream text not null, epoch text not null unique,
    opened_ms integer not null, acknowledged integer not null default 0, last integer not null default 0
) strict;
create table if not exists birth(
    epoch_id integer not null, number integer not null, payload blob not null,
    primary key(epoch_id, number)
) strict, without rowid;
create table if not exists batch(
    epoch_id integer not null, seq integer not null, at_ms integer not null, samples integer not null,
    payload blob not null, primary key(epoch_id, seq)
) strict;
create table if not exists counter(tag text primary key, raw text not null) strict, without rowid;
create table if not exists mark(
    tag text primary key, time_ms integer not null, number integer not null, value text not null
) strict, without rowid;
create table if not exists config(
    one integer primary key check (one = 1), version integer not null, body text not null
) strict;
"""
THIN_KEEP = 4
"""Thinning keeps every fourth batch."""
FULL_RATIO = 0.9
"""Thinning starts here, so that events still find room."""
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
"""What SQLite says of a disk without room: where its index of the log cannot grow it is an I/O error."""
PRIMARY_CODE = 0xFF
"""The bits of a result code that say which error it is; those above say where it was met."""


class SpoolFull(OSError):
    """The disk has no room for another batch."""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One batch to be stored."""

    epoch_id: int
    seq: int
    at_ms: int
    samples: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a tag was read at its source: later readings are new.

    Args:
        time_ms: Source time of the last one.
        number: The device's own number of it, -1 when it has none.
        value: The value, as text.
    """

    time_ms: int
    number: int = -1
    value: str = ""


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """One opening of a stream in this spool."""

    id: int
    stream: Stream
    epoch: UUID
    opened_ms: int
    acknowledged: int
    last: int
    lowest: int


@dataclass(frozen=True, slots=True)
class Write:
    """All that one commit stores."""

    batches: Sequence[StoredBatch] = ()
    births: Sequence[tuple[int, int, bytes]] = ()
    counters: Mapping[str, Decimal] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    config: tuple[int, str] | None = None


def _no_hook(_point: str) -> None:
    return None


class Spool:
    """The spool file of one edge; all methods block, and one thread at a time may call them.

    Args:
        folder: Where `spool.db` is; made with mode 0700.
        limit_bytes: Size above which telemetry is thinned.
        keep_s: How long acknowledged batches stay, in seconds.
        hook: Called at named points of the path; tests end the process there.

    Raises:
        SpoolFull: The disk has no room to open it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int = 512 * 1024 * 1024,
        keep_s: float = 86_400.0,
        hook: Callable[[str], None] = _no_hook,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.limit_bytes = limit_bytes
        self.keep_s = keep_s
        self.hook = hook
        self._db = sqlite3.connect(folder / "spool.db", check_same_thread=False, isolation_level=None)
        try:
            (folder / "spool.db").chmod(0o600)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise _full(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def open_epoch(self, stream: Stream) -> StoredEpoch:
        """Open `stream` anew: a fresh epoch, so that no number is ever used twice.

        Numbers would repeat if the spool came back from a copy and went on counting.

        Raises:
            SpoolFull: The disk is full.
        """
        epoch, opened = uuid4(), _now_ms()
        with self._writing():
            row = self._db.execute(
                "insert into epoch(stream, epoch, opened_ms) values (?, ?, ?) returning id",
                (stream.value, str(epoch), opened),
            ).fetchone()
        return StoredEpoch(row[0], stream, epoch, opened, acknowledged=0, last=0, lowest=1)

    def epochs(self) -> list[StoredEpoch]:
        """Return every epoch that still has batches, oldest first."""
        rows = self._db.execute(
            """select e.id, e.stream, e.epoch, e.opened_ms, e.acknowledged, e.last,
                      coalesce(min(b.seq), e.last + 1)
               from epoch e left join batch b on b.epoch_id = e.id
               group by e.id having count(b.seq) > 0 order by e.id"""
        ).fetchall()
        return [StoredEpoch(row[0], Stream(row[1]), UUID(row[2]), *row[3:]) for row in rows]

    def commit(self, write: Write) -> None:
        """Store `write` durably, all of it or nothing.

        Raises:
            SpoolFull: The disk is full; nothing was stored.
        """
        self.hook("before_commit")
        with self._writing():
            self._store(write)
            self.hook("in_commit")
        self.hook("after_commit")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing.

        Raises:
            SpoolFull: The disk is full; nothing was stored.
        """
        try:
            self._db.execute("begin immediate")
            yield
            self._db.execute("commit")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise _full(error) from error

    def _store(self, write: Write) -> None:
        run = self._db.executemany
        run(
            "insert into batch(epoch_id, seq, at_ms, samples, payload) values (?, ?, ?, ?, ?)",
            [(b.epoch_id, b.seq, b.at_ms, b.samples, b.payload) for b in write.batches],
        )
        run("update epoch set last = ? where id = ?", [(b.seq, b.epoch_id) for b in write.batches])
        run("insert or replace into birth(epoch_id, number, payload) values (?, ?, ?)", write.births)
        run(
            "insert or replace into counter(tag, raw) values (?, ?)",
            [(tag, str(raw)) for tag, raw in write.counters.items()],
        )
        run(
            "insert or replace into mark(tag, time_ms, number, value) values (?, ?, ?, ?)",
            [(tag, mark.time_ms, mark.number, mark.value) for tag, mark in write.marks.items()],
        )
        if write.config is not None:
            self._db.execute(
                "insert or replace into config(one, version, body) values (1, ?, ?)", write.config
            )

    def read(
        self, epoch_id: int, first: int, last: int, max_bytes: int = 1_000_000
    ) -> list[tuple[int, bytes]]:
        """Return batches `first` to `last` in order, about `max_bytes` of them at most."""
        found: list[tuple[int, bytes]] = []
        size = 0
        rows = self._db.execute(
            "select seq, payload from batch where epoch_id = ? and seq between ? and ? order by seq",
            (epoch_id, first, last),
        )
        for seq, payload in rows:
            found.append((seq, payload))
            size += len(payload)
            if size >= max_bytes:
                break
        rows.close()
        return found

    def births(self, epoch_id: int) -> dict[int, bytes]:
        """Return the births of one epoch by their number."""
        return dict(self._db.execute("select number, payload from birth where epoch_id = ?", (epoch_id,)))

    def last_ms(self) -> int:
        """Return when the last batch was closed, in milliseconds since 1970 UTC; 0 for never."""
        row = self._db.execute("select coalesce(max(at_ms), 0) from batch").fetchone()
        return int(row[0])

    def counters(self) -> dict[str, Decimal]:
        """Return the last reading of each counter that is in the stream."""
        return {tag: Decimal(raw) for tag, raw in self._db.execute("select tag, raw from counter")}

    def marks(self) -> dict[str, Mark]:
        """Return how far each tag was read."""
        rows = self._db.execute("select tag, time_ms, number, value from mark")
        return {tag: Mark(time_ms, number, value) for tag, time_ms, number, value in rows}

    def config(self) -> tuple[int, str] | None:
        """Return the configuration that was applied last: its number and its JSON."""
        row = self._db.execute("select version, body from config").fetchone()
        return None if row is None else (row[0], row[1])

    def acknowledge(self, marks: Iterable[tuple[int, int]], now_ms: int | None = None) -> dict[int, int]:
        """Note the watermarks and let go of batches below them that were kept long enough.

        Args:
            marks: Pairs of epoch and committed number.

        Returns:
            The lowest batch that is still here, for each epoch given.

        Raises:
            SpoolFull: The disk is full; nothing was noted.
        """
        self.hook("before_delete")
        old = (now_ms or _now_ms()) - int(self.keep_s * 1000)
        if self.used_bytes() > self.limit_bytes // 2:
            old = now_ms or _now_ms()
        lowest: dict[int, int] = {}
        with self._writing():
            for epoch_id, seq in marks:
                self._db.execute("update epoch set acknowledged = ? where id = ?", (seq, epoch_id))
                self._db.execute(
                    "delete from batch where epoch_id = ? and seq <= ? and at_ms <= ?", (epoch_id, seq, old)
                )
                row = self._db.execute(
                    "select coalesce((select min(seq) from batch where epoch_id = e.id), e.last + 1)"
                    " from epoch e where id = ?",
                    (epoch_id,),
                ).fetchone()
                lowest[epoch_id] = row[0]
        self.hook("after_delete")
        return lowest

    def forget_empty(self, keep: Iterable[int]) -> None:
        """Delete epochs without batches, but those in `keep`.

        Raises:
            SpoolFull: The disk is full; all are still there.
        """
        kept = list(keep)
        marks = ",".join("?" * len(kept))
        gone = "select id from epoch e where not exists (select 1 from batch where epoch_id = e.id)"
        with self._writing():
            for statement in (
                f"delete from birth where epoch_id in ({gone}) and epoch_id not in ({marks})",  # noqa: S608
                f"delete from epoch where id in ({gone}) and id not in ({marks})",  # noqa: S608
            ):
                self._db.execute(statement, kept)

    def used_bytes(self) -> int:
        """Return how much of the file is in use."""
        pages = self._db.execute("pragma page_count").fetchone()[0]
        free = self._db.execute("pragma freelist_count").fetchone()[0]
        size = self._db.execute("pragma page_size").fetchone()[0]
        return int((pages - free) * size)

    def nearly_full(self) -> bool:
        """Tell whether telemetry has to be thinned."""
        return self.used_bytes() > self.limit_bytes * FULL_RATIO

    def thin(self, epoch_id: int, acknowledged: int, chunk: int = 400) -> int:
        """Thin the oldest telemetry that waits: of each four batches one stays.

        The others are replaced by the declaration that they are gone, under the same number, so
        the stream stays without a hole.

        Returns:
            How many samples were given up.

        Raises:
            SpoolFull: The disk is full; nothing was given up.
        """
        rows = self._db.execute(
            "select seq, at_ms, samples from batch where epoch_id = ? and seq > ? and samples > 0"
            " order by seq limit ?",
            (epoch_id, acknowledged, chunk),
        ).fetchall()
        epoch = UUID(self._db.execute("select epoch from epoch where id = ?", (epoch_id,)).fetchone()[0])
        lost = 0
        with self._writing():
            for index, (seq, at_ms, samples) in enumerate(rows):
                if index % THIN_KEEP == 0:
                    continue
                body = {"reason": "spool_full", "samples": samples, "at": at_ms}
                payload = encode_gap(Gap(epoch, seq, seq, body), at_ms)
                self._db.execute(
                    "update batch set payload = ?, samples = 0 where epoch_id = ? and seq = ?",
                    (payload, epoch_id, seq),
                )
                lost += samples
        return lost


def _full(error: sqlite3.Error) -> Exception:
    """Return what to raise: that the disk is full, when it is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return SpoolFull(str(error)) if code & PRIMARY_CODE in NO_ROOM else error


def set_aside(folder: Path) -> Path | None:
    """Move a spool file that cannot be read out of the way; return its new name.

    What it held and the database does not have is lost; the caller declares that.
    """
    broken = folder / "spool.db"
    if not broken.exists():
        return None
    aside = folder / f"spool-broken-{_now_ms()}.db"
    broken.rename(aside)
    for suffix in ("-wal", "-shm"):
        (folder / f"spool.db{suffix}").unlink(missing_ok=True)
    return aside


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
