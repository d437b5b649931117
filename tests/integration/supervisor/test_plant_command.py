"""`lineside plant`: the file of the how-to is checked, loaded and written out, as the page says."""

import json
import re
import tomllib
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from mes.resources.plantfile import load_plant, parse_plant
from mes.supervisor.cli import app
from tests.architecture.graph import ROOT

PAGE = (ROOT / "docs" / "how-to" / "set-up-your-own-plant.md").read_text(encoding="utf-8")
FILE = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
SETTINGS = re.findall(r"^```\n(profile.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
COMMANDS = re.findall(r"^\$ lineside (.+)$", PAGE, re.MULTILINE)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Path:
    """A home with the settings of the page, and its plant file in the folder at hand."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "lineside.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv("LINESIDE_HOME", str(home))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plant.toml").write_text(FILE, encoding="utf-8")
    return tmp_path


def lineside(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as conn:
        row = conn.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - our own names
    assert row is not None
    return int(row[0])


def test_the_page_is_followed_step_by_step(folder: Path, database_url: str) -> None:
    for command in COMMANDS:
        done = lineside(*command.split())
        assert done.exit_code == 0, done.output
    assert COMMANDS[0] == "plant check plant.toml"
    assert count(database_url, "mes.equipment") == 7
    with psycopg.connect(database_url) as conn:
        terminals = conn.execute("select terminal from mes.terminal order by terminal").fetchall()
        badges = conn.execute("select person from mes.badge order by person").fetchall()
    assert [row[0] for row in terminals] == ["M-1", "M-2", "P-1"]
    assert [row[0] for row in badges] == ["P-100", "P-101", "P-102"]


def test_a_check_changes_nothing_and_says_what_would(folder: Path, database_url: str) -> None:
    looked = lineside("plant", "check", "plant.toml")
    assert (looked.exit_code, count(database_url, "mes.equipment")) == (0, 0)
    assert "+ add    equipment M-2" in looked.output
    assert "would change" in looked.output


RUNNING = """
insert into mes.material (id, site, name, kind, uom, tracking)
values ('M', 'HAM', 'M', 'product', 'pc', 'none');
insert into mes.work_master (id, version, site, material, base_quantity, effective_from, digest)
values ('WM', 1, 'HAM', 'M', 1, now(), '');
insert into mes.work_order (id, site, material, quantity, uom, due_at, priority, erp_ref, work_master,
                            work_master_version, status, received_at)
values ('WO-1', 'HAM', 'M', 1, 'pc', now(), 5, 'p', 'WM', 1, 'Running', now());
insert into mes.job_order (id, site, scope, work_order, operation, from_operation, last, name, instructions,
                           material, work_center, cost_center, labour_class, setup_s, run_s, quantity, uom,
                           status, equipment)
values ('WO-1-10', 'HAM', 'PACK', 'WO-1', 10, 0, true, 'Pack', '', 'M', 'PACK', '', 'L1', 0, 1, 1, 'pc',
        'Running', 'P-1');
"""
"""A job that runs at the packing place."""


def test_a_second_load_changes_nothing(folder: Path, database_url: str) -> None:
    lineside("plant", "load", "plant.toml")
    before = count(database_url, "mes.event")
    again = json.loads(lineside("plant", "load", "plant.toml", "--json").output)
    assert (again, count(database_url, "mes.event")) == ({"applied": True, "changes": []}, before)


def test_what_is_shown_loads_as_the_same_plant(folder: Path) -> None:
    lineside("plant", "load", "plant.toml")
    (folder / "shown.toml").write_text(lineside("plant", "show").output, encoding="utf-8")
    same = lineside("plant", "check", "shown.toml")
    assert same.output.strip() == "The plant is as shown.toml says."


def without_packing() -> str:
    """The plant of the page after its packing was given up, with somebody else in the late crew."""
    gone = FILE[FILE.index('[[equipment]]\nid = "PACK"') : FILE.index("[[calendars]]")]
    text: str = FILE.replace(gone, "").replace('skills = ["MILLING", "PACKING"]', 'skills = ["MILLING"]')
    return text.replace('ids = ["P-102"]', 'ids = ["P-103"]')


def test_what_is_shown_loads_after_the_file_gave_something_up(folder: Path) -> None:
    lineside("plant", "load", "plant.toml")
    (folder / "plant.toml").write_text(without_packing(), encoding="utf-8")
    found = json.loads(lineside("plant", "load", "plant.toml", "--json").output)["changes"]
    assert {(one["what"], one["row"]) for one in found} == {
        ("remove", "PACKING"),
        ("retire", "PACK"),
        ("retire", "P-1"),
        ("retire", "P-102"),
        ("add", "P-103"),
    }
    shown = lineside("plant", "show").output
    assert parse_plant(shown).skills == ("MILLING",)
    assert {one.id for one in parse_plant(shown).equipment}.isdisjoint({"PACK", "P-1"})
    (folder / "shown.toml").write_text(shown, encoding="utf-8")
    same = lineside("plant", "load", "shown.toml")
    assert (same.exit_code, same.output.strip()) == (0, "The plant is as shown.toml says.")


def test_a_skill_that_nobody_has_any_more_goes(folder: Path) -> None:
    more = FILE.replace('skills = ["MILLING", "PACKING"]', 'skills = ["MILLING", "PACKING", "PAINTING"]')
    assert more.count("PAINTING") == 2
    (folder / "plant.toml").write_text(more, encoding="utf-8")
    lineside("plant", "load", "plant.toml")
    (folder / "plant.toml").write_text(FILE, encoding="utf-8")
    lineside("plant", "load", "plant.toml")
    assert parse_plant(lineside("plant", "show").output).skills == ("MILLING", "PACKING")


def test_a_changed_file_changes_that_alone(folder: Path, database_url: str) -> None:
    lineside("plant", "load", "plant.toml")
    text = FILE.replace("seconds = 900", "seconds = 600")
    text = text.replace('{ code = "dimension", loss = "process" }, ', "")
    (folder / "plant.toml").write_text(text.replace('"P-100", ', ""), encoding="utf-8")
    found = json.loads(lineside("plant", "load", "plant.toml", "--json").output)["changes"]
    assert [(one["what"], one["table"], one["row"]) for one in found] == [
        ("retire", "people", "P-100"),
        ("change", "setups", "MILL small large"),
        ("change", "setups", "MILL large small"),
        ("remove", "reasons", "scrap dimension"),
    ]
    assert found[1]["fields"] == [["seconds", "900", "600"]]
    assert json.loads(lineside("plant", "check", "plant.toml", "--json").output)["changes"] == []


def test_a_file_that_takes_away_where_somebody_works_is_refused_and_says_what_to_do(
    folder: Path, database_url: str
) -> None:
    lineside("plant", "load", "plant.toml")
    with psycopg.connect(database_url) as connection:
        connection.execute(RUNNING)
    (folder / "plant.toml").write_text(without_packing(), encoding="utf-8")
    for command in ("check", "load"):
        refused = lineside("plant", command, "plant.toml")
        assert refused.exit_code == 1
        assert {"PACK: WO-1-10 (Running)", "P-1: WO-1-10 (Running)"} <= set(refused.output.splitlines())
        assert "let the people named stop" in refused.output
    assert parse_plant(lineside("plant", "show").output).skills == ("MILLING", "PACKING")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            'calendar = "two-shifts"',
            'calendar = "no-shifts"',
            "M-1: there is no calendar no-shifts",
        ),
        ('level = "work_unit"', 'level = "robot"', "equipment M-2: level: Input should be"),
        ("minutes = 480", 'minutes = "long"', "calendars two-shifts: shifts.0.minutes"),
        ('crew = "late"', 'crew = "night"', "people P-102: there is no shift night"),
        ('currency = "EUR"', 'currency = "CNY"', "rates labour L1: currency is CNY, the settings say EUR"),
        ('timezone = "Europe/Berlin"', 'timezone = "UTC"', "set site_tz in"),
        ('site = "HAM"', 'site = "CGN"', "Give one row the level site"),
        ("[reasons]", "[resaons]", "resaons is not known"),
        ("[[calendars]]", "[[calendars]", "line"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(
    folder: Path, database_url: str, before: str, after: str, told: str
) -> None:
    assert before in FILE
    (folder / "plant.toml").write_text(FILE.replace(before, after), encoding="utf-8")
    refused = lineside("plant", "load", "plant.toml")
    assert refused.exit_code == 1
    assert told in refused.output
    assert count(database_url, "mes.equipment") == 0


def test_several_mistakes_are_told_at_once(folder: Path) -> None:
    text = FILE.replace('"P-102"', '"P-101"').replace('skill = "PACKING"', 'skill = "SLEEPING"')
    (folder / "plant.toml").write_text(text, encoding="utf-8")
    told = lineside("plant", "check", "plant.toml").output
    assert "people P-101: is there 2 times. Keep one row." in told
    assert "equipment PACK: there is no skill SLEEPING." in told


def test_without_a_plant_there_is_nothing_to_show(folder: Path) -> None:
    shown = lineside("plant", "show")
    assert shown.exit_code == 1
    assert "lineside plant load" in shown.output
    assert lineside("plant", "load", "no-such-file.toml").exit_code == 1


def test_a_start_with_other_settings_is_refused_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineside("plant", "load", "plant.toml")
    assert lineside("migrate").exit_code == 0
    looked = json.loads(lineside("doctor", "--json").output)
    assert [one["text"] for one in looked if one["subject"] == "site"] == ["HAM, Europe/Berlin, 7 places"]
    monkeypatch.setenv("LINESIDE_SITE_TZ", "Asia/Shanghai")
    refused = lineside("migrate")
    assert refused.exit_code == 78
    assert "plant=Europe/Berlin, settings=Asia/Shanghai" in refused.output
    assert "site_tz" in refused.output
    looked = json.loads(lineside("doctor", "--json").output)
    assert [one["level"] for one in looked if one["subject"] == "site"] == ["bad"]
    monkeypatch.setenv("LINESIDE_SITE_TZ", "Europe/Berlin")
    monkeypatch.setenv("LINESIDE_SITE", "CGN")
    refused = lineside("migrate")
    assert (refused.exit_code, "plant=HAM, settings=CGN" in refused.output) == (78, True)


def test_a_plant_moves_to_another_time_zone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lineside("plant", "load", "plant.toml")
    (folder / "plant.toml").write_text(FILE.replace("Europe/Berlin", "Europe/Lisbon"), encoding="utf-8")
    assert lineside("plant", "load", "plant.toml").exit_code == 1
    monkeypatch.setenv("LINESIDE_SITE_TZ", "Europe/Lisbon")
    assert lineside("plant", "load", "plant.toml").exit_code == 0
    assert lineside("migrate").exit_code == 0


def test_doctor_says_that_no_plant_is_there_yet(folder: Path) -> None:
    looked = json.loads(lineside("doctor", "--json").output)
    (found,) = [one for one in looked if one["subject"] == "site"]
    assert found["level"] == "note"
    assert "lineside plant load" in found["text"]


def test_the_demos_plant_is_written_out_as_it_was_read() -> None:
    from mes.resources.plantfile import plant_text

    plant = load_plant()
    text = plant_text(plant)
    assert tomllib.loads(text)["site"] == "SUZ"
    assert parse_plant(text) == plant
