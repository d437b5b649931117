"""What happens on the floor asks for a plan, and what broke asks for one that moves work."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mes.kernel import outbox
from planner.desk import TYPES, trigger_of
from tests.unit.kernel.test_event_samples import SAMPLES, catalogue

ASKED: dict[str, tuple[str, bool]] = {
    "WorkOrderReleased": ("order", False),
    "WorkOrderChanged": ("order", False),
    "WorkOrderCancelled": ("cancelled", False),
    "LotHeld": ("material", True),
    "LotReleased": ("received", False),
    "LotReceived": ("received", False),
    "LotScrapped": ("material", True),
    "LotCounted": ("received", False),
    "ReceiptDelayed": ("material", True),
    "ReceiptExpected": ("expected", False),
    "PersonClockedIn": ("back", False),
    "PersonClockedOut": ("people", True),
    "PersonRetired": ("people", True),
    "EquipmentDefined": ("defined", False),
    "EquipmentRetired": ("machine", True),
    "EquipmentExpectedBack": ("expected-back", True),
    "MaintenancePlanned": ("maintenance", False),
    "MaintenanceBegun": ("maintenance", True),
    "MaintenanceDone": ("maintained", False),
    "MaintenanceCancelled": ("maintained", False),
    "ToolTakenOut": ("tool", True),
    "ToolPutBack": ("tool-back", False),
    "ScrapReported": ("scrap", False),
    "JobOrderHeld": ("held", False),
}
"""Event -> why a plan is wanted, and whether it may move what is published."""

BROKEN: dict[str, Any] = {"previous": "Execute", "state": "Aborted", "reason": None}


def event(name: str, **changes: Any) -> outbox.Event:
    """The stored sample of an event."""
    cls = catalogue()[name]
    payload = json.loads((SAMPLES / f"{name}.v{cls.schema_version}.json").read_text())
    return replace(outbox.parse(name, cls.schema_version, payload), **changes)


def asked(happened: outbox.Event, *, simulated: bool = False) -> tuple[str, bool] | None:
    stored = SimpleNamespace(event=happened, simulated=simulated)
    trigger = trigger_of(cast("outbox.StoredEvent", stored))
    return (trigger.reason, trigger.move) if trigger else None


@pytest.mark.parametrize("name", TYPES)
def test_every_event_that_the_planner_hears_asks_for_a_plan(name: str) -> None:
    if name == "EquipmentStateChanged":
        assert asked(event(name, **BROKEN)) == ("machine", True)
    else:
        assert asked(event(name)) == ASKED[name]


def test_the_planner_hears_every_event_that_changes_what_can_be_done() -> None:
    assert set(TYPES) == {*ASKED, "EquipmentStateChanged"}


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("EquipmentStateChanged", {**BROKEN, "previous": "Aborted", "state": "Execute"}, ("repaired", False)),
        ("EquipmentStateChanged", {**BROKEN, "state": "Idle"}, None),
        ("EquipmentDefined", {"work_center": None}, None),
        ("PersonClockedOut", {"reason": None}, None),
        ("LotCounted", {"quantity": -1}, ("material", True)),
    ],
)
def test_what_changes_nothing_asks_for_none_and_what_is_missing_for_one_that_moves(
    name: str, changes: dict[str, Any], expected: tuple[str, bool] | None
) -> None:
    assert asked(event(name, **changes)) == expected


def test_simulated_history_asks_for_no_plan() -> None:
    assert all(asked(event(name), simulated=True) is None for name in ASKED)


def test_a_request_names_what_it_is_about() -> None:
    """The page says which machine, person, lot or order it was."""
    for name in ASKED:
        happened = event(name)
        told = trigger_of(cast("outbox.StoredEvent", SimpleNamespace(event=happened, simulated=False)))
        assert told is not None
        assert set(told.params) & {field.name for field in fields(happened)}, name
