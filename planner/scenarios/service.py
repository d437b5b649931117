"""Scenarios as facts: copied, changed, asked for, solved, stopped, published, given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from mes.dispatching import service as dispatching
from mes.dispatching.events import ScenarioChanged
from mes.dispatching.model import PlanningSnapshot
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import MaterialId
from mes.kernel.outbox import append, to_json
from planner import service as plans
from planner import store as plan_store
from planner.scenarios import store
from planner.scenarios.changes import AddOrder, Change, Contents, changes_to_json, check, contents_of
from planner.scenarios.store import NewScenario, Picture, Scenario
from planner.store import Plan
from planner.view import ACTOR, snapshot_of

ATTEMPTS = 2
"""So many workers may die over a scenario before it is given up."""

_CONTENTS = TypeAdapter(Contents)

ASKED = frozenset({"waiting", "solving"})
ENDED = frozenset({"published", "discarded"})


class ScenarioUnknown(PlantError):
    """There is no such scenario."""

    http_status = 404
    remedy = "Reload the page and choose again."


class ScenarioEnded(PlantError):
    """This scenario was published or given up."""

    http_status = 409
    remedy = "Copy the plan in force into a new scenario."


class ScenarioBusy(PlantError):
    """This scenario is being solved."""

    http_status = 409
    remedy = "Wait for the answer, or stop the search."


class ScenarioMovedOn(PlantError):
    """Somebody has changed this scenario, or had it solved again, meanwhile."""

    http_status = 409
    remedy = "Look at its changes and its plan as they are now, then decide again."


class ScenarioNotSolved(PlantError):
    """This scenario has no plan."""

    http_status = 409
    remedy = "Have it solved first."


class ScenarioNotAsked(PlantError):
    """No search runs for this scenario."""

    http_status = 409
    remedy = "Nothing to do."


class ScenarioNotTrue(PlantError):
    """The plan of this scenario does not hold on the plant as it is now."""

    http_status = 409
    remedy = "Make its changes true in the plant first, or copy the plan in force and have it solved again."


async def take_picture(db: Database, picture: UUID, at: datetime) -> dict[str, Any]:
    """Keep the plant as it is now for scenarios. For the planner's own process.

    Args:
        picture: The id that it gets.
    """
    async with db.read() as tx:
        snapshot = await snapshot_of(tx, at, far=True)  # changes may bring more work
    snapshot = replace(snapshot, finished=())  # nobody is promised a date in a scenario
    head = snapshot.in_force
    row = Picture(
        id=picture,
        version=None if head is None else head.version,
        taken_at=at,
        snapshot=to_json(snapshot),
        contents=to_json(contents_of(snapshot)),
    )
    async with db.transaction(Cause(actor=ACTOR, at=at)) as tx:
        await store.prune(tx)
        await store.insert_picture(tx, row)
    return {"picture": str(picture)}


async def copy_plan(tx: Tx, scenario: UUID, name: str, picture: UUID) -> dict[str, Any]:
    """Begin a scenario with the plan in force.

    Args:
        picture: As the planner's process has just taken it.
    """
    return await _begin(tx, NewScenario(scenario, name, picture, []))


async def copy_scenario(tx: Tx, scenario: UUID, name: str, source: UUID) -> dict[str, Any]:
    """Begin a scenario with the plant and the changes of another.

    Raises:
        ScenarioUnknown: No such scenario.
    """
    found = await _known(await store.scenario_by_id(tx, source), source)
    return await _begin(tx, NewScenario(scenario, name, found.picture, found.changes))


async def _begin(tx: Tx, scenario: NewScenario) -> dict[str, Any]:
    await store.insert_scenario(tx, scenario)
    await _say(tx, scenario.id, scenario.name, "draft")
    return {"scenario": str(scenario.id), "revision": 1}


async def _known(found: Scenario | None, scenario: UUID) -> Scenario:
    if found is None:
        raise ScenarioUnknown(scenario=str(scenario))
    return found


async def _locked(tx: Tx, scenario: UUID) -> Scenario:
    return await _known(await store.lock_scenario(tx, scenario), scenario)


async def _say(tx: Tx, scenario: UUID, name: str, status: str) -> None:
    await append(tx, ScenarioChanged(site=tx.site, scenario=scenario, name=name, status=status))


async def scenarios(tx: Tx) -> list[Scenario]:
    """The scenarios that nobody has given up, the newest first."""
    return await store.scenarios(tx)


async def scenario(tx: Tx, name: UUID) -> Scenario:
    """One scenario.

    Raises:
        ScenarioUnknown: No such scenario.
    """
    return await _known(await store.scenario_by_id(tx, name), name)


async def solution(tx: Tx, name: UUID) -> str:
    """The plan of a scenario as JSON, for the board.

    Raises:
        ScenarioUnknown: No such scenario.
        ScenarioNotSolved: It has no plan.
    """
    found = await scenario(tx, name)
    text = None if found.plan is None else await plan_store.shown_by_id(tx, found.plan)
    if text is None:
        raise ScenarioNotSolved(scenario=str(name))
    return text


@dataclass(frozen=True)
class Edit:
    """What somebody wants a scenario to be.

    Args:
        revision: The one that he has read.
    """

    name: str | None
    changes: tuple[Change, ...]
    revision: int


async def change(tx: Tx, scenario: UUID, edit: Edit) -> dict[str, Any]:
    """Put other changes in the place of those that a scenario has; its plan is no answer any more.

    Raises:
        ScenarioUnknown, ScenarioEnded, ScenarioBusy, ScenarioMovedOn: It cannot be changed.
        PlantError: A change names what is not there; `row` counts from 1.
    """
    found = await _locked(tx, scenario)
    _check_free(found)
    if found.revision != edit.revision:
        raise ScenarioMovedOn(scenario=str(scenario), state={"revision": found.revision})
    there = _CONTENTS.validate_python(await store.contents(tx, found.picture))
    check(edit.changes, there)
    for one in edit.changes:
        if isinstance(one, AddOrder):
            await dispatching.planning_master(tx, MaterialId(one.material), found.taken_at)
    if found.plan is not None:
        await plan_store.discard_plan(tx, found.plan)
    name = edit.name or found.name
    await store.change_scenario(tx, scenario, name, changes_to_json(edit.changes))
    await _say(tx, scenario, name, "draft")
    return {"scenario": str(scenario), "revision": found.revision + 1}


def _check_free(found: Scenario) -> None:
    if found.status in ENDED:
        raise ScenarioEnded(scenario=str(found.id), state={"status": found.status})
    if found.status in ASKED:
        raise ScenarioBusy(scenario=str(found.id), state={"status": found.status})


async def ask(tx: Tx, scenario: UUID, seconds: float) -> dict[str, Any]:
    """Have a scenario solved by a worker, here or on another machine.

    Args:
        seconds: Budget of the search on two idle cores.

    Raises:
        ScenarioUnknown, ScenarioEnded, ScenarioBusy: It cannot be solved now.
    """
    found = await _locked(tx, scenario)
    _check_free(found)
    if found.plan is not None:
        await plan_store.discard_plan(tx, found.plan)
    await store.ask(tx, scenario, await store.add_job(tx, scenario), seconds)
    await _say(tx, scenario, found.name, "waiting")
    return {"scenario": str(scenario), "status": "waiting"}


async def stop(tx: Tx, scenario: UUID) -> dict[str, Any]:
    """End the search of a scenario: what it has found by then is its plan.

    Raises:
        ScenarioUnknown: No such scenario.
        ScenarioNotAsked: Nothing runs.
    """
    found = await _locked(tx, scenario)
    if found.job is None:
        raise ScenarioNotAsked(scenario=str(scenario), state={"status": found.status})
    await store.ask_to_stop(tx, scenario)
    await store.end_job(tx, found.job)
    if found.status == "waiting":
        await store.store_end(tx, scenario, found.job, "draft")
        await _say(tx, scenario, found.name, "draft")
        return {"scenario": str(scenario), "status": "draft"}
    return {"scenario": str(scenario), "status": "solving"}


async def discard(tx: Tx, scenario: UUID) -> dict[str, Any]:
    """Give a scenario up; a search for it ends.

    Raises:
        ScenarioUnknown, ScenarioEnded: There is nothing to give up.
    """
    found = await _locked(tx, scenario)
    if found.status in ENDED:
        raise ScenarioEnded(scenario=str(scenario), state={"status": found.status})
    if found.job is not None:
        await store.end_job(tx, found.job)
    if found.plan is not None:
        await plan_store.discard_plan(tx, found.plan)
    await store.end_scenario(tx, scenario, "discarded")
    await _say(tx, scenario, found.name, "discarded")
    return {"scenario": str(scenario), "status": "discarded"}


async def publish(tx: Tx, read: Scenario, plan: UUID, again: UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    """Put the plan of a scenario in force, with the times of now and the checks of a proposal.

    Its changes are no facts: work that only the scenario has is left out, work that it took out and what
    came meanwhile fill the gaps, and times that only the scenario has do not hold.

    Args:
        read: The scenario as it was when its plan was timed again.
        plan: The one that whoever publishes has seen.
        again: The id that the planner's process gave its plan when it was timed again.
        said: What that process said of it.

    Raises:
        ScenarioEnded, ScenarioBusy, ScenarioNotSolved, ScenarioMovedOn: It has no plan, or another by now.
        ProposalOverruled: A person, or the planner's rule, put another plan in force meanwhile.
        ScenarioNotTrue: An order would be late that is in time there, or something that it needs is missing.
    """
    found = await _locked(tx, read.id)
    _check_free(found)
    if found.plan is None:
        raise ScenarioNotSolved(scenario=str(read.id), state={"status": found.status})
    if not found.plan == read.plan == plan:
        raise ScenarioMovedOn(scenario=str(read.id), state={"revision": found.revision})
    try:
        published = await plans.publish_again(tx, found.plan, again, said)
    except plans.ProposalOutdated as outdated:
        raise ScenarioNotTrue(
            state=outdated.state, jobs=outdated.params["jobs"], changes=len(found.changes)
        ) from outdated
    await store.end_scenario(tx, read.id, "published", published["version"])
    await _say(tx, read.id, found.name, "published")
    return {"scenario": str(read.id), **published}


async def begin(tx: Tx, scenario: UUID, job: int, worker: str) -> Scenario | None:
    """A worker begins; None when nobody wants it any more, or another job is to do it."""
    if not await store.begin(tx, scenario, job, worker):
        return None
    found = await _locked(tx, scenario)
    await _say(tx, scenario, found.name, "solving")
    return found


async def picture_of(tx: Tx, found: Scenario) -> PlanningSnapshot:
    """The plant of a scenario before its changes; large."""
    parsed: PlanningSnapshot = _SNAPSHOT.validate_python(await store.snapshot(tx, found.picture))
    return parsed


_SNAPSHOT: TypeAdapter[PlanningSnapshot] = TypeAdapter(PlanningSnapshot)


async def solved(tx: Tx, found: Scenario, plan: Plan, comparison: dict[str, Any]) -> bool:
    """Store the plan of a scenario, once: False when another job, or nobody, is to solve it by now."""
    if found.job is None:
        return False
    await plan_store.insert_plan(tx, plan)
    if not await store.store_solution(tx, found.id, found.job, plan.id, comparison):
        await plan_store.discard_plan(tx, plan.id)
        return False
    await _say(tx, found.id, found.name, "solved")
    return True


async def ended(tx: Tx, found: Scenario, status: str, error: dict[str, Any] | None = None) -> bool:
    """A search ended without a plan: `failed` with its reason, or `draft` when it was stopped."""
    if found.job is None or not await store.store_end(tx, found.id, found.job, status, error):
        return False
    await _say(tx, found.id, found.name, status)
    return True


async def worker_lost(tx: Tx, scenario: UUID) -> str:
    """The worker that solved this is dead: it is solved once more, then given up.

    Returns:
        What becomes of it: `waiting`, `failed`, or `draft` when somebody had stopped it.
    """
    found = await _locked(tx, scenario)
    if found.job is None:
        return found.status
    await store.drop_job(tx, found.job)
    return await _again(tx, found, "WorkerLost")


async def solver_lost(tx: Tx, scenario: UUID, job: int) -> str:
    """The solver's process died, or gave no answer in time; its worker lives. As `worker_lost`."""
    found = await _locked(tx, scenario)
    return await _again(tx, found, "SolverLost") if found.job == job else found.status


async def _again(tx: Tx, found: Scenario, cause: str) -> str:
    if found.stop:
        await ended(tx, found, "draft")
        return "draft"
    if found.attempts >= ATTEMPTS:
        await ended(tx, found, "failed", {"error": cause, "faults": []})
        return "failed"
    await store.ask_again(tx, found.id, await store.add_job(tx, found.id))
    await _say(tx, found.id, found.name, "waiting")
    return "waiting"
