"""Published instances come in as they were written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planner.bench import Instance
from planner.checker import check
from planner.effort import Effort
from planner.fault import InvalidProblem
from planner.problem import Alternative, Problem
from planner.readers import read_fjsp, read_fjsp_with_setups, read_jsp, read_rcpsp
from planner.solve import solve
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


def test_machines_count_from_one_where_none_is_called_nought_and_the_last_one_is_idle() -> None:
    """Else each machine had the set-up times of the next one."""
    steps, matrices = "1 1 1 5\n1 1 1 5\n", ("0 0\n0 0\n", "50 50\n50 50\n", "90 90\n90 90\n")
    problem = read_fjsp_with_setups("2 3\n" + steps + "".join(matrices))
    assert [o.alternatives for o in problem.operations] == [(Alternative("M0", 5),)] * 2
    assert {s.minutes for s in problem.work_centers[0].setups} == {0}


def test_a_step_that_somebody_can_do_in_no_time_is_left_out() -> None:
    problem = read_fjsp("2 2\n1 2 1 0 2 5\n1 1 2 3\n")
    assert [(o.order, o.alternatives) for o in problem.operations] == [("J1", (Alternative("M1", 3),))]


def test_set_ups_depend_on_the_operation_before() -> None:
    problem = read_fjsp_with_setups("2 1\n1 1 1 4\n1 1 1 6\n\n9 2\n3 9\n")
    assert problem.setup_minutes("M0", "0", "1") == 2
    assert problem.setup_minutes("M0", "1", "0") == 3
    assert problem.setup_minutes("M0", problem.units[0].family, "1") == 0


PATTERSON = """5 2
3 0
0 0 0 2 2 3
4 2 0 1 4
5 2 0 1 5
0 0 0 1 5
1 3 0 0
"""

PSPLIB = """************************************************************************
projects                      :  1
jobs (incl. supersource/sink ):  5
************************************************************************
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        1          1           4
   3        1          1           5
   4        1          1           5
   5        1          0
************************************************************************
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  R 2
------------------------------------------------------------------------
  1      1     0       0    0
  2      1     4       2    0
  3      1     5       2    0
  4      1     0       0    0
  5      1     1       3    0
************************************************************************
RESOURCEAVAILABILITIES:
  R 1  R 2
   3    0
