"""Hours and days that are over are summed, and a sum is not read when one of its facts has changed."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import LiteralString
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from mes import floor
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from mes.kernel.ids import EquipmentId, JobOrderId
from mes.kernel.settings import Settings
from mes.performance import service as performance
from mes.performance import sums
from mes.performance.model import CountKind, CountReading, StateReading, UnitElements, Window
from tests.fixtures.facts import at_work, define_plant, order_pumps, run_job
from tests.fixtures.postgres import SITE

SHIFT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
"""06:00 in Suzhou: shift A begins."""
CNC = EquipmentId("CNC-1")
LATE = SHIFT + timedelta(hours=8)


def clock(text: str) -> datetime:
    """Return a time of the shift by the plant's own clock."""
    hour, minute = (int(part) for part in text.split(":"))
    return SHIFT + timedelta(hours=hour - 6, minutes=minute)


async def state(db: Database, name: str, text: str) -> None:
    async with db.transaction(at_work(clock(text))) as tx:
        await performance.record_state(tx, StateReading(equipment=CNC, state=name, at=clock(text)))


def piece(text: str) -> CountReading:
    return CountReading(equipment=CNC, kind=CountKind.GOOD, delta=Decimal(1), at=clock(text))


async def roll_up(db: Database, moment: datetime, at_once: int = 200) -> int:
    async with db.transaction(at_work(moment)) as tx:
        return await sums.roll_up(tx, at_once)


async def sum_all(db: Database, moment: datetime = LATE) -> int:
    """Take in what has changed, and sum it when it has been quiet."""
    await roll_up(db, moment)
    return await roll_up(db, moment + 2 * sums.QUIET)


async def asked(db: Database, start: str = "6:10", end: str = "9:40") -> UnitElements:
    async with db.read() as tx:
        return (await performance.unit_elements(tx, Window(starts_at=clock(start), ends_at=clock(end))))[CNC]


async def holding(db: Database) -> int:
    """Return how many hours of the unit have a sum."""
    async with db.read() as tx:
        count: int = await tx.value(
            "select count(*) from mes.equipment_sum"
            " where equipment = %(unit)s and hours = 1 and owed_since is null",
            {"unit": CNC},
        )
    return count


async def spoil(db: Database) -> None:
    """Make every sum recognisable: it says that nothing is known of an hour."""
    async with db.transaction(at_work(LATE)) as tx:
        await tx.execute("update mes.equipment_sum set apt = 0, aust = 0, adet = 0, unknown = pot")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.model_validate({"home": tmp_path, "site": SITE, "database_url": database_url})


@pytest_asyncio.fixture
async def shift(db: Database) -> Database:
    """CNC-1 at work on one job from 6:00 on, a piece every ten minutes until 10:00."""
    await define_plant(db)
    number = await order_pumps(db, 100, SHIFT)
    await run_job(db, f"{number}-10", CNC, clock("6:00"))
    await state(db, "Execute", "6:00")
    async with db.transaction(at_work(SHIFT)) as tx:
        for minute in range(0, 240, 10):
            at = SHIFT + timedelta(minutes=minute)
            await performance.record_count(
                tx, CountReading(equipment=CNC, kind=CountKind.GOOD, delta=Decimal(1), at=at)
            )
    return db


async def test_whole_hours_are_read_from_their_sums_and_the_ends_from_the_facts(shift: Database) -> None:
    before = await asked(shift)
    assert (before.elements.times.apt, before.elements.pq) == (210 * 60, 21)
    await sum_all(shift)
    assert await asked(shift) == before
    await spoil(shift)
    assert (await asked(shift)).elements.times.apt == (50 + 40) * 60
    assert (await asked(shift, "6:10", "6:50")).elements.times.apt == 40 * 60


