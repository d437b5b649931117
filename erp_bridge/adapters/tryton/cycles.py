"""Labour and machine hours as work cycles of an operation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from erp_bridge.adapter import Applied, Outcome, Remark
from erp_bridge.adapters.tryton.answers import half_done
from erp_bridge.adapters.tryton.names import Missing, Names
from erp_bridge.adapters.tryton.rpc import Refused, Rpc
from erp_bridge.documents import SegmentResponse


class Cycles:
    """Cycles of works."""

    def __init__(self, rpc: Rpc, names: Names) -> None:
        self._rpc = rpc
        self._names = names

    async def book(self, documents: Sequence[SegmentResponse]) -> Sequence[Outcome]:
        """Book the hours of each document as a cycle of its operation."""
        works = await self._works(documents)
        created = await self.make(
            [(work, document.hours) for work, document in zip(works, documents, strict=True)]
        )
        return [Applied((f"production.work.cycle,{cycle}",)) for cycle in created]

    async def make(self, works: Sequence[tuple[int, Decimal]]) -> list[int]:
        """Make and do a cycle of so many hours for each work."""
        values = [{"work": work, "duration": _duration(hours), "state": "running"} for work, hours in works]
        created: list[int] = await self._rpc.write("model.production.work.cycle.create", values)
        await self.finish(created)
        return created

    async def find(self, document: SegmentResponse, taken: Collection[str]) -> tuple[str, ...]:
        """Find the cycle of an unanswered booking among those that no other document owns."""
        (work,) = await self._works([document])
        domain: list[Any] = [("work", "=", work), ("duration", "=", _duration(document.hours)),
                             ("state", "in", ["running", "done"])]  # fmt: skip
        rows = await self._rpc.search_read("production.work.cycle", domain, ["state"], [("id", "ASC")])
        for row in rows:
            ref = f"production.work.cycle,{row['id']}"
            if ref not in taken:
                if row["state"] == "running":
                    try:
                        await self.finish([row["id"]])
                    except Refused:
                        return ()
                return (ref,)
        return ()

    async def _works(self, documents: Sequence[SegmentResponse]) -> list[int]:
        ids = await self._names.production_ids(documents)
        keys = [(at, document.operation) for at, document in zip(ids, documents, strict=True)]
        unknown = sorted({production for production, operation in keys
                          if (production, operation) not in self._names.works})  # fmt: skip
        if unknown:
            fields = ["production", "operation.name"]
            domain: list[Any] = [("production", "in", unknown)]
            for row in await self._rpc.search_read("production.work", domain, fields):
                number = row["operation."]["name"].split(" ", 1)[0]
                if number.isdecimal():
                    self._names.works[row["production"], int(number)] = row["id"]
        for key in keys:
            if key not in self._names.works:
                raise Missing(Remark.OPERATION_MISSING, str(key[1]))
        return [self._names.works[key] for key in keys]

    async def finish(self, cycles: list[int]) -> None:
        """Do cycles; those that Tryton refuses to do are taken back."""
        try:
            async with half_done():
                await self._rpc.write("model.production.work.cycle.do", cycles)
        except Refused:
            async with half_done():
                await self._rpc.write("model.production.work.cycle.delete", cycles)
            raise


def _duration(hours: Decimal) -> timedelta:
    return timedelta(microseconds=int(hours * 3600 * 1_000_000))
