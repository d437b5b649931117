"""Figures come from intervals, counts, calendar and standard times, and show where from."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fastapi import APIRouter

from mes.access.api import router as access_router
from mes.access.model import Role
from mes.intake import service as intake
from mes.kernel.db import Database
from mes.kernel.ids import EquipmentId
from mes.performance import service as performance
from mes.performance.api import router
from mes.performance.iso22400 import NoValue
from mes.performance.model import CountKind, CountReading, StateReading, Window, WindowNotValid
from tests.fixtures.facts import Edge, at_work, define_plant, order_pumps, run_job
from tests.fixtures.postgres import cause
from tests.fixtures.web import Web


@pytest.fixture
def web_routers() -> list[APIRouter]:
    return [access_router, router]


CNC_1, CNC_2 = EquipmentId("CNC-1"), EquipmentId("CNC-2")
SHIFT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
"""06:00 in Suzhou: shift A begins. The machining cell rests from 10:00 to 10:10."""


def clock(text: str) -> datetime:
    """Return a time of the shift by the plant's own clock."""
    hours, minutes = (int(part) for part in text.split(":"))
    return SHIFT + timedelta(hours=hours - 6, minutes=minutes)


async def a_shift(db: Database) -> Edge:
    """Two hours of CNC-1: 10 min idle, 5 min setup, 60 min run, 15 min down, 30 min without order."""
    await define_plant(db)
    number = await order_pumps(db, 300, SHIFT)
    await run_job(db, f"{number}-10", "CNC-1", clock("6:10"), clock("7:30"))
    edge = Edge(db)
    for text, state in (("6:00", 4), ("6:10", 3), ("6:15", 6), ("7:15", 9), ("7:30", 4)):
        await edge.state("CNC-1", state, clock(text))
    for minute in range(60):
        await edge.good("CNC-1", 3, clock("6:15") + timedelta(minutes=minute))
    await edge.scrap("CNC-1", 20, clock("7:14"))
    async with db.transaction(cause()) as tx:
        while (await intake.absorb(tx)).rows:
            pass
    return edge


async def test_a_shift_has_its_figures(db: Database) -> None:
    await a_shift(db)
    async with db.read() as tx:
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:00"), ends_at=clock("8:00")))
    minutes = {name: value / 60 for name, value in found.elements.items() if name not in {"PQ", "GQ", "SQ"}}
    assert minutes == {
        "POT": 120,
        "PDOT": 0,
        "PBT": 120,
        "APT": 60,
        "AUST": 5,
        "ADET": 15,
        "ADOT": 40,
        "AUPT": 65,
        "AUBT": 80,
        "unknown": 0,
    }
    assert (found.elements["PQ"], found.elements["GQ"], found.elements["SQ"]) == (200, 180, 20)
    assert {
        name: str(found.values[name]) for name in ("availability", "effectiveness", "quality", "oee")
    } == {
        "availability": "0.500000",
        "effectiveness": "0.833333",
        "quality": "0.900000",
        "oee": "0.375000",
    }
    assert found.values["setup_ratio"] == Decimal("0.076923")
    assert found.reasons == {}


async def one_counter(db: Database, *further: str) -> str:
    """Two hours of CNC-1, which counts 100 pieces; return its job. It has these counters besides."""
    await define_plant(db)
    number = await order_pumps(db, 300, SHIFT)
    await run_job(db, f"{number}-10", "CNC-1", clock("6:00"))
    counters = [{"name": f"CNC-1/{one}", "kind": "count"} for one in ("count.good", *further)]
    async with db.transaction(cause()) as tx:
        await intake.put_edge_config(tx, "edge-suz-1", {"tags": counters})
    edge = Edge(db)
    await edge.state("CNC-1", 6, clock("6:00"))
    for minute in range(100):
        await edge.good("CNC-1", 1, clock("6:00") + timedelta(minutes=minute))
    async with db.transaction(cause()) as tx:
        while (await intake.absorb(tx)).rows:
            pass
    return f"{number}-10"


