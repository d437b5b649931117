"""A plant that makes an order from start to end, through the services that a terminal uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from mes.costing import service as costing
from mes.dispatching import service as dispatching
from mes.dispatching.model import PlannedJob, PublishedPlan
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, PersonId
from mes.resources import service as resources
from mes.workorders import service as workorders

SCRAP_REASON = "surface"
STEPS = {
    10: ("CNC-1", "E-1001", ("CAST-40",)),
    20: ("ASM-1", "E-1005", ("SHAFT", "IMP-40")),
    30: ("ASM-2", "E-1006", ("SEAL", "BOLT", "GREASE")),
    40: ("ASM-3", "E-1007", ("MOTOR-A",)),
    50: ("TEST-1", "E-1008", ()),
    60: ("PACK-1", "E-1009", ("BOX",)),
}
"""Operation -> unit, person, materials."""


@dataclass
class Floor:
    """People at work on one database; the clock moves with what they do, `tick_s` for each act."""

    db: Database
    now: datetime = field(default_factory=lambda: utc_now() - timedelta(minutes=30))
    tick_s: float = 7.0
    uses: dict[str, UUID] = field(default_factory=dict)
    reports: dict[int, UUID] = field(default_factory=dict)

    def cause(self, person: str, unit: str | None = None) -> Cause:
        self.now += timedelta(seconds=self.tick_s)
        return Cause(actor=f"person:{person}", at=self.now, terminal=unit)

    async def define(self) -> None:
        async with self.db.transaction(Cause(actor="service:test", at=self.now - timedelta(days=400))) as tx:
            await resources.put_plant(tx, resources.load_plant())

    async def clock_in(self) -> None:
        for _, person, _ in STEPS.values():
            async with self.db.transaction(self.cause(person)) as tx:
                await resources.clock_in(tx, PersonId(person))

    async def dispatch(self, number: str) -> None:
        """Put a plan in force that runs the order at once."""
        jobs = tuple(
            PlannedJob(
                job_order=JobOrderId(f"{number}-{operation}"),
                equipment=EquipmentId(unit),
                planned_start=self.now + timedelta(minutes=operation),
                planned_end=self.now + timedelta(minutes=operation + 10),
                sequence=1,
            )
            for operation, (unit, _, _) in STEPS.items()
        )
        async with self.db.transaction(self.cause("E-1001")) as tx:
            await dispatching.apply_plan(
                tx,
                PublishedPlan(
                    plan=uuid4(), solver="test", status="feasible", objective=0.0, bound=None,
                    late_orders=0, by="test", operations=jobs,
                ),
            )  # fmt: skip

    async def step(self, number: str, operation: int, good: int, scrap: int = 0) -> None:
        """Start, take material, report, complete."""
        unit, person, materials = STEPS[operation]
        job = JobOrderId(f"{number}-{operation}")
        async with self.db.transaction(self.cause(person, unit)) as tx:
            await execution.start(tx, job, unit)
        for material in materials:
            lot = LotNumber(f"LOT-{material}-0001")
            async with self.db.transaction(self.cause(person, unit)) as tx:
                done = await execution.consume(tx, LotUse(job_order=job, lot=lot))
            assert done.entry is not None
            self.uses[material] = done.entry
        async with self.db.transaction(self.cause(person, unit)) as tx:
            done = await execution.report(
                tx,
                QuantityReport(
                    job_order=job,
                    good=Decimal(good),
                    scrap=Decimal(scrap),
                    reason=SCRAP_REASON if scrap else None,
                ),
            )
        assert done.entry is not None
        self.reports[operation] = done.entry
        async with self.db.transaction(self.cause(person, unit)) as tx:
            await execution.complete(tx, job)

    async def make(self, number: str, quantity: int, scrap: Mapping[int, int] | None = None) -> None:
        """Take an order through all its operations."""
        await self.dispatch(number)
        left = quantity
        for operation in STEPS:
            lost = (scrap or {}).get(operation, 0)
            left -= lost
            await self.step(number, operation, left, lost)

    async def close(self, number: str) -> None:
        await self.book_costs()
        async with self.db.transaction(self.cause("E-1001")) as tx:
            await workorders.close_work_order(tx, number)
        await self.book_costs()

    async def book_costs(self) -> None:
        """Do what the floor process does all the time."""
        async with self.db.transaction(Cause(actor="service:floor", at=self.now)) as tx:
            while await costing.book_events(tx):
                pass
        async with self.db.transaction(Cause(actor="service:floor", at=self.now)) as tx:
            await costing.book_waiting(tx)
