"""What happens to materials and work masters."""

from dataclasses import dataclass
from decimal import Decimal

from mes.kernel.ids import MaterialId
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class MaterialDefined(Event):
    """A material was added or changed; `standard_price` is money per `uom`."""

    aggregate_field = "material"

    material: MaterialId
    name: str
    uom: str
    standard_price: Decimal
    currency: str


@event
@dataclass(frozen=True, kw_only=True)
class WorkMasterVersioned(Event):
    """A work master got a new version; orders released from now on use it."""

    aggregate_field = "work_master"

    work_master: str
    version: int
    material: MaterialId