async def scrap(db: Database, job: str, pieces: int, at: datetime) -> None:
    """Report scrap at CNC-1, as `mes.execution` notes it."""
    async with db.transaction(at_work(at)) as tx:
        await tx.execute(
            """
            insert into mes.report (id, site, scope, job_order, work_order, operation, equipment, person,
                                    good, scrap, uom, reason, at)
            select gen_random_uuid(), site, scope, id, work_order, operation, 'CNC-1',
                   (select min(id) from mes.person), 0, %(pieces)s, uom, 'porosity', %(at)s
            from mes.job_order where id = %(job)s
            """,
            {"job": job, "pieces": pieces, "at": at},
        )


async def test_reported_scrap_is_scrap_where_the_machine_has_one_counter(db: Database) -> None:
    """ISO 22400-2: Q = GQ / PQ; the counter has counted the scrap as produced, so PQ is 100 and not 105."""
    job = await one_counter(db)
    await scrap(db, job, 5, clock("7:59"))
    window = Window(starts_at=clock("6:00"), ends_at=clock("8:00"))
    async with db.read() as tx:
        found = await performance.report(tx, CNC_1, window)
        tile = next(one for one in (await performance.board(tx, clock("8:00"))).equipment if one.id == CNC_1)
    assert [found.elements[name] for name in ("PQ", "GQ", "SQ")] == [100, 95, 5]
    assert found.values["quality"] == Decimal("0.95")
    assert found.values["scrap_ratio"] == Decimal("0.05")
    assert found.values["effectiveness"] == Decimal("0.208333")  # 15 s x 100 / 7200 s
    assert found.values["oee"] == Decimal("0.197917")  # 15 s x 95 / 7200 s
    assert [(one.pq, one.gq, one.sq, one.reported) for one in found.outputs] == [(100, 95, 5, 5)]
    assert [(one.quantity, one.reason, one.in_figure) for one in found.scraps] == [(5, "porosity", True)]
    assert (tile.counts.good, tile.counts.scrap, tile.kpi.quality) == (95, 5, Decimal("0.95"))


async def test_no_piece_is_scrap_twice_where_the_machine_counts_scrap_itself(db: Database) -> None:
    job = await one_counter(db, "count.scrap")
    edge = Edge(db)
    await edge.scrap("CNC-1", 4, clock("7:50"))
    async with db.transaction(cause()) as tx:
        await intake.absorb(tx)
    await scrap(db, job, 5, clock("7:59"))
    async with db.read() as tx:
        window = Window(starts_at=clock("6:00"), ends_at=clock("8:00"))
        found = await performance.report(tx, CNC_1, window)
    assert [found.elements[name] for name in ("PQ", "GQ", "SQ")] == [104, 100, 4]
    assert [(one.quantity, one.in_figure) for one in found.scraps] == [(5, False)]


async def test_an_edge_that_is_gone_counts_no_scrap(db: Database) -> None:
    job = await one_counter(db, "count.scrap")
    async with db.transaction(cause()) as tx:
        await tx.execute(
            "insert into mes.edge_link (edge, at) values ('edge-suz-1', now() - interval '8 days')"
        )
    await scrap(db, job, 5, clock("7:59"))
    async with db.read() as tx:
        window = Window(starts_at=clock("6:00"), ends_at=clock("8:00"))
        assert (await performance.report(tx, CNC_1, window)).elements["SQ"] == 5


async def test_no_more_is_scrap_than_a_machine_has_counted(db: Database) -> None:
    """Told at the beginning of a shift, of pieces that were counted in the one before."""
    job = await one_counter(db)
    await scrap(db, job, 5, clock("6:02"))
    async with db.read() as tx:
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:00"), ends_at=clock("6:03")))
    assert [found.elements[name] for name in ("PQ", "GQ", "SQ")] == [3, 0, 3]
    assert (found.values["oee"], found.values["quality"]) == (0, 0)


