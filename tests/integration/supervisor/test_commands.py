"""Commands for whoever keeps a plant running, as typed on the command line."""

import asyncio
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner, Result

from mes.access.events import SignedIn
from mes.intake import service as intake
from mes.kernel import audit, secrets
from mes.kernel.db import Database
from mes.kernel.outbox import append, consume
from mes.kernel.settings import Settings
from mes.supervisor import backup
from mes.supervisor.cli import app
from mes.supervisor.up import check_fresh
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


async def happen(url: str, account: str, *, seal: bool = True) -> None:
    async with await Database.open(url, name="test", site=SITE) as db:
        async with db.transaction(cause()) as tx:
            await append(tx, SignedIn(site=SITE, account=account, by="link"))
        if seal:
            async with db.transaction(cause()) as tx:
                await audit.seal(tx)


def accounts(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("select payload ->> 'account' from mes.event order by id").fetchall()
    return [row[0] for row in rows]


def test_a_plant_on_a_database_of_its_own_does_not_begin_anew_by_half(
    database_url: str, tmp_path: Path
) -> None:
    """The ERP would begin anew, and the orders of the one before would be there still."""
    kept = tmp_path / "home" / "secrets" / "token-cli"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    refused = lineside("up", "--fresh", "--yes")
    assert refused.exit_code == 1
    assert "does not empty it" in refused.output
    assert kept.read_text() == "kept"
    name = urlsplit(database_url).path.strip("/")
    empty = Settings.model_validate(
        {"home": tmp_path, "database_url": database_url.replace(name, "postgres")}
    )
    asyncio.run(check_fresh(empty))


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


def read_new(url: str) -> tuple[list[str], str | None]:
    """Let a consumer read on and the sealer seal; return whose sign-ins came, and the seal's first place."""

    async def read() -> tuple[list[str], str | None]:
        async with await Database.open(url, name="test", site=SITE) as db, db.transaction(cause()) as tx:
            events = await consume(tx, "reader")
            block = await audit.seal(tx)
            return [one.aggregate for one in events], None if block is None else block.first_xid

    return asyncio.run(read())


def test_what_happens_after_a_restore_elsewhere_is_read_and_sealed(database_url: str, tmp_path: Path) -> None:
    """The numbers of transactions begin anew in another cluster: here those of the backup are far ahead."""
    file = tmp_path / "plant.tar"
    asyncio.run(happen(database_url, "before"))
    with psycopg.connect(database_url) as conn:
        conn.execute("update mes.event set xid = '1000000000000'")
        conn.execute("update mes.audit_block set first_xid = '1000000000000', last_xid = '1000000000000'")
        conn.execute("insert into mes.consumer_cursor (consumer, xid) values ('reader', '1000000000007')")
        conn.execute("select nextval('mes.serial_number'), nextval('mes.work_order_number')")
    lineside("backup", str(file))
    restored = lineside("restore", str(file), "--yes")
    assert restored.exit_code == 0, restored.output
    assert "numbers well above" in restored.output
    asyncio.run(happen(database_url, "after", seal=False))
    seen, place = read_new(database_url)
    assert seen == ["after"]
    assert int(place or 0) > 1_000_000_000_007
    assert lineside("verify").exit_code == 0
    with psycopg.connect(database_url) as conn:
        ahead = conn.execute(
            "select nextval('mes.serial_number'), nextval('mes.work_order_number')"
        ).fetchone()
    assert ahead is not None
    assert ahead[0] > 100_000
    assert ahead[1] > 10_000


def test_a_backup_without_the_samples_has_all_else(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "plant.tar"
    asyncio.run(happen(database_url, "before"))
    with psycopg.connect(database_url) as conn:
        conn.execute("insert into historian.sample (time, tag_id, quality) values (now(), 1, 192)")
        conn.execute("insert into historian.rollup_1h (tag_id, bucket, n, n_good) values (1, now(), 1, 1)")
    assert lineside("backup", "--without-history", str(file)).exit_code == 0
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".lineside")] == []
    assert lineside("restore", str(file), "--yes").exit_code == 0
    with psycopg.connect(database_url) as conn:
        counts = conn.execute(
            "select (select count(*) from historian.sample), (select count(*) from historian.rollup_1h)"
        ).fetchone()
    assert counts == (0, 1)
    assert accounts(database_url) == ["before"]


def test_a_new_machine_gets_settings_and_passwords_of_the_backup(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    """Without them every edge beside a machine would be refused."""
    old, new, file = tmp_path / "home", tmp_path / "new", tmp_path / "plant.tar"
    for name in ("broker-edge-1", "postgres-superuser"):
        secrets.replace(old, name, f"old-{name}")
    (old / "lineside.toml").write_text("currency = 'EUR'\n")
    (old / "edge").mkdir()
    (old / "edge" / "CONFIG.toml").write_text("[edge]\n")
    lineside("backup", str(file))
    monkeypatch.setenv("LINESIDE_HOME", str(new))
    monkeypatch.delenv("DATABASE_URL")
    before = lineside("restore", str(file), "--yes")
    assert before.exit_code == 1
    assert "Put back: lineside.toml, edge/CONFIG.toml, broker-edge-1" in before.output
    assert "lineside up" in before.output
    assert (new / "secrets" / "broker-edge-1").stat().st_mode & 0o077 == 0
    assert secrets.ensure(new, "broker-edge-1") == "old-broker-edge-1"
    assert secrets.ensure(new, "postgres-superuser") != "old-postgres-superuser"
    monkeypatch.setenv("DATABASE_URL", database_url)
    again = lineside("restore", str(file), "--yes")
    assert again.exit_code == 0, again.output
    assert "passwords" not in again.output


def test_a_home_keeps_its_own_passwords_until_it_is_told_otherwise(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "plant.tar"
    secrets.replace(home, "broker-edge-1", "old")
    lineside("backup", str(file))
    secrets.replace(home, "broker-edge-1", "new")
    kept = lineside("restore", str(file), "--yes")
    assert kept.exit_code == 0, kept.output
    assert "broker-edge-1" in kept.output
    assert "--secrets" in kept.output
    assert secrets.ensure(home, "broker-edge-1") == "new"
    assert "Put back: broker-edge-1" in lineside("restore", str(file), "--yes", "--secrets").output
    assert secrets.ensure(home, "broker-edge-1") == "old"


def test_who_keeps_a_restore_from_its_work_is_named(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    """A process of ours, or anybody whose transaction holds a table."""
    monkeypatch.setattr(backup, "QUIET_S", 1.0)
    file = tmp_path / "plant.tar"
    lineside("backup", str(file))
    for program in ("lineside-historian", "grafana"):
        with psycopg.connect(database_url, application_name=program) as conn:
            conn.execute("select from mes.event")
            refused = lineside("restore", str(file), "--yes")
            assert refused.exit_code == 1
            assert f"{program} (process {conn.info.backend_pid}, from this machine)" in refused.output


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
