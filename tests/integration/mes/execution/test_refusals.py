"""Each bad input at a terminal is refused with a code, and changes nothing."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from mes.definitions import service as definitions
from mes.definitions.model import (
    MaterialDraft,
    MaterialKind,
    MaterialTracking,
    QuantityNotWhole,
    QuantityTooFine,
)
from mes.execution import service as execution
from mes.execution.model import (
    EquipmentBusy,
    JobOrderElsewhere,
    JobOrderNotFinished,
    JobOrderNotHeld,
    JobOrderNotRunning,
    JobOrderNotStartable,
    LotUse,
    MaterialNotNeeded,
    MaterialNotOnBill,
    MoreThanRemaining,
    NothingReported,
    PersonMissing,
    QuantityReport,
    ReportUnknown,
    WrongEquipment,
)
from mes.inventory import service as inventory
from mes.inventory.model import (
    LotBlocked,
    LotExpired,
    LotReserved,
    LotTooSmall,
    QuantityNotPositive,
    UnknownBarcode,
)
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import JobOrderId, LotNumber, MaterialId, SerialNumber
from mes.resources.model import (
    EquipmentUnknown,
    PersonLacksSkill,
    PersonNotClockedIn,
    PersonUnknown,
    ReasonMissing,
    ReasonUnknown,
)
from mes.tracking.model import SerialCountWrong, SerialNotExpected
from mes.workorders.model import JobOrderUnknown
from tests.fixtures.floor import NOW, Floor

Act = Callable[[Tx], Awaitable[Any]]


@pytest_asyncio.fixture
async def job(floor: Floor) -> JobOrderId:
    """The first job of an order of four pumps, running on CNC-1."""
    number = await floor.order(4)
    await floor.plan(number)
    await floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "CNC-1")
    return JobOrderId(f"{number}-10")


async def refused(
    floor: Floor,
    error: type[PlantError],
    act: Act,
    person: str | None = "E-1001",
    terminal: str | None = "CNC-1",
) -> PlantError:
    """Carry out `act`, see it refused, and see that nothing was written."""
    async with floor.db.read() as tx:
        before = await tx.value("select count(*) from mes.event")
    with pytest.raises(error) as caught:
        await floor.do(act, person, terminal)
    async with floor.db.read() as tx:
        assert await tx.value("select count(*) from mes.event") == before
    assert caught.value.remedy
    return caught.value


def use(job: JobOrderId, lot: str, quantity: str | None = None, serial: str | None = None) -> Act:
    return lambda tx: execution.consume(
        tx,
        LotUse(
            job_order=job,
            lot=LotNumber(lot),
            quantity=None if quantity is None else Decimal(quantity),
            serial=None if serial is None else SerialNumber(serial),
        ),
    )


def count(job: JobOrderId, good: str = "0", scrap: str = "0", **more: Any) -> Act:
    return lambda tx: execution.report(
        tx, QuantityReport(job_order=job, good=Decimal(good), scrap=Decimal(scrap), **more)
    )


async def test_an_unknown_barcode(floor: Floor, job: JobOrderId) -> None:
    error = await refused(floor, UnknownBarcode, use(job, "LOT-NOBODY-1"))
    assert error.params == {"kind": "LOT", "code": "LOT-NOBODY-1"}


async def test_another_orders_material(floor: Floor, job: JobOrderId) -> None:
    await floor.lot("CAST-65", "10", lot=LotNumber("LOT-CAST-65-1"))
    await refused(floor, MaterialNotOnBill, use(job, "LOT-CAST-65-1"))
    await refused(floor, MaterialNotOnBill, use(job, "LOT-SEAL-1"))


async def test_a_lot_reserved_for_another_order(floor: Floor, job: JobOrderId) -> None:
    other = await floor.order(1)
    lot = await floor.lot("CAST-40", "10", reserved_for=other)
    await refused(floor, LotReserved, use(job, lot))


async def test_an_expired_lot(floor: Floor, job: JobOrderId) -> None:
    lot = await floor.lot("CAST-40", "10", expires_at=NOW - timedelta(days=1))
    await refused(floor, LotExpired, use(job, lot))


@pytest.mark.parametrize("decide", [inventory.hold_lot, inventory.scrap_lot])
async def test_a_blocked_lot(floor: Floor, job: JobOrderId, decide: Any) -> None:
    await floor.do(lambda tx: decide(tx, "LOT-CAST-40-1", "damaged"))
    await refused(floor, LotBlocked, use(job, "LOT-CAST-40-1"))


async def test_more_than_the_lot_holds(floor: Floor, job: JobOrderId) -> None:
    lot = await floor.lot("CAST-40", "2")
    error = await refused(floor, LotTooSmall, use(job, lot, "3"))
    assert error.params["on_hand"] == "2"


@pytest.mark.parametrize("quantity", ["0", "-1"])
async def test_a_quantity_that_is_not_positive(floor: Floor, job: JobOrderId, quantity: str) -> None:
    await refused(floor, QuantityNotPositive, use(job, "LOT-CAST-40-1", quantity))


async def test_a_part_of_a_piece(floor: Floor, job: JobOrderId) -> None:
    error = await refused(floor, QuantityNotWhole, use(job, "LOT-CAST-40-1", "0.333"))
    assert error.params == {"quantity": "0.333", "uom": "pc"}
    done = await floor.do(use(job, "LOT-CAST-40-1", "1.000"), "E-1001", "CNC-1")
    assert done.quantity == 1


async def test_a_weight_keeps_the_decimals_that_its_unit_has(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    for operation, unit, person in ((10, "CNC-1", "E-1001"), (20, "ASM-1", "E-1005")):
        job = JobOrderId(f"{number}-{operation}")
        await floor.do(partial(execution.start, job_order=job), person, unit)
        await floor.do(count(job, "2"), person, unit)
        await floor.do(partial(execution.complete, job_order=job), person, unit)
    job = JobOrderId(f"{number}-30")
    await floor.do(lambda tx: execution.start(tx, job), "E-1006", "ASM-2")
    await floor.do(lambda tx: definitions.put_material(tx, grease(digits=2)))
    done = await floor.do(use(job, "LOT-GREASE-1", "0.05"), "E-1006", "ASM-2")
    assert done.quantity == Decimal("0.05")
    fine = await refused(floor, QuantityTooFine, use(job, "LOT-GREASE-1", "0.005"), "E-1006", "ASM-2")
    assert fine.params == {"quantity": "0.005", "uom": "kg", "digits": 2}
    rest = await floor.lot("GREASE", "0.0125")
    done = await floor.do(use(job, rest, "0.0125"), "E-1006", "ASM-2")
    assert done.quantity == Decimal("0.0125")
    done = await floor.do(use(job, "LOT-GREASE-1"), "E-1006", "ASM-2")
    assert done.quantity == Decimal("0.04")  # 0.0375 are still required


def grease(digits: int) -> MaterialDraft:
    return MaterialDraft(
        id=MaterialId("GREASE"),
        name="Grease",
        kind=MaterialKind.COMPONENT,
        uom="kg",
        tracking=MaterialTracking.LOT,
        standard_price=Decimal(80),
        currency="CNY",
        digits=digits,
    )


async def test_material_that_the_job_has_already(floor: Floor, job: JobOrderId) -> None:
    await floor.do(use(job, "LOT-CAST-40-1"), "E-1001", "CNC-1")
    await refused(floor, MaterialNotNeeded, use(job, "LOT-CAST-40-1"))
    done = await floor.do(use(job, "LOT-CAST-40-1", "1"), "E-1001", "CNC-1")
    assert done.quantity == 1


async def test_a_piece_of_another_order(floor: Floor, job: JobOrderId) -> None:
    await refused(floor, SerialNotExpected, use(job, "LOT-CAST-40-1", "1", serial="SN-99999999"))


@pytest.mark.parametrize(
    ("good", "scrap", "reason", "error"),
    [
        ("0", "0", None, NothingReported),
        ("-1", "0", None, QuantityNotPositive),
        ("2", "-1", "dimension", QuantityNotPositive),
        ("0.5", "0", None, QuantityNotWhole),
        ("1", "0.5", "dimension", QuantityNotWhole),
        ("5", "0", None, MoreThanRemaining),
        ("5", "1", "dimension", MoreThanRemaining),
        ("0", "5", "dimension", MoreThanRemaining),
        ("1", "1", None, ReasonMissing),
        ("1", "1", "breakdown", ReasonUnknown),
    ],
)
async def test_figures_that_cannot_be(  # noqa: PLR0917 - the table's columns
    floor: Floor, job: JobOrderId, good: str, scrap: str, reason: str | None, error: type[PlantError]
) -> None:
    await refused(floor, error, count(job, good, scrap, reason=reason))


async def test_nobody_is_there(floor: Floor, job: JobOrderId) -> None:
    await refused(floor, PersonMissing, count(job, "1"), person=None)


async def test_a_person_nobody_knows(floor: Floor, job: JobOrderId) -> None:
    await refused(floor, PersonUnknown, count(job, "1"), person="E-9999")


async def test_a_person_without_the_skill(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    await refused(floor, PersonLacksSkill, lambda tx: execution.start(tx, f"{number}-10"), "E-1005")


async def test_a_person_who_is_not_clocked_in(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    await refused(floor, PersonNotClockedIn, lambda tx: execution.start(tx, f"{number}-10"), "E-1002")


async def test_a_job_that_nobody_knows(floor: Floor, job: JobOrderId) -> None:
    await refused(floor, JobOrderUnknown, lambda tx: execution.start(tx, "WO-999999-10"))


async def test_a_unit_that_nobody_knows(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    act = lambda tx: execution.start(tx, f"{number}-10", "CNC-9")  # noqa: E731
    await refused(floor, EquipmentUnknown, act)
    await refused(floor, EquipmentUnknown, lambda tx: execution.start(tx, f"{number}-10", "MC"))


async def test_a_job_without_a_plan(floor: Floor) -> None:
    number = await floor.order(1)
    error = await refused(floor, JobOrderNotStartable, lambda tx: execution.start(tx, f"{number}-10"))
    assert error.params["reason"] == "not-planned"


async def test_a_job_with_nothing_before_it(floor: Floor, job: JobOrderId) -> None:
    second = job.replace("-10", "-20")
    error = await refused(
        floor, JobOrderNotStartable, lambda tx: execution.start(tx, second), "E-1005", "ASM-1"
    )
    assert error.params["reason"] == "nothing-before"


async def test_a_job_of_another_work_centre(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    await refused(floor, WrongEquipment, lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "PACK-1")


async def test_a_unit_that_works_on_another_job(floor: Floor, job: JobOrderId) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    error = await refused(floor, EquipmentBusy, lambda tx: execution.start(tx, f"{number}-10"))
    assert error.state is not None
    assert error.state["job_order"] == job


async def test_an_alternative_unit_may_take_a_job(floor: Floor, job: JobOrderId) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    done = await floor.do(lambda tx: execution.start(tx, f"{number}-10"), "E-1001", "CNC-3")
    assert done.equipment == "CNC-3"


async def test_two_terminals_on_one_job(floor: Floor, job: JobOrderId) -> None:
    second = await refused(
        floor, JobOrderNotStartable, lambda tx: execution.start(tx, job), "E-1001", "CNC-2"
    )
    assert (second.http_status, second.params["reason"]) == (409, "running")
    assert second.state is not None
    assert second.state["equipment"] == "CNC-1"
    await refused(floor, JobOrderElsewhere, count(job, "1"), terminal="CNC-2")


async def test_a_job_that_does_not_run(floor: Floor, job: JobOrderId) -> None:
    await refused(floor, JobOrderNotHeld, lambda tx: execution.resume(tx, job))
    await floor.do(lambda tx: execution.hold(tx, job, "quality-question"), "E-1001", "CNC-1")
    await refused(floor, JobOrderNotRunning, count(job, "1"))
    await refused(floor, JobOrderNotRunning, use(job, "LOT-CAST-40-1"))
    await refused(floor, JobOrderNotRunning, lambda tx: execution.hold(tx, job, "other"))
    await refused(floor, PersonMissing, lambda tx: execution.hold(tx, job, "other"), person=None)
    await refused(floor, PersonMissing, lambda tx: execution.complete(tx, job), person=None)
    await refused(floor, JobOrderNotRunning, lambda tx: execution.complete(tx, job))


async def test_a_job_with_pieces_left(floor: Floor, job: JobOrderId) -> None:
    await floor.do(count(job, "3"), "E-1001", "CNC-1")
    error = await refused(floor, JobOrderNotFinished, lambda tx: execution.complete(tx, job))
    assert error.params["remaining"] == "1"
    await refused(floor, ReasonMissing, lambda tx: execution.complete(tx, job, short=True))


async def test_short_completion_waits_for_the_operation_before(floor: Floor, job: JobOrderId) -> None:
    await floor.do(count(job, "2"), "E-1001", "CNC-1")
    second = JobOrderId(job.replace("-10", "-20"))
    await floor.do(lambda tx: execution.start(tx, second), "E-1005", "ASM-1")
    await floor.do(count(second, "2"), "E-1005", "ASM-1")
    act = lambda tx: execution.complete(tx, second, short=True, reason="other")  # noqa: E731
    await refused(floor, JobOrderNotFinished, act, "E-1005", "ASM-1")


async def test_serial_numbers_that_do_not_fit(floor: Floor, job: JobOrderId) -> None:
    number = job.removesuffix("-10")
    for operation, unit, person in (
        (10, "CNC-1", "E-1001"),
        (20, "ASM-1", "E-1005"),
        (30, "ASM-2", "E-1006"),
    ):
        if operation > 10:
            await floor.do(
                lambda tx, at=operation: execution.start(tx, f"{number}-{at}"),  # type: ignore[misc]
                person,
                unit,
            )
        await floor.do(count(JobOrderId(f"{number}-{operation}"), "2"), person, unit)
    fourth = JobOrderId(f"{number}-40")
    await floor.do(lambda tx: execution.start(tx, fourth), "E-1007", "ASM-3")
    wrong = (SerialNumber("SN-99999999"),)
    await refused(floor, SerialNotExpected, count(fourth, "1", serials=wrong), "E-1007", "ASM-3")
    await refused(floor, SerialCountWrong, count(fourth, "2", serials=wrong), "E-1007", "ASM-3")


async def test_a_reversal_of_nothing(floor: Floor, job: JobOrderId) -> None:
    act = lambda tx: execution.reverse(tx, job, uuid4(), "miscounted")  # noqa: E731
    await refused(floor, ReportUnknown, act)


async def test_a_stop_reason_nobody_knows(floor: Floor) -> None:
    await refused(floor, ReasonUnknown, lambda tx: execution.give_stop_reason(tx, "CNC-1", "boredom"))
    await refused(floor, EquipmentUnknown, lambda tx: execution.give_stop_reason(tx, "X", "cleaning"))


async def test_a_person_who_leaves_twice(floor: Floor, job: JobOrderId) -> None:
    await floor.do(lambda tx: execution.leave(tx, "E-1001"), "E-1001")  # type: ignore[arg-type]
    await refused(floor, PersonNotClockedIn, lambda tx: execution.leave(tx, "E-1001"))  # type: ignore[arg-type]
