"""Tryton 8.0: productions, stock moves in lots, work cycles, entries, promises.

Tryton with continental stock accounting posts every valued movement of stock by itself; labour,
machine time, scrap and variances it never posts. It has no idempotency key: what is booked
twice is found by content among the records that the ledger does not know yet. Few calls with
many records each: one call costs 20 to 200 ms, and SQLite has one writer.
"""

from erp_bridge.adapters.tryton.adapter import TrytonAdapter
from erp_bridge.adapters.tryton.chart import ACCOUNTS, SHEET

__all__ = ["ACCOUNTS", "SHEET", "TrytonAdapter"]