async def test_sums_of_another_definition_are_not_read_and_are_made_again(
    shift: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await asked(shift)
    await sum_all(shift)
    hours = await holding(shift)
    await spoil(shift)
    assert await asked(shift) != before
    monkeypatch.setattr(sums, "DEFINITION", sums.DEFINITION + 1)
    assert await asked(shift) == before
    await roll_up(shift, LATE)
    assert await holding(shift) == 0
    assert await asked(shift) == before
    await sum_all(shift)
    assert await holding(shift) == hours
    assert await asked(shift) == before
    await roll_up(shift, LATE)
    assert await holding(shift) == hours


async def test_a_late_state_is_in_the_figure_before_its_hour_is_summed_again(shift: Database) -> None:
    await sum_all(shift)
    await spoil(shift)
    await state(shift, "Held", "7:30")
    times = (await asked(shift, "7:00", "9:00")).elements.times
    assert (times.apt, times.adet, times.unknown) == (30 * 60, 90 * 60, 0)


async def test_a_first_state_that_comes_after_its_hours_were_summed_is_in_the_figure(shift: Database) -> None:
    await sum_all(shift)
    await state(shift, "Held", "5:20")
    times = (await asked(shift, "5:00", "7:00")).elements.times
    assert (times.unknown, times.adot, times.apt) == (20 * 60, 40 * 60, 60 * 60)
    await sum_all(shift, LATE + timedelta(minutes=5))
    assert (await asked(shift, "5:00", "7:00")).elements.times == times


async def test_counts_come_before_states_are_known(shift: Database) -> None:
    """Hours of a unit begin with its first fact of any kind."""
    unit = EquipmentId("CNC-3")
    async with shift.transaction(at_work(LATE)) as tx:
        count = CountReading(equipment=unit, kind=CountKind.GOOD, delta=Decimal(1), at=clock("8:15"))
        await performance.record_count(tx, count)
    await sum_all(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        await performance.record_state(tx, StateReading(equipment=unit, state="Idle", at=clock("8:30")))
    async with shift.read() as tx:
        window = Window(starts_at=clock("8:00"), ends_at=clock("10:00"))
        found = (await performance.unit_elements(tx, window))[unit]
    assert (found.elements.times.unknown, found.elements.times.adot) == (30 * 60, 90 * 60)
    assert found.unattributed == 1


async def test_a_late_count_and_a_decision_are_in_the_figure_at_once(shift: Database) -> None:
    await sum_all(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        doubtful = CountReading(
            equipment=CNC, kind=CountKind.GOOD, delta=Decimal(9), at=clock("8:15"), doubtful=True
        )
        await performance.record_count(tx, doubtful)
    found = await asked(shift)
    assert (found.elements.pq, found.waiting) == (21, 9)
    await sum_all(shift, LATE + timedelta(minutes=5))
    async with shift.transaction(at_work(LATE)) as tx:
        waiting = await performance.doubtful_counts(tx)
        await performance.decide_count(tx, waiting[0].id, accepted=True)
    found = await asked(shift)
    assert (found.elements.pq, found.waiting) == (30, 0)


async def test_a_job_that_ended_earlier_than_was_thought_takes_its_time_back(shift: Database) -> None:
    await sum_all(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        await tx.execute(
            "update mes.equipment_actual set ended_at = %(at)s where equipment = %(unit)s",
            {"unit": CNC, "at": clock("7:20")},
        )
        await tx.execute(
            "update mes.job_order set status = 'Completed', completed_at = %(at)s where status = 'Running'",
            {"at": clock("7:20")},
        )
    times = (await asked(shift, "6:00", "9:00")).elements.times
    assert (times.apt, times.adot) == (80 * 60, 100 * 60)


@pytest.mark.parametrize(
    ("change", "planned_s", "rest_s"),
    [
        ('update mes.calendar set breaks = \'[{"after_minutes": 180, "minutes": 15}]\'', 3600, 900),
        ("update mes.policy set timezone = 'Asia/Tokyo'", 3600, 600),
        ("update mes.equipment set calendar = null where id = 'CNC-1'", 0, 0),
    ],
)
async def test_another_calendar_changes_the_past_too(
    shift: Database, change: LiteralString, planned_s: int, rest_s: int
) -> None:
    await sum_all(shift)
    before = (await asked(shift, "9:00", "10:00")).elements.times
    assert (before.pot, before.pdot) == (3600, 0)
    async with shift.transaction(at_work(LATE)) as tx:
        await tx.execute(change)
    after = (await asked(shift, "9:00", "10:00")).elements.times
    assert (after.pot, after.pdot) == (planned_s, rest_s)
    await sum_all(shift)
    assert await holding(shift) == 8
    assert (await asked(shift, "9:00", "10:00")).elements.times == after


async def test_two_states_at_the_same_moment_leave_the_last_one(shift: Database) -> None:
    await sum_all(shift)
    await state(shift, "Held", "6:00")
    times = (await asked(shift, "6:00", "8:00")).elements.times
    assert (times.apt, times.adet) == (0, 2 * 3600)


REPAIRS: dict[str, LiteralString] = {
    "a state ended earlier": "update mes.equipment_state set ended_at = %(at)s where state = 'Execute'",
    "a state was another": "update mes.equipment_state set state = 'Idle' where state = 'Execute'",
    "a state began later": "update mes.equipment_state set started_at = %(at)s where state = 'Execute'",
    "a state was never there": "delete from mes.equipment_state where state = 'Execute'",
    "a count was more": "update mes.machine_count set delta = 5 where at = %(at)s",
    "a count was later": "update mes.machine_count set at = at + interval '1 hour' where at = %(at)s",
    "a count was none": "delete from mes.machine_count where at = %(at)s",
    "a job was elsewhere": "update mes.equipment_actual set equipment = 'CNC-2'",
    "a job began later": "update mes.equipment_actual set started_at = %(at)s",
    "a job was never there": "delete from mes.equipment_actual",
}


@pytest.mark.parametrize("repair", REPAIRS)
async def test_a_repair_by_hand_is_in_the_figure_too(shift: Database, repair: str) -> None:
    """Whoever changes a fact, the triggers see it: here the owner of the tables, from 8:20 on."""
    await sum_all(shift)
    before = await halves(shift)
    async with await Database.open(shift.url, name="test", site=SITE, max_size=1, as_owner=True) as owner:
        async with owner.transaction(at_work(LATE)) as tx:
            await tx.execute(REPAIRS[repair], {"at": clock("8:20")})
        after = await halves(shift)
        async with owner.transaction(at_work(LATE)) as tx:
            await tx.execute("delete from mes.equipment_sum")
    assert after == await halves(shift)
    assert after != before


async def halves(db: Database) -> tuple[UnitElements, UnitElements]:
    return await asked(db, "6:00", "9:00"), await asked(db, "9:00", "12:00")


async def test_a_reason_changes_no_sum(shift: Database) -> None:
    await state(shift, "Held", "9:00")
    await sum_all(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        await performance.explain_stop(tx, CNC, None, clock("9:30"), "breakdown")
        assert await tx.value("select count(*) from mes.equipment_sum_mark") == 0


async def test_a_change_that_commits_while_hours_are_summed_is_not_lost(shift: Database) -> None:
    """The sum cannot hold what was not committed; the mark is committed with the change."""
    async with shift.transaction(at_work(LATE)) as late:
        await performance.record_count(late, piece("8:15"))
        await sum_all(shift)
        assert (await asked(shift)).elements.pq == 21
    assert (await asked(shift)).elements.pq == 22
    await sum_all(shift, LATE + timedelta(minutes=5))
    assert await holding(shift) == 8
    assert (await asked(shift)).elements.pq == 22


async def test_a_reader_of_an_older_snapshot_sees_no_newer_sum(shift: Database) -> None:
    await sum_all(shift)
    async with shift.read() as tx:
        window = Window(starts_at=clock("6:10"), ends_at=clock("9:40"))
        before = await performance.unit_elements(tx, window)
        async with shift.transaction(at_work(LATE)) as late:
            await performance.record_count(late, piece("8:15"))
        await sum_all(shift, LATE + timedelta(minutes=5))
        assert await performance.unit_elements(tx, window) == before
    assert (await asked(shift)).elements.pq == 22


async def test_two_who_sum_at_once_do_not_disturb_each_other(shift: Database) -> None:
    await roll_up(shift, LATE)
    quiet = LATE + 2 * sums.QUIET
    summed = await asyncio.gather(*(roll_up(shift, quiet, at_once=3) for _ in range(4)))
    assert sorted(summed) == [0, 3, 3, 3]
    assert await holding(shift) == 8
    assert (await asked(shift)).elements.pq == 21


async def test_what_is_over_is_summed_when_nothing_touches_it_any_more(shift: Database) -> None:
    """At eight in Suzhou two hours are over, and a day of UTC with them."""
    assert await roll_up(shift, clock("8:00") + timedelta(seconds=10)) == 0
    assert await roll_up(shift, clock("8:01")) == 0
    assert await roll_up(shift, clock("8:02")) == 3
    assert await roll_up(shift, clock("8:30")) == 0
    async with shift.transaction(at_work(clock("8:31"))) as tx:
        await performance.record_count(tx, piece("7:05"))
    assert await roll_up(shift, clock("8:31")) == 0
    assert await holding(shift) == 1
    assert await roll_up(shift, clock("8:33")) == 2
    assert await roll_up(shift, clock("9:00") + timedelta(seconds=10)) == 0
    assert await roll_up(shift, clock("9:01")) == 1


async def test_a_clock_that_was_set_back_leaves_no_stale_sum(shift: Database) -> None:
    await sum_all(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        await performance.record_count(tx, piece("8:15"))
    await roll_up(shift, clock("7:30"))
    assert (await asked(shift)).elements.pq == 22
    await sum_all(shift)
    assert (await asked(shift)).elements.pq == 22


async def test_a_correction_of_what_is_older_than_anything_summed_now_is_in_the_figure(
    shift: Database,
) -> None:
    await sum_all(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        await performance.record_count(tx, piece("8:15"))
    await roll_up(shift, LATE + sums.REACH + timedelta(days=2))
    assert (await asked(shift)).elements.pq == 22


async def test_a_unit_without_facts_has_no_hours(shift: Database) -> None:
    await sum_all(shift)
    async with shift.read() as tx:
        assert await tx.value("select count(*) from mes.equipment_sum where equipment <> 'CNC-1'") == 0


async def test_a_clock_that_was_decades_behind_costs_no_half_million_hours(shift: Database) -> None:
    async with shift.transaction(at_work(LATE)) as tx:
        ancient = StateReading(
            equipment=EquipmentId("CNC-2"), state="Idle", at=datetime(1970, 1, 1, tzinfo=UTC)
        )
        await performance.record_state(tx, ancient)
    await sum_all(shift)
    async with shift.read() as tx:
        known = await tx.value(
            "select count(*) from mes.equipment_sum where equipment = 'CNC-2' and hours = 1"
        )
    assert known == sums.REACH / sums.HOUR


async def test_days_are_read_where_they_hold_and_hours_where_they_do_not(shift: Database) -> None:
    await sum_all(shift, SHIFT + timedelta(days=4))
    window = Window(starts_at=clock("6:10"), ends_at=clock("9:40") + timedelta(days=3))
    async with shift.read() as tx:
        before = await performance.unit_elements(tx, window)
    await spoil(shift)
    async with shift.transaction(at_work(LATE)) as tx:
        await tx.execute("update mes.equipment_sum set apt = 1000000 * hours")
        spoilt = (await performance.unit_elements(tx, window))[CNC].elements.times.apt
        assert spoilt == (50 + 40) * 60 + (1 + 24 + 24 + 24 + 1)
        late = CountReading(
            equipment=CNC, kind=CountKind.GOOD, delta=Decimal(1), at=SHIFT + timedelta(days=1)
        )
        await performance.record_count(tx, late)
        spoilt = (await performance.unit_elements(tx, window))[CNC].elements.times.apt
        assert spoilt == (50 + 40 + 60) * 60 + (1 + 23 + 24 + 24 + 1)
    await sum_all(shift, SHIFT + timedelta(days=5))
    async with shift.transaction(at_work(LATE)) as tx:
        await tx.execute("update mes.equipment_sum set owed_since = now() - interval '1 day'")
    await sum_all(shift, SHIFT + timedelta(days=5))
    async with shift.read() as tx:
        after = await performance.unit_elements(tx, window)
    assert after[CNC].elements.times == before[CNC].elements.times
    assert after[CNC].elements.pq == before[CNC].elements.pq + 1


HOURS = [
    ("6:00", "8:00", ("6:00", "8:00")),
    ("6:01", "8:59", ("7:00", "8:00")),
    ("6:01", "7:00", None),
    ("6:10", "6:50", None),
]


@pytest.mark.parametrize(("start", "end", "found"), HOURS)
def test_the_whole_hours_of_a_window(start: str, end: str, found: tuple[str, str] | None) -> None:
    wanted = None if found is None else Window(starts_at=clock(found[0]), ends_at=clock(found[1]))
    assert sums.whole(Window(starts_at=clock(start), ends_at=clock(end)), sums.HOUR) == wanted


def test_a_day_is_that_of_utc_whatever_zone_a_window_is_in() -> None:
    zone = ZoneInfo("Europe/Berlin")
    asked = Window(
        starts_at=datetime(2026, 10, 24, 3, tzinfo=zone), ends_at=datetime(2026, 10, 27, 3, tzinfo=zone)
    )
    found = sums.whole(asked, sums.DAY)
    assert found == Window(
        starts_at=datetime(2026, 10, 25, tzinfo=UTC), ends_at=datetime(2026, 10, 27, tzinfo=UTC)
    )


async def test_a_load_follows_its_job(shift: Database) -> None:
    """From its start at a unit to its start elsewhere or its end, holds included."""
    async with shift.transaction(at_work(LATE)) as tx:
        job: JobOrderId = await tx.value("select job_order from mes.equipment_actual")
        load = "select ended_at = 'infinity' from mes.equipment_load where job_order = %(job)s"
        ended = "select ended_at from mes.equipment_load where job_order = %(job)s"
        assert await tx.value(load, {"job": job})
        await tx.execute(
            "update mes.equipment_actual set ended_at = %(at)s where job_order = %(job)s",
            {"job": job, "at": clock("7:00")},
        )
        await tx.execute("update mes.job_order set status = 'Held' where id = %(job)s", {"job": job})
        assert await tx.value(load, {"job": job})
        await tx.execute(
            "update mes.job_order set status = 'Completed', completed_at = %(at)s where id = %(job)s",
            {"job": job, "at": clock("7:30")},
        )
        assert await tx.value(ended, {"job": job}) == clock("7:30")


async def test_the_floor_worker_sums_hours(db: Database, settings: Settings) -> None:
    await define_plant(db)
    now = utc_now()
    async with db.transaction(at_work(now - timedelta(hours=5))) as tx:
        await performance.record_state(tx, StateReading(equipment=CNC, state="Idle", at=tx.now))
    await roll_up(db, now - 2 * sums.QUIET)
    worker = asyncio.create_task(floor.main(settings))
    try:
        async with asyncio.timeout(60):
            while await holding(db) < 4:
                await asyncio.sleep(0.05)
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
