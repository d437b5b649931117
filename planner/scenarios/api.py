"""Routes of scenarios: copy, change, solve, compare, publish."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from mes.access.guard import CommandBody, ReadTx, answer_given, commanded, plant_of, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.db import Tx
from mes.kernel.ids import uuid7
from planner import asking
from planner.scenarios import service
from planner.scenarios.changes import Change, Changes
from planner.scenarios.service import Edit
from planner.scenarios.store import Scenario
from planner.shown import LateCause, PlanMove, PlanShift, PlanShown, PlanTrouble
from planner.web import JSON, answers

router = APIRouter(prefix="/api/v1/planner/scenarios", tags=["planner"])

Reader = Annotated[Caller, require(Permission.PLAN_VIEW)]
Proposer = Annotated[Caller, commanded(Permission.PLAN_PROPOSE)]
ScenarioId = Annotated[UUID, Path()]
Status = Literal["draft", "waiting", "solving", "solved", "failed", "published", "discarded"]


class NewScenario(CommandBody):
    """A copy of the plan in force, or of another scenario.

    Args:
        source: The scenario to copy, with its changes; the plan in force when it is left out.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    source: UUID | None = None


class ScenarioEdit(CommandBody):
    """All changes of a scenario, in their order, in the place of those it has.

    Args:
        revision: The one that was read.
        name: Another name for it.
    """

    changes: Changes
    revision: Annotated[int, Field(ge=1)]
    name: Annotated[str | None, Field(min_length=1, max_length=100)] = None


class SolveWish(CommandBody):
    """How long the search may take, in seconds of two idle cores."""

    seconds: Annotated[float, Field(ge=0.1, le=600)] = 10.0


class ScenarioPublish(CommandBody):
    """Which plan is put in force.

    Args:
        plan: The one that the scenario had when it was read.
    """

    plan: UUID


class ScenarioProgress(BaseModel):
    """How far the search is.

    Args:
        objective: Points of the best plan so far.
    """

    phase: Literal["reading", "comparing", "compiling", "searching"]
    began_at: datetime
    seconds: float | None
    objective: int | None


class ScenarioHead(BaseModel):
    """A scenario in the list.

    Args:
        revision: Counts its changes.
        taken_at: When the plant was copied.
        planned_on: Version of the plan in force then.
        plan: The one that it was solved with; None while it has none.
        version: Under which its plan was published.
        late_orders: Of its plan.
        objective: Points of its plan.
        error: Why it has no plan.
    """

    id: UUID
    name: str
    status: Status
    revision: int
    changes: int
    taken_at: datetime
    planned_on: int | None
    plan: UUID | None
    made_at: datetime
    made_by: str
    changed_at: datetime
    changed_by: str
    version: int | None
    late_orders: int | None
    objective: int | None
    progress: ScenarioProgress | None
    error: PlanTrouble | None


class ScenarioFigures(BaseModel):
    """What planners look at, of one plan.

    Args:
        late_min: Minutes late of all orders.
        weighted_late_min: The same, each minute times the order's weight.
        flow_min: Minutes until each order is complete, summed.
        end: When everything is complete.
        objective: Points by the published weights; `bound`: no plan costs less.
    """

    orders: int
    late_orders: int
    late_min: int
    weighted_late_min: int
    setup_min: int
    flow_min: int
    end: datetime
    objective: int
    bound: int


class LateShift(PlanShift):
    """An order that is late to another extent; `why` is of the plan in which it is later."""

    why: list[LateCause]


class CauseMinutes(BaseModel):
    """Minutes of lateness of all orders with one cause."""

    cause: str
    before_min: int
    after_min: int


class ScenarioComparison(BaseModel):
    """A scenario's plan beside the plan in force on the plant as it was copied.

    Args:
        moved: Published operations of both that change their unit, or their place in its order.
        late: Orders that get later than they may, or still later.
        saved: Orders that are less late.
        added: Orders that only the scenario has.
        removed: Orders that only the plan in force has.
        undated: Orders of the scenario that end where no calendar reaches, or need what is not on order.
    """

    before: ScenarioFigures
    after: ScenarioFigures
    moved: list[PlanMove]
    late: list[LateShift]
    saved: list[LateShift]
    added: list[str]
    removed: list[str]
    undated: list[str] = []
    causes: list[CauseMinutes]


class ScenarioShown(BaseModel):
    """One scenario: its changes, how far its search is, and how its plan compares."""

    head: ScenarioHead
    changes: list[Change]
    comparison: ScenarioComparison | None


class ScenarioKept(BaseModel):
    scenario: UUID
    revision: int


class ScenarioAsked(BaseModel):
    """`status` after the command; a search that is stopped ends within a second."""

    scenario: UUID
    status: Status


class ScenarioPublished(BaseModel):
    scenario: UUID
    plan: UUID
    version: int


