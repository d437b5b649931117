"""What is made and how: materials, standard prices, work masters (routing and bill of material)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from enum import StrEnum

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaterialId
from mes.kernel.quantity import unit_digits


class MaterialKind(StrEnum):
    """What the material is to this plant."""

    PRODUCT = "product"
    COMPONENT = "component"


class MaterialTracking(StrEnum):
    """How single pieces are told apart."""

    NONE = "none"
    LOT = "lot"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialDraft:
    """A material as the ERP sends it; sending it again changes only what differs.

    Args:
        uom: Unit of stock and bills (`pc`, `kg`).
        standard_price: Money per `uom`, not negative; a new price is a new row from now on.
        tracking: Components are kept in lots, products by serial number.
        digits: Decimals that its quantities have, 0 to 12; the unit's usual ones when None.
    """

    id: MaterialId
    name: str
    kind: MaterialKind
    uom: str
    tracking: MaterialTracking
    standard_price: Decimal
    currency: str
    erp_ref: str = ""
    digits: int | None = None

    @property
    def places(self) -> int:
        """Decimals of its quantities."""
        return unit_digits(self.uom) if self.digits is None else self.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A material definition (ISA-95 MaterialDefinition)."""

    id: MaterialId
    name: str
    kind: MaterialKind
    uom: str
    tracking: MaterialTracking
    family: str | None
    erp_ref: str
    digits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", MaterialKind(self.kind))
        object.__setattr__(self, "tracking", MaterialTracking(self.tracking))

    def check(self, quantity: Decimal) -> None:
        """Refuse a quantity that has more decimals than the material's unit.

        Raises:
            QuantityNotWhole: The unit is counted.
            QuantityTooFine: It is measured, less finely.
        """
        if quantity == self.rounded_up(quantity):
            return
        if self.digits == 0:
            raise QuantityNotWhole(quantity=f"{quantity.normalize():f}", uom=self.uom)
        raise QuantityTooFine(quantity=f"{quantity.normalize():f}", uom=self.uom, digits=self.digits)

    def rounded_down(self, quantity: Decimal) -> Decimal:
        """Return the largest quantity of the unit's decimals that is not more."""
        rounded = quantity.quantize(Decimal(1).scaleb(-self.digits), ROUND_DOWN)
        return quantity if rounded == quantity else rounded

    def rounded_up(self, quantity: Decimal) -> Decimal:
        """Return the least quantity of the unit's decimals that is not less."""
        rounded = quantity.quantize(Decimal(1).scaleb(-self.digits), ROUND_UP)
        return quantity if rounded == quantity else rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMasterComponent:
    """What one base quantity of the product takes at an operation, in the component's unit."""

    operation: int
    material: MaterialId
    quantity: Decimal
    uom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMasterOperation:
    """One step of the routing.

    Args:
        operation: Its number, 10, 20, …; the order of the numbers is the order of work.
        setup_s: Seconds to set up when the setup family changes.
        run_s: Seconds of machine and labour per piece.
        skill: Skill needed; the work centre's when None.
        labour_class: Labour cost class.
        instructions: Text for the terminal.
    """

    operation: int
    name: str
    work_center: EquipmentId
    run_s: Decimal
    setup_s: Decimal = Decimal(0)
    skill: str | None = None
    labour_class: str = "L1"
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMasterDraft:
    """Routing and bill of material of one product, as the ERP sends them.

    The same content again makes no new version; other content makes the next one.

    Args:
        id: Natural key, such as `WM-PUMP-40`.
        base_quantity: The components are for so many pieces.
    """

    id: str
    material: MaterialId
    operations: tuple[WorkMasterOperation, ...]
    components: tuple[WorkMasterComponent, ...]
    base_quantity: Decimal = Decimal(1)
    erp_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMaster:
    """One version of a work master; a version never changes."""

    id: str
    version: int
    material: MaterialId
    effective_from: datetime
    operations: tuple[WorkMasterOperation, ...]
    components: tuple[WorkMasterComponent, ...]
    base_quantity: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardPrice:
    """Standard price of one unit of a material."""

    material: MaterialId
    uom: str
    price: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardTime:
    """Standard hours of one piece at one operation of a work order, and where they are booked.

    Args:
        labour_h: Labour hours per piece, 8 decimals.
        machine_h: Machine hours per piece, 8 decimals.
        setup_h: Hours per setup.
    """

    operation: int
    work_center: EquipmentId
    cost_center: str
    labour_class: str
    labour_h: Decimal
    machine_h: Decimal
    setup_h: Decimal


class QuantityNotWhole(PlantError):
    """Pieces come whole."""

    http_status = 422
    remedy = "Enter a whole number."


class QuantityTooFine(PlantError):
    """The quantity has more decimals than its unit."""

    http_status = 422
    remedy = "Round it to the decimals that the unit has, then enter it again."


class MaterialUnknown(PlantError):
    """There is no such material."""

    http_status = 404
    remedy = "Check the code; the ERP sends materials by itself once they are active there."


class MaterialUnitChanged(PlantError):
    """A material cannot change its unit while it is in use."""

    http_status = 409
    remedy = "Make a new material in the ERP with the other unit."


class WorkMasterUnknown(PlantError):
    """There is no routing for this product."""

    http_status = 404
    remedy = "Give the product a routing and a bill of material in the ERP."


class WorkMasterNotValid(PlantError):
    """This routing or bill of material cannot be used."""

    http_status = 422
    remedy = "Correct the place named in the ERP; it is sent again by itself."


class StandardPriceMissing(PlantError):
    """This material had no standard price at that time."""

    http_status = 409
    remedy = "Set the cost price in the ERP."


class RateMissing(PlantError):
    """There was no standard rate for this at that time."""

    http_status = 409
    remedy = "Set the rate of the work centre or labour class."
