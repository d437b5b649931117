"""The scan grammar reads every vector that the browser reads, and alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from mes.identification.labels import label_text
from mes.identification.model import COMMANDS, GS, ScanRefused
from mes.identification.scan import parse_scan

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "scans.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_a_scan_means_what_its_vector_says(case: dict[str, Any]) -> None:
    assert read(case["scan"], case.get("gs", GS)) == {
        key: case[key] for key in ("form", "symbology", "fields", "error", "params") if key in case
    }


@pytest.mark.parametrize("case", VECTORS["labels"], ids=lambda case: case["code"])
def test_a_label_says_what_its_vector_says(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ScanRefused) as refused:
            label_text(case["kind"], case["code"])
        assert refused.value.code == case["error"]
    else:
        assert label_text(case["kind"], case["code"]) == case["text"]
        assert parse_scan(case["text"]).fields == {case["kind"]: case["code"]}


def test_the_browser_knows_the_same_commands() -> None:
    assert tuple(VECTORS["commands"]) == COMMANDS


def test_every_refusal_tells_the_operator_what_to_do() -> None:
    kinds = ScanRefused.__subclasses__()
    assert len(kinds) == 12
    assert all(kind.remedy and kind.remedy != ScanRefused.remedy for kind in kinds)


def read(scan: str, gs: str) -> dict[str, Any]:
    try:
        found = parse_scan(scan, gs=gs)
    except ScanRefused as refused:
        return {"error": refused.code, "params": refused.params}
    return {"form": found.form, "symbology": found.symbology, "fields": dict(found.fields)}
