"""The figures of fifty machines over thirty days, and one tag's day as a thousand points.

Each machine changes its state every three minutes, makes a piece every two and has a job an hour; its
calendar is the demo plant's, three shifts with a break. The window begins and ends within an hour, so that
both ends come from the facts. The database is on disk and has been analysed; times are those of the second
and later calls, with the processor time of the database session beside. What the facts alone answer, before
anything is summed, is asked once, and is the same.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from importlib.resources import files
from statistics import median

import psutil
import psycopg

from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.ids import EquipmentId
from mes.performance import service as performance
from mes.performance.model import UnitElements, Window
from mes.performance.sums import QUIET
from mes.resources import service as resources
from mes.resources.plantfile import parse_plant
from tests.benchmarks.figure import Figure
from tests.fixtures.floor import open_floor
from tests.fixtures.postgres import SITE, migrated_database

MACHINES = 50
DAYS = 30
TAGS = 20
CALLS = 7
KPI_LIMIT_MS = 100
TREND_LIMIT_MS = 50
POINTS = 1000

UNIT = """
[[equipment]]
id = "{unit}"
level = "work_unit"
name = "{unit}"
parent = "MC"
"""

FACTS = """
insert into mes.job_order (id, site, scope, work_order, operation, from_operation, last, name, instructions,
    material, family, work_center, cost_center, labour_class, setup_s, run_s, quantity, uom, status,
    equipment, started_at, completed_at)
select w.id || '-' || u.id || '-' || n, 'SUZ', 'MACH/MC', w.id, u.number * 1000 + n, 0, false, 'Step', '',
       w.material, '40', 'MC', 'CC', 'L1', 60, 100, 4, 'pc', 'Completed', u.id,
       %(begin)s + make_interval(hours => n), %(begin)s + make_interval(hours => n, mins => 55)
from (select id, row_number() over (order by id) as number from mes.equipment where id like 'M-%%') u
cross join generate_series(0, %(hours)s - 1) n
cross join (select id, material from mes.work_order limit 1) w;

insert into mes.equipment_actual (id, site, scope, job_order, equipment, started_at, ended_at)
select gen_random_uuid(), site, scope, id, equipment, started_at, completed_at
from mes.job_order where equipment like 'M-%%';

insert into mes.equipment_state (id, site, scope, equipment, state, reason, started_at, ended_at)
select gen_random_uuid(), 'SUZ', 'MACH/MC/' || u.id, u.id,
       (array['Execute', 'Execute', 'Idle', 'Execute', 'Held', 'Execute', 'Starting', 'Execute'])[1 + n %% 8],
       null, %(begin)s + make_interval(mins => 3 * n), %(begin)s + make_interval(mins => 3 * n + 3)
from mes.equipment u cross join generate_series(0, %(hours)s * 20 - 1) n where u.id like 'M-%%';

insert into mes.machine_count (site, scope, equipment, at, kind, delta, job_order, item, run_s)
select 'SUZ', 'MACH/MC/' || u.id, u.id, %(begin)s + make_interval(mins => 2 * n),
       case when n %% 40 = 0 then 'scrap' else 'good' end, 1, null,
       (array['PUMP-40', 'PUMP-65', 'PUMP-80'])[1 + (n / 30) %% 3], 100 + 10 * ((n / 30) %% 3)
from mes.equipment u cross join generate_series(0, %(hours)s * 30 - 1) n where u.id like 'M-%%';
"""

SERIES = """
insert into historian.rollup_1m (tag_id, bucket, n, n_good, sum, min, max, first, last, twa)
select tag, %(begin)s + make_interval(mins => n), 60, 60, n, n, n, n, n, n
from generate_series(1, %(tags)s) tag cross join generate_series(0, %(hours)s * 60 - 1) n
"""

TREND = """
select to_timestamp(avg(extract(epoch from bucket))), min(min), max(max), avg(twa)
from (select *, ntile(%(points)s) over (order by bucket) as part from historian.rollup_1m
      where tag_id = %(tag)s and bucket >= %(begin)s and bucket < %(end)s) day
