"""Whatever people do in whatever order, the ledgers add up."""

import random
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.inventory import service as inventory
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import JobOrderId, LotNumber
from tests.fixtures.floor import BILL, PEOPLE, UNITS, Floor

STEPS = 500
SENSIBLE = {
    "Running": ["report", "report", "consume", "consume", "complete", "complete"],
    "Held": ["resume"],
}
ANYTHING = ["start", "report", "consume", "complete", "hold", "resume", "reverse", "reverse", "lot"]

CHECKS = {
    "a lot holds what its movements add up to": """
        select l.id from mes.lot l
        where l.on_hand <> (select coalesce(sum(quantity), 0) from mes.stock_movement where lot = l.id)
           or l.on_hand < 0""",
    "a job counts what its reports add up to": """
        select j.id from mes.job_order j
        where j.good <> (select coalesce(sum(good), 0) from mes.report where job_order = j.id)
           or j.scrap <> (select coalesce(sum(scrap), 0) from mes.report where job_order = j.id)""",
    "an order counts its last operation's good and everybody's scrap": """
        select w.id from mes.work_order w
        where w.good <> (select coalesce(sum(good), 0) from mes.job_order where work_order = w.id and last)
           or w.scrap <> (select coalesce(sum(scrap), 0) from mes.job_order where work_order = w.id)
           or w.good + w.scrap > w.quantity""",
    "no operation worked on more than came": """
        select j.id from mes.job_order j join mes.job_order b
          on b.work_order = j.work_order and b.operation = j.from_operation
        where j.good + j.scrap > b.good""",
    "what a job consumed is what its uses and the genealogy say": """
        select c.job_order from mes.job_component c
        where c.consumed <> (select coalesce(sum(quantity), 0) from mes.material_actual a
                             where a.job_order = c.job_order and a.material = c.material)
           or c.consumed <> (select coalesce(sum(quantity), 0) from mes.genealogy_edge e
                             where e.job_order = c.job_order and e.material = c.material)""",
    "what jobs consumed left the stock": """
        select a.id::text from mes.material_actual a join mes.stock_movement m on m.id = a.movement
        where m.quantity <> -a.quantity or m.lot <> a.lot""",
    "as many numbers are finished as pieces are good": """
        select w.id from mes.work_order w
        where w.good <> (select count(*) from mes.serial_unit
                         where work_order = w.id and status = 'finished')""",
    "every finished piece has its record": """
        select serial from mes.serial_unit u where status = 'finished'
          and not exists (select 1 from mes.as_built b where b.serial = u.serial)""",
    "no record claims more of a lot than was used": """
        select c.lot from mes.as_built b join mes.as_built_component c using (serial, revision)
        join mes.serial_unit u on u.serial = b.serial and u.status = 'finished'
        where b.revision = (select max(revision) from mes.as_built n where n.serial = b.serial)
        group by b.work_order, c.lot
        having sum(c.quantity) > (select coalesce(sum(e.quantity), 0) from mes.genealogy_edge e
                                  where e.work_order = b.work_order and e.lot = c.lot)""",
    "only running jobs have open intervals": """
        select j.id from mes.job_order j
        where (j.status = 'Running') <> exists (
            select 1 from mes.equipment_actual a where a.job_order = j.id and a.ended_at is null)""",
    "an event about a unit says where the unit is": """
        select id::text from mes.event
        where type <> 'EquipmentDefined' and payload ->> 'equipment' is not null
          and scope not like '%/' || (payload ->> 'equipment')""",
    "the events tell the same as the ledgers": """
        select 'consumed' where (
            select coalesce(sum((payload ->> 'quantity')::numeric
                   * case type when 'MaterialConsumed' then 1 else -1 end), 0) from mes.event
            where type in ('MaterialConsumed', 'MaterialReturned'))
          <> (select coalesce(sum(quantity), 0) from mes.material_actual)
        union all
        select 'good' where (
            select coalesce(sum(case type when 'GoodReported' then (payload ->> 'quantity')::numeric
                                else -(payload ->> 'good')::numeric end), 0) from mes.event
            where type in ('GoodReported', 'ReportReversed'))
          <> (select coalesce(sum(good), 0) from mes.report)""",
}


