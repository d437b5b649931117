"""Exactly once, by search: whatever the network, the crashes and the backups do."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.counter import CounterRule, count
from edge.spool import Spool, StoredBatch, Write
from edge.stream import Inlet, Outlet, Verdict
from mes.kernel.messages import Batch, Gap, Sample, decode, encode_batch, read_samples
from mes.kernel.topics import Stream

KEPT = 12
"""Committed batches that the modelled spool keeps for an old backup."""


@dataclass
class Books:
    """A database: the cursor and what was stored, always together."""

    cursor: int = 0
    rows: list[int] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def copy(self) -> Books:
        return Books(self.cursor, list(self.rows), list(self.gaps))


class EdgeStream(RuleBasedStateMachine):
    """One epoch between a spool and a database, over a network that may do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.spool: dict[int, str] = {}
        self.last = 0
        self.saved_watermark = 0
        self.outlet = Outlet()
        self.uplink: list[tuple[int, int]] = []
        self.downlink: list[tuple[str, int]] = []
        self.books = Books()
        self.backup = Books()
        self.inlet = Inlet()
        self.open: list[tuple[int, int]] = []

    @rule(number=st.integers(1, 5))
    def read(self, number: int) -> None:
        """The edge reads machines and commits batches to its spool."""
        for _ in range(number):
            self.last += 1
            self.spool[self.last] = f"batch {self.last}"
        self.outlet.last = self.last

    @precondition(lambda self: self.outlet.sent < self.last)
    @rule(number=st.integers(1, 8))
    def send(self, number: int) -> None:
        gone = self.outlet.missing()
        if gone is not None:
            self.uplink.append(gone)
            self.outlet.sent = gone[1]
        first, last = self.outlet.due(window=20)
        for seq in range(first, min(last, first + number - 1) + 1):
            assert seq in self.spool
            self.uplink.append((seq, seq))
            self.outlet.sent = seq

    @precondition(lambda self: self.uplink)
    @rule(where=st.floats(0, 0.999))
    def double(self, where: float) -> None:
        """A message arrives twice."""
        self.uplink.append(self.uplink[int(where * len(self.uplink))])

    @precondition(lambda self: self.uplink)
    @rule(where=st.floats(0, 0.999))
    def lose(self, where: float) -> None:
        del self.uplink[int(where * len(self.uplink))]

    @precondition(lambda self: len(self.uplink) > 1)
    @rule(random=st.randoms())
    def turn_round(self, random: Random) -> None:
        """Messages overtake each other."""
        random.shuffle(self.uplink)

    @precondition(lambda self: self.downlink)
    @rule(where=st.floats(0, 0.999))
    def lose_down(self, where: float) -> None:
        del self.downlink[int(where * len(self.downlink))]

    @precondition(lambda self: self.uplink)
    @rule(number=st.integers(1, 8))
    def receive(self, number: int) -> None:
        """Ingest takes what is next into its open transaction."""
        for first, last in self.uplink[:number]:
            verdict = self.inlet.judge(first, last)
            if verdict is Verdict.ACCEPT:
                self.open.append((first, last))
            elif verdict is Verdict.MISSING:
                self.downlink.append(("replay", self.inlet.taken + 1))
            else:
                self.downlink.append(("watermark", self.books.cursor))
        del self.uplink[:number]

    @precondition(lambda self: self.open)
    @rule()
    def commit(self) -> None:
        for first, last in self.open:
            if first == last:
                self.books.rows.append(first)
            else:
                self.books.gaps.append((first, last))
            self.books.cursor = last
            self.inlet.commit(last)
        self.open.clear()
        self.downlink.append(("watermark", self.books.cursor))

    @precondition(lambda self: self.downlink)
    @rule()
    def told(self) -> None:
        """The edge hears a downlink message, and lets go of what is long committed."""
        what, seq = self.downlink.pop(0)
        if what == "replay":
            self.outlet.rewind(seq)
        else:
            self.outlet.watermark(seq)
            self.saved_watermark = self.outlet.acknowledged
        for old in [seq for seq in self.spool if seq <= self.outlet.acknowledged - KEPT]:
            del self.spool[old]
        self.outlet.lowest = min(self.spool, default=self.last + 1)

    @rule()
    def kill_ingest(self) -> None:
        self.open.clear()
        self.inlet = Inlet(self.books.cursor, self.books.cursor)
        self.downlink.append(("watermark", self.books.cursor))

    @rule()
    def kill_edge(self) -> None:
        lowest = min(self.spool, default=self.last + 1)
        self.outlet = Outlet(self.last, lowest, self.saved_watermark, self.saved_watermark)

    @rule()
    def wipe_broker(self) -> None:
        self.uplink.clear()
        self.downlink.clear()
        self.outlet.rewind()

    @rule()
    def take_backup(self) -> None:
        self.backup = self.books.copy()

    @rule()
    def restore_backup(self) -> None:
        self.books = self.backup.copy()
        self.kill_ingest()

    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        assert self.books.rows == sorted(set(self.books.rows))

    @invariant()
    def nothing_is_passed_over_in_silence(self) -> None:
        declared = {seq for first, last in self.books.gaps for seq in range(first, last + 1)}
        assert set(self.books.rows) | declared >= set(range(1, self.books.cursor + 1))

    def teardown(self) -> None:
        """When the faults end, everything arrives."""
        self.kill_ingest()
        self.downlink = [("watermark", self.books.cursor)]
        self.uplink.clear()
        self.outlet.rewind()
        for _ in range(self.last // 4 + 20):
            if self.downlink:
                self.told()
            self.send(8)
            self.receive(len(self.uplink))
            self.commit()
        assert self.books.cursor == self.last
        declared = {seq for first, last in self.books.gaps for seq in range(first, last + 1)}
        assert set(self.books.rows) | declared == set(range(1, self.last + 1))
        self.nothing_is_doubled_or_out_of_order()


EdgeStream.TestCase.settings = settings(max_examples=60, stateful_step_count=70, deadline=None)
TestEdgeStream = EdgeStream.TestCase


class Killed(BaseException):
    """The process ended here."""


@settings(max_examples=20, deadline=None)
@given(
    readings=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    kills=st.dictionaries(st.integers(0, 60), st.just("kill"), max_size=6),
)
def test_pieces_in_the_spool_are_the_pieces_of_the_machine(
    readings: list[int], kills: dict[int, str]
) -> None:
    """The counter's base and its delta are one commit: ended anywhere, no piece is lost or doubled."""
    points = 0

    def hook(_point: str) -> None:
        nonlocal points
        points += 1
        if points in kills:
            raise Killed

    with TemporaryDirectory() as folder:
        raw = 0
        for made in [*readings, 0, 0, 0, 0, 0, 0, 0]:
            raw += made
            try:
                _one_edge_run(Path(folder), raw, hook)
            except Killed:
                continue
        _one_edge_run(Path(folder), raw, lambda _point: None)
        assert _stored_pieces(Path(folder)) == raw


def _one_edge_run(folder: Path, raw: int, hook: object) -> None:
    assert callable(hook)
    spool = Spool(folder, hook=hook)
    try:
        epoch = spool.open_epoch(Stream.EVENTS)
        base = spool.counters().get("P/good", Decimal(0))
        found = count(base, Decimal(raw), CounterRule())
        payload = encode_batch(epoch.epoch, 1, 1, 1, [Sample(1, int(found.delta), 1)])
        batch = StoredBatch(epoch.id, 1, 1, 1, payload)
        spool.commit(Write(batches=[batch], counters={"P/good": found.raw}))
    finally:
        spool.close()


def _stored_pieces(folder: Path) -> int:
    spool = Spool(folder)
    total = 0
    for epoch in spool.epochs():
        for _, payload in spool.read(epoch.id, 1, epoch.last):
            batch = decode(payload)
            assert isinstance(batch, Batch)
            for sample in read_samples(batch):
                assert isinstance(sample, Sample)
                assert isinstance(sample.value, int)
                total += sample.value
    spool.close()
    return total


@settings(max_examples=30, deadline=None)
@given(batches=st.integers(5, 60), acknowledged=st.integers(0, 60), rounds=st.integers(1, 3))
def test_thinning_leaves_no_hole_in_the_numbers(batches: int, acknowledged: int, rounds: int) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        epoch = spool.open_epoch(Stream.TELEMETRY)
        stored = [
            StoredBatch(epoch.id, seq, seq, 10, encode_batch(epoch.epoch, seq, 1, seq, [Sample(1, 1.0, seq)]))
            for seq in range(1, batches + 1)
        ]
        spool.commit(Write(batches=stored))
        given_up = sum(spool.thin(epoch.id, acknowledged) for _ in range(rounds))
        found = [decode(payload) for _, payload in spool.read(epoch.id, 1, batches)]
        spool.close()
    assert [m.seq if isinstance(m, Batch) else m.to_seq for m in found if not hasattr(m, "number")] == list(
        range(1, batches + 1)
    )
    gaps = [message for message in found if isinstance(message, Gap)]
    assert sum(int(gap.body["samples"]) for gap in gaps) == given_up
    assert all(gap.from_seq > acknowledged for gap in gaps)
