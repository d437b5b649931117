"""Does a plant file contradict itself? Every row that does is named, with how to mend it."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from datetime import time
from decimal import Decimal
from operator import itemgetter
from zoneinfo import available_timezones

from mes.kernel.ids import EquipmentId, ToolId
from mes.resources.model import (
    AS_ROUTED,
    Calendar,
    Equipment,
    EquipmentLevel,
    MaintenanceRule,
    PersonPlacement,
    PlantDefinition,
    PlantFault,
    RateDraft,
    Step,
)

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""What a label, an address and an edge's tag can carry."""
CURRENCY = re.compile(r"[A-Z]{3}")
DAY_MIN = 1440
YEAR_MIN = 366 * DAY_MIN
MOST_OVER = 100
DAYS = range(1, 8)
WEIGHTS = range(1, 101)
PERCENTS = range(10, 1001)
"""Of the routing's run time, beyond which it is no machine of that work centre."""
ADD = "Add the row, or take one that is there"
GIVE_CODE = "Take letters, digits, '.', '_' and '-', at most 40"


def faults_of(plant: PlantDefinition) -> Iterator[PlantFault]:
    """Yield what is wrong in a plant whose rows are each well formed."""
    if plant.timezone not in available_timezones():
        what = f"there is no time zone {plant.timezone!r}"
        yield PlantFault("timezone", what, "Take one such as Asia/Shanghai")
    yield from _twice(plant)
    yield from _hierarchy(plant)
    for calendar in plant.calendars:
        yield from _calendar(calendar)
    shifts = {shift.name for calendar in plant.calendars for shift in calendar.shifts}
    for person in plant.people:
        yield from _person(person, set(plant.skills), shifts)
    centers = {one.id for one in plant.equipment if one.level is EquipmentLevel.WORK_CENTER}
    for rule in plant.setups:
        row = f"setups {rule.work_center} {rule.from_family} -> {rule.to_family}"
        if rule.work_center not in centers:
            yield PlantFault(row, f"there is no work centre {rule.work_center}", ADD)
        if rule.seconds < 0:
            yield PlantFault(row, f"takes {rule.seconds} seconds", "Give 0 or more")
    for rate in plant.rates:
        yield from _rate(rate, centers)
    yield from _tools(plant)
    counts = {tool.id: tool.count for tool in plant.tools}
    for step in plant.steps:
        yield from _step(step, counts)
    units = {one.id for one in plant.equipment if one.level is EquipmentLevel.WORK_UNIT}
    for upkeep in plant.maintenance:
        yield from _maintenance(upkeep, units)
    yield from _policy(plant)


def _twice(plant: PlantDefinition) -> Iterator[PlantFault]:
    tables: dict[str, Iterable[Hashable]] = {
        "equipment": (one.id for one in plant.equipment),
        "calendars": (one.code for one in plant.calendars),
        "people": (one.id for one in plant.people),
        "reasons": (f"{one.kind} {one.code}" for one in plant.reasons),
        "setups": (f"{one.work_center} {one.from_family} -> {one.to_family}" for one in plant.setups),
        "rates": (f"{one.kind} {one.code} from {one.valid_from:%Y-%m-%d}" for one in plant.rates),
        "tools": (one.id for one in plant.tools),
        "maintenance": (one.id for one in plant.maintenance),
        "steps": (f"{one.material} {one.operation}" for one in plant.steps),
    }
    for table, names in tables.items():
        for name, times in Counter(names).items():
            if times > 1:
                yield PlantFault(f"{table} {name}", f"is there {times} times", "Keep one row")


def _hierarchy(plant: PlantDefinition) -> Iterator[PlantFault]:
    known = {one.id: one for one in plant.equipment}
    sites = [one.id for one in plant.equipment if one.level is EquipmentLevel.SITE]
    if sites != [plant.site]:
        what = f"the sites are {', '.join(sites) or 'none'}, the file is of {plant.site}"
        yield PlantFault("equipment", what, "Give one row the level site, with the file's site as its id")
    calendars = {one.code for one in plant.calendars}
    for one in plant.equipment:
        row = f"equipment {one.id}"
        if CODE.fullmatch(one.id) is None:
            yield PlantFault(row, "is no code", GIVE_CODE)
        if one.skill is not None and one.skill not in plant.skills:
            yield PlantFault(row, f"there is no skill {one.skill}", "Add it to skills, or take one of them")
        if one.calendar is not None and one.calendar not in calendars:
            yield PlantFault(row, f"there is no calendar {one.calendar}", ADD)
        yield from _time_percent(row, one)
        yield from _unit(row, one, known.get(one.work_center) if one.work_center else None)


