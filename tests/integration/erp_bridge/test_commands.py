"""`lineside books`, as typed at the plant's own machine."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from erp_bridge import store
from erp_bridge.adapter import Stream
from mes.kernel.db import Database
from mes.supervisor.cli import app
from tests.fixtures.postgres import cause
from tests.integration.erp_bridge.test_api import found_different, refuse_one


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database_url)


async def lineside(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["books", *arguments])


async def test_a_refused_document_is_seen_and_sent_again_or_left_out(db: Database) -> None:
    await refuse_one(db)
    shown = await lineside("dead")
    assert "ErpLotMissing" in shown.output
    (row,) = json.loads((await lineside("dead", "--json")).output)
    assert (await lineside("retry", "--all")).output == "1 documents are sent again.\n"
    again = await lineside("retry", str(row["id"]))
    assert again.exit_code == 1
    assert "does not wait for a repair" in again.output
    async with db.transaction(cause()) as tx:
        await store.lanes.mark_dead(tx, row["id"], "ErpLotMissing", "no lot")
    assert (await lineside("skip", str(row["id"]), "booked by hand")).exit_code == 0
    assert json.loads((await lineside("dead", "--json")).output) == []
    assert (await lineside("retry")).exit_code == 2


async def test_a_refused_record_and_a_difference_are_seen_and_explained(db: Database) -> None:
    await found_different(db)
    async with db.transaction(cause()) as tx:
        await store.records.keep(
            tx, Stream.LOTS, "stock.move,7", version="1", body={}, code="ErpRecordNotUnderstood", detail="odd"
        )
    assert "stock.move,7" in (await lineside("refused")).output
    assert "98.70" in (await lineside("differences")).output
    assert (await lineside("explain", "s", "price rose on Monday")).output == "2 differences are explained.\n"
    unknown = await lineside("explain", "t", "no reason")
    assert (unknown.exit_code, "do not differ" in unknown.output) == (1, True)
