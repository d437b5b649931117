"""Whatever is told, corrected and summed in whatever order, figures are those of the facts."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mes.intake import service as intake
from mes.kernel.db import Database
from mes.kernel.ids import EquipmentId, JobOrderId
from mes.performance import service as performance
from mes.performance import sums
from mes.performance.model import (
    CountKind,
    CountNotWaiting,
    CountReading,
    IntervalUnknown,
    StateReading,
    Window,
)
from mes.resources import service as resources
from tests.fixtures.facts import at_work, define_plant, order_pumps
from tests.fixtures.postgres import SITE
from tests.properties.performance import facts

START = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
"""An hour before shift A; the cell rests from 10:00 to 10:10, assembly from 10:30 to 10:40."""
SPAN = timedelta(hours=60)
UNITS = ("CNC-1", "CNC-2", "ASM-1")
STATES = ("Execute", "Starting", "Held", "Idle", "Undefined")
BREAKS: tuple[list[dict[str, int]], ...] = (
    [],
    [{"after_minutes": 240, "minutes": 10}],
    [{"after_minutes": 95, "minutes": 45}],
)
ZONES = ("Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin")

moments = st.one_of(
    st.integers(0, 60).map(lambda hour: timedelta(hours=hour)),
    st.integers(0, 360).map(lambda part: timedelta(minutes=10 * part)),
    st.integers(0, 60 * 3_600_000_000).map(lambda part: timedelta(microseconds=part)),
).map(lambda passed: START + passed)
units = st.sampled_from(UNITS).map(EquipmentId)
windows = (
    st.tuples(moments, moments)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: Window(starts_at=min(pair), ends_at=max(pair)))
)


@dataclass
class Plant:
    """A plant that acts happen to, and the jobs that it has."""

    url: str
    db: Database
    jobs: list[JobOrderId]

    def sql(self, text: str, **values: object) -> None:
        """Run a statement as the owner, in a transaction of its own."""
        with psycopg.connect(self.url) as conn:
            conn.execute(text, values)


class Act(Protocol):
    """Something that happens in the plant."""

    async def happen(self, plant: Plant) -> None: ...


@dataclass(frozen=True)
class Told:
    unit: EquipmentId
    state: str
    at: datetime

    async def happen(self, plant: Plant) -> None:
        async with plant.db.transaction(at_work(self.at)) as tx:
            reading = StateReading(equipment=self.unit, state=self.state, at=self.at)
            await performance.record_state(tx, reading)


@dataclass(frozen=True)
class Unseen:
    unit: EquipmentId
    window: Window

    async def happen(self, plant: Plant) -> None:
        async with plant.db.transaction(at_work(START)) as tx:
            await performance.record_gap(tx, self.unit, self.window)


@dataclass(frozen=True)
class Explained:
    unit: EquipmentId
    at: datetime

    async def happen(self, plant: Plant) -> None:
        async with plant.db.transaction(at_work(START)) as tx:
            try:
                await performance.explain_stop(tx, self.unit, None, self.at, "breakdown")
            except IntervalUnknown:
                return


@dataclass(frozen=True)
class Counted:
    unit: EquipmentId
    at: datetime
    kind: CountKind
    pieces: int
    doubtful: bool

    async def happen(self, plant: Plant) -> None:
        reading = CountReading(
            equipment=self.unit,
            kind=self.kind,
            delta=Decimal(self.pieces),
            at=self.at,
            doubtful=self.doubtful,
        )
        async with plant.db.transaction(at_work(self.at)) as tx:
            await performance.record_count(tx, reading)


@dataclass(frozen=True)
class Decided:
    accepted: bool

    async def happen(self, plant: Plant) -> None:
        async with plant.db.transaction(at_work(START)) as tx:
            for waiting in (await performance.doubtful_counts(tx))[:1]:
                try:
                    await performance.decide_count(tx, waiting.id, accepted=self.accepted)
                except CountNotWaiting:
                    return


@dataclass(frozen=True)
class Wired:
    """A machine gets a counter of scrap, or loses it."""

    unit: EquipmentId
    scrap: bool

    async def happen(self, plant: Plant) -> None:
        names = ("good", "scrap") if self.scrap else ("good",)
        rows = [{"name": f"{self.unit}/{one}", "kind": "count", "metric": f"count.{one}"} for one in names]
        async with plant.db.transaction(at_work(START)) as tx:
            await intake.put_edge_config(tx, f"edge-{self.unit.lower()}", {"tags": rows})


@dataclass(frozen=True)
class Scrapped:
    """Somebody reports scrap."""

    job: int
    unit: EquipmentId
    at: datetime
    pieces: int

    async def happen(self, plant: Plant) -> None:
        plant.sql(
            """
            insert into mes.report (id, site, scope, job_order, work_order, operation, equipment, person,
                                    good, scrap, uom, reason, at)
            select gen_random_uuid(), site, scope, id, work_order, operation, %(unit)s,
                   (select min(id) from mes.person), 0, %(pieces)s, uom, 'porosity', %(at)s
            from mes.job_order where id = %(job)s
            """,
            job=plant.jobs[self.job],
            unit=self.unit,
            pieces=self.pieces,
            at=self.at,
        )


@dataclass(frozen=True)
class Undone:
    """The report of scrap told first is undone."""

    at: datetime

    async def happen(self, plant: Plant) -> None:
        plant.sql(
            """
            insert into mes.report (id, site, scope, job_order, work_order, operation, equipment, person,
                                    good, scrap, uom, reason, at, reverses)
            select gen_random_uuid(), site, scope, job_order, work_order, operation, equipment, person, 0,
                   -scrap, uom, 'wrong', %(at)s, id
            from mes.report told
            where reverses is null and not exists (select from mes.report u where u.reverses = told.id)
            order by recorded_at limit 1
            """,
            at=self.at,
        )


@dataclass(frozen=True)
class Begun:
    """A job starts, or goes on, at a unit that is free: it may have run at another one."""

    job: int
    unit: EquipmentId
    at: datetime

    async def happen(self, plant: Plant) -> None:
        job = plant.jobs[self.job]
        plant.sql(
            """
            with free as (
                select id from mes.job_order where id = %(job)s and not exists (
                    select from mes.equipment_actual where ended_at is null and equipment = %(unit)s)
            ), left_unit as (
                update mes.equipment_actual a set ended_at = greatest(a.started_at, %(at)s)
                from free where a.job_order = free.id and a.ended_at is null
            ), begun as (
                insert into mes.equipment_actual (id, site, scope, job_order, equipment, started_at)
                select gen_random_uuid(), 'SUZ', '', id, %(unit)s, %(at)s::timestamptz from free
            )
            update mes.job_order j set status = 'Running', equipment = %(unit)s, completed_at = null
            from free where j.id = free.id
            """,
            job=job,
            unit=self.unit,
            at=self.at,
        )
        async with plant.db.transaction(at_work(self.at)) as tx:
            await performance.attribute_counts(tx, job)


@dataclass(frozen=True)
class Left:
    """A job is held, or is over."""

    job: int
    at: datetime
    status: str

    async def happen(self, plant: Plant) -> None:
        plant.sql(
            """
            with left_unit as (
                update mes.equipment_actual set ended_at = greatest(started_at, %(at)s)
                where job_order = %(job)s and ended_at is null
            )
            update mes.job_order set status = %(status)s, completed_at = %(over)s
            where id = %(job)s and equipment is not null
            """,
            job=plant.jobs[self.job],
            at=self.at,
            status=self.status,
            over=self.at if self.status == "Completed" else None,
        )


@dataclass(frozen=True)
class Planned:
    """The breaks of every calendar change, or the time zone of the site."""

    breaks: int
    zone: str

    async def happen(self, plant: Plant) -> None:
        plant.sql("update mes.calendar set breaks = %(some)s::jsonb", some=json.dumps(BREAKS[self.breaks]))
        plant.sql("update mes.policy set timezone = %(zone)s", zone=self.zone)


@dataclass(frozen=True)
class Summed:
    at: datetime
    at_once: int

    async def happen(self, plant: Plant) -> None:
        async with plant.db.transaction(at_work(self.at)) as tx:
            await sums.roll_up(tx, self.at_once)


@dataclass(frozen=True)
class Asked:
    window: Window

    async def happen(self, plant: Plant) -> None:
        async with plant.db.read() as tx:
            said = await performance.unit_elements(tx, self.window)
            calendars = await resources.unit_windows(tx, self.window.starts_at, self.window.ends_at)
        with psycopg.connect(plant.url) as conn:
            for unit in UNITS:
                known = facts.read(conn, unit)
                wanted = facts.exact(known, calendars[EquipmentId(unit)], self.window)
                assert facts.as_found(said[EquipmentId(unit)]) == wanted, unit


told = st.builds(Told, units, st.sampled_from(STATES), moments)
summed = st.builds(Summed, moments, st.sampled_from([1, 5, 200]))
acts = st.lists(
    st.one_of(
        told,
        told,
        st.builds(Unseen, units, windows),
        st.builds(Explained, units, moments),
        st.builds(Counted, units, moments, st.sampled_from(CountKind), st.integers(1, 9), st.booleans()),
        st.builds(Decided, st.booleans()),
        st.builds(Wired, units, st.booleans()),
        st.builds(Scrapped, st.integers(0, 2), units, moments, st.integers(1, 9)),
        st.builds(Undone, moments),
        st.builds(Begun, st.integers(0, 2), units, moments),
        st.builds(Begun, st.integers(0, 2), units, moments),
        st.builds(Left, st.integers(0, 2), moments, st.sampled_from(["Held", "Completed"])),
        st.builds(Planned, st.sampled_from(range(len(BREAKS))), st.sampled_from(ZONES)),
        summed,
        summed,
        st.builds(Asked, windows),
        st.builds(Asked, windows),
    ),
    min_size=1,
    max_size=16,
)


@pytest.fixture
def plant_url(database_url: str) -> str:
    async def define() -> None:
        async with await Database.open(database_url, name="test", site=SITE) as db:
            await define_plant(db)
            for _ in range(3):
                await order_pumps(db, 300, START)

    asyncio.run(define())
    return database_url


def forget(url: str) -> list[JobOrderId]:
    """Forget every fact; return the jobs."""
    with psycopg.connect(url) as conn:
        for table in (
            "equipment_state", "machine_count", "equipment_actual", "report", "edge_config", "equipment_sum",
        ):  # fmt: skip
            conn.execute(f"delete from mes.{table}")  # noqa: S608 - names of ours
        conn.execute("delete from mes.equipment_sum_mark")
        conn.execute(
            "update mes.job_order set status = 'Ready', equipment = null, completed_at = null,"
            " good = 0, scrap = 0"
        )
        conn.execute("update mes.work_order set good = 0, scrap = 0")
        conn.execute("update mes.calendar set breaks = %s::jsonb", (json.dumps(BREAKS[1]),))
        conn.execute("update mes.policy set timezone = %s", (ZONES[0],))
        conn.execute("delete from mes.equipment_sum_mark")
        rows = conn.execute("select id from mes.job_order where operation = 10 order by id").fetchall()
    return [JobOrderId(row[0]) for row in rows]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts, acts, windows)
def test_a_figure_is_that_of_the_facts_whatever_was_summed(
    plant_url: str, at_first: list[Act], corrected: list[Act], asked: Window
) -> None:
    """Things happen and are summed; then more is told of the same time."""

    async def live() -> None:
        jobs = forget(plant_url)
        async with await Database.open(plant_url, name="test", site=SITE, max_size=1) as db:
            plant = Plant(plant_url, db, jobs)
            for some in (at_first, corrected):
                for act in some:
                    await act.happen(plant)
                await ask(plant, asked)
                await sum_all(plant)
                await ask(plant, asked)

    asyncio.run(live())


async def ask(plant: Plant, window: Window) -> None:
    for one in (window, Window(starts_at=START, ends_at=START + SPAN)):
        await Asked(one).happen(plant)


async def sum_all(plant: Plant) -> None:
    """Sum everything; nothing is owed then, and no mark is left."""
    late = START + SPAN + timedelta(hours=1)
    for moment in (late, late + 2 * sums.QUIET):
        async with plant.db.transaction(at_work(moment)) as tx:
            while await sums.roll_up(tx):
                pass
    async with plant.db.read() as tx:
        left = "select count(*) from mes.equipment_sum where owed_since is not null"
        assert await tx.value(left) == await tx.value("select count(*) from mes.equipment_sum_mark") == 0
