"""`lineside user` and `lineside verify`, as typed on the command line."""

import asyncio
import json
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from mes.access import service
from mes.access.events import SignedIn
from mes.kernel import audit
from mes.kernel.db import Database
from mes.kernel.outbox import append
from mes.kernel.settings import Settings
from mes.supervisor import link
from mes.supervisor.cli import app
from mes.supervisor.paths import Paths
from mes.supervisor.welcome import LINK_FILE, link_token
from tests.fixtures.postgres import SITE, cause


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.fixture(autouse=True)
def _people(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into mes.person (id, site, name) values ('E-1001', 'SUZ', 'Li Wei')")
        connection.execute("insert into mes.person (id, site, name) values ('E-1002', 'SUZ', 'Wang Fang')")
        connection.execute(
            "insert into mes.person (id, site, name, active) values ('E-1003', 'SUZ', 'Chen Jie', false)"
        )


def lineside(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, arguments, input=answers)


def listed() -> dict[str, list[str]]:
    return {one["account"]: one["roles"] for one in json.loads(lineside("user", "list", "--json").output)}


def test_an_account_is_made_with_its_roles_and_a_link() -> None:
    made = lineside("user", "add", "petra", "--role", "planner", "--role", "supervisor", "--scope", "MACH")
    assert "/sign-in?token=" in made.output
    assert listed() == {"petra": ["planner at SUZ/MACH", "supervisor at SUZ/MACH"]}


def test_a_password_is_asked_for_and_never_shown() -> None:
    secret = "correct horse battery"
    made = lineside(
        "user", "add", "petra", "--role", "planner", "--password", answers=f"{secret}\n{secret}\n"
    )
    assert made.exit_code == 0
    assert secret not in made.output
    short = lineside("user", "add", "paul", "--role", "planner", "--password", answers="x\nx\n")
    assert short.exit_code == 1
    assert "paul" not in listed()


def test_an_account_is_shut() -> None:
    lineside("user", "add", "petra", "--role", "planner")
    assert lineside("user", "shut", "petra").exit_code == 0
    assert "shut" in lineside("user", "list").output
    refused = lineside("user", "link", "petra")
    assert (refused.exit_code, "lineside user add" in refused.output) == (1, True)
    assert lineside("user", "shut", "nobody").exit_code == 1
    assert lineside("user", "link", "nobody").exit_code == 1


async def test_a_plant_starts_though_its_administrator_is_shut(db: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=db.url)
    for shut in (False, True):
        if shut:
            async with db.transaction(cause()) as tx:
                await service.shut_account(tx, service.ADMINISTRATOR)
        link_token(Paths(tmp_path).run)
        await link.register(settings)
        assert not (Paths(tmp_path).run / LINK_FILE).exists()


def test_a_badge_needs_a_pin_of_digits() -> None:
    assert lineside("user", "badge", "E-1001", answers="4711\n4711\n").exit_code == 0
    assert lineside("user", "badge", "E-1001", answers="abcd\nabcd\n").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("E-9999",), "no such person"),
        (("E-1003",), "does not work in this plant"),
        (("E-1001", "--barcode", "RFID0042"), "Begin it with EMP:"),
        (("E-1001", "--barcode", "EMP:E-1002"), "Give it another barcode"),
    ],
)
def test_a_badge_that_nobody_could_use_is_refused(arguments: tuple[str, ...], told: str) -> None:
    lineside("user", "badge", "E-1002", answers="4711\n4711\n")
    lineside("user", "withdraw", "E-1002")
    refused = lineside("user", "badge", *arguments, answers="0815\n0815\n")
    assert (refused.exit_code, told in refused.output) == (1, True)


def test_a_role_at_a_place_that_is_not_there_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into mes.equipment (id, site, scope, level, name)"
            " values ('MACH', 'SUZ', 'MACH', 'area', 'Machining')"
        )
    refused = lineside("user", "add", "petra", "--role", "operator", "--scope", "MAHC")
    assert (refused.exit_code, "no such place" in refused.output) == (1, True)
    assert lineside("user", "add", "petra", "--role", "operator", "--scope", "MACH").exit_code == 0


def test_a_lost_badge_is_withdrawn_and_a_new_one_given() -> None:
    lineside("user", "badge", "E-1001", answers="4711\n4711\n")
    assert "E-1001" in lineside("user", "withdraw", "E-1001").output
    again = lineside("user", "withdraw", "E-1001")
    assert (again.exit_code, "no badge that is valid" in again.output) == (1, True)
    lineside("user", "badge", "E-1001", "--barcode", "EMP:E-1001-2", answers="0815\n0815\n")
    assert lineside("user", "withdraw", "E-1001").exit_code == 0


def test_a_lost_tablet_is_signed_out(database_url: str) -> None:
    link = lineside("user", "add", "tablet-7", "--role", "operator").output
    asyncio.run(open_link(database_url, link.strip().partition("token=")[2]))
    assert "signed out: 1." in lineside("user", "sign-out", "tablet-7").output
    assert "signed out: 0." in lineside("user", "sign-out", "tablet-7").output
    assert lineside("user", "sign-out", "nobody").exit_code == 1


async def open_link(url: str, token: str) -> None:
    async with await Database.open(url, name="test", site=SITE) as db, db.transaction(cause()) as tx:
        await service.sign_in_by_link(tx, token)


async def happen_and_seal(url: str) -> None:
    async with await Database.open(url, name="test", site=SITE) as db:
        async with db.transaction(cause()) as tx:
            await append(tx, SignedIn(site=SITE, account="a", by="link"))
        async with db.transaction(cause()) as tx:
            await audit.seal(tx)


def test_verify_says_whether_the_past_was_left_alone(database_url: str) -> None:
    asyncio.run(happen_and_seal(database_url))
    good = lineside("verify")
    assert good.exit_code == 0
    assert "1 events in 1 blocks" in good.output
    with psycopg.connect(database_url) as conn:
        conn.execute("update mes.event set actor = 'somebody else'")
    bad = lineside("verify", "--json")
    assert bad.exit_code == 1
    assert json.loads(bad.output)["reason"] == "content"
