"""What the pages' own routes answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from dashboards import store
from mes.kernel.errors import PlantError


class NumberUnknown(PlantError):
    """Nothing in this plant has this number."""

    http_status = 404
    remedy = "Check the number: customer order, production, work order, lot or serial number."


class PagesMissing(PlantError):
    """The pages were not built."""

    http_status = 503
    remedy = "Build them: python -m dashboards.build."


@dataclass(frozen=True, slots=True)
class ErpFacts:
    """The ERP beside this plant."""

    name: str


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What every page needs before it shows a figure."""

    enterprise: str
    site: str
    site_tz: str
    currency: str
    demo: bool
    version: str
    erp: ErpFacts
    terminals: list[store.status.UnitRow]


@dataclass(frozen=True, slots=True)
class KpiFigures:
    """A unit's figures in the running shift; None with a reason where there is no value."""

    equipment: str
    oee: Decimal | None
    availability: Decimal | None
    effectiveness: Decimal | None
    quality: Decimal | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """How the whole plant stands: `lineside status --json`."""

    ready: bool
    url: str
    processes: list[dict[str, Any]]
    edge: store.status.EdgeFigures
    orders: store.status.OrderFigures
    recent_orders: list[store.status.RecentOrder]
    plan: store.status.PlanFigures
    kpi: list[KpiFigures]
    erp: store.status.ErpFigures


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a promise is what it is: a code for the pages."""

    code: str


@dataclass(frozen=True, slots=True)
class Promise:
    """The promise that holds."""

    promised_at: datetime
    previous: datetime | None
    reason: Reason
    at: datetime


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece with its number and what it is made of."""

    serial: str
    at: datetime | None
    components: list[store.genealogy.PartRow]


@dataclass(frozen=True, slots=True)
class Order:
    """A work order with everything that is known of it.

    Args:
        costs: None for accounts that may not see costs.
    """

    work_order: str
    status: str
    material: str
    material_name: str
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    uom: str
    due_at: datetime
    erp_ref: str
    planned_end: datetime | None
    completed_at: datetime | None
    promise: Promise | None
    operations: list[store.orders.OperationRow]
    materials: list[store.orders.MaterialRow]
    labour: list[store.orders.LabourRow]
    scraps: list[store.orders.ScrapRow]
    costs: list[store.orders.CostRow] | None
    cost_entries: int
    currency: str
    documents: list[store.orders.DocumentRow]
    serials: list[Piece]


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot and where it went."""

    lot: str
    material: str
    material_name: str
    status: str
    quantity: Decimal
    uom: str
    received_at: datetime
    expires_at: datetime | None
    supplier: str
    used_in: list[store.genealogy.UseRow]


@dataclass(frozen=True, slots=True)
class LotChoice:
    """One of the lots that a number may mean.

    Args:
        number: What means this one alone.
    """

    number: str
    material: str
    material_name: str
    status: str
    quantity: Decimal
    uom: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """The live page of one number.

    Args:
        lots: To choose from, where the number means several lots.
    """

    number: str
    kind: store.number.NumberKind
    customer_order: store.orders.CustomerOrderRow | None
    orders: list[Order]
    lot: Lot | None
    lots: list[LotChoice]


class OfOrder(Protocol):
    """A row that belongs to a work order."""

    @property
    def work_order(self) -> str:
        """Number of the work order."""


Row = TypeVar("Row", bound=OfOrder)


def by_order(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each work order, their order kept."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.work_order, []).append(row)
    return grouped
