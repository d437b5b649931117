"""However many records change in the same second, all of them come, and the reading ends."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from erp_bridge.adapters.tryton import changes
from erp_bridge.adapters.tryton.changes import Changes
from erp_bridge.adapters.tryton.rpc import Rpc

BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
LIMIT = 200
Row = dict[str, Any]


class Table:
    """A table that answers a domain on time and id as Tryton does."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}

    def put(self, number: int, at: datetime, *, written: bool = True) -> None:
        created = self.rows.get(number, {}).get("create_date", at)
        self.rows[number] = {"id": number, "create_date": created, "write_date": at if written else None}

    async def search_read(
        self, model: str, domain: list[Any], fields: list[str], order: list[Any], limit: int
    ) -> list[Row]:
        assert (model, order) == ("production", changes.ORDER)
        found = [row for row in self.rows.values() if all(_fits(row, clause) for clause in domain)]
        found.sort(key=lambda row: (_value(row, "last_modified_at"), row["id"]))
        return [{name: row[name] for name in ("id", *fields)} for row in found[:limit]]


def _value(row: Row, name: str) -> Any:
    return row["write_date"] or row["create_date"] if name == "last_modified_at" else row[name]


def _fits(row: Row, clause: Any) -> bool:
    if isinstance(clause, list):
        either = clause[0] == "OR"
        parts = [_fits(row, part) for part in (clause[1:] if either else clause)]
        return any(parts) if either else all(parts)
    name, operator, wanted = clause
    value = _value(row, name)
    return bool({">": value > wanted, ">=": value >= wanted, "=": value == wanted}[operator])


class Reader:
    def __init__(self, table: Table) -> None:
        self.changes = Changes(cast("Rpc", table), "production")
        self.cursor = ""
        self.seen: set[int] = set()

    async def poll(self) -> int:
        """Read until there is no more; return how many pages that took."""
        for page in range(1, 100):
            rows, self.cursor, more = await self.changes.read([], [], self.cursor, LIMIT)
            self.seen |= {row["id"] for row in rows}
            if not more:
                return page
        raise AssertionError(self.cursor)


@pytest.mark.parametrize("written", [True, False])
async def test_more_than_a_page_of_the_same_second_comes_whole(written: bool) -> None:
    table = Table()
    reader = Reader(table)
    table.put(1, BEGIN)
    await reader.poll()
    for number in range(2, 502):
        table.put(number, BEGIN + timedelta(minutes=10), written=written)
    assert await reader.poll() == 3
    assert reader.seen == set(range(1, 502))


async def test_an_old_one_that_was_touched_today_hides_none() -> None:
    table = Table()
    for number in range(1, 501):
        table.put(number, BEGIN + timedelta(seconds=number))
    table.put(3, BEGIN + timedelta(days=19))
    reader = Reader(table)
    await reader.poll()
    assert reader.seen == set(range(1, 501))


async def test_what_was_committed_late_is_read_behind_more_than_a_page() -> None:
    table = Table()
    for number in range(1, 302):
        table.put(number, BEGIN + timedelta(seconds=60 + number / 10))
    reader = Reader(table)
    await reader.poll()
    table.put(900, BEGIN + timedelta(seconds=30))
    table.put(901, BEGIN + timedelta(seconds=89))
    await reader.poll()
    assert {900, 901} <= reader.seen


async def test_an_idle_erp_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(changes, "monotonic", lambda: now)
    table = Table()
    for number in range(1, 502):
        table.put(number, BEGIN)
    reader = Reader(table)
    await reader.poll()
    assert await reader.poll() == 3
    now += 121
    assert await reader.poll() == 1
    table.put(502, BEGIN + timedelta(microseconds=1))
    await reader.poll()
    assert 502 in reader.seen
