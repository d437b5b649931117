"""Published instances come in as they were written."""

from __future__ import annotations

import pytest

from planner.bench import Instance
from planner.problem import InvalidProblem
from planner.readers import read_fjsp, read_fjsp_with_setups, read_jsp
from tests.benchmarks.planner.instances import DATA, every


def test_a_job_shop() -> None:
    problem = read_jsp("2 2\n0 3 1 4\n1 2 0 5\n")
    steps = [(o.id, o.alternatives[0].unit, o.alternatives[0].minutes) for o in problem.operations]
    assert steps == [("J0-0", "M0", 3), ("J0-1", "M1", 4), ("J1-0", "M1", 2), ("J1-1", "M0", 5)]
    assert problem.operations[1].predecessors[0].operation == "J0-0"
    assert problem.weights.makespan == 1


def test_machines_may_count_from_one() -> None:
    problem = read_fjsp("1 2 1.5\n2 1 1 4 2 1 3 2 5\n")
    assert [[(a.unit, a.minutes) for a in o.alternatives] for o in problem.operations] == [
        [("M0", 4)],
        [("M0", 3), ("M1", 5)],
    ]


def test_set_ups_depend_on_the_operation_before() -> None:
    problem = read_fjsp_with_setups("2 1\n1 1 1 4\n1 1 1 6\n\n9 2\n3 9\n")
    assert problem.setup_minutes("M0", "0", "1") == 2
    assert problem.setup_minutes("M0", "1", "0") == 3
    assert problem.setup_minutes("M0", problem.units[0].family, "1") == 0


@pytest.mark.parametrize("instance", every(DATA), ids=lambda row: f"{row.format}-{row.name}")
def test_every_stored_instance_can_be_read(instance: Instance) -> None:
    assert instance.problem.operations


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_jsp, "3 2\n0 3 1 4\n"),
        (read_fjsp, "1 2\n2 1 1 4\n"),
        (read_fjsp, "1 2\n1 1 x 4\n"),
        (read_fjsp_with_setups, "1 1\n1 1 1 4\n"),
    ],
)
def test_a_file_that_ends_early_is_refused(read: object, text: str) -> None:
    with pytest.raises(InvalidProblem):
        read(text)  # type: ignore[operator]
