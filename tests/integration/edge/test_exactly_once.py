"""From a device's message to the inbox, whatever breaks between."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from edge.agent import Agent
from edge.historian import EventStore, Historian
from edge.ingest import Ingest, Stores
from edge.uplink import OUTAGE_BATCHES
from mes.kernel.topics import Stream
from tests.fixtures.edge import (
    EDGE,
    TOPIC,
    Press,
    RunningBroker,
    counted,
    device,
    doubles,
    edge_config,
    kill,
    make_ingest,
    press_tags,
    rows,
    running,
    states,
    until,
    work,
)


async def test_what_a_device_reports_arrives_once(
    broker: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(broker, tmp_path))
    async with running(make_ingest(broker, database_url)), running(agent), device(broker) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        press = Press("")
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(rows(database_url, "select 1 from mes.edge_inbox")) > 0)
        for _ in range(5):
            work(press, 3)
            await bus.publish(TOPIC, press.report())
        await until(lambda: counted(database_url) == press.good, told="all pieces")
        await until(lambda: len(states(database_url)) == press.states, told="all states")
        await until(lambda: agent.health()["spool_depth"] == 0, told="watermark")
        telemetry = "select count(*) from historian.sample where value is not null"
        await until(lambda: rows(database_url, telemetry)[0][0] == 6, told="telemetry")
    assert states(database_url) == [entry["state"] for entry in press.changes]
    acknowledged = rows(database_url, "select acknowledged_at is not null from mes.edge_config")
    assert acknowledged == [(True,)]


async def test_what_a_restored_plant_does_not_know_is_sent_again(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    """Also what an edge read in an epoch that was opened and committed after the backup."""
    press = Press("")

    async def shift(pieces: int) -> None:
        agent = Agent(edge_config(nats, tmp_path))
        async with running(agent), device(nats) as bus:
            await until(lambda: agent.links["devices"].up, told="configuration and driver")
            if not press.good:
                await bus.publish(TOPIC, press.report())
                await until(lambda: len(rows(database_url, "select 1 from mes.edge_inbox")) > 0)
            work(press, pieces)
            await bus.publish(TOPIC, press.report())
            await until(lambda: counted(database_url) == press.good, told="all pieces")
            await until(lambda: agent.health()["spool_depth"] == 0, told="watermark")
            await until(lambda: not agent.epochs.unsaved, told="the watermark is on the edge's disk")

    async with running(make_ingest(nats, database_url)):
        await shift(3)
        (backup,) = rows(database_url, "select max(id) from mes.edge_inbox")
        cursors = rows(database_url, "select edge, epoch, stream, seq from mes.edge_cursor")
        await shift(4)
    with psycopg.connect(database_url, autocommit=True) as restored:
        restored.execute("delete from mes.edge_inbox where id > %s", backup)
        restored.execute("delete from mes.edge_cursor")
        for cursor in cursors:
            restored.execute(
                "insert into mes.edge_cursor (edge, epoch, stream, seq) values (%s, %s, %s, %s)", cursor
            )
    async with running(make_ingest(nats, database_url)):
        await shift(2)
    assert len(states(database_url)) == press.states
    assert doubles(database_url) == 0


async def test_what_happened_is_committed_though_the_history_is_away(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    """The history may be in a database of its own; states and counts do not wait for it."""
    away = "postgresql://nobody@127.0.0.1:1/none"
    stores = Stores(
        EventStore(database_url, "test events", "SUZ"),
        Historian(away, "test telemetry", "SUZ"),
        EventStore(database_url, "test figures", "SUZ"),
        Historian(away, "test history", "SUZ"),
    )
    ingest = Ingest(nats.url("ingest"), stores, {EDGE: press_tags()})
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    async with running(ingest), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        await bus.publish(TOPIC, press.report())
        work(press, 3)
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(states(database_url)) == press.states, told="all states")
        events = agent.epochs.current(Stream.EVENTS).outlet
        await until(lambda: events.last == events.acknowledged > 0, told="their watermark")


async def test_a_broker_that_is_killed_and_wiped_loses_nothing(
    broker: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(broker, tmp_path))
    press = Press("")
    async with running(make_ingest(broker, database_url)), running(agent):
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        for _ in range(3):
            async with device(broker) as bus:
                await bus.publish(TOPIC, press.report())
                work(press, 5)
                await bus.publish(TOPIC, press.report())
                await asyncio.sleep(0.02)
            broker.kill()
            broker.wipe()
            broker.start()
        async with device(broker) as bus:
            await until(lambda: agent.links["devices"].up, told="the driver is back")
            await bus.publish(TOPIC, press.report())
            await until(lambda: counted(database_url) == press.good, told="all pieces")
            await until(lambda: len(states(database_url)) == press.states, told="all states")
    assert doubles(database_url) == 0


async def test_the_time_in_which_nobody_saw_the_machine_is_declared_and_counted(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    figures = "select gaps_declared from mes.edge_link"
    press = Press("")
    async with running(make_ingest(nats, database_url)), device(nats) as bus:
        agent = Agent(edge_config(nats, tmp_path))
        async with running(agent):
            await until(lambda: agent.links["devices"].up, told="configuration and driver")
            await bus.publish(TOPIC, press.report())
            await until(lambda: rows(database_url, figures) == [(0,)], told="the figures")
        again = Agent(edge_config(nats, tmp_path))
        async with running(again):
            await until(lambda: again.links["devices"].up, told="the driver is back")
            await until(lambda: rows(database_url, figures) == [(1,)], told="the window is counted")
        (tmp_path / "spool").rename(tmp_path / "spool of the box that died")
        async with running(Agent(edge_config(nats, tmp_path))):
            begun = "select count(*) from mes.edge_inbox where value->>'reason' = 'spool_new'"
            await until(lambda: rows(database_url, begun) == [(2,)], told="another box says that it is new")


async def test_an_ingest_that_dies_in_its_transaction_stores_nothing_twice(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    async with running(agent), device(nats) as bus:
        async with running(make_ingest(nats, database_url)):
            await until(lambda: agent.links["devices"].up, told="configuration and driver")
            await bus.publish(TOPIC, press.report())
            await until(lambda: len(rows(database_url, "select 1 from mes.edge_inbox")) > 0)
        for _ in range(4):
            work(press, 10)
            await bus.publish(TOPIC, press.report())
            with psycopg.connect(database_url) as gate:
                gate.execute("lock table mes.edge_inbox in share mode")
                task = asyncio.create_task(make_ingest(nats, database_url).run())
                await until(lambda: rows(database_url, IN_ITS_TRANSACTION) != [], told="the cursor has moved")
                cut_connections(database_url)
                await kill(task)
        async with running(make_ingest(nats, database_url)):
            await until(lambda: counted(database_url) == press.good, told="all pieces")
            await until(lambda: len(states(database_url)) == press.states, told="all states")
    assert doubles(database_url) == 0


IN_ITS_TRANSACTION = """
    select 1 from pg_stat_activity where datname = current_database()
    and application_name = 'test events' and wait_event_type = 'Lock'
