import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from edge.agent import Agent
from edge.spool import Mark, Spool, SpoolFull, StoredBatch, Write
from edge.tags import EdgeConfig, Endpoint
from mes.kernel.messages import Batch, Config, Sample, decode, read_samples
from mes.kernel.topics import Stream

DAY_S = 86_400.0


def batch(epoch_id: int, seq: int, at_ms: int = 1) -> StoredBatch:
    return StoredBatch(epoch_id, seq, at_ms, 1, b"x" * 100)


def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    epoch = spool.open_epoch(Stream.EVENTS)
    write = Write(
        [batch(epoch.id, 1)], [(epoch.id, 1, b"birth")], {"A/n": Decimal("1.5")}, {"A/s": Mark(7, 3, "6")}
    )
    spool.commit(write)
    spool.close()
    again = Spool(tmp_path)
    assert [(found.epoch, found.last, found.lowest) for found in again.epochs()] == [(epoch.epoch, 1, 1)]
    assert again.read(epoch.id, 1, 9) == [(1, b"x" * 100)]
    assert again.births(epoch.id) == {1: b"birth"}
    assert again.counters() == {"A/n": Decimal("1.5")}
    assert again.marks() == {"A/s": Mark(7, 3, "6")}
    again.close()


def test_each_opening_is_another_epoch(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.open_epoch(Stream.EVENTS).epoch != spool.open_epoch(Stream.EVENTS).epoch
    spool.close()


def test_committed_batches_stay_for_an_old_backup_and_then_go(tmp_path: Path) -> None:
    spool = Spool(tmp_path, keep_s=DAY_S)
    epoch = spool.open_epoch(Stream.EVENTS)
    spool.commit(Write([batch(epoch.id, seq, at_ms=seq) for seq in range(1, 11)]))
    assert spool.acknowledge([(epoch.id, 6)], now_ms=5) == {epoch.id: 1}
    late = 4 + int(DAY_S * 1000)
    assert spool.acknowledge([(epoch.id, 6)], now_ms=late) == {epoch.id: 5}
    assert spool.acknowledge([(epoch.id, 6)], now_ms=late * 2) == {epoch.id: 7}
    spool.close()


def test_a_full_disk_stores_nothing_of_a_commit(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    epoch = spool.open_epoch(Stream.EVENTS)
    _fill(spool)
    with pytest.raises(SpoolFull):
        spool.commit(Write([StoredBatch(epoch.id, 1, 1, 1, b"y" * 1_000_000)], counters={"A/n": Decimal(9)}))
    assert spool.counters() == {}
    spool.close()


def test_an_error_that_only_speaks_of_full_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    epoch = spool.open_epoch(Stream.EVENTS)
    spool._db.execute(
        "create trigger refused before insert on batch begin select raise(abort, 'the list is full'); end"
    )
    with pytest.raises(sqlite3.IntegrityError):
        spool.commit(Write([batch(epoch.id, 1)]))
    spool.close()


def _fill(spool: Spool) -> None:
    pages = spool._db.execute("pragma page_count").fetchone()[0]
    spool._db.execute(f"pragma max_page_count = {pages + 2}")


async def test_events_wait_in_memory_while_the_disk_is_full(tmp_path: Path) -> None:
    endpoint = Endpoint(name="cell", driver="opcua", url="opc.tcp://127.0.0.1:1", security="None")
    config = EdgeConfig(id="edge-1", broker="mqtt://127.0.0.1:1", spool=tmp_path, endpoints=(endpoint,))
    agent = Agent(config)
    await agent.load()
    tag = {"name": "A/n", "kind": "count", "endpoint": "cell", "address": "ns=1;s=n", "datatype": "int"}
    scan = {"name": "A/s", "kind": "scan", "endpoint": "cell", "address": "ns=1;s=s", "datatype": "string"}
    await agent.downlink.use(Config(version=1, tags=[tag, scan]), fresh=False)
    sink, tags = agent.collector, agent.collector.tags
    sink.reading(tags["A/n"], 5, 1_000)
    await agent.writer.write()
    _fill(agent.disk.spool)
    sink.reading(tags["A/n"], 8, 2_000)
    sink.reading(tags["A/s"], "L" * 100_000, 2_000)
    with pytest.raises(SpoolFull):
        await agent.writer.write()
    sink.reading(tags["A/n"], 9, 3_000)
    agent.disk.spool._db.execute("pragma max_page_count = 100000")
    await agent.writer.write()
    assert _deltas(agent) == [0, 3, 1]
    await agent.close()


def _deltas(agent: Agent) -> list[object]:
    entry = agent.epochs.current(Stream.EVENTS)
    found = [decode(payload) for _, payload in agent.disk.spool.read(entry.id, 1, 99)]
    samples = [sample for one in found if isinstance(one, Batch) for sample in read_samples(one)]
    alias = entry.aliases["A/n"]
    return [sample.value for sample in samples if isinstance(sample, Sample) and sample.alias == alias]
