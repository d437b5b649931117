"""Costs as entries of the general ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from erp_bridge.adapter import Applied, Outcome, Remark
from erp_bridge.adapters.tryton.answers import half_done
from erp_bridge.adapters.tryton.names import Missing, Names
from erp_bridge.adapters.tryton.rpc import Refused, Row, Rpc
from erp_bridge.documents import CostPosting, PostingLine


class Entries:
    """Account moves."""

    def __init__(self, rpc: Rpc, names: Names) -> None:
        self._rpc = rpc
        self._names = names

    async def book(self, documents: Sequence[CostPosting]) -> Sequence[Outcome]:
        """Post a balanced entry for each document; its lines carry the document's key."""
        values = [
            {
                "journal": self._names.journal,
                "period": self._names.period(document.posting_date),
                "date": document.posting_date,
                "description": " ".join(filter(None, (document.work_order, document.text))),
                "lines": [["create", [self._line(document, line) for line in document.lines]]],
            }
            for document in documents
        ]
        created: list[int] = await self._rpc.write("model.account.move.create", values)
        await self._finish(created)
        return [Applied((f"account.move,{move}",)) for move in created]

    async def find(self, document: CostPosting) -> tuple[str, ...]:
        """Find the entry of an unanswered booking by the key on its lines."""
        fields = ["move", "move.state"]
        domain: list[Any] = [("description", "=", document.key)]
        rows = await self._rpc.search_read("account.move.line", domain, fields, limit=1)
        if not rows:
            return ()
        if rows[0]["move."]["state"] == "draft":
            try:
                await self._finish([rows[0]["move"]])
            except Refused:
                return ()
        return (f"account.move,{rows[0]['move']}",)

    def _line(self, document: CostPosting, line: PostingLine) -> Row:
        if line.account not in self._names.accounts:
            raise Missing(Remark.ACCOUNT_MISSING, line.account)
        return {
            "account": self._names.accounts[line.account],
            "debit": line.debit,
            "credit": line.credit,
            "description": document.key,
        }

    async def _finish(self, moves: list[int]) -> None:
        """Post entries; those that Tryton refuses to post are taken back."""
        try:
            async with half_done():
                await self._rpc.write("model.account.move.post", moves)
        except Refused:
            async with half_done():
                await self._rpc.write("model.account.move.delete", moves)
            raise
