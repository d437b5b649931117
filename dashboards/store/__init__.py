"""What the pages show across activities: plain reading SQL, one snapshot per reply."""

from dashboards.store import drawer, genealogy, number, orders, status

__all__ = ["drawer", "genealogy", "number", "orders", "status"]