************************************************************************
"""


@pytest.mark.parametrize("text", [PATTERSON, PSPLIB])
def test_a_project_shares_its_resources(text: str) -> None:
    problem = read_rcpsp(text)
    assert {o.id: [link.operation for link in o.predecessors] for o in problem.operations} == {
        "A2": [],
        "A3": [],
        "A5": ["A2", "A3"],  # through activity 4, which takes no time
    }
    assert [(tool.id, tool.count) for tool in problem.tools] == [("R1", 3)]
    found = solve(problem, Effort(seconds=0.5, workers=1))
    assert (found.score.makespan, found.status) == (10, "optimal")
    assert check(problem, found.schedule) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5 2\n3", "line 2: ends where how many there are of each resource is due"),
        (PATTERSON.replace("5 2 0 1 5", "5 x 0 1 5"), "activity 3: has 'x' where a whole number is due"),
        (PATTERSON.replace("0 0 0 1 5", "0 0 0 1 9"), "activity 4: has the successor 9, which is not there"),
        (
            PATTERSON.replace("1 3 0 0", "1 4 0 0"),
            "A5: needs 4 of the tool R1, of which there are 3",
        ),
        (PATTERSON.replace("1 3 0 0", "1 3 0 1 2"), "wait for one another in a circle"),
        (PSPLIB.replace("3        1          1", "3        2          1"), "line 9: has 2 modes"),
        (PSPLIB.replace("1          1           4", "1          2           4"), "announces 2 successors"),
        (PSPLIB.replace("3      1     5       2    0", "3      1     5       2"), "has 1 requests where"),
        (
            PSPLIB.replace("  R 1  R 2\n   3", "  R 1  N 1\n   3"),
            "has resources that are used up",
        ),
        (PATTERSON.replace("5 2 0 1 5", "5 -2 0 1 5"), "line 5, activity 3: has '-2' where a whole number"),
        (PATTERSON.replace("3 0", f"{'9' * 5000} 0"), "line 2: has a number of 5000 digits. Give at most 15"),
        (PATTERSON[:28], "line 4, activity 2: ends where a successor is due. Check that the file is"),
        (PATTERSON + "1 3 0 0\n", "line 8: goes on with '1' where the instance is complete"),
        (
            PSPLIB.replace("  2      1     4", " -2      1     4"),
            "line 17: has '-2' where a whole number is due",
        ),
        (
            PSPLIB.replace("  2      1     4", "  2      1    -4"),
            "line 17: has '-4' where a whole number is due",
        ),
        (
            PSPLIB.replace("  2      1     4       2    0\n", ""),
            "line 8: has activity 2, of which no line says how long it takes. Check that the file",
        ),
        (
            PSPLIB.replace("   5        1          0\n", ""),
            "line 19: has activity 5, of which no line names the successors. Check that the file is",
        ),
        (
            PSPLIB.replace("):  5", "):  6"),
            "line 3: announces 6 activities where 5 follow. Check",
        ),
        (
            PSPLIB.replace("  4      1     0", "  3      1     0"),
            "line 19: has activity 3 again. Keep one",
        ),
        (
            PSPLIB.replace("   4        1   ", "   3        1   "),
            "line 10: has activity 3 again. Keep one",
        ),
        (
            PSPLIB.replace("   4        1          1           5", "   4"),
            "line 10: has 1 numbers where there are 3",
        ),
        (PSPLIB.partition("  3      1     5")[0], "line 17: ends without a section RESOURCEAVAILABILITIES"),
        (
            PSPLIB.partition("  R 1  R 2\n   3")[0],
            "RESOURCEAVAILABILITIES: has 0 lines of numbers where",
        ),
        (PSPLIB.replace("REQUESTS", "WISHES"), "line 25: ends without a section REQUESTS/DURATIONS"),
    ],
)
def test_a_project_that_cannot_be_read_is_refused_with_its_row(text: str, said: str) -> None:
    with pytest.raises(InvalidProblem) as refusal:
        read_rcpsp(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize("instance", every(DATA), ids=lambda row: f"{row.format}-{row.name}")
def test_every_stored_instance_can_be_read(instance: Instance) -> None:
    assert instance.problem.operations


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (read_jsp, "", "line 1: ends where the number of jobs is due. Check that the file is complete."),
        (read_jsp, "3 2\n0 3 1 4\n", "line 1: announces 3 jobs where 1 follow"),
        (read_jsp, "1 2\n0 3 1\n", "line 2: has 3 numbers where each machine has its time"),
        (read_jsp, "1 2\n\n0 3 1 four\n", "line 3: has 'four' where a whole number is due"),
        (read_jsp, "1 2\n0 3 1 -4\n", "line 2: has '-4' where a whole number is due"),
        (read_jsp, "1 2\n0 3 7 4\n", "line 2: machine 7, but the first line announces 2 machines (0 to 1)"),
        (read_jsp, f"1 2\n0 3 1 {'9' * 5000}\n", "line 2: has a number of 5000 digits. Give at most 15"),
        (read_jsp, f"{'9' * 5000} 2\n", "line 1: has a number of 5000 digits. Give at most 15"),
        (read_jsp, "1 999999999999\n0 3\n", "line 1: announces 999999999999 machines. Give at most 100000"),
        (read_fjsp_with_setups, "0 999999999999\n", "line 1: announces 999999999999 machines. Give at most"),
        (read_fjsp, f"1 1\n1 1 1 {'x' * 5000}\n", f"line 2: has '{'x' * 40}...' where a whole number is due"),
        (read_fjsp, "4\n", "line 1: ends where the number of machines is due"),
        (read_fjsp, "1 2 1.5\n2 1 1 4\n", "line 2: ends where a number of alternatives is due"),
        (read_fjsp, "1 2\n1 1 x 4\n", "line 2: has 'x' where a whole number is due"),
        (read_fjsp, "1 2\n1 1 1 4\n9 9\n", "line 3: goes on with '9' where the instance is complete"),
        (read_fjsp, "1 2\n-1\n", "line 2: has '-1' where a whole number is due"),
        (read_fjsp_with_setups, "1 1\n1 1 1 4\n", "line 2: ends where a set-up time is due"),
        (
            read_jsp,
            "2 2\n0 3 5 2\n1 2 0 1\n",
            "line 2: machine 5, but the first line announces 2 machines (0 to 1)",
        ),
        (read_jsp, "1 2\n0 3 2 2\n", "line 2: machine 2, but the first line announces 2 machines (0 to 1)"),
        (read_fjsp, "2 2\n1 1 1 4\n1 1 3 4\n", "line 3: machine 3, but the first line announces 2 machines"),
    ],
)
def test_a_shop_that_cannot_be_read_is_refused_with_its_line(
    read: Callable[[str], Problem], text: str, said: str
) -> None:
    with pytest.raises(InvalidProblem) as refusal:
        read(text)
    assert said in str(refusal.value)
