"""A unit's hours of a job: its shifts less breaks, and of nights and days off what was worked in them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mes.execution import service as execution
from mes.execution.model import QuantityReport
from mes.kernel.ids import EquipmentId, JobOrderId, PersonId
from mes.performance import service as performance
from mes.performance.model import TIME_KINDS, StateReading, TimeKind
from mes.resources import service as resources
from mes.resources.model import RUNNING_STATES, Shift
from tests.fixtures.floor import Floor
from tests.integration.mes.execution.test_an_order_runs import events

UNIT, PERSON = EquipmentId("CNC-1"), PersonId("E-1001")
SUZHOU, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
DAY = Shift(name="A", starts=time(6), minutes=480, days=(1, 2, 3, 4, 5))
LATE = Shift(name="B", starts=time(14), minutes=480)
NIGHT = Shift(name="C", starts=time(22), minutes=480)


def suzhou(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026 in Suzhou; the 2nd is a Monday, and the 7th a Saturday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=SUZHOU).astimezone(UTC)


def berlin(month: int, day: int, hour: int) -> datetime:
    """A moment of 2026 in Berlin: clocks go forward on 29 March and back on 25 October, each at night."""
    return datetime(2026, month, day, hour, tzinfo=BERLIN).astimezone(UTC)


@dataclass(frozen=True)
class Stay:
    """A job at CNC-1, begun and held.

    Args:
        leaves: When its person goes home; stays to the end when None.
        told: What the machine tells, and when.
    """

    begins: datetime
    ends: datetime
    leaves: datetime | None = None
    told: tuple[tuple[datetime, str], ...] = ()


async def open_in(floor: Floor, *shifts: Shift, timezone: str = "Asia/Shanghai") -> None:
    """Let the plant work these shifts; each rests for ten minutes four hours after its begin."""
    plant = resources.load_plant()
    calendars = tuple(replace(one, shifts=shifts) for one in plant.calendars)
    await floor.do(lambda tx: resources.put_plant(tx, replace(plant, calendars=calendars, timezone=timezone)))


async def minutes(floor: Floor, stay: Stay) -> tuple[float, float]:
    """Return the minutes booked of the unit, and those of people."""
    number = await floor.order(4)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    floor.now = stay.begins
    await floor.do(lambda tx: execution.start(tx, job), PERSON, UNIT)
    for at, state in stay.told:
        reading = StateReading(equipment=UNIT, state=state, at=at)
        await floor.do(lambda tx, reading=reading: performance.record_state(tx, reading))  # type: ignore[misc]
    if stay.leaves is not None:
        floor.now = stay.leaves
        await floor.do(lambda tx: execution.leave(tx, PERSON))
        floor.now = stay.ends
        await floor.do(lambda tx: resources.clock_in(tx, PERSON))
    floor.now = stay.ends
    await floor.do(lambda tx: execution.hold(tx, job, "other"), PERSON, UNIT)
    return await booked(floor, "MachineTimeBooked"), await booked(floor, "LabourBooked")


async def booked(floor: Floor, kind: str) -> float:
    hours = [Decimal(one.payload["hours"]) for one in await events(floor) if one.type == kind]
    return float(round(sum(hours, Decimal(0)) * 60, 3))


TWO_DAYS = (suzhou(2, 12), suzhou(3, 8))


@pytest.mark.parametrize(
    ("stay", "expected"),
    [
        pytest.param(Stay(*TWO_DAYS, suzhou(2, 14)), (240, 120), id="the night is closed"),
        pytest.param(Stay(*TWO_DAYS, suzhou(2, 16, 30)), (390, 270), id="overtime"),
        pytest.param(
            Stay(*TWO_DAYS, suzhou(2, 14), ((suzhou(2, 12), "Execute"), (suzhou(2, 17, 30), "Idle"))),
            (450, 120),
            id="it runs on alone",
        ),
        pytest.param(
            Stay(*TWO_DAYS, suzhou(2, 14), ((suzhou(2, 12), "Execute"), (suzhou(2, 15), "Aborted"))),
            (300, 120),
            id="it runs on alone until a fault",
        ),
        pytest.param(
            Stay(*TWO_DAYS, suzhou(2, 14), ((suzhou(2, 12), "Execute"), (suzhou(2, 15), "Undefined"))),
            (300, 120),
            id="nobody knows what it did",
        ),
        pytest.param(
            Stay(*TWO_DAYS, suzhou(2, 14), ((suzhou(2, 11), "Execute"),)), (1200, 120), id="lights out"
        ),
        pytest.param(
            Stay(*TWO_DAYS, suzhou(2, 16), ((suzhou(2, 12), "Execute"), (suzhou(2, 17), "Idle"))),
            (420, 240),
            id="a person and the machine at once",
        ),
        pytest.param(
            Stay(suzhou(2, 15), suzhou(2, 16), told=((suzhou(2, 15), "Execute"),)), (60, 60), id="after hours"
        ),
        pytest.param(Stay(suzhou(7, 8), suzhou(7, 12), suzhou(7, 9)), (60, 60), id="on a day off"),
        pytest.param(Stay(suzhou(6, 12), suzhou(9, 8), suzhou(6, 14)), (240, 120), id="over a weekend"),
        pytest.param(Stay(suzhou(3, 9), suzhou(3, 15)), (350, 350), id="over a break into overtime"),
    ],
)
async def test_a_plant_of_one_shift(floor: Floor, stay: Stay, expected: tuple[float, float]) -> None:
    await open_in(floor, DAY)
    assert await minutes(floor, stay) == expected


async def test_who_goes_without_a_word_leaves_the_unit_to_the_night_too(floor: Floor) -> None:
    await open_in(floor, DAY)
    number = await floor.order(4)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    floor.now = suzhou(2, 12)
    await floor.do(lambda tx: execution.start(tx, job), PERSON, UNIT)
    floor.now = suzhou(2, 18)
    assert await floor.do(execution.end_forgotten) == 1
    floor.now = suzhou(3, 7)
    await floor.do(
        lambda tx: execution.report(tx, QuantityReport(job_order=job, good=Decimal(1))), PERSON, UNIT
    )
    floor.now = suzhou(3, 8)
    await floor.do(lambda tx: execution.hold(tx, job, "other"), PERSON, UNIT)
    assert (await booked(floor, "MachineTimeBooked"), await booked(floor, "LabourBooked")) == (240, 180)


async def test_where_three_shifts_follow_each_other_midnight_is_an_hour_like_any_other(floor: Floor) -> None:
    """The breaks of the second and of the third shift lie in it."""
    await open_in(floor, replace(DAY, days=LATE.days), LATE, NIGHT)
    assert await minutes(floor, Stay(*TWO_DAYS, suzhou(2, 22))) == (1200 - 20, 600 - 10)


@pytest.mark.parametrize(
    ("begins", "ends"), [(berlin(3, 28, 21), berlin(3, 29, 9)), (berlin(10, 24, 21), berlin(10, 25, 9))]
)
async def test_a_shift_has_its_hours_in_the_nights_when_clocks_change(
    floor: Floor, begins: datetime, ends: datetime
) -> None:
    """An hour of overtime before the night shift, its eight hours less the break, and nobody after it."""
    await open_in(floor, NIGHT, timezone="Europe/Berlin")
    leaves = begins + timedelta(hours=9)
    assert await minutes(floor, Stay(begins, ends, leaves)) == (60 + 470, 60 + 470)


async def test_a_unit_without_shifts_is_open_throughout(floor: Floor) -> None:
    plant = resources.load_plant()
    equipment = tuple(replace(one, calendar=None) for one in plant.equipment)
    await floor.do(lambda tx: resources.put_plant(tx, replace(plant, equipment=equipment)))
    assert await minutes(floor, Stay(*TWO_DAYS, suzhou(2, 14))) == (1200, 120)


async def test_a_calendar_in_which_nothing_runs_has_what_was_worked(floor: Floor) -> None:
    await open_in(floor, replace(DAY, days=(7,)))
    assert await minutes(floor, Stay(*TWO_DAYS, suzhou(2, 14))) == (120, 120)


def test_a_unit_that_runs_is_in_production_or_in_setup() -> None:
    kinds = {TimeKind.PRODUCTION, TimeKind.SETUP}
    assert {state for state, kind in TIME_KINDS.items() if kind in kinds} == RUNNING_STATES