async def test_every_figure_shows_its_evidence(db: Database) -> None:
    edge = await a_shift(db)
    async with db.read() as tx:
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:05"), ends_at=clock("7:00")))
    assert [(one.state, one.kind.value, one.seconds) for one in found.intervals] == [
        ("Idle", "delay", 300),
        ("Starting", "setup", 300),
        ("Execute", "production", 2700),
    ]
    source = found.intervals[-1].source
    assert source is not None
    assert (source.edge, source.epoch, source.seq, source.index) == ("edge-suz-1", edge.epoch, 3, 0)
    assert len(found.counts) == found.counts_in_all == 45
    assert sum(one.delta for one in found.counts) == found.elements["PQ"] == 135
    assert [(one.item, one.pri_s, one.pq) for one in found.outputs] == [("PUMP-40", 15, 135)]


async def test_a_break_is_no_planned_time_and_its_pieces_are_in_no_figure(db: Database) -> None:
    await define_plant(db)
    edge = Edge(db)
    await edge.state("CNC-1", 6, clock("9:50"))
    await edge.good("CNC-1", 1, clock("10:05"))
    async with db.transaction(cause()) as tx:
        await intake.absorb(tx)
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("9:50"), ends_at=clock("10:20")))
    assert (found.elements["POT"], found.elements["PDOT"], found.elements["PBT"]) == (1800, 600, 1200)
    assert (found.elements["PQ"], found.unattributed) == (0, 0)
    assert found.counts_in_all == 1


async def test_time_without_data_is_unknown_and_not_a_stop(db: Database) -> None:
    await define_plant(db)
    async with db.read() as tx:
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:00"), ends_at=clock("7:00")))
    assert (found.elements["unknown"], found.elements["ADOT"], found.elements["ADET"]) == (3600, 0, 0)
    assert (found.elements["PBT"], found.values["availability"]) == (0, None)
    assert found.reasons["availability"] is NoValue.NOTHING_KNOWN
    assert found.reasons["effectiveness"] is NoValue.NO_PRODUCTION_TIME
    assert found.reasons["quality"] is NoValue.NO_PRODUCED_QUANTITY


async def test_pieces_without_a_job_are_shown_beside_the_figures(db: Database) -> None:
    edge = await a_shift(db)
    await edge.good("CNC-1", 7, clock("7:50"))
    await edge.good("CNC-1", 900, clock("7:51"), doubtful=True)
    async with db.transaction(cause()) as tx:
        await intake.absorb(tx)
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:00"), ends_at=clock("8:00")))
    assert (found.elements["PQ"], found.unattributed, found.waiting) == (200, 7, 900)


async def test_two_windows_add_up_to_one(db: Database) -> None:
    await a_shift(db)
    async with db.read() as tx:
        parts = [
            await performance.report(tx, CNC_1, Window(starts_at=clock(start), ends_at=clock(end)))
            for start, end in (("6:00", "6:47"), ("6:47", "8:00"), ("6:00", "8:00"))
        ]
    first, second, whole = (part.elements for part in parts)
    assert {name: first[name] + second[name] for name in whole} == whole


async def test_a_window_is_no_longer_than_a_month(db: Database) -> None:
    await define_plant(db)
    async with db.read() as tx:
        with pytest.raises(WindowNotValid):
            await performance.report(tx, CNC_1, Window(starts_at=SHIFT, ends_at=SHIFT + timedelta(days=32)))
        with pytest.raises(WindowNotValid):
            await performance.report(tx, CNC_1, Window(starts_at=SHIFT, ends_at=SHIFT))


async def test_the_board_shows_every_unit_of_the_running_shift(db: Database) -> None:
    await a_shift(db)
    async with db.read() as tx:
        board = await performance.board(tx, clock("8:00"))
    assert board.shift is not None
    assert (board.shift.name, board.shift.starts_at) == ("A", SHIFT)
    tiles = {tile.id: tile for tile in board.equipment}
    assert len(tiles) == 9
    assert (
        tiles[CNC_1].state,
        tiles[CNC_1].counts.good,
        tiles[CNC_1].counts.scrap,
    ) == (
        "Idle",
        180,
        20,
    )
    assert tiles[CNC_1].kpi.oee == Decimal("0.375000")
    assert (tiles[CNC_2].kpi.oee, tiles[CNC_2].kpi.reason) == (
        None,
        NoValue.NOTHING_KNOWN,
    )
    assert [link.name for link in board.links] == ["edge", "ingest", "outbox", "erp", "planner"]


