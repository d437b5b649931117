"""Each row of the edge inbox becomes a fact once, and a poisoned one holds nobody up."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from mes.intake import service as intake
from mes.intake.model import Absorbed, NotInQuarantine
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from mes.kernel.ids import EquipmentId, JobOrderId
from mes.performance import service as performance
from mes.performance.model import Window
from mes.resources import service as resources
from tests.fixtures.facts import Edge, at_work, define_plant, order_pumps, run_job
from tests.fixtures.postgres import cause

NOW = utc_now().replace(microsecond=0)


@dataclass(frozen=True)
class Interval:
    state: str
    reason: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Count:
    kind: str
    delta: Decimal
    job_order: str | None
    run_s: Decimal | None
    doubtful: bool


@dataclass(frozen=True)
class Told:
    type: str
    payload: dict[str, Any]
    key: str | None
    actor: str


async def absorb(db: Database) -> Absorbed:
    async with db.transaction(cause()) as tx:
        return await intake.absorb(tx)


async def intervals(db: Database, equipment: str) -> list[Interval]:
    async with db.read() as tx:
        return await tx.fetch_all(
            Interval,
            "select state, reason, started_at, ended_at from mes.equipment_state"
            " where equipment = %(unit)s order by started_at",
            {"unit": equipment},
        )


async def counts(db: Database) -> list[Count]:
    async with db.read() as tx:
        return await tx.fetch_all(
            Count, "select kind, delta, job_order, run_s, doubtful from mes.machine_count order by id"
        )


async def told(db: Database, kind: str) -> list[Told]:
    async with db.read() as tx:
        return await tx.fetch_all(
            Told,
            "select type, payload, key, actor from mes.event where type = %(k)s order by id",
            {"k": kind},
        )


async def test_states_become_contiguous_intervals(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    for minute, number in enumerate((4, 3, 6, 6, 9)):
        await edge.state("CNC-1", number, NOW + timedelta(minutes=minute - 10))
    assert await absorb(db) == Absorbed(5, 0)
    found = await intervals(db, "CNC-1")
    assert [one.state for one in found] == ["Idle", "Starting", "Execute", "Aborted"]
    assert [one.ended_at for one in found] == [*(one.started_at for one in found[1:]), None]
    async with db.read() as tx:
        assert (await resources.equipment_states(tx))[EquipmentId("CNC-1")].state == "Aborted"
    events = await told(db, "EquipmentStateChanged")
    assert [(one.payload["previous"], one.payload["state"]) for one in events] == [
        ("Undefined", "Idle"),
        ("Idle", "Starting"),
        ("Starting", "Execute"),
        ("Execute", "Aborted"),
    ]
    assert events[0].actor == "edge:edge-suz-1"
    assert events[0].key == f"edge-suz-1/{edge.epoch}/events/1/0"


async def test_a_row_becomes_a_fact_once(db: Database) -> None:
    await define_plant(db)
    await Edge(db).good("CNC-1", 1, NOW)
    assert await absorb(db) == Absorbed(1, 0)
    assert await absorb(db) == Absorbed(0, 0)
    assert len(await counts(db)) == 1


async def test_two_consumers_never_absorb_at_once(db: Database) -> None:
    await define_plant(db)
    await Edge(db).good("CNC-1", 1, NOW)
    async with db.transaction(cause()) as tx:
        assert await intake.absorb(tx) == Absorbed(1, 0)
        assert await absorb(db) == Absorbed(0, 0)
    assert len(await counts(db)) == 1


async def test_counts_go_to_the_job_that_ran_then(db: Database) -> None:
    await define_plant(db)
    number = await order_pumps(db, 5, NOW - timedelta(hours=1))
    await run_job(db, f"{number}-10", "CNC-1", NOW - timedelta(minutes=20), NOW - timedelta(minutes=10))
    edge = Edge(db)
    await edge.good("CNC-1", 1, NOW - timedelta(minutes=30))
    await edge.good("CNC-1", 2, NOW - timedelta(minutes=15))
    await edge.scrap("CNC-1", 1, NOW - timedelta(minutes=10) + timedelta(seconds=2))
    await edge.good("CNC-2", 1, NOW - timedelta(minutes=15))
    await absorb(db)
    assert await counts(db) == [
        Count("good", Decimal(1), None, None, False),
        Count("good", Decimal(2), f"{number}-10", Decimal(15), False),
        Count("scrap", Decimal(1), f"{number}-10", Decimal(15), False),
        Count("good", Decimal(1), None, None, False),
    ]


async def test_a_start_told_late_gives_counts_their_job(db: Database) -> None:
    await define_plant(db)
    number = await order_pumps(db, 5, NOW - timedelta(hours=1))
    await Edge(db).good("CNC-1", 2, NOW - timedelta(minutes=15))
    await absorb(db)
    await run_job(db, f"{number}-10", "CNC-1", NOW - timedelta(minutes=20))
    async with db.transaction(cause()) as tx:
        assert await performance.attribute_counts(tx, JobOrderId(f"{number}-10")) == 1
    assert await counts(db) == [Count("good", Decimal(2), f"{number}-10", Decimal(15), False)]


async def test_a_poisoned_row_waits_and_the_rest_flows(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.good("CNC-1", 1, NOW)
    await edge.send("NO-SUCH", "state", "state", 6, NOW)
    await edge.send("CNC-1", "state", "state", 99, NOW)
    await edge.send("CNC-1", "count", "count.good", {"delta": "many"}, NOW)
    await edge.send("CNC-1", "count", "count.good", {"delta": "-3"}, NOW)
    await edge.send("CNC-1", "state", "state", 6, NOW + timedelta(days=400))
    await edge.send("CNC-1", "newly-invented", "x", {"a": 1}, NOW)
    await edge.good("CNC-1", 1, NOW)
    assert await absorb(db) == Absorbed(3, 5)
    assert len(await counts(db)) == 2
    async with db.read() as tx:
        waiting = await intake.quarantined(tx)
    assert [one.error.partition(":")[0] for one in waiting] == [
        "EquipmentUnknown",
        "ReadingNotUnderstood",
        "ReadingNotUnderstood",
        "CountNegative",
        "ClockAhead",
    ]


async def test_a_mended_row_is_tried_again(db: Database) -> None:
    await define_plant(db)
    await Edge(db).send("CNC-9", "state", "state", 6, NOW)
    await absorb(db)
    async with db.transaction(cause()) as tx:
        unit = await resources.get_equipment(tx, "CNC-4")
        assert await intake.retry_known(tx) == 0
        await resources.put_equipment(tx, replace(unit, id=EquipmentId("CNC-9"), scope="MACH/MC/CNC-9"))
        assert await intake.retry_known(tx) == 1
    assert await absorb(db) == Absorbed(1, 0)
    assert [one.state for one in await intervals(db, "CNC-9")] == ["Execute"]
    async with db.transaction(cause()) as tx:
        with pytest.raises(NotInQuarantine):
            await intake.retry(tx, 1)


async def test_doubtful_counts_wait_for_a_person(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.good("CNC-1", 500, NOW, doubtful=True)
    await edge.good("CNC-1", 7, NOW, doubtful=True)
    await absorb(db)
    async with db.transaction(at_work(NOW, "person:E-1001")) as tx:
        waiting = await performance.doubtful_counts(tx)
        assert [one.delta for one in waiting] == [Decimal(500), Decimal(7)]
        await performance.decide_count(tx, waiting[0].id, accepted=False)
        await performance.decide_count(tx, waiting[1].id, accepted=True)
        assert await performance.doubtful_counts(tx) == []
    decided = await told(db, "CountDecided")
    assert [one.payload["accepted"] for one in decided] == [False, True]


async def test_the_machines_own_fault_explains_its_stop(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.state("CNC-1", 6, NOW - timedelta(minutes=9))
    await edge.send("CNC-1", "fault", "fault", "spindle overload", NOW - timedelta(minutes=8))
    await edge.state("CNC-1", 9, NOW - timedelta(minutes=8))
    await edge.send("CNC-1", "fault", "fault", "", NOW - timedelta(minutes=5))
    await edge.state("CNC-1", 2, NOW - timedelta(minutes=5))
    await edge.send("CNC-1", "fault", "fault", "door open", NOW - timedelta(minutes=4))
    await absorb(db)
    found = await intervals(db, "CNC-1")
    assert [(one.state, one.reason) for one in found] == [
        ("Execute", None),
        ("Aborted", "spindle overload"),
        ("Stopped", "door open"),
    ]
    async with db.read() as tx:
        assert (await resources.equipment_states(tx))[EquipmentId("CNC-1")].reason == "door open"


async def test_a_scan_is_understood_or_told_as_refused(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    for payload, symbology in (("LOT:LOT-SEAL-0001", None), ("9521234543210", "]E0")):
        value = {"payload": payload, "symbology": symbology, "reader": "SCAN-1"}
        await edge.send("ASM-2", "scan", "scan", value, NOW)
    await absorb(db)
    events = [one.payload for one in await told(db, "ScanObserved")]
    assert [(one["form"], one["fields"], one["error"]) for one in events] == [
        ("own", [{"name": "lot", "value": "LOT-SEAL-0001"}], None),
        (None, [], "CheckDigitWrong"),
    ]


async def test_a_gap_makes_time_unknown(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.state("CNC-1", 6, NOW - timedelta(minutes=30))
    value = {
        "stream": "telemetry",
        "reason": "disconnected",
        "from": (NOW - timedelta(minutes=20)).isoformat(),
        "to": (NOW - timedelta(minutes=10)).isoformat(),
        "equipment": ["CNC-1"],
    }
    await edge.send("", "gap", "gap", value, NOW)
    assert await absorb(db) == Absorbed(2, 0)
    found = await intervals(db, "CNC-1")
    assert [(one.state, one.ended_at) for one in found] == [
        ("Execute", NOW - timedelta(minutes=20)),
        ("Undefined", NOW - timedelta(minutes=10)),
        ("Execute", None),
    ]
    assert len(await told(db, "EdgeGapDeclared")) == 1


async def test_a_gap_ends_with_the_change_that_the_machine_itself_dated(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.state("CNC-1", 6, NOW - timedelta(minutes=30))
    await edge.state("CNC-1", 9, NOW - timedelta(minutes=15))
    value = {
        "stream": "telemetry",
        "reason": "disconnected",
        "from": (NOW - timedelta(minutes=20)).isoformat(),
        "to": (NOW - timedelta(minutes=10)).isoformat(),
        "equipment": ["CNC-1"],
    }
    await edge.send("", "gap", "gap", value, NOW)
    await absorb(db)
    found = await intervals(db, "CNC-1")
    assert [(one.state, one.ended_at) for one in found] == [
        ("Execute", NOW - timedelta(minutes=20)),
        ("Undefined", NOW - timedelta(minutes=15)),
        ("Aborted", None),
    ]


def ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


async def known(db: Database, equipment: str) -> list[tuple[str, datetime | None]]:
    return [(one.state, one.ended_at) for one in await intervals(db, equipment)]


async def tags(db: Database, *units: str) -> None:
    """Give the edge a configuration that reads the states of these units."""
    row = {"kind": "state", "endpoint": "devices", "address": "x"}
    async with db.transaction(cause()) as tx:
        config = {"tags": [{"name": f"{unit}/state", **row} for unit in units]}
        await intake.put_edge_config(tx, "edge-suz-1", config)


async def began_anew(db: Database, at: datetime) -> Edge:
    """Put another box in the edge's place: its spool is empty."""
    box = Edge(db)
    value = {"stream": "events", "reason": "spool_new", "to": at.isoformat()}
    await box.send("", "gap", "gap", value, at)
    return box


