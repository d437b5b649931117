"""What Tryton calls our accounts and units, and what it posts by itself."""

from __future__ import annotations

from erp_bridge.adapter import Capabilities, Movement, Posting

ACCOUNTS = {
    "raw_material": "1.3.2",
    "finished_goods": "1.3.4",
    "wip": "5.1.5.1",
    "gr_ir": "5.1.5.2",
    "cogs": "5.1.5.3",
    "labour_absorbed": "5.2.1.1",
    "machine_absorbed": "5.2.1.2",
    "scrap_expense": "5.2.1.3",
    "usage_variance": "5.2.1.4",
    "labour_rate_variance": "5.2.1.5",
    "labour_efficiency_variance": "5.2.1.6",
    "machine_efficiency_variance": "5.2.1.7",
    "purchase_price_variance": "5.2.1.8",
    "payroll_accrued": "2.2.1.1",
    "standard_cost_variance": "5.2.1.9",
    "subcontract_price_variance": "5.2.1.10",
    "variable_overhead_absorbed": "5.2.1.11",
    "fixed_overhead_absorbed": "5.2.1.12",
    "variable_overhead_efficiency_variance": "5.2.1.13",
    "fixed_overhead_efficiency_variance": "5.2.1.14",
    "machine_pool": "5.2.1.15",
    "machine_spending_variance": "5.2.1.16",
    "variable_overhead_pool": "5.2.1.17",
    "variable_overhead_spending_variance": "5.2.1.18",
    "fixed_overhead_pool": "5.2.1.19",
    "fixed_overhead_spending_variance": "5.2.1.20",
    "fixed_overhead_volume_variance": "5.2.1.21",
}
"""Canonical account -> code in Tryton's universal chart of accounts."""


UNITS = {"pc": "u", "kg": "kg", "h": "h"}
"""Canonical unit -> symbol in Tryton; no conversion, the factor is 1."""


SHEET = Capabilities(
    name="Tryton",
    posts={
        Movement.RECEIPT: Posting("raw_material", "gr_ir"),
        Movement.ISSUE: Posting("wip", "raw_material"),
        Movement.RETURN: Posting("raw_material", "gr_ir"),
        Movement.COMPLETION: Posting("finished_goods", "wip"),
        Movement.COMPLETION_REVERSAL: Posting("cogs", "finished_goods"),
        Movement.LOT_SCRAP: Posting("wip", "raw_material"),
        Movement.SHIPMENT: Posting("cogs", "finished_goods"),
    },
    any_order=frozenset({"MaterialActual", "SegmentResponse", "CostPosting"}),
)
"""As trytond_account_stock_continental posts with the accounts of the recipe's categories:
from storage debits the category's OUT account, into storage credits its IN account."""


def unit_of(symbol: str) -> str:
    """Return our name of a unit, Tryton's own where there is no other."""
    return next((ours for ours, theirs in UNITS.items() if theirs == symbol), symbol)
