"""The planner as a command and as a child process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from planner import child
from planner.child import SolverLost, replan_in_child
from planner.command_line import command_line
from planner.command_line import run as main
from planner.effort import Effort
from planner.form import problem_to_json
from planner.measure import in_seconds
from planner.options import effort_of
from planner.pool import SolverPool
from planner.problem import Lock, Problem
from planner.readers import read_jsp
from tests.unit.planner.plants import FAMILIES, plant, step
from tests.unit.planner.schemas import differences

ROOT = Path(__file__).parents[3]


def run(*arguments: str, text: str = "") -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "planner", *arguments], input=text, capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_solve_writes_the_plan_with_its_proof(tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(problem_to_json(plant(step("A-1"), due={"A": 5}))))
    code, said = run("solve", str(file), "--seconds", "1")
    assert code == 0
    assert differences(said, "Plan") == []
    assert (said["solver"], said["status"], said["gap"]) == ("dispatch", "optimal", 0)
    assert said["objective"] == said["bound"] == said["dispatch_objective"] == 510
    assert said["cp"] is None, "no order can be done sooner: CP-SAT was not asked"
    assert said["schedule"]["assignments"][0]["end"] == 10
    assert said["why_late"] == {"A": [{"code": "work", "minutes": 5, "subject": "", "by": ""}]}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "NotJson"),
        ("{}", "InvalidProblem"),
        (
            json.dumps(
                problem_to_json(plant(step("A-1", lock=Lock("M", 5)), step("B-1", lock=Lock("M", 6))))
            ),
            "LocksConflict",
        ),
    ],
)
def test_a_problem_that_cannot_be_planned_is_refused_with_reasons(text: str, error: str) -> None:
    code, said = run("solve", "-", text=text)
    assert code == 2
    assert differences(said, "RefusedRow") == []
    assert said["error"] == error
    assert said["faults"][0]["remedy"]


@pytest.mark.parametrize(
    ("written", "what"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"orders": [{"id": "A", "due": 1, "due": 2}]}', "has the field due twice"),
        (b'{"horizon": ' + b"9" * 5000 + b"}", "has a number of 5000 digits"),
    ],
)
def test_a_file_that_is_no_problem_is_refused_with_a_remedy(
    written: bytes | None, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "problem.json"
    if written is not None:
        file.write_bytes(written)
    assert main(["solve", str(file)]) == 2
    fault = json.loads(capsys.readouterr().out)["faults"][0]
    assert what in fault["what"]
    assert fault["remedy"]


def test_a_problem_from_an_input_that_is_closed_is_refused_with_a_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # what Python makes of `<&-`
    assert main(["solve", "-"]) == 2
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert "standard input is closed" in fault["what"]
    assert fault["remedy"]


def test_a_file_that_begins_with_a_byte_order_mark_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(problem_to_json(plant(step("A-1")))), encoding="utf-8-sig")
    assert main(["solve", str(file), "--seconds", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "optimal"


@pytest.mark.parametrize(
    ("option", "word", "said"),
    [
        ("--cpu-seconds", "-1", "-1 is no number of seconds from 0"),
        ("--moves", "none", "none is no whole number from 1"),
        ("--seconds", "-3", "-3 is no number of seconds from 0"),
        ("--seconds", "nan", "nan is no number of seconds from 0"),
        ("--workers", "0", "0 is no whole number from 1"),
        ("--seed", "99999999999", "99999999999 is no whole number from 0 to 2147483647"),
    ],
)
def test_an_option_out_of_its_range_is_refused(
    option: str, word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["solve", "-", f"{option}={word}"])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "effort"),
    [
        ((), Effort(5.0)),
        (("--seconds", "2", "--seed", "7"), Effort(2.0, seed=7)),
        (("--cpu-seconds", "3", "--workers", "1"), Effort(3.0, workers=1, clocked=True)),
        (("--moves", "1000"), Effort(5.0, moves=1000)),
    ],
)
@pytest.mark.parametrize("command", ["solve", "replan"])
def test_an_effort_has_one_of_three_measures(command: str, words: tuple[str, ...], effort: Effort) -> None:
    options = command_line().parse_args([command, "-", *words])
    assert effort_of(options, Effort(5.0)) == effort


def test_a_plan_has_one_measure_of_effort(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["solve", "-", "--moves", "10", "--seconds", "1"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_moves_are_worth_as_much_as_the_seconds_that_they_take() -> None:
    for problem in (large(), read_jsp("2 2\n0 3 1 4\n1 2 0 5\n")):
        few, many = (in_seconds(problem, Effort(moves=moves)) for moves in (1000, 2000))
        assert many.seconds == 2 * few.seconds > 0
        assert (few.moves, few.clocked) == (None, False)
        assert in_seconds(problem, Effort(3.0)) == Effort(3.0)


async def test_the_child_answers_with_a_plan() -> None:
    answers = await replan_in_child(SolverPool(), plant(step("A-1")), Effort(seconds=0.2), move=False)
    assert answers.complete
    assert answers.fresh
    assert (answers.kept["solver"], answers.kept["status"]) == ("dispatch", "optimal")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_solve_that_is_stopped_writes_its_best_plan(number: int, tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(problem_to_json(large())))
    command = [sys.executable, "-m", "planner", "solve", str(file), "--seconds", "3600", "--kernel", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = [json.loads(process.stderr.readline())]
        process.send_signal(number)
        said, later = process.communicate()
    told += map(json.loads, later.splitlines())
    plan = json.loads(said)
    assert process.returncode == 0
    assert (plan["status"], plan["objective"]) == ("stopped", told[-1]["objective"])
    assert "why_late" not in plan
    assert (told[0]["kind"], told[0]["solver"]) == ("progress", "dispatch")
    assert len(plan["schedule"]["assignments"]) == 150


INTERRUPTED_AMID = """
import os, runpy, signal, sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