async def test_nobody_knows_what_machines_did_until_a_replaced_edge_reads_them(db: Database) -> None:
    await define_plant(db)
    await tags(db, "CNC-1", "CNC-2", "CNC-3")
    before = Edge(db)
    for unit in ("CNC-1", "CNC-2", "CNC-3"):
        await before.state(unit, 6, ago(180))
    await before.good("CNC-1", 1, ago(120))
    box = await began_anew(db, ago(30))
    await absorb(db)
    assert await known(db, "CNC-1") == [("Execute", ago(120)), ("Undefined", None)]
    await box.state("CNC-1", 6, ago(180))  # all the time in this state, says the machine: read now
    await box.state("CNC-2", 9, ago(60))  # it dates its own change
    await absorb(db)
    first, unseen, again = await known(db, "CNC-1")
    assert (first, unseen[0], again) == (("Execute", ago(120)), "Undefined", ("Execute", None))
    assert unseen[1] is not None
    assert unseen[1] > ago(1)
    two = [("Execute", ago(120)), ("Undefined", ago(60)), ("Aborted", None)]
    assert await known(db, "CNC-2") == two
    assert await known(db, "CNC-3") == [("Execute", ago(120)), ("Undefined", None)]
    (gap,) = await told(db, "EdgeGapDeclared")
    assert gap.payload["equipment"] == ["CNC-1", "CNC-2", "CNC-3"]
    async with db.read() as tx:
        window = Window(starts_at=ago(240), ends_at=NOW)
        found = await performance.report(tx, EquipmentId("CNC-3"), window)
    assert [(one.state, one.seconds) for one in found.intervals][-1] == ("Undefined", 120 * 60)


