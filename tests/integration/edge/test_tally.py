"""What the streams brought, against the machines' own totals."""

from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import tuple_row

from edge.historian.inbox import _store_tally
from edge.rows import Inbox, TallyKey

KEY = TallyKey("edge-1", "CNC-1", "count.good")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def tell(connection: psycopg.AsyncConnection, brought: int, total: int | None) -> None:
    """Let a batch bring so many pieces, and then the machine's own total."""
    inbox = Inbox()
    inbox.tally.add(KEY, Decimal(brought))
    if total is not None:
        inbox.tally.check(KEY, Decimal(total), NOON)
    await _store_tally(connection, inbox)


@pytest.mark.parametrize(
    ("told", "lost", "doubled"),
    [
        ([(0, 100), (7, 110), (0, 0), (5, 5)], 3, 0),
        ([(0, 100), (7, 110), (0, 0), (5, 7), (0, 1), (2, 3)], 5, 0),
        ([(0, 100), (12, 110), (0, 0), (5, 5)], 0, 2),
        ([(0, 100), (7, 110), (3, None), (0, 0), (5, 5)], 0, 0),
        ([(0, 100), (7, 110), (3, 110), (0, 0), (5, 5)], 0, 0),
        ([(0, 100), (7, 110), (5, 2), (1, 3)], 0, 0),
        ([(0, 100), (10, 110), (3, None), (0, 0), (5, 5)], 0, 0),
        ([(4, None), (0, 100), (10, 110)], 0, 0),
    ],
    ids=[
        "lost in a run that is over", "lost in two of them", "doubled in one that is over",
        "on its way, and came", "on its way, and counted with the next total",
        "came with the first total of the next run", "more than the last total knew",
        "brought before any total",
    ],
)  # fmt: skip
async def test_what_a_run_lost_does_not_heal_when_the_machine_is_switched_off(
    database_url: str, told: list[tuple[int, int | None]], lost: int, doubled: int
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        for brought, total in told:
            await tell(connection, brought, total)
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute("select lost, doubled from mes.edge_tally")
        assert await cursor.fetchall() == [(lost, doubled)]
