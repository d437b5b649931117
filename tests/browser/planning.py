"""A plan in force and a proposal beside it, by the dispatching rules alone: no solver, no waiting."""

from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from mes.kernel.clock import utc_now
from mes.kernel.settings import Planner
from planner import rows, service
from planner.child import Answers
from planner.command_line import report
from planner.difference import difference
from planner.dispatch import dispatch, ranked
from planner.effort import Effort
from planner.objective import score
from planner.solve import Solution, solve
from planner.view import view_plant
from tests.fixtures.floor import Floor

POLICY = Planner(frozen_min=0, stop_min=60)
AT_ONCE = Effort(seconds=0)


def quiet_hour() -> datetime:
    """The last Monday at 11:00 in Suzhou: crew A has three hours and no break before it."""
    now = utc_now()
    monday = now - timedelta(days=now.weekday() or 7)
    return monday.replace(hour=3, minute=0, second=0, microsecond=0)


async def plan_late_orders(floor: Floor, at: datetime, orders: int = 3) -> list[str]:
    """Put a plan in force for orders that are late already; return their numbers."""
    await floor.lot("BOLT", "2000")
    due = (at - floor.now) / timedelta(hours=1)
    numbers = [str(await floor.order(quantity=40, due_in_h=due)) for _ in range(orders)]
    async with floor.db.read() as tx:
        view = await view_plant(tx, at, POLICY)
    first = report(view.problem, solve(view.problem, AT_ONCE))
    row = rows.plan_row(view, first, [{"reason": "order", "params": {}, "by": "service:planner"}], at)
    await floor.do(lambda tx: service.put_in_force(tx, row))
    return numbers


async def propose_the_other_way_round(floor: Floor, at: datetime) -> UUID:
    """Propose to do last what the plan in force does first; return the proposal's id."""
    async with floor.db.read() as tx:
        view = await view_plant(tx, at, POLICY)
    problem = view.problem
    kept = solve(problem, AT_ONCE)
    places = {row.operation: row.start for row in kept.schedule.assignments}
    turned = dispatch(problem, ranked(sorted(places, key=lambda name: -places[name])))
    cost = score(problem, turned)
    other = Solution(turned, cost, "dispatch", "ranked", "feasible", 0, cost.total)
    answers = Answers(
        report(problem, kept),
        report(problem, other),
        asdict(difference(problem, kept.schedule, turned)),
        kept.score.total,
        fresh=False,
        complete=True,
    )
    wish = {"reason": "material", "params": {"material": "BOX"}, "by": "service:planner"}
    row = rows.plan_row(view, report(problem, other), [wish], at, answers)
    await floor.do(lambda tx: service.propose(tx, row))
    return row.id
