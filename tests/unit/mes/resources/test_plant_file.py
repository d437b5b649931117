"""The plant file: the demo's loads; a wrong one says where."""

from datetime import date

import pytest

from mes.resources.model import PlantFileNotValid
from mes.resources.plantfile import load_plant, parse_plant, plant_text

SMALL = """
site = "X"
timezone = "UTC"
skills = []
people = []
calendars = []
reasons = {}

[[equipment]]
id = "X"
level = "site"
name = "X"
"""

CALENDAR = (
    SMALL.replace("calendars = []\n", "")
    + """
[[calendars]]
code = "TWO"
breaks = []
shifts = [
  { name = "A", starts = 06:00:00, minutes = 480, days = [1, 2] },
  { name = "B", starts = 13:30:00, minutes = 480, days = [2] },
]
"""
)
"""A small plant with two shifts that overlap on Tuesday."""

TOOLS = (
    SMALL
    + """
[[tools]]
id = "JIG"
count = 2
name = "Jig"

[[steps]]
material = "PUMP-40"
operation = 10
tools = [{ tool = "JIG", count = 1 }]
"""
)

UPKEEP = (
    CALENDAR.replace("13:30:00", "14:00:00")
    + """
[[equipment]]
id = "C"
level = "work_center"
name = "C"
parent = "X"
calendar = "TWO"

[[equipment]]
id = "U"
level = "work_unit"
name = "U"
parent = "C"

[[maintenance]]
id = "OIL"
unit = "U"
name = "Change the oil"
every_days = 30
window_days = 3
first_due = 2026-12-01
minutes = 90
"""
)


def test_maintenance_is_written_as_it_is_read() -> None:
    plant = parse_plant(UPKEEP)
    (rule,) = plant.maintenance
    assert (rule.unit, rule.minutes, rule.first_due, rule.weight) == ("U", 90, date(2026, 12, 1), 1)
    assert parse_plant(plant_text(plant)).maintenance == plant.maintenance


def test_a_unit_that_is_faster_than_the_routing_is_written_as_it_is_read() -> None:
    faster = UPKEEP.replace('name = "U"', 'name = "U"\ntime_percent = 80')
    plant = parse_plant(faster)
    assert {one.id: one.time_percent for one in plant.equipment} == {"X": 100, "C": 100, "U": 80}
    assert parse_plant(plant_text(plant)).equipment == plant.equipment


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('name = "U"\ntime_percent = 0', "equipment U: takes 0 % of the routing's time"),
        ('name = "C"\ntime_percent = 80', "equipment C: has a time_percent, and is no unit"),
    ],
)
def test_a_time_that_no_unit_can_have_is_refused(row: str, said: str) -> None:
    with pytest.raises(PlantFileNotValid) as refused:
        parse_plant(UPKEEP.replace(row.split("\n", maxsplit=1)[0], row))
    assert said in str(refused.value)


def test_steps_are_written_as_they_are_read() -> None:
    for more in (
        "",
        "lag_min = 30",
        "most_min = 0",
        "transfer = 10",
        'transfer = "0.5"',
        "resumable = false",
    ):
        plant = parse_plant(TOOLS + more)
        assert parse_plant(plant_text(plant)).steps == plant.steps


def test_the_pump_plant_is_complete() -> None:
    plant = load_plant()
    units = [one for one in plant.equipment if one.level == "work_unit"]
    assert [unit.id for unit in units] == [
        "CNC-1", "CNC-2", "CNC-3", "CNC-4", "ASM-1", "ASM-2", "ASM-3", "TEST-1", "PACK-1"
    ]  # fmt: skip
    calendars = {one.code for one in plant.calendars}
    centers = {one.id: one for one in plant.equipment if one.level == "work_center"}
    for unit in units:
        assert unit.skill in plant.skills
        assert unit.calendar in calendars
        assert unit.scope == f"{centers[unit.work_center].scope}/{unit.id}"  # type: ignore[index]
    assert {one.crew for one in plant.people} == {"A", "B", "C"}
    assert len(plant.people) == 27
    assert {rate.code for rate in plant.rates} == {"L1", *centers}


def test_a_small_plant_is_enough() -> None:
    assert [one.id for one in parse_plant(SMALL).equipment] == ["X"]


def test_shifts_that_follow_each_other_do_not_overlap() -> None:
    text = CALENDAR.replace("13:30:00, minutes = 480, days = [2]", "14:00:00, minutes = 960, days = [1, 7]")
    assert len(parse_plant(text).calendars[0].shifts) == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("site = ", "Invalid value"),
        (SMALL.replace('timezone = "UTC"', ""), "timezone is missing"),
        (SMALL.replace('"site"\nname', '"site"\nparent = "Y"\nname'), "parent Y comes later"),
        (SMALL.replace("reasons = {}", "reasons = {scrap = [{}]}"), "code is missing"),
        (CALENDAR, "calendars TWO: shift B begins on day 2 when shift A has 30 minutes left"),
        (
            CALENDAR.replace("13:30:00, minutes = 480, days = [2]", "23:00:00, minutes = 540, days = [7]"),
            "calendars TWO: shift A begins on day 1 when shift B has 120 minutes left",
        ),
        (TOOLS.replace('"JIG"\ncount', '"J G"\ncount'), "tools J G: is no code"),
        (TOOLS.replace("count = 2", "count = 0"), "tools JIG: counts 0 pieces"),
        (TOOLS.replace('tool = "JIG"', 'tool = "JOG"'), "steps PUMP-40 10: there is no tool JOG"),
        (TOOLS.replace("count = 1", "count = 3"), "needs 3 of the tool JIG, of which there are 2"),
        (TOOLS.replace("operation = 10", "operation = 0"), "steps PUMP-40 0: has no number of a step"),
        (TOOLS + "lag_min = -1", "steps PUMP-40 10: begins -1 minutes after the step before"),
        (TOOLS + "lag_min = 9\nmost_min = 8", "at most 8 minutes after the step before, and at least 9"),
        (TOOLS + "most_min = 8\ntransfer = 2", "steps PUMP-40 10: begins a certain time after the end"),
        (TOOLS + "transfer = 0", "steps PUMP-40 10: gets 0 pieces at a time"),
        (TOOLS + TOOLS.removeprefix(SMALL), "steps PUMP-40 10: is there 2 times"),
        (UPKEEP.replace('unit = "U"', 'unit = "V"'), "maintenance OIL: there is no unit V"),
        (UPKEEP.replace("window_days = 3", "window_days = 31"), "maintenance OIL: may be done on 31 days"),
        (UPKEEP.replace("minutes = 90", "minutes = 4321"), "maintenance OIL: takes 4321 minutes"),
        (UPKEEP.replace("every_days = 30", "every_days = 0"), "maintenance OIL: is wanted each 0 days"),
        (UPKEEP + "weight = 101", "maintenance OIL: has weight 101"),
        (SMALL + "\n[policy]\nauto_relase = true\n", "auto_relase"),
    ],
)
def test_a_wrong_file_says_where(text: str, place: str) -> None:
    with pytest.raises(PlantFileNotValid) as refused:
        parse_plant(text)
    assert place in refused.value.params["place"]
