"""`python -m planner bench`: published instances, and others' own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.planner import FEWER, FIGURES, PARTS, SEEDS, Options
from tests.unit.planner.schemas import differences

DATA = Path(__file__).parents[2] / "data" / "planner"


def bench(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "planner", "bench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.usefixtures("compiled_kernel")
def test_stored_instances_are_compared_with_the_best_that_is_known() -> None:
    code, rows = bench(str(DATA), "--only", "mk0[18]", "--moves", "3000")
    assert code == 0
    assert [(row["instance"], row["format"], row["best_known"]) for row in rows] == [
        ("mk01", "fjsp", 40),
        ("mk08", "fjsp", 523),
    ]
    for row in rows:
        assert row["best_known"] <= row["makespan"] <= row["first"]
        assert row["gap"] == round(row["makespan"] / row["best_known"] - 1, 4)
        assert row["bound"] <= row["best_known"]
    assert (rows[1]["status"], rows[1]["bound"]) == ("optimal", 523), "a proof ends the search"


@pytest.mark.usefixtures("compiled_kernel")
def test_files_of_ones_own_are_planned_too(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("2 2\n0 3 1 4\n1 2 0 5\n")
    (tmp_path / "another.jsp").write_text("2 2\n0 3 1 4\n1 2 0 5\n")
    (tmp_path / "hours.sm").write_text("Parameter 1 of 90 jobs\n")
    (tmp_path / "best_known.csv").write_text("problem,instance,lb,ub,ub_source\njsp,mine,7,8,me\n")
    code, rows = bench(str(tmp_path), "--format", "jsp", "--cpu-seconds", "5")
    assert code == 2, "one file is no instance; the others are planned"
    assert [row["instance"] for row in rows] == ["another", "hours", "mine"]
    unread = rows.pop(1)
    assert unread["error"] == "InvalidProblem"
    assert differences(unread, "RefusedRow") == []
    assert [differences(row, "Result") for row in rows] == [[], []]
    assert str(tmp_path / "hours.sm") in unread["faults"][0]["row"]
    assert [(row["makespan"], row["status"], row["gap"]) for row in rows] == [
        (8, "optimal", None),
        (8, "optimal", 0),
    ]


def test_a_folder_without_instances_is_refused(tmp_path: Path) -> None:
    code, rows = bench(str(tmp_path))
    assert code == 2
    assert rows[0]["error"] == "NoInstance"


def test_the_comparison_can_be_made_in_parts() -> None:
    names = [name for part in FIGURES.values() for name in part]
    assert len(names) == len(set(names))
    assert all(map(Options([]).asks, names))
    assert PARTS.keys() == FIGURES.keys()
    part = Options(["planner", "--only=repair,mk_gap_60s"])
    assert [name for name in names if part.asks(name)] == ["mk_gap_60s", *FIGURES["repair"]]
    with pytest.raises(SystemExit, match="no part or figure nonsense"):
        Options(["--only=nonsense"])


def test_seeds_that_are_asked_for_are_all_used() -> None:
    assert (Options([]).seeds, Options([]).fewer) == (SEEDS, SEEDS[:FEWER])
    given = Options(["--seeds=1,2,3,4"])
    assert given.seeds == given.fewer == (1, 2, 3, 4)