"""
"""Ingest has advanced its cursor, and waits to write what came."""


def cut_connections(url: str) -> None:
    """End every backend of ingest, in the middle of what it does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name like 'test %'"
        )


async def test_a_database_from_an_old_backup_is_filled_up_again(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    press = Press("")
    async with running(agent), device(nats) as bus:
        async with running(make_ingest(nats, database_url)):
            await until(lambda: agent.links["devices"].up, told="configuration and driver")
            work(press, 5)
            await bus.publish(TOPIC, press.report())
            await until(lambda: len(states(database_url)) == press.states, told="before the backup")
        backup = copy_database(database_url)
        async with running(make_ingest(nats, database_url)):
            work(press, 5)
            await bus.publish(TOPIC, press.report())
            await until(lambda: len(states(database_url)) == press.states, told="after the backup")
            await until(lambda: agent.health()["spool_depth"] == 0, told="watermark")
        assert len(states(backup)) == 5
        async with running(make_ingest(nats, backup)):
            work(press, 1)
            await bus.publish(TOPIC, press.report())
            await until(lambda: len(states(backup)) == press.states, told="filled up again")
    assert states(backup) == [entry["state"] for entry in press.changes]
    drop_database(database_url, backup)


def copy_database(url: str) -> str:
    name = urlsplit(url).path.strip("/")
    copy = f"{name}_backup"
    with psycopg.connect(url.replace(name, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(copy), sql.Identifier(name))
        )
    return url.replace(name, copy)


def drop_database(url: str, other: str) -> None:
    name = urlsplit(other).path.strip("/")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


async def test_telemetry_after_an_outage_is_live_at_once(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path, batch_s=0.02))
    press = Press("")
    async with running(agent), device(nats) as bus:
        async with running(make_ingest(nats, database_url)):
            await until(lambda: agent.links["devices"].up, told="configuration and driver")
        await agent.unplug({"seconds": 60})
        while agent.health()["spool_depth"] < 3 * OUTAGE_BATCHES:
            press.good += 1
            await bus.publish(TOPIC, press.report())
            await asyncio.sleep(0.04)
        await agent.unplug({"seconds": 0})
        async with running(make_ingest(nats, database_url)):
            await until(lambda: not agent.health()["spool_depth"], told="drained")
            press.good += 1
            await bus.publish(TOPIC, press.report())
            await until(lambda: counted(database_url) == press.good - 1, told="all pieces")
            telemetry = "select count(distinct time), count(*) from historian.sample"
            await until(lambda: rows(database_url, telemetry) == [(press.good, press.good)], told="telemetry")
    epochs = rows(database_url, "select count(*) from historian.ingest_cursor where stream = 'telemetry'")
    assert epochs == [(2,)]