def _head(row: Scenario) -> dict[str, Any]:
    after = (row.comparison or {}).get("after", {})
    return {
        **{name: value for name, value in asdict(row).items() if name in ScenarioHead.model_fields},
        "changes": len(row.changes),
        "late_orders": after.get("late_orders"),
        "objective": after.get("objective"),
    }


@router.get("", response_model=list[ScenarioHead])
async def scenarios(_caller: Reader, tx: ReadTx) -> list[dict[str, Any]]:
    """Return the scenarios that nobody has given up, the newest first."""
    return [_head(row) for row in await service.scenarios(tx)]


@router.post("", response_model=ScenarioKept)
async def copy(request: Request, caller: Proposer, body: NewScenario) -> Response:
    """Copy the plan in force, with the plant as it is now, or another scenario."""
    if (given := await answer_given(request, "planner.scenario.copy", body)) is not None:
        return given
    scenario = uuid7()
    if body.source is None:
        await asking.inquire(plant_of(request).db, caller.actor, "picture", {"picture": str(scenario)})

    async def carry_out(tx: Tx) -> dict[str, Any]:
        if body.source is None:
            return await service.copy_plan(tx, scenario, body.name, scenario)
        return await service.copy_scenario(tx, scenario, body.name, body.source)

    return await run_command(request, caller, "planner.scenario.copy", body, carry_out)


@router.get("/{scenario_id}", response_model=ScenarioShown)
async def scenario(_caller: Reader, tx: ReadTx, scenario_id: ScenarioId) -> dict[str, Any]:
    """Return one scenario: ask again while it is solved."""
    found = await service.scenario(tx, scenario_id)
    return {"head": _head(found), "changes": found.changes, "comparison": found.comparison}


@router.get("/{scenario_id}/plan", responses=answers(PlanShown))
async def solution(_caller: Reader, tx: ReadTx, scenario_id: ScenarioId) -> Response:
    """Return the plan of a scenario, as the plan in force is returned."""
    return Response(await service.solution(tx, scenario_id), media_type=JSON)


@router.post("/{scenario_id}/changes", response_model=ScenarioKept)
async def change(request: Request, caller: Proposer, scenario_id: ScenarioId, body: ScenarioEdit) -> Response:
    """Put other changes in the place of those that a scenario has; its plan is no answer any more."""
    edit = Edit(body.name, body.changes, body.revision)
    return await run_command(
        request, caller, "planner.scenario.change", body, lambda tx: service.change(tx, scenario_id, edit)
    )


@router.post("/{scenario_id}/solve", response_model=ScenarioAsked)
async def solve(request: Request, caller: Proposer, scenario_id: ScenarioId, body: SolveWish) -> Response:
    """Have a scenario solved, on this machine or another."""
    return await run_command(
        request, caller, "planner.scenario.solve", body, lambda tx: service.ask(tx, scenario_id, body.seconds)
    )


@router.post("/{scenario_id}/stop", response_model=ScenarioAsked)
async def stop(request: Request, caller: Proposer, scenario_id: ScenarioId, body: CommandBody) -> Response:
    """End the search for a scenario; what it has found by then is its plan."""
    return await run_command(
        request, caller, "planner.scenario.stop", body, lambda tx: service.stop(tx, scenario_id)
    )


@router.post("/{scenario_id}/discard", response_model=ScenarioAsked)
async def discard(request: Request, caller: Proposer, scenario_id: ScenarioId, body: CommandBody) -> Response:
    """Give a scenario up; a search for it ends."""
    return await run_command(
        request, caller, "planner.scenario.discard", body, lambda tx: service.discard(tx, scenario_id)
    )


@router.post("/{scenario_id}/publish", response_model=ScenarioPublished)
async def publish(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    scenario_id: ScenarioId,
    body: ScenarioPublish,
) -> Response:
    """Put the plan that was read in force, with the times of now, unless it does not hold any more."""
    if (given := await answer_given(request, "planner.scenario.publish", body)) is not None:
        return given
    db, again = plant_of(request).db, uuid7()
    async with db.read() as tx:
        read = await service.scenario(tx, scenario_id)
    said: dict[str, Any] = {}
    if read.plan == body.plan and read.version is None:
        said = await asking.inquire(db, caller.actor, "bring-back", _asked(read, again, caller))
    return await run_command(
        request,
        caller,
        "planner.scenario.publish",
        body,
        lambda tx: service.publish(tx, read, body.plan, again, said),
    )


def _asked(read: Scenario, again: UUID, caller: Caller) -> dict[str, Any]:
    """What the planner's process is asked when a scenario is published."""
    trigger = {
        "reason": "scenario",
        "params": {"scenario": str(read.id), "name": read.name},
        "by": caller.actor,
    }
    return {
        "plan": str(read.plan),
        "again": str(again),
        "trigger": [trigger],
        "planned_on": read.planned_on,
    }