def _unit(row: str, one: Equipment, center: Equipment | None) -> Iterator[PlantFault]:
    if one.level is not EquipmentLevel.WORK_UNIT:
        return
    if center is None or center.level is not EquipmentLevel.WORK_CENTER:
        yield PlantFault(row, "is a unit of no work centre", "Give it a work centre as its parent")
    if one.calendar is None:
        remedy = "Give it or its work centre a calendar: without one it is never planned"
        yield PlantFault(row, "has no calendar", remedy)


def _time_percent(row: str, one: Equipment) -> Iterator[PlantFault]:
    if one.time_percent not in PERCENTS:
        remedy = f"Give {PERCENTS[0]} to {PERCENTS[-1]}: 80 is a fifth less than the routing says"
        yield PlantFault(row, f"takes {one.time_percent} % of the routing's time", remedy)
    if one.time_percent != AS_ROUTED and one.level is not EquipmentLevel.WORK_UNIT:
        remedy = "Give it to the units that are faster or slower than the others"
        yield PlantFault(row, "has a time_percent, and is no unit", remedy)


def _calendar(calendar: Calendar) -> Iterator[PlantFault]:
    row = f"calendars {calendar.code}"
    for shift in calendar.shifts:
        if not 1 <= shift.minutes <= DAY_MIN:
            what = f"shift {shift.name} lasts {shift.minutes} minutes"
            yield PlantFault(row, what, f"Give 1 to {DAY_MIN}")
        if not shift.days or any(day not in DAYS for day in shift.days):
            remedy = "Give weekdays from 1 (Monday) to 7"
            yield PlantFault(row, f"shift {shift.name} is on the days {list(shift.days)}", remedy)
    yield from _overlaps(row, calendar)
    longest = max((shift.minutes for shift in calendar.shifts), default=0)
    for pause in calendar.breaks:
        if pause.after_minutes < 0 or pause.minutes < 1 or pause.after_minutes + pause.minutes > longest:
            what = f"a break of {pause.minutes} minutes after {pause.after_minutes} is in no shift"
            yield PlantFault(row, what, "Keep breaks inside a shift")


def _overlaps(row: str, calendar: Calendar) -> Iterator[PlantFault]:
    """Yield every shift that begins before the one before it is over; a week follows a week."""
    turns = sorted(
        ((_minute_of_week(day, one.starts), one) for one in calendar.shifts for day in one.days),
        key=itemgetter(0),
    )
    following = [*turns[1:], *((begin + len(DAYS) * DAY_MIN, shift) for begin, shift in turns[:1])]
    for (begin, shift), (then, other) in zip(turns, following, strict=True):
        left = begin + shift.minutes - then
        if left > 0:
            day = then // DAY_MIN % len(DAYS) + 1
            what = f"shift {other.name} begins on day {day} when shift {shift.name} has {left} minutes left"
            yield PlantFault(row, what, "Let a shift begin when the one before it is over")


def _minute_of_week(day: int, at: time) -> int:
    return (day - 1) * DAY_MIN + at.hour * 60 + at.minute


def _person(person: PersonPlacement, skills: set[str], shifts: set[str]) -> Iterator[PlantFault]:
    row = f"people {person.id}"
    if CODE.fullmatch(person.id) is None:
        yield PlantFault(row, "is no personnel number", GIVE_CODE)
    if person.crew is None and not person.skills:
        yield PlantFault(row, "has neither crew nor skills", "Give it one of them, or leave it out")
    if person.crew is not None and person.crew not in shifts:
        yield PlantFault(row, f"there is no shift {person.crew} for its crew", "Name a shift of a calendar")
    for skill in person.skills:
        if skill not in skills:
            yield PlantFault(row, f"there is no skill {skill}", "Add it to skills, or take one of them")


def _rate(rate: RateDraft, centers: set[EquipmentId]) -> Iterator[PlantFault]:
    row = f"rates {rate.kind} {rate.code}"
    if rate.kind not in {"labour", "machine"}:
        yield PlantFault(row, f"there is no kind {rate.kind}", "Take labour or machine")
    elif rate.kind == "machine" and rate.code not in centers:
        yield PlantFault(row, f"there is no work centre {rate.code}", ADD)
    if rate.per_hour < Decimal(0):
        yield PlantFault(row, f"costs {rate.per_hour} an hour", "Give 0 or more")
    if CURRENCY.fullmatch(rate.currency) is None:
        yield PlantFault(row, f"there is no currency {rate.currency}", "Give its ISO 4217 code")
    if rate.valid_from.tzinfo is None:
        yield PlantFault(row, "its date has no time zone", "Write it as 2026-01-01T00:00:00+08:00")


