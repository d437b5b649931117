"""Calendars clipped to a window, figures of the board, names of elements."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mes.kernel.ids import EquipmentId
from mes.performance.iso22400 import Elements, NoValue, Output, Times
from mes.performance.model import PACKML, TIME_KINDS, TimeKind, UnitElements, Window
from mes.performance.service import all_figures, kpi_of, named_elements
from mes.performance.sums import planned_time
from mes.resources.model import Window as CalendarWindow

SIX = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
CNC = EquipmentId("CNC-1")


def hours(start: float, end: float) -> Window:
    return Window(starts_at=SIX + timedelta(hours=start), ends_at=SIX + timedelta(hours=end))


def laid_out(start: float, end: float, kind: str) -> CalendarWindow:
    window = hours(start, end)
    return CalendarWindow(starts_at=window.starts_at, ends_at=window.ends_at, kind=kind, shift="A")


def unit(times: Times, *outputs: Output) -> UnitElements:
    elements = Elements(times, outputs)
    return UnitElements(equipment=CNC, elements=elements, unattributed=Decimal(0), waiting=Decimal(0))


def test_a_calendar_is_clipped_to_the_window() -> None:
    calendar = (laid_out(0, 4, "work"), laid_out(4, 4.5, "break"), laid_out(4.5, 8, "work"))
    planned = planned_time(CNC, calendar, hours(3, 5))
    assert planned.work == (hours(3, 4), hours(4.5, 5))
    assert planned.rest == (hours(4, 4.5),)


def test_a_window_without_a_shift_has_no_planned_time() -> None:
    planned = planned_time(CNC, (laid_out(0, 4, "work"),), hours(4, 8))
    assert (planned.work, planned.rest) == ((), ())


def test_the_board_says_why_a_figure_is_missing() -> None:
    kpi = kpi_of(unit(Times(pot=Decimal(60), adet=Decimal(60))))
    assert (kpi.oee, kpi.availability, kpi.effectiveness, kpi.quality) == (0, 0, None, None)
    assert kpi.reason is NoValue.NO_PRODUCTION_TIME


def test_figures_above_one_are_shown_as_they_are() -> None:
    fast = Output(pri=Decimal(30), produced=Decimal(3), good=Decimal(3))
    kpi = kpi_of(unit(Times(pot=Decimal(60), apt=Decimal(60)), fast))
    assert (kpi.effectiveness, kpi.oee, kpi.reason) == (Decimal("1.500000"), Decimal("1.500000"), None)


def test_elements_have_their_standard_names() -> None:
    names = named_elements(unit(Times(pot=Decimal(60), pdot=Decimal(10), apt=Decimal(20))))
    assert (names["POT"], names["PBT"], names["APT"], names["ADOT"]) == (60, 50, 20, 30)


def test_teep_is_told_of_calendar_time() -> None:
    piece = Output(pri=Decimal(1800), produced=Decimal(1), good=Decimal(1))
    figures = all_figures(unit(Times(pot=Decimal(3600), apt=Decimal(1800)), piece), timedelta(hours=2))
    assert (figures["oee"].value, figures["teep"].value) == (Decimal("0.5"), Decimal("0.25"))


def test_every_machine_state_counts_as_something() -> None:
    assert set(TIME_KINDS) == set(PACKML)
    assert TIME_KINDS["Execute"] is TimeKind.PRODUCTION
    assert TIME_KINDS["Undefined"] is TimeKind.UNKNOWN