@dataclass(frozen=True)
class Picked:
    id: JobOrderId
    status: str


DONE = Picked(JobOrderId("WO-000001-10"), "Completed")


class Walk:
    """People who do things at random, possible or not."""

    def __init__(self, floor: Floor, seed: int) -> None:
        self.floor = floor
        self.dice = random.Random(seed)
        self.entries: list[tuple[JobOrderId, UUID]] = []
        self.outcomes: Counter[str] = Counter()

    async def step(self) -> None:
        job, status = await self.pick()
        operation = int(job.rsplit("-", 1)[1])
        name = self.dice.choice(SENSIBLE.get(status, ["start"]))
        if self.dice.random() < 0.25:
            name = self.dice.choice(ANYTHING)
        act = getattr(self, name)
        self.floor.after(self.dice.randint(1, 90))
        try:
            done = await self.floor.do(
                lambda tx: act(tx, job, operation), PEOPLE[operation], UNITS[operation]
            )
        except PlantError as refusal:
            self.outcomes[refusal.code] += 1
            return
        self.outcomes[name] += 1
        if name in {"report", "consume"}:
            self.entries.append((job, done.entry))

    async def pick(self) -> tuple[JobOrderId, str]:
        """Return a job, more often one that something can be done with."""
        async with self.floor.db.read() as tx:
            jobs = await tx.fetch_all(
                Picked,
                """
                select id, status from mes.job_order where status not in ('Completed', 'Cancelled')
                order by id
                """,
            )
        running = [one for one in jobs if one.status == "Running"]
        waiting = [one for one in jobs if one.status not in {"Running", "Dispatched"}]
        first = running if self.dice.random() < 0.6 else waiting
        one = self.dice.choice(first or jobs or [DONE])
        return one.id, one.status

    async def start(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        return await execution.start(tx, job)

    async def report(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        counted = QuantityReport(
            job_order=job,
            good=Decimal(self.dice.randint(0, 3)),
            scrap=Decimal(self.dice.choice([0, 0, 0, 0, 0, 1])),
            reason="dimension",
        )
        return await execution.report(tx, counted)

    async def consume(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        material = self.dice.choice([one for one, (at, _) in BILL.items() if at == operation] or ["BOX"])
        some = Decimal("2.5") if material == "GREASE" else Decimal(2)
        quantity = self.dice.choice([None, Decimal(1), some, Decimal(300)])
        lot = LotNumber(f"LOT-{material}-1")
        return await execution.consume(tx, LotUse(job_order=job, lot=lot, quantity=quantity))

    async def complete(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        short = self.dice.random() < 0.08
        return await execution.complete(tx, job, short=short, reason="other")

    async def hold(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        return await execution.hold(tx, job, "other")

    async def resume(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        return await execution.resume(tx, job)

    async def reverse(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        entry = self.dice.choice(self.entries) if self.entries else (job, UUID(int=0))
        return await execution.reverse(tx, *entry, "miscounted")

    async def lot(self, tx: Tx, job: JobOrderId, operation: int) -> Any:
        lot = f"LOT-{self.dice.choice(list(BILL))}-1"
        if self.dice.random() < 0.3:
            return await inventory.hold_lot(tx, lot, "other")
        return await inventory.release_lot(tx, lot)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.timeout(400)
async def test_the_ledgers_add_up_after_any_walk(floor: Floor, seed: int) -> None:
    walk = Walk(floor, seed)
    for step in range(STEPS):
        if step % 100 == 0:
            await floor.plan(await floor.order(6), await floor.order(2))
        await walk.step()
    assert min(walk.outcomes[one] for one in ("report", "consume", "reverse")) > 3, walk.outcomes
    assert walk.outcomes["complete"] > 1, walk.outcomes
    async with floor.db.read() as tx:
        wrong = {
            name: found for name, check in CHECKS.items() if (found := await tx.value(check)) is not None
        }
    assert wrong == {}, walk.outcomes
