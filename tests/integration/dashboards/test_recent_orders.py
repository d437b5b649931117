"""What the first page lists: work in hand, then what was made, of the booked history too."""

from datetime import timedelta
from decimal import Decimal

from dashboards.store.status import recent_orders
from mes.kernel.db import Tx
from mes.kernel.ids import MaterialId
from mes.workorders import service as workorders
from mes.workorders.model import WorkOrderDraft
from tests.fixtures.floor import Floor

COMPLETED = """
update mes.work_order set status = 'Completed', completed_at = now() - %(ago)s * interval '1 day'
where id = %(id)s
"""


async def test_a_plant_that_was_just_started_shows_what_it_has_made(floor: Floor) -> None:
    open_now, made_now = [await floor.order() for _ in range(2)]
    drafts = [
        WorkOrderDraft(
            erp_ref=f"history,{number}",
            material=MaterialId("PUMP-40"),
            quantity=Decimal(2),
            uom="pc",
            due_at=floor.now + timedelta(hours=8),
        )
        for number in range(2)
    ]

    async def look_back(tx: Tx) -> str:
        made, _ = [await workorders.receive_work_order(tx, draft) for draft in drafts]
        await tx.execute(COMPLETED, {"id": made, "ago": 3})
        return made

    made_before = await floor.do(look_back, simulated=True)
    await floor.do(lambda tx: tx.execute(COMPLETED, {"id": made_now, "ago": 0}))
    async with floor.db.read() as tx:
        assert [row.work_order for row in await recent_orders(tx)] == [open_now, made_now, made_before]
