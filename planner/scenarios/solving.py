"""One search for a scenario: the plan in force on the plant as it was copied, then the changed plant.

All that computes for long is a child process that gives way to everything else on the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mes.dispatching import service as dispatching
from mes.dispatching.model import PlanMasterOperation, PlanningSnapshot
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from mes.kernel.ids import MaterialId
from mes.kernel.settings import Planner
from planner.child import Answers, SolverLost, compile_in_child, read_answers, replan_in_child
from planner.effort import Effort
from planner.pool import SolverPool
from planner.problem import Problem
from planner.reading import Reading, labels_of
from planner.rows import explained, plan_row
from planner.scenarios import service
from planner.scenarios.changes import AddOrder, Change, changed, changes_from_json
from planner.scenarios.compare import Side, comparison
from planner.scenarios.store import Scenario
from planner.solve import wants_kernel
from planner.store import Plan
from planner.view import View
from planner.warm import is_installed, is_warm

NICE = 10
"""A search that nobody's work waits for gives way to everything else on the machine."""

Masters = Mapping[str, tuple[PlanMasterOperation, ...]]


@dataclass(frozen=True)
class Found:
    """What a search gives: the plan, and how it differs from the plan in force."""

    plan: Plan
    comparison: dict[str, Any]


@dataclass(frozen=True)
class Sides:
    """The plant as it was copied, and with the scenario's changes."""

    before: Problem
    after: View


class Search:
    """One search; it can be asked how far it is, to end with what it has, and for that when it is cancelled.

    Setting `stop` ends it: its best plan until then is the answer.
    """

    def __init__(self, db: Database, settings: Planner, scenario: Scenario, pool: SolverPool) -> None:
        self.scenario, self._pool = scenario, pool
        self.progress: dict[str, Any] = {
            "phase": "reading",
            "began_at": utc_now().isoformat(),
            "seconds": scenario.seconds,
            "objective": None,
        }
        self.stop = asyncio.Event()
        self._db, self._settings = db, settings
        self._rows: list[dict[str, Any]] = []
        self._sides: Sides | None = None
        self._before: Answers | None = None
        self._first: Answers | None = None

    async def run(self) -> Found:
        """Search until the budget is spent or `stop` is set; cancelling ends the solver at once.

        Raises:
            InvalidProblem, SolverRefused: The changed plant cannot be planned; says which rows.
            SolverLost: The solver's process died.
            PlantError: A product of an added order is not made here any more.
        """
        changes = changes_from_json(self.scenario.changes)
        async with self._db.read() as tx:
            snapshot = await service.picture_of(tx, self.scenario)
            masters = {
                one.material: await dispatching.planning_master(
                    tx, MaterialId(one.material), self.scenario.taken_at
                )
                for one in changes
                if isinstance(one, AddOrder)
            }
        self._sides = await asyncio.to_thread(self._read, snapshot, changes, masters)
        self.progress["phase"] = "comparing"
        self._before = await self._at_once(self._sides.before)
        self._first = await self._at_once(self._sides.after.problem)
        self.progress["objective"] = self._first.kept["objective"]
        await self._compile(self._sides.after.problem)
        answers = await self._best(self._sides.after.problem, self._first)
        return await asyncio.to_thread(self._found, self._sides, self._before, answers)

    async def _best(self, problem: Problem, first: Answers) -> Answers:
        """What the search brings; `first` when it is stopped before it has an answer of its own."""
        self.progress["phase"] = "searching"
        effort = self._effort(self.scenario.seconds or self._settings.seconds)
        try:
            return await replan_in_child(
                self._pool, problem, effort, move=True, nice=NICE, on_row=self._note, stop=self.stop
            )
        except SolverLost:
            if self.stop.is_set():
                return first
            raise

    async def so_far(self) -> Found | None:
        """What there is when somebody ends the search; None before the first answer."""
        if self._sides is None or self._before is None or self._first is None:
            return None
        answers = read_answers(self._rows) if self._rows else self._first
        return await asyncio.to_thread(self._found, self._sides, self._before, answers)

    def _read(self, snapshot: PlanningSnapshot, changes: tuple[Change, ...], masters: Masters) -> Sides:
        before = Reading(snapshot, self._settings).problem
        plant = changed(snapshot, changes, masters)
        reading = Reading(plant.snapshot, self._settings, plant.stops)
        return Sides(before, View(reading, labels_of(plant.snapshot), self.scenario.planned_on))

    async def _at_once(self, problem: Problem) -> Answers:
        """What goes on as it is, without a search."""
        return await replan_in_child(self._pool, problem, self._effort(0.0), move=False, nice=NICE)

    async def _compile(self, problem: Problem) -> None:
        if wants_kernel(problem) and is_installed() and not is_warm():
            self.progress["phase"] = "compiling"
            await compile_in_child(self._pool)

    def _effort(self, seconds: float) -> Effort:
        return Effort(seconds, self._settings.workers, self._settings.seed)

    async def _note(self, row: dict[str, Any]) -> None:
        if row["kind"] == "progress":
            self.progress["objective"] = row["objective"]
            return
        if row["kind"] in {"repaired", "kept"}:
            self.progress["objective"] = row["plan"]["objective"]
        self._rows.append(row)

    def _found(self, sides: Sides, before: Answers, answers: Answers) -> Found:
        report = explained(sides.after.problem, answers.better or answers.kept)
        trigger = [
            {
                "reason": "scenario",
                "params": {"scenario": str(self.scenario.id), "name": self.scenario.name},
                "by": self.scenario.changed_by,
            }
        ]
        told = answers if answers.better else None
        row = plan_row(sides.after, report, trigger, utc_now(), told)
        return Found(
            replace(row, status="scenario"),
            comparison(
                Side(sides.before, explained(sides.before, before.kept)), Side(sides.after.problem, report)
            ),
        )