async def test_a_broken_spool_is_set_aside_and_declared(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "spool.db").write_bytes(b"no database at all, and long enough to be read as one" * 100)
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, database_url)), running(agent):
        gaps = (
            "select value->>'stream' from mes.edge_inbox where value->>'reason' = 'spool_broken' order by 1"
        )
        await until(lambda: rows(database_url, gaps) == [("events",), ("telemetry",)], told="declared")
    assert [path.name for path in folder.glob("spool-broken-*")]


async def test_two_readings_with_the_same_time_are_two_readings(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        for force in (1.0, 2.0):
            await bus.publish(TOPIC, Press("").report(force=force))
        query = "select count(*), count(distinct time) from historian.sample"
        await until(lambda: rows(database_url, query) == [(2, 1)], told="two samples at one time")


async def test_what_nobody_can_read_waits_in_quarantine_with_its_reason(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        await bus.publish(TOPIC, b"{not json")
        await bus.publish(TOPIC, Press("").report(good="many"))
        press = Press("")
        work(press, 1)
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(states(database_url)) == 1, told="the rest flows on")
        query = "select reason, convert_from(payload, 'utf8') from historian.quarantine order by reason"
        await until(lambda: len(rows(database_url, query)) == 2, told="quarantine")
        found = rows(database_url, query)
    assert found[0] == ("not_json", "{not json")
    assert found[1][0] == "wrong_type PRESS-1/good"


async def test_noise_on_the_stream_stops_nobody(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        agent.bus.publish_soon("lineside/v1/edge-test-1/events", b"\xff\xff no batch")
        press = Press("")
        work(press, 2)
        await bus.publish(TOPIC, press.report())
        await until(lambda: len(states(database_url)) == 2, told="events behind the noise")
        reasons = rows(database_url, "select reason from historian.quarantine")
    assert reasons == [("not_protobuf",)]


async def test_a_new_configuration_is_used_without_a_restart(
    nats: RunningBroker, database_url: str, tmp_path: Path
) -> None:
    agent = Agent(edge_config(nats, tmp_path))
    async with running(make_ingest(nats, database_url)), running(agent), device(nats) as bus:
        await until(lambda: agent.links["devices"].up, told="configuration and driver")
        with psycopg.connect(database_url) as connection:
            connection.execute(
                """insert into mes.edge_config (edge, version, config)
                   select edge, 2, jsonb_set(config, '{tags}', config->'tags' || jsonb_build_array(
                       config->'tags'->3 || '{"name": "PRESS-1/heat", "path": "$.heat"}'))
                   from mes.edge_config"""
            )
        acknowledged = "select version from mes.edge_config where acknowledged_at is not null order by 1"
        await until(lambda: rows(database_url, acknowledged) == [(1,), (2,)], told="acknowledgement")
        await bus.publish(TOPIC, Press("").report(heat=80.5))
        query = """select value from historian.last_value join historian.tag using (tag_id)
                   where path = 'PRESS-1/heat'"""
        await until(lambda: rows(database_url, query) == [(80.5,)], told="the new tag")
