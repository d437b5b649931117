"""The JSON Schema of the planner says what its reader takes and its command writes."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from planner.command_line import run
from planner.fault import InvalidProblem
from planner.form import problem_from_json
from planner.ranges import RANGES
from planner.schema import LIMITS, schema
from tests.unit.planner.schemas import WHOLE, differences

DOCS = Path(__file__).parents[3] / "docs"
PROBLEM = re.compile(r'^text = """(\{.*?\})"""', re.MULTILINE | re.DOTALL)
ROW = re.compile(r'^\{"kind": .*\}$', re.MULTILINE)


def examples(pattern: re.Pattern[str]) -> list[Any]:
    pages = sorted(DOCS.rglob("*.md"))
    return [json.loads(text) for page in pages for text in pattern.findall(page.read_text(encoding="utf-8"))]


def whole() -> dict[str, Any]:
    """The problem of the docs, with a row of each kind."""
    data: dict[str, Any] = deepcopy(examples(PROBLEM)[0])
    data |= {"weights": {"tardiness": 100}, "buffers": [{"id": "RACK", "places": 6}]}
    first, second, third = data["operations"]
    first |= {"published": {"unit": "CNC-1", "start": 5}, "lock": {"unit": "CNC-1", "start": 90}}
    second["after"] = {"operation": "A-0", "ended": -5, "most": 60}
    third["started"] = {"unit": "CNC-1", "since": -5}
    third["releases"] = [{"at": 0}]
    assert second["predecessors"]
    return data


def test_the_examples_of_the_docs_are_as_the_schema_says() -> None:
    problems, rows = examples(PROBLEM), examples(ROW)
    assert problems
    assert rows
    assert [differences(data, "Problem") for data in problems] == [[]] * len(problems)
    assert [differences(data, "ProgressRow") for data in rows if data["kind"] == "progress"] == [[]]


def test_the_command_writes_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema() == WHOLE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"horizon": "480"}, ["Problem horizon is '480', no integer"]),
        ({"horizon": 0}, ["Problem horizon is 0"]),
        ({"wheels": 4}, ["Problem has wheels"]),
        ({"orders": [{"id": "A"}]}, ["Problem orders[0] has no due"]),
        ({"orders": [{"id": "A", "due": 1, "kind": "play"}]}, ["Problem orders[0] kind is 'play'"]),
    ],
)
def test_what_the_reader_refuses_the_schema_does_too(change: dict[str, Any], said: list[str]) -> None:
    data = {"origin": "2026-11-02T06:00:00+00:00", "horizon": 480, **change}
    assert differences(data, "Problem") == said
    with pytest.raises(InvalidProblem):
        problem_from_json(data)


def places(data: Any, kind: str, name: str = "Problem") -> list[dict[str, Any]]:
    """The rows of a kind in a problem, as the schema leads to them."""
    if isinstance(data, list):
        return [row for item in data for row in places(item, kind, name)]
    found = [data] if name == kind else []
    for field, value in data.items():
        for below in re.findall(r"#/\$defs/(\w+)", json.dumps(WHOLE["$defs"][name]["properties"][field])):
            found += places(value, kind, below) if value is not None else []
    return found


def test_every_number_of_a_problem_has_its_range() -> None:
    kinds = ["Problem"]
    for kind in kinds:
        below = re.findall(r"#/\$defs/(\w+)", json.dumps(WHOLE["$defs"][kind]))
        kinds += [one for one in dict.fromkeys(below) if one not in kinds]
    numbers = {
        (kind, field)
        for kind in kinds
        for field, rule in WHOLE["$defs"][kind]["properties"].items()
        if '"integer"' in json.dumps(rule) or '"number"' in json.dumps(rule)
    }
    assert numbers == RANGES.keys()


@pytest.mark.parametrize("limit", sorted(LIMITS), ids=".".join)
def test_a_number_beyond_its_limit_is_refused(limit: tuple[str, str]) -> None:
    kind, field = limit
    least, most = LIMITS[limit]
    for beyond in (least - 1, most + 1, -(10**30), 10**30):
        data = whole()
        row = places(data, kind)[0]
        row[field] = beyond
        assert differences(data, "Problem"), "the schema knows the limit"
        with pytest.raises(InvalidProblem) as refused:
            problem_from_json(data)
        assert any(str(beyond) in fault.what for fault in refused.value.faults)