async def test_the_first_edge_of_a_plant_declares_nothing(db: Database) -> None:
    await define_plant(db)
    await tags(db, "CNC-1")
    box = await began_anew(db, ago(30))
    await box.state("CNC-1", 6, ago(20))
    assert await absorb(db) == Absorbed(2, 0)
    assert await known(db, "CNC-1") == [("Execute", None)]
    assert await told(db, "EdgeGapDeclared") == []


@pytest.mark.parametrize("reason", ["spool_broken", "no_longer_kept", "quarantined"])
async def test_after_lost_events_nobody_knows_a_state_before_it_is_told_again(
    db: Database, reason: str
) -> None:
    """The edge tells changes: of what it told in the lost batches it tells nothing again."""
    await define_plant(db)
    await tags(db, "CNC-1", "CNC-2")
    edge = Edge(db)
    await edge.state("CNC-1", 6, ago(60))
    await edge.state("CNC-2", 6, ago(50))
    value = {"stream": "events", "reason": reason, "to": ago(20).isoformat(), "equipment": ["CNC-1"]}
    edge.seq += 5
    await edge.send("", "gap", "gap", {**value, "from_seq": 3, "to_seq": 7}, ago(20))
    await edge.good("CNC-1", 1, ago(10))
    await absorb(db)
    assert await known(db, "CNC-1") == [("Execute", ago(50)), ("Undefined", None)]
    assert await known(db, "CNC-2") == [("Execute", None)]
    await edge.state("CNC-1", 9, ago(5))
    await absorb(db)
    assert (await known(db, "CNC-1"))[1:] == [("Undefined", ago(5)), ("Aborted", None)]


