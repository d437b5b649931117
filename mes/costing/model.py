"""Accounts, lines, entries and standards of the cost sub-ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, LotNumber, MaterialId, WorkOrderNumber

ZERO = Decimal(0)


class Account(StrEnum):
    """Accounts of the sub-ledger; the ERP's numbers belong to the bridge."""

    RAW_MATERIAL = "raw_material"
    WIP = "wip"
    FINISHED_GOODS = "finished_goods"
    GR_IR = "gr_ir"
    PURCHASE_PRICE_VARIANCE = "purchase_price_variance"
    LABOUR_ABSORBED = "labour_absorbed"
    PAYROLL_ACCRUED = "payroll_accrued"
    LABOUR_RATE_VARIANCE = "labour_rate_variance"
    MACHINE_ABSORBED = "machine_absorbed"
    VARIABLE_OVERHEAD_ABSORBED = "variable_overhead_absorbed"
    FIXED_OVERHEAD_ABSORBED = "fixed_overhead_absorbed"
    SUBCONTRACT_PRICE_VARIANCE = "subcontract_price_variance"
    SCRAP_EXPENSE = "scrap_expense"
    USAGE_VARIANCE = "usage_variance"
    LABOUR_EFFICIENCY_VARIANCE = "labour_efficiency_variance"
    MACHINE_EFFICIENCY_VARIANCE = "machine_efficiency_variance"
    VARIABLE_OVERHEAD_EFFICIENCY_VARIANCE = "variable_overhead_efficiency_variance"
    FIXED_OVERHEAD_EFFICIENCY_VARIANCE = "fixed_overhead_efficiency_variance"
    STANDARD_COST_VARIANCE = "standard_cost_variance"
    MACHINE_POOL = "machine_pool"
    MACHINE_SPENDING_VARIANCE = "machine_spending_variance"
    VARIABLE_OVERHEAD_POOL = "variable_overhead_pool"
    VARIABLE_OVERHEAD_SPENDING_VARIANCE = "variable_overhead_spending_variance"
    FIXED_OVERHEAD_POOL = "fixed_overhead_pool"
    FIXED_OVERHEAD_SPENDING_VARIANCE = "fixed_overhead_spending_variance"
    FIXED_OVERHEAD_VOLUME_VARIANCE = "fixed_overhead_volume_variance"
    COGS = "cogs"


class EntryKind(StrEnum):
    """What an entry stands for; the bridge posts those kinds that its ERP does not post itself."""

    RECEIPT = "receipt"
    CONSUMPTION = "consumption"
    RETURN = "return"
    LABOUR = "labour"
    MACHINE = "machine"
    OVERHEAD = "overhead"
    SUBCONTRACT = "subcontract"
    COMPLETION = "completion"
    SCRAP = "scrap"
    REVERSAL = "reversal"
    CLOSE = "close"
    LOT_SCRAP = "lot_scrap"
    COUNT = "count"
    POOL = "pool"
    SHIPMENT = "shipment"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One side of an entry: either `debit` or `credit` is greater than zero.

    Args:
        debit: In `currency`, rounded to its minor unit.
        credit: In `currency`, rounded to its minor unit.
        quantity: What the amount is for, in `uom`, where that is one quantity.
    """

    account: Account
    debit: Decimal = ZERO
    credit: Decimal = ZERO
    currency: str
    quantity: Decimal | None = None
    uom: str | None = None
    work_center: EquipmentId | None = None
    cost_center: str | None = None
    material: MaterialId | None = None
    lot: LotNumber | None = None

    @property
    def amount(self) -> Decimal:
        """Debit less credit."""
        return self.debit - self.credit

    @property
    def reversed(self) -> "CostLine":
        """The line that undoes this one."""
        quantity = None if self.quantity is None else -self.quantity
        return replace(self, debit=self.credit, credit=self.debit, quantity=quantity)


Lines = tuple[CostLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEntry:
    """A balanced entry, and the event that it comes from.

    Args:
        at: When the thing happened (not when it was booked).
        subject: The report or material actual that a later reversal names.
    """

    entry: UUID
    kind: EntryKind
    work_order: WorkOrderNumber | None
    cause_event: UUID
    at: datetime
    lines: Lines
    scope: str = ""
    subject: UUID | None = None
    reverses: UUID | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class StandardInput:
    """What one good piece takes of one thing.

    Args:
        quantity: In the thing's unit (hours for work) per piece.
        price: Money per unit, any number of decimals.
        uom: Unit of `quantity`.
    """

    quantity: Decimal
    price: Decimal
    uom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostStandard:
    """The standards of one work order: those of the day of its release, whatever comes later.

    Args:
        unit_cost: Standard cost of one piece, as the ERP values it in stock.
        materials: By component.
        labour: By labour class, hours.
        machine: By work centre, hours.
        variable_overhead: Hours.
        fixed_overhead: Hours.
    """

    material: MaterialId
    uom: str
    currency: str
    unit_cost: Decimal
    materials: Mapping[MaterialId, StandardInput]
    labour: Mapping[str, StandardInput]
    machine: Mapping[EquipmentId, StandardInput]
    variable_overhead: StandardInput | None = None
    fixed_overhead: StandardInput | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Sum of an account, in `currency`: `amount` is debits less credits."""

    account: Account
    currency: str
    debit: Decimal
    credit: Decimal

    @property
    def amount(self) -> Decimal:
        """Debits less credits."""
        return self.debit - self.credit


