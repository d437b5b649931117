"""What the edge sends is read strictly, and each element has a key of its own."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from mes.intake.model import Absorbed, CountValue, GapValue, InboxRow, ScanValue
from mes.kernel.ids import EquipmentId
from mes.performance.model import PACKML

EPOCH = UUID("01912d68-783e-7a8b-bd5c-1a2b3c4d5e6f")
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


def test_a_row_names_its_place_in_the_stream() -> None:
    row = InboxRow(
        id=7,
        edge="edge-suz-1",
        epoch=EPOCH,
        seq=42,
        idx=3,
        equipment=EquipmentId("CNC-1"),
        metric="state",
        kind="state",
        value=6,
        source_time=NOW,
        quality=192,
        received_at=NOW,
    )
    assert row.key == f"edge-suz-1/{EPOCH}/events/42/3"
    assert (row.source.seq, row.source.index) == (42, 3)


def test_counts_are_exact_decimals() -> None:
    value = CountValue.model_validate({"delta": "0.1", "raw": "1234.5"})
    assert (value.delta, value.raw, value.doubtful) == (Decimal("0.1"), Decimal("1234.5"), False)


def test_an_empty_text_is_no_value() -> None:
    assert CountValue.model_validate({"delta": "1", "raw": ""}).raw is None
    assert ScanValue.model_validate({"payload": "WO:1", "symbology": ""}).symbology is None


@pytest.mark.parametrize("value", [{}, {"delta": "many"}, {"delta": "NaN"}, [], "1"])
def test_a_count_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        CountValue.model_validate(value)


@pytest.mark.parametrize("moment", ["2026-11-21T20:00:00", "yesterday", None])
def test_a_gap_without_a_time_zone_is_refused(moment: str | None) -> None:
    with pytest.raises(ValidationError):
        GapValue.model_validate({"stream": "events", "reason": "x", "from": moment, "to": moment})


def test_states_are_numbered_as_in_the_oracle() -> None:
    oracle = Path(__file__).parents[3] / "data" / "oracles" / "packml_2022.json"
    states = json.loads(oracle.read_text(encoding="utf-8"))["states"]
    assert {str(number): name for number, name in enumerate(PACKML)} == states


def test_a_turn_counts_its_rows() -> None:
    assert Absorbed(3, 2).rows == 5