group by part order by part
"""


async def fill(url: str, db: Database, begin: datetime) -> None:
    """Define the plant and let a month pass."""
    floor = await open_floor(db)
    await floor.order(4)
    text = files("mes.resources").joinpath("pump_plant.toml").read_text(encoding="utf-8")
    units = "".join(UNIT.format(unit=f"M-{number:02}") for number in range(MACHINES))
    async with db.transaction(Cause(actor="service:bench", at=utc_now())) as tx:
        await resources.put_plant(tx, parse_plant(text + units))
    facts = {"begin": begin, "hours": DAYS * 24 + 1, "tags": TAGS}
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*FACTS.split(";\n\n"), SERIES):
            connection.execute(statement, facts)
        connection.execute("vacuum analyze")


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Return the median of some calls after the first, in milliseconds."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken[1:])


async def run() -> list[Figure]:
    """Return the figures of this area."""
    end = utc_now().replace(minute=35, second=20, microsecond=0)
    window = Window(starts_at=end - timedelta(days=DAYS), ends_at=end)
    with migrated_database() as url:
        async with await Database.open(url, name="bench", site=SITE, max_size=1) as db:
            await fill(url, db, window.starts_at.replace(minute=0, second=0))
            exact, alone_ms = await facts_alone(db, window)
            summing = await sum_all(url, db, end)
            figures = await measure(url, db, window)
            assert await elements(db, window) == exact
    return [*figures, Figure("the same from the facts alone", alone_ms, "ms"), summing]


async def elements(db: Database, window: Window) -> dict[EquipmentId, UnitElements]:
    """Return the elements of every unit, however long it takes."""
    async with db.read() as tx:
        await tx.execute("set local statement_timeout = 0")
        return await performance.unit_elements(tx, window)


async def facts_alone(db: Database, window: Window) -> tuple[dict[EquipmentId, UnitElements], float]:
    """Return the elements before anything is summed, and how many milliseconds they took."""
    began = time.perf_counter()
    found = await elements(db, window)
    return found, (time.perf_counter() - began) * 1000


async def sum_all(url: str, db: Database, end: datetime) -> Figure:
    """Sum everything, as the floor worker does; return what one costs."""
    began = time.perf_counter()
    for moment in (end, end + 2 * QUIET):
        found = 1
        while found:
            async with db.transaction(Cause(actor="service:bench", at=moment)) as tx:
                found = await performance.roll_up(tx)
    spent_ms = (time.perf_counter() - began) * 1000
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return Figure("summing one hour of one machine, once", spent_ms / (MACHINES * DAYS * 24), "ms")


async def measure(url: str, db: Database, window: Window) -> list[Figure]:
    """Return how long the figures take."""
    shift = Window(starts_at=window.ends_at - timedelta(hours=8), ends_at=window.ends_at)

    async def month() -> None:
        async with db.read() as tx:
            found = await performance.unit_elements(tx, window)
        shown = [performance.kpi_of(found[unit]) for unit in found if unit.startswith("M-")]
        assert len(shown) == MACHINES
        assert all(figures.oee for figures in shown)

    async def one_month() -> None:
        async with db.read() as tx:
            await performance.report(tx, EquipmentId("M-00"), window)

    async def one_shift() -> None:
        async with db.read() as tx:
            await performance.unit_elements(tx, shift)

    async with db.read() as tx:
        backend = psutil.Process(await tx.value("select pg_backend_pid()"))
    before = sum(backend.cpu_times()[:2])
    months = await timed(month)
    spent = (sum(backend.cpu_times()[:2]) - before) / CALLS * 1000
    await correct(db, window)
    return [
        Figure(f"KPI, {MACHINES} machines x {DAYS} days", months, "ms", f"limit {KPI_LIMIT_MS}"),
        Figure("of which the database, CPU", spent, "ms"),
        Figure("the same, a day of each machine changed", await timed(month), "ms"),
        Figure("KPI, all machines, one shift", await timed(one_shift), "ms"),
        Figure("report with evidence, one machine, 30 days", await timed(one_month), "ms"),
        Figure(f"one tag, one day, {POINTS} points", trend(url, window), "ms", f"limit {TREND_LIMIT_MS}"),
    ]


async def correct(db: Database, window: Window) -> None:
    """Touch a count of each machine, ten days ago: the sums of that hour and day hold no longer."""
    async with db.transaction(Cause(actor="service:bench", at=window.ends_at)) as tx:
        for delta in (1, -1):
            await tx.execute(
                "update mes.machine_count set delta = delta + %(delta)s where at = %(at)s",
                {"delta": delta, "at": window.starts_at.replace(minute=2, second=0) + timedelta(days=20)},
            )


def trend(url: str, window: Window) -> float:
    """Return how long a tag's last day takes, in milliseconds."""
    asked = {"tag": 7, "points": POINTS, "begin": window.ends_at - timedelta(days=1), "end": window.ends_at}
    taken = []
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(CALLS):
            began = time.perf_counter()
            points = connection.execute(TREND, asked).fetchall()
            taken.append((time.perf_counter() - began) * 1000)
            assert len(points) == POINTS
    return median(taken[1:])