async def test_a_state_that_cannot_be_read_is_unknown_until_it_is_read_again(db: Database) -> None:
    """The machine's node is gone: its unit is not running, though that was told last."""
    await define_plant(db)
    await tags(db, "CNC-1", "CNC-2")
    edge = Edge(db)
    await edge.state("CNC-1", 6, ago(60))
    await edge.state("CNC-2", 6, ago(60))
    value = {"stream": "events", "reason": "unread", "equipment": ["CNC-1"], "tag": "CNC-1/state"}
    ends = {"from": ago(70).isoformat(), "to": ago(40).isoformat()}
    await edge.state("CNC-1", 9, ago(50))
    await edge.send("", "gap", "gap", {**value, **ends}, ago(40))
    await absorb(db)
    aborted, unseen = (await known(db, "CNC-1"))[1:]
    assert (aborted[0], unseen) == ("Aborted", ("Undefined", None))
    assert aborted[1] is not None
    assert aborted[1] - ago(50) < timedelta(seconds=1)
    assert await known(db, "CNC-2") == [("Execute", None)]
    async with db.read() as tx:
        assert (await resources.equipment_states(tx))[EquipmentId("CNC-1")].state == "Undefined"
    await edge.state("CNC-1", 9, ago(50))
    await absorb(db)
    assert [state for state, _ in await known(db, "CNC-1")] == ["Execute", "Aborted", "Undefined", "Aborted"]
    assert (await known(db, "CNC-1"))[-1][1] is None