@dataclass(frozen=True, slots=True)
class OrderActuals:
    """What an order has in its WIP account, by what it was spent on.

    Args:
        materials: Amount by component.
        labour: Amount for labour.
        machine: Amount for machine time.
        variable_overhead: Amount for variable overhead.
        fixed_overhead: Amount for fixed overhead.
        residual: Balance of the WIP account.
        pieces: Good pieces and scrap together.
    """

    materials: Mapping[MaterialId, Decimal]
    labour: Decimal
    machine: Decimal
    residual: Decimal
    pieces: Decimal
    variable_overhead: Decimal = ZERO
    fixed_overhead: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a cost arises: its dimensions in the ledger."""

    work_center: EquipmentId | None = None
    cost_center: str | None = None


NOWHERE = Place()


@dataclass(slots=True)
class Sheet:
    """Collects the lines of one entry in one currency; amounts of zero leave no line."""

    currency: str
    place: Place = NOWHERE
    lines: list[CostLine] = field(default_factory=list)

    def add(
        self,
        account: Account,
        amount: Decimal,
        *,
        quantity: Decimal | None = None,
        uom: str | None = None,
        material: MaterialId | None = None,
        lot: LotNumber | None = None,
    ) -> None:
        """Debit `amount`; a negative amount is a credit."""
        if amount:
            self.lines.append(
                CostLine(
                    account=account,
                    debit=max(amount, ZERO),
                    credit=max(-amount, ZERO),
                    currency=self.currency,
                    quantity=quantity,
                    uom=uom,
                    work_center=self.place.work_center,
                    cost_center=self.place.cost_center,
                    material=material,
                    lot=lot,
                )
            )

    def closed(self) -> Lines:
        """Return the lines.

        Raises:
            EntryNotBalanced: Debits and credits differ.
        """
        return balanced(self.lines)


def balanced(lines: Iterable[CostLine]) -> Lines:
    """Return the lines as an entry's.

    Raises:
        EntryNotBalanced: Debits and credits differ.
    """
    found = tuple(lines)
    difference = sum((line.amount for line in found), ZERO)
    if difference:
        raise EntryNotBalanced(difference=str(difference))
    return found


class EntryNotBalanced(PlantError):
    """Debits and credits of this entry differ."""

    http_status = 500
    remedy = "Tell the maintainers; nothing was booked."


class CostStandardMissing(PlantError):
    """This work order has no standards to be costed by."""

    http_status = 409
    remedy = "Give the product and its components a cost price in the ERP."
