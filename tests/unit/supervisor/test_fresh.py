"""Beginning anew: what `lineside up --fresh` deletes, what it keeps, and whom it asks."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mes.kernel.settings import Settings
from mes.supervisor.cli import app
from mes.supervisor.paths import Paths
from mes.supervisor.up import _begin_anew, what_fresh_deletes

DATA = ("postgres", "broker", "erp", "secrets", "edge")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A home with something in it."""
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path / "home"))
    paths = Paths(tmp_path / "home")
    paths.make()
    for name in (*DATA, "cache"):
        (paths.home / name).mkdir()
        (paths.home / name / "file").write_text("kept")
    for name in ("ports.json", "edge/CONFIG.toml"):
        (paths.home / name).write_text("kept")
    (paths.home / "lineside.toml").write_text("currency = 'EUR'")
    return paths


def test_a_fresh_start_deletes_the_data_and_keeps_settings_and_cache(paths: Paths) -> None:
    _begin_anew(paths, "demo")
    assert {entry.name for entry in paths.home.iterdir()} == {"cache", "lineside.toml", "logs", "run"}
    assert (paths.home / "cache" / "file").read_text() == "kept"


def test_a_fresh_start_of_a_production_plant_keeps_what_a_person_wrote(paths: Paths) -> None:
    _begin_anew(paths, "production")
    assert {entry.name for entry in paths.home.iterdir()} == {"cache", "edge", "lineside.toml", "logs", "run"}
    assert [entry.name for entry in (paths.home / "edge").iterdir()] == ["CONFIG.toml"]


def test_a_fresh_start_after_a_crash_asks_nothing_of_the_database_that_went_down_with_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor that was killed leaves the addresses of what it had started."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("HISTORIAN_URL", raising=False)
    paths.endpoints.write_text("database_url = 'postgresql://lineside@127.0.0.1:1/gone'")
    started: list[str] = []

    async def start(_paths: Paths, wishes: Settings, *_more: object) -> None:
        started.append(wishes.database_url)

    monkeypatch.setattr("mes.supervisor.up._run", start)
    done = CliRunner().invoke(app, ["up", "--fresh", "--no-browser"])
    assert (done.exit_code, started) == (0, [""]), done.output
    assert not (paths.home / "postgres").exists()


@pytest.mark.parametrize("told", ["option", "file", "last time"])
def test_a_production_plant_is_not_deleted_without_a_word(paths: Paths, told: str) -> None:
    if told == "file":
        (paths.home / "lineside.toml").write_text("profile = 'production'")
    if told == "last time":
        paths.profile.write_text("production")
    asked = CliRunner().invoke(
        app, ["up", "--fresh", *(["--profile=production"] if told == "option" else [])]
    )
    assert asked.exit_code == 1
    assert "production plant" in asked.output
    assert "postgres" in asked.output
    assert str(paths.home) in asked.output
    assert all((paths.home / name / "file").exists() for name in DATA)


def test_a_simulated_plant_begins_anew_without_a_question(paths: Paths) -> None:
    assert what_fresh_deletes(None) == ""
    assert what_fresh_deletes("production") != ""