async def test_lost_telemetry_hides_no_state(db: Database) -> None:
    await define_plant(db)
    await tags(db, "CNC-1")
    edge = Edge(db)
    await edge.state("CNC-1", 6, ago(60))
    value = {"stream": "telemetry", "reason": "spool_broken", "to": ago(20).isoformat()}
    await edge.send("", "gap", "gap", value, ago(20))
    await absorb(db)
    assert await known(db, "CNC-1") == [("Execute", None)]


async def test_a_change_within_a_gap_that_is_told_after_it_ends_the_state_of_before(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.state("CNC-1", 6, ago(60))
    gap = {"stream": "telemetry", "reason": "disconnected", "equipment": ["CNC-1"]}
    ends = {"from": ago(40).isoformat(), "to": ago(20).isoformat()}
    await edge.send("", "gap", "gap", {**gap, **ends}, ago(20))
    await absorb(db)
    assert await known(db, "CNC-1") == [("Execute", ago(40)), ("Undefined", ago(20)), ("Execute", None)]
    await edge.state("CNC-1", 9, ago(30))
    await absorb(db)
    told_late = await known(db, "CNC-1")
    assert told_late[:2] == [("Execute", ago(40)), ("Undefined", ago(30))]
    assert {state for state, _ in told_late[2:]} == {"Aborted"}
    async with db.read() as tx:
        assert (await resources.equipment_states(tx))[EquipmentId("CNC-1")].state == "Aborted"


async def test_what_an_edge_leaves_empty_is_no_value(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.send("CNC-1", "count", "count.good", {"delta": "1", "raw": "", "doubtful": False}, NOW)
    value = {"payload": "WO:WO-000001", "symbology": "", "reader": "SCAN-1"}
    await edge.send("CNC-1", "scan", "scan", value, NOW)
    assert await absorb(db) == Absorbed(2, 0)
    assert (await told(db, "ScanObserved"))[0].payload["symbology"] is None


async def test_a_bad_reading_is_no_state(db: Database) -> None:
    await define_plant(db)
    await Edge(db).state("CNC-1", 6, NOW, quality=0)
    await absorb(db)
    assert [one.state for one in await intervals(db, "CNC-1")] == ["Undefined"]


async def test_an_edge_configuration_is_numbered(db: Database) -> None:
    async with db.transaction(cause()) as tx:
        assert await intake.put_edge_config(tx, "edge-suz-1", {"tags": []}) == 1
        assert await intake.put_edge_config(tx, "edge-suz-1", {"tags": []}) == 1
        assert await intake.put_edge_config(tx, "edge-suz-1", {"tags": [1]}) == 2
        assert (await intake.edge_config(tx, "edge-suz-1")).config == {"tags": [1]}