def _tools(plant: PlantDefinition) -> Iterator[PlantFault]:
    for tool in plant.tools:
        row = f"tools {tool.id}"
        if CODE.fullmatch(tool.id) is None:
            yield PlantFault(row, "is no code", GIVE_CODE)
        if tool.count < 1:
            yield PlantFault(row, f"counts {tool.count} pieces", "Give 1 or more, or leave the row out")


def _step(step: Step, counts: dict[ToolId, int]) -> Iterator[PlantFault]:
    row = f"steps {step.material} {step.operation}"
    if step.operation < 1:
        yield PlantFault(row, "has no number of a step", "Give that of the ERP's routing, such as 10")
    yield from _between(row, step)
    for name, times in Counter(use.tool for use in step.tools).items():
        if times > 1:
            yield PlantFault(row, f"names the tool {name} {times} times", "Give one entry with their sum")
    for use in step.tools:
        there = counts.get(use.tool)
        if there is None:
            yield PlantFault(row, f"there is no tool {use.tool}", "Add it to tools, or take one of them")
        elif not 1 <= use.count <= max(there, 1):
            what = f"needs {use.count} of the tool {use.tool}, of which there are {there}"
            yield PlantFault(row, what, f"Give 1 to {there}, or the tool a higher count")


def _between(row: str, step: Step) -> Iterator[PlantFault]:
    """Yield what is wrong with the time and the pieces between a step and the one before it."""
    if not 0 <= step.lag_min <= YEAR_MIN:
        what = f"begins {step.lag_min} minutes after the step before"
        yield PlantFault(row, what, f"Give 0 to {YEAR_MIN}, a year")
    if step.most_min is not None and not step.lag_min <= step.most_min <= YEAR_MIN:
        what = f"begins at most {step.most_min} minutes after the step before, and at least {step.lag_min}"
        yield PlantFault(row, what, f"Give {step.lag_min} to {YEAR_MIN}, or leave it out")
    if step.most_min is not None and step.transfer is not None:
        what = "begins a certain time after the end of the step before, and before that end"
        yield PlantFault(row, what, "Keep one of most_min and transfer")
    if step.transfer is not None and step.transfer <= 0:
        remedy = "Give more than 0, or leave it out to wait for all of a job"
        yield PlantFault(row, f"gets {step.transfer} pieces at a time", remedy)


def _maintenance(rule: MaintenanceRule, units: set[EquipmentId]) -> Iterator[PlantFault]:
    row = f"maintenance {rule.id}"
    if CODE.fullmatch(rule.id) is None:
        yield PlantFault(row, "is no code", GIVE_CODE)
    if rule.unit not in units:
        yield PlantFault(row, f"there is no unit {rule.unit}", ADD)
    if rule.every_days < 1:
        yield PlantFault(row, f"is wanted each {rule.every_days} days", "Give 1 or more")
    elif not 1 <= rule.window_days <= rule.every_days:
        what = f"may be done on {rule.window_days} days"
        yield PlantFault(row, what, f"Give 1 to {rule.every_days}, the days from one to the next")
    elif not 1 <= rule.minutes <= rule.window_days * DAY_MIN:
        what = f"takes {rule.minutes} minutes"
        yield PlantFault(row, what, f"Give 1 to {rule.window_days * DAY_MIN}, as many as its days have")
    if rule.weight not in WEIGHTS:
        yield PlantFault(row, f"has weight {rule.weight}", "Give 1 to 100")


def _policy(plant: PlantDefinition) -> Iterator[PlantFault]:
    if plant.policy.dispatch_horizon_min < 1:
        what = f"dispatch_horizon_min is {plant.policy.dispatch_horizon_min}"
        yield PlantFault("policy", what, "Give 1 or more minutes")
    if plant.policy.close_after_min < 0:
        what = f"close_after_min is {plant.policy.close_after_min}"
        yield PlantFault("policy", what, "Give 0 or more minutes")
    if not 0 <= plant.policy.over_percent <= MOST_OVER:
        what = f"over_percent is {plant.policy.over_percent}"
        yield PlantFault("policy", what, "Give 0 to 100 percent of what is ordered")
