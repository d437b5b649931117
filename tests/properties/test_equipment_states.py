"""Whatever order states are told in, a unit's intervals are contiguous and hold the last word."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mes.kernel.db import Database
from mes.kernel.ids import EquipmentId
from mes.performance import service as performance
from mes.performance.model import PACKML, StateReading
from tests.fixtures.facts import at_work, define_plant
from tests.fixtures.postgres import SITE

START = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
readings = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([PACKML[4], PACKML[6], PACKML[9]])), max_size=12
)


@pytest.fixture
def plant_url(database_url: str) -> str:
    async def define() -> None:
        async with await Database.open(database_url, name="test", site=SITE) as db:
            await define_plant(db)

    asyncio.run(define())
    return database_url


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings)
def test_intervals_are_contiguous(plant_url: str, told: list[tuple[int, str]]) -> None:
    async def tell() -> None:
        async with (
            await Database.open(plant_url, name="test", site=SITE, max_size=1) as db,
            db.transaction(at_work(START)) as tx,
        ):
            await tx.execute("delete from mes.equipment_state")
            for minute, state in told:
                at = START + timedelta(minutes=minute)
                await performance.record_state(
                    tx, StateReading(equipment=EquipmentId("CNC-1"), state=state, at=at)
                )

    asyncio.run(tell())
    with psycopg.connect(plant_url) as conn:
        rows = conn.execute(
            "select started_at, ended_at, state from mes.equipment_state order by started_at"
        ).fetchall()
    assert [row[1] for row in rows] == [*(row[0] for row in rows[1:])] + [None] * bool(rows)
    assert bool(rows) == bool(told)
    if told:
        assert rows[0][0] == START + timedelta(minutes=min(minute for minute, _ in told))