MODULE = sys.argv.pop(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a terminal, whoever runs these tests
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
sys.meta_path.insert(0, Interrupts())
runpy.run_module("planner", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("planner.command_line", ["schema"]),
        ("planner.decoder", ["solve", "-"]),
        ("planner.problem", ["bench", "."]),
        ("planner.warm", ["warm"]),
    ],
)
def test_ctrl_c_while_the_planner_is_still_being_loaded_ends_it_without_a_word(
    module: str, words: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AMID, module, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


CLOCK_BEGINS = """
import runpy, sys
from planner import solve

class Watch(solve.Watch):
    def __init__(self, *arguments):
        print("planner.kernel" in sys.modules, file=sys.stderr)
        super().__init__(*arguments)

solve.Watch = Watch
runpy.run_module("planner", run_name="__main__", alter_sys=True)
"""


def test_a_search_begins_when_the_kernel_is_loaded() -> None:
    rows = [step(f"A-{number}", 5, "M", "N") for number in range(101)]
    done = subprocess.run(
        [sys.executable, "-c", CLOCK_BEGINS, "solve", "-", "--moves", "1"],
        input=json.dumps(problem_to_json(plant(*rows))),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "True" in done.stderr.splitlines()


@pytest.mark.parametrize("nowhere", [">&-", "> /dev/full"])
@pytest.mark.parametrize("words", ["schema", "solve FILE --kernel no", "solve none.json", "bench ."])
def test_an_answer_that_cannot_be_written_is_told_with_what_to_do(
    words: str, nowhere: str, tmp_path: Path
) -> None:
    (tmp_path / "FILE").write_text(json.dumps(problem_to_json(plant(step("A-1")))))
    shell = f'"{sys.executable}" -m planner {words} {nowhere}'
    env = {**os.environ, "PYTHONUNBUFFERED": "", "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-c", shell], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True, check=False
    )
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 74
    assert (told[-1]["error"], told[-1]["faults"][0]["row"]) == ("NotWritten", "standard output")


@pytest.mark.parametrize("nowhere", ["2>&-", "2> /dev/full"])
def test_a_plan_is_written_though_nobody_takes_what_is_told_beside_it(nowhere: str, tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(problem_to_json(plant(step("A-1")))))
    shell = f'"{sys.executable}" -m planner solve "{file}" --kernel no {nowhere}'
    done = subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "optimal")


async def test_a_child_that_is_stopped_answers_with_what_it_has() -> None:
    stop, told = asyncio.Event(), list[dict[str, Any]]()

    async def note(row: dict[str, Any]) -> None:
        told.append(row)
        stop.set()

    answers = await replan_in_child(
        SolverPool(), large(), Effort(seconds=3600), move=True, on_row=note, stop=stop
    )
    kinds = {"progress": "ProgressRow", "replanned": "LastRow"}
    assert [fault for row in told for fault in differences(row, kinds.get(row["kind"], "PlanRow"))] == []
    assert answers.complete
    assert answers.kept["status"] == "stopped"
    assert told[0]["kind"] == "progress"


async def test_the_child_plans_without_the_fewest_locks_that_cannot_be_kept() -> None:
    problem = plant(step("A-1", lock=Lock("M", 5)), step("B-1", lock=Lock("M", 6)))
    answers = await replan_in_child(SolverPool(), problem, Effort(seconds=0.2), move=False)
    (released,) = answers.kept["released"]
    assert released["because"]["rules"] == ["unit"]
    assert len(answers.kept["schedule"]["assignments"]) == 2


def large() -> Problem:
    rows = [
        step(
            f"O{i}-{k}",
            5 + (i * 7 + k) % 11,
            "M",
            "N",
            after=f"O{i}-{k - 1}" if k else "",
            family=str(40 + i % 3),
        )
        for i in range(30)
        for k in range(5)
    ]
    return plant(*rows, due={f"O{i}": 50 + 10 * i for i in range(30)}, **FAMILIES)


async def solver() -> psutil.Process:
    """Wait for the solver's process."""
    while True:
        for process in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                if "replan" in " ".join(process.cmdline()):
                    return process
        await asyncio.sleep(0.05)


async def test_cancelling_ends_the_solver_at_once() -> None:
    solving = asyncio.create_task(replan_in_child(SolverPool(), large(), Effort(seconds=60), move=True))
    process = await solver()
    await asyncio.sleep(0.5)
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    assert not process.is_running()


async def test_a_solver_that_dies_is_lost_and_not_an_empty_plan() -> None:
    solving = asyncio.create_task(replan_in_child(SolverPool(), large(), Effort(seconds=60), move=True))
    (await solver()).kill()
    with pytest.raises(SolverLost):
        await solving


def test_the_first_answer_stands_when_the_second_never_comes() -> None:
    answers = child.read_answers([{"kind": "kept", "plan": {"objective": 7}}])
    assert answers.kept == {"objective": 7}
    assert answers.better is None
    assert not answers.complete
    rows = [{"kind": "repaired", "plan": {"objective": 9}}, {"kind": "kept", "plan": {"objective": 7}}]
    assert child.read_answers(rows[:1]).kept == {"objective": 9}
    assert child.read_answers(rows).kept == {"objective": 7}


def test_a_published_instance_is_planned_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "two.txt"
    file.write_text("2 2\n0 3 1 4\n1 2 0 5\n")
    code, said = run("solve", str(file), "--format", "jsp", "--seconds", "1")
    assert code == 0
    assert (said["score"]["makespan"], said["status"]) == (8, "optimal")
