"""What changed in a model of Tryton, page by page and none left out.

The order is that of the cursor: by the time of the last change, then by id. So a page that ends in
the middle of records of the same second goes on in the middle.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from erp_bridge.adapters.tryton.rpc import Row, Rpc

OVERLAP = timedelta(seconds=120)
"""A change is stamped when its transaction begins: what was committed late is read again."""
ORDER = [("last_modified_at", "ASC"), ("id", "ASC")]


class Changes:
    """A reader of what changed in one model.

    A cursor is the time of the newest change that was read; between two pages the id follows it.
    """

    def __init__(self, rpc: Rpc, model: str) -> None:
        self._rpc = rpc
        self._model = model
        self._stood = ("", 0.0)

    async def read(
        self, domain: list[Any], fields: list[str], cursor: str, limit: int
    ) -> tuple[list[Row], str, bool]:
        """Return the next records, the cursor behind them, and whether there may be more."""
        wanted = [*domain, *self._behind(cursor)]
        read = [*fields, "write_date", "create_date"]
        rows = await self._rpc.search_read(self._model, wanted, read, ORDER, limit)
        if not rows:
            return [], cursor.partition("|")[0], False
        reached = changed_at(rows[-1]).isoformat()
        if len(rows) == limit:
            return rows, f"{reached}|{rows[-1]['id']}", True
        return rows, max(reached, cursor.partition("|")[0]), False

    def _behind(self, cursor: str) -> list[Any]:
        stamp, _, last = cursor.partition("|")
        if not stamp:
            return []
        at = datetime.fromisoformat(stamp)
        if last:
            within = [("last_modified_at", "=", at), ("id", ">", int(last))]
            return [["OR", ("last_modified_at", ">", at), within]]
        if self._is_quiet(stamp):
            return [("last_modified_at", ">", at)]
        return [("last_modified_at", ">=", at - OVERLAP)]

    def _is_quiet(self, stamp: str) -> bool:
        """Whether nothing new came for so long that nothing can be late any more."""
        seen, since = self._stood
        if seen != stamp:
            self._stood = (stamp, monotonic())
            return False
        return monotonic() - since > OVERLAP.total_seconds()


def changed_at(row: Row) -> datetime:
    """Return when a record was changed last; `write_date` is empty until the first change."""
    at: datetime = row["write_date"] or row["create_date"]
    return at
