"""Commands for whoever keeps a plant running, as typed on the command line."""

import asyncio
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner, Result

from mes.access.events import SignedIn
from mes.intake import service as intake
from mes.kernel import audit
from mes.kernel.db import Database
from mes.kernel.outbox import append
from mes.supervisor.cli import app
from tests.fixtures.postgres import SITE, cause


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database_url)


def lineside(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, arguments, input=answers)


def put_reading(url: str, equipment: str) -> None:
    """Let an edge have sent a state of a unit that nobody has defined."""
    with psycopg.connect(url) as conn:
        conn.execute(
            """
            insert into mes.edge_inbox (edge, epoch, seq, idx, equipment, metric, kind, value, source_time,
                                        quality)
            values ('edge-1', %s, 1, 0, %s, 'state', 'state', '6', now(), 192)
            """,
            [uuid4(), equipment],
        )


async def absorb(url: str) -> None:
    async with await Database.open(url, name="test", site=SITE) as db, db.transaction(cause()) as tx:
        await intake.absorb(tx)


async def happen(url: str, account: str) -> None:
    async with await Database.open(url, name="test", site=SITE) as db:
        async with db.transaction(cause()) as tx:
            await append(tx, SignedIn(site=SITE, account=account, by="link"))
        async with db.transaction(cause()) as tx:
            await audit.seal(tx)


def accounts(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("select payload ->> 'account' from mes.event order by id").fetchall()
    return [row[0] for row in rows]


def test_a_reading_in_quarantine_is_shown_and_tried_again(database_url: str) -> None:
    put_reading(database_url, "CNC-77")
    asyncio.run(absorb(database_url))
    shown = lineside("quarantine")
    assert shown.exit_code == 0
    assert "EquipmentUnknown" in shown.output
    (reading,) = json.loads(lineside("quarantine", "--json").output)["readings"]
    assert reading["equipment"] == "CNC-77"
    again = lineside("replay", str(reading["id"]))
    assert (again.exit_code, again.output.split()[0]) == (0, "1")
    assert json.loads(lineside("quarantine", "--json").output)["readings"] == []


def test_a_row_that_does_not_wait_is_said_to_be_none() -> None:
    refused = lineside("replay", "4711")
    assert refused.exit_code == 1
    assert "does not wait in quarantine" in refused.output
    assert lineside("replay").exit_code == 2
    assert lineside("replay", "4711", "--all").exit_code == 2


def test_a_backup_brings_back_what_was(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "plant.tar"
    asyncio.run(happen(database_url, "before"))
    made = lineside("backup", str(file))
    assert made.exit_code == 0, made.output
    assert file.stat().st_mode & 0o077 == 0
    asyncio.run(happen(database_url, "after"))
    assert accounts(database_url) == ["before", "after"]
    restored = lineside("restore", str(file), "--yes")
    assert restored.exit_code == 0, restored.output
    assert accounts(database_url) == ["before"]
    assert lineside("verify").exit_code == 0
    asyncio.run(happen(database_url, "then"))
    assert accounts(database_url) == ["before", "then"]


def test_the_application_still_cannot_rewrite_a_ledger_after_a_restore(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "plant.tar"
    lineside("backup", str(file))
    lineside("restore", str(file), "--yes")
    with psycopg.connect(database_url) as conn:
        conn.execute("set role lineside_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("delete from mes.event")


def test_a_restore_asks_first_and_a_broken_file_changes_nothing(database_url: str, tmp_path: Path) -> None:
    asyncio.run(happen(database_url, "before"))
    file = tmp_path / "plant.tar"
    lineside("backup", str(file))
    assert lineside("restore", str(file), answers="n\n").exit_code == 1
    broken = tmp_path / "broken.tar"
    with tarfile.open(file) as whole:
        whole.extractall(tmp_path / "parts", filter="data")
    (tmp_path / "parts" / "mes.dump").write_bytes(b"PGDMP nothing")
    with tarfile.open(broken, "w") as tar:
        for part in (tmp_path / "parts").iterdir():
            tar.add(part, part.name)
    for bad in (broken, tmp_path / "none.tar", Path(__file__)):
        refused = lineside("restore", str(bad), "--yes")
        assert refused.exit_code == 1
        assert "lineside restore:" in refused.output
    assert accounts(database_url) == ["before"]


def test_a_sign_in_link_is_made() -> None:
    made = lineside("sign-in")
    assert made.exit_code == 0
    assert "/sign-in?token=" in made.output


@pytest.mark.parametrize(
    "command",
    [["sign-in"], ["quarantine"], ["replay", "1"], ["backup", "x.tar"], ["user", "list"], ["verify"]],
)
def test_without_a_plant_a_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    refused = lineside(*command)
    assert refused.exit_code == 1
    assert "lineside up" in refused.output


@pytest.mark.parametrize("command", ["status", "doctor", "sign-in", "backup x.tar"])
def test_a_wrong_setting_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINESIDE_HTTP__PROT", "80")
    done = subprocess.run(
        [sys.executable, "-m", "mes", *command.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "LINESIDE_HTTP__PROT is not a setting of Lineside" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
