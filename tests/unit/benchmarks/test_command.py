"""The command of the benchmarks tells what there is, and measures nothing that was not asked for."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks.figure import Figure


@pytest.fixture(autouse=True)
def area(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Areas of which one knows options, instead of the real ones; return what is run."""
    ran: list[str] = []

    def module(name: str, *options: str) -> ModuleType:
        async def run() -> list[Figure]:
            ran.append(name)
            return [Figure("speed", 2.0, "m/s")]

        made = ModuleType(name, f"How fast {name} is.")
        vars(made).update({"run": run} | ({"OPTIONS": options} if options else {}))
        return made

    there = {
        "tests.benchmarks.plain": module("plain"),
        "tests.benchmarks.rich": module("rich", "only", "full"),
    }
    monkeypatch.setattr(command, "areas", lambda: ["plain", "rich"])
    monkeypatch.setattr(command, "import_module", there.__getitem__)
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    return ran


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["rich", "--help"], ["rich", "--full", "--help"]])
def test_help_tells_what_there_is_and_runs_nothing(
    words: list[str], area: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 0
    told = capsys.readouterr().out
    assert "rich: How fast rich is.\n  --only\n  --full" in told
    assert ("plain: How fast plain is." in told) == ("rich" not in words)
    assert area == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rich", "--ful"], "no option --ful here; there are --full, --help, --only\n"),
        (["plain", "--only=speed"], "no option --only here; there are --help\n"),
        (
            ["plain", "rich", "-v", "--fast=1"],
            "no option --fast, --v here; there are --full, --help, --only\n",
        ),
        (["poor"], "no benchmark poor; there are plain, rich\n"),
    ],
)
def test_what_no_area_knows_is_refused_before_anything_runs(
    words: list[str], told: str, area: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    assert capsys.readouterr().err == told
    assert area == []


def test_what_is_known_runs(area: list[str], tmp_path: Path) -> None:
    assert command.main(["rich", "--only=speed"]) == 0
    assert area == ["rich"]
    assert json.loads((tmp_path / "rich.json").read_text())["figures"] == {"speed": 2.0}
    assert command.main([]) == 0
    assert area == ["rich", "plain", "rich"]