async def test_the_board_says_what_an_edge_cannot_read(db: Database) -> None:
    await define_plant(db)
    health = {
        "endpoints": {
            "machining": {"up": True, "since": 0, "reason": "", "clock_behind_s": 59.0},
            "packing": {"up": True, "since": 0, "reason": "", "clock_behind_s": 3600.4},
            "test": {"up": True, "since": 0, "reason": "", "clock_behind_s": None},
            "assembly": {"up": False, "since": 1_767_225_600_000, "reason": "timeout"},
        },
        "refused": {"CNC-1.state": "BadNodeIdUnknown"},
    }
    async with db.transaction(cause()) as tx:
        await tx.execute(
            "insert into mes.edge_link (edge, at, detail) values ('edge-1', now(), %(health)s::jsonb)",
            {"health": json.dumps(health)},
        )
        board = await performance.board(tx, clock("8:00"))
    told = [(fault.code, fault.subject, fault.reason) for fault in board.faults]
    assert told == [
        ("clock_wrong", "packing", "3600"),
        ("endpoint_down", "assembly", "timeout"),
        ("tag_refused", "CNC-1.state", "BadNodeIdUnknown"),
    ]


async def test_states_told_late_keep_intervals_contiguous(db: Database) -> None:
    await define_plant(db)
    told = [
        ("7:00", "Execute"),
        ("6:30", "Starting"),
        ("6:00", "Idle"),
        ("7:00", "Held"),
        ("6:45", "Starting"),
    ]
    async with db.transaction(at_work(SHIFT)) as tx:
        for text, state in told:
            await performance.record_state(tx, StateReading(equipment=CNC_1, state=state, at=clock(text)))
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:00"), ends_at=clock("8:00")))
    assert [(one.state, one.starts_at) for one in found.intervals] == [
        ("Idle", clock("6:00")),
        ("Starting", clock("6:30")),
        ("Held", clock("7:00")),
    ]


async def test_counts_and_states_can_be_booked_without_an_edge(db: Database) -> None:
    await define_plant(db)
    async with db.transaction(at_work(SHIFT)) as tx:
        await performance.record_count(
            tx,
            CountReading(equipment=CNC_1, kind=CountKind.GOOD, delta=Decimal(2), at=clock("6:30")),
        )
        await performance.record_count(
            tx,
            CountReading(equipment=CNC_1, kind=CountKind.GOOD, delta=Decimal(0), at=clock("6:31")),
        )
        found = await performance.report(tx, CNC_1, Window(starts_at=clock("6:00"), ends_at=clock("8:00")))
    assert [one.source for one in found.counts] == [None]


async def test_the_pages_get_board_and_figures(web: Web) -> None:
    await a_shift(web.db)
    browser = await web.browser(Role.SUPERVISOR)
    board = (await browser.get("/api/v1/board")).json()
    assert {tile["id"] for tile in board["equipment"]} >= {"CNC-1", "PACK-1"}
    reply = await browser.get(
        "/api/v1/kpi/CNC-1",
        params={"from": clock("6:00").isoformat(), "to": clock("8:00").isoformat()},
    )
    assert reply.status_code == 200
    assert reply.json()["values"]["oee"] == "0.375000"
    assert reply.json()["intervals"][0]["source"]["edge"] == "edge-suz-1"
    ancient = await browser.get("/api/v1/kpi/CNC-1", params={"to": "0001-01-01T00:00:00+14:00"})
    assert (ancient.status_code, ancient.json()["error"]) == (422, "WindowNotValid")
    missing = await browser.get("/api/v1/kpi/NO-SUCH")
    assert (missing.status_code, missing.json()["error"]) == (404, "EquipmentUnknown")
