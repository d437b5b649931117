"""Questions are answered where the plant is in memory, never in a request.

`lineside serve` writes a question into a table and looks for its answer; the planner's process has a
picture of the plant and a plan of it at hand. A question outlives a planner that is killed: its
successor says so at once, and whoever asked is told to ask again.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from mes.dispatching import service as dispatching
from mes.dispatching.model import PlanMasterOperation
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, DatabaseBusy, DatabaseUnavailable, wakeups
from mes.kernel.errors import PlantError
from mes.kernel.ids import MaterialId
from mes.kernel.log import get_logger
from mes.kernel.settings import Settings
from planner import service, store
from planner.asking import LOST
from planner.child import delays_in_child
from planner.decoder.line import Fit
from planner.decoder.locks import LocksConflict
from planner.delays import Delays, latest, work_of
from planner.document import Clock
from planner.fault import InvalidProblem
from planner.fixes import fixes
from planner.foresight import Missing, missing
from planner.offers import first_part, is_later, still_holds
from planner.pace import Paces, evidence
from planner.pool import SolverPool
from planner.problem import Operation, Problem
from planner.promise import Desk, Option, Quote, Taken
from planner.reading import WEIGHTS, Standards
from planner.replan import as_published
from planner.scenarios import service as scenarios
from planner.schedule import Schedule
from planner.view import ACTOR, View, version_in_force, view_plant

log = get_logger(__name__)

FRESH_S = 30.0
"""A picture of the plant is good for so long, if nothing happens that asks for a plan."""
IDLE_S = 5.0
RETRY_S = 2.0

LEAST_URGENT = 9
"""Priority of what is asked for when nobody says: it is worth no other order's delay but of its like."""

QUOTE = "QUOTE"
"""Order id of what is only asked for."""

PARTS = ("A", "B")
"""The parts of an order that comes in two."""

GRAINS = 100
"""An order is cut in two at one of so many places."""


LEARN_S = 300.0
"""Delays are learned again after so long: how late orders get in a plan changes slower than the plan."""

PACE_MOVED = 0.1
"""Share by which the pace of a work centre must have moved for its delays to be learned at once."""


@dataclass(frozen=True)
class Learned:
    """Delays of a plan, and the paces and the time of which they are."""

    delays: Delays
    paces: Paces
    at: float

    def holds(self, paces: Paces) -> bool:
        """Whether they need not be learned again."""
        moved = (abs(paces.of(c).mean / self.paces.of(c).mean - 1) for c in (*paces.centers, ""))
        return time.monotonic() - self.at < LEARN_S and max(moved) < PACE_MOVED


@dataclass(frozen=True)
class Picture:
    """The plant at one moment, and a plan of it that new work may be put into.

    Args:
        held: What was answered to those who had places reserved in it: a command may come twice.
        raised: Set-ups of products that were asked for and that no job order has.
    """

    view: View
    plan: Schedule
    desk: Desk
    skills: frozenset[str]
    taken: float
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    raised: Standards = field(default_factory=dict)

    def holds(self, version: int | None, master: Sequence[PlanMasterOperation]) -> bool:
        """Whether it can still be answered from, for a product that is made so."""
        fresh = time.monotonic() - self.taken < FRESH_S
        needed = self.view.reading.raised_by(master)
        others = (key for key in self.raised if key not in needed)
        knows = needed.items() <= self.raised.items() and not any(map(self._is_ordered, others))
        return fresh and self.view.version == version and knows and skills_of(master) <= self.skills

    @property
    def promises(self) -> set[str]:
        """The accepted dates that it knows, the names of all their parts."""
        given = (part["name"] for answer in self.held.values() for part in answer["parts"])
        return {*self.view.promises, *given}

    def _is_ordered(self, setup: tuple[str, str]) -> bool:
        return self.view.reading.is_ordered(*setup)


class Answerer:
    """Answers the questions of a site, one after the other."""

    def __init__(self, db: Database, settings: Settings, name: str, pool: SolverPool | None = None) -> None:
        """Take part under the name of a worker; after a restart it has the same name.

        Args:
            pool: Where delays are learned.
        """
        self.db, self.settings, self.name, self.pool = db, settings, name, pool or SolverPool()
        self._picture: Picture | None = None
        self._given_back = 0
        self._learned: Learned | None = None
        self.learning: asyncio.Task[None] | None = None
        self._prepared: int | None = None
        self._kinds: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "quote": self._quote,
            "renew": self._renew,
            "bring-back": self._bring_back,
            "picture": self._take_picture,
            "hold": self._hold,
            "fixes": self._fixes,
        }

    async def run(self) -> None:
        """Answer until cancelled; go on through losses of the database."""
        try:
            while True:
                try:
                    async with wakeups(self.db, store.QUESTIONS) as wakeup:
                        while True:
                            if not await self.step():
                                await self._prepare()
                            await wakeup.wait(IDLE_S)
                except (DatabaseUnavailable, DatabaseBusy):
                    await asyncio.sleep(RETRY_S)
        finally:
            if self.learning is not None:
                self.learning.cancel()
                await asyncio.wait((self.learning,))

    async def step(self) -> int:
        """Answer what is asked now; returns how many questions that were."""
        answered = 0
        while (question := await self._next()) is not None:
            answer = LOST if question.attempts > 1 else await self._answer(question)
            async with self.db.transaction(Cause(actor=ACTOR, at=utc_now())) as tx:
                await store.answer_question(tx, question.id, answer)
            answered += 1
        return answered

    async def _next(self) -> store.Question | None:
        async with self.db.transaction(Cause(actor=ACTOR, at=utc_now())) as tx:
            return await store.claim_question(tx, self.name)

    def forget(self) -> None:
        """Something happened: the next answer needs a new picture."""
        self._picture = None

    async def _answer(self, question: store.Question) -> dict[str, Any]:
        began = time.monotonic()
        if question.kind not in self._kinds:
            remedy = "Start the planner of the version that asks."
            return {"faults": [{"row": question.kind, "what": "is not known here", "remedy": remedy}]}
        try:
            answer = await self._kinds[question.kind](question.body)
        except InvalidProblem as invalid:
            answer = {"faults": [asdict(fault) for fault in invalid.faults]}
        except LocksConflict as conflict:
            fault = {"row": conflict.operation, "what": conflict.what, "remedy": conflict.remedy}
            answer = {"faults": [fault]}
        except PlantError as error:
            if error.retryable:
                raise
            answer = {"faults": [{"row": error.code, "what": error.message, "remedy": error.remedy}]}
        took = round(1000 * (time.monotonic() - began))
        log.info("question.answered", kind=question.kind, took_ms=took)
        return answer

    async def _renew(self, body: dict[str, Any]) -> dict[str, Any]:
        return await service.renew(self.db, UUID(body["plan"]), utc_now(), self.settings.planner)

    async def _bring_back(self, body: dict[str, Any]) -> dict[str, Any]:
        return await service.bring_back(self.db, body, utc_now(), self.settings.planner)

    async def _take_picture(self, body: dict[str, Any]) -> dict[str, Any]:
        return await scenarios.take_picture(self.db, UUID(body["picture"]), utc_now())

    async def _quote(self, body: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread((await self._asked(body)).answer)

    async def _prepare(self) -> None:
        """Learn delays before anybody asks, once for each plan in force until there are some."""
        async with self.db.read() as tx:
            version = await version_in_force(tx)
        if self._learned is not None or version is None or version == self._prepared:
            return
        self._prepared = version
        try:
            self._delays(await self._now())
        except (InvalidProblem, LocksConflict) as refused:
            log.info("delays.not_prepared", why=str(refused))
        except PlantError as error:
            if error.retryable:
                raise
            log.info("delays.not_prepared", why=error.message)

    def _delays(self, picture: Picture) -> Delays | None:
        """The delays of a plan like this one, of some minutes ago; they are learned beside the answers.

        None while there are none at all.
        """
        problem, paces = picture.view.problem, picture.view.reading.paces
        if not problem.operations:
            return Delays()
        busy = self.learning is not None and not self.learning.done()
        if not busy and (self._learned is None or not self._learned.holds(paces)):
            self.learning = asyncio.create_task(self._learn(problem, paces))
        return None if self._learned is None else self._learned.delays

    async def _learn(self, problem: Problem, paces: Paces) -> None:
        began = time.monotonic()
        delays = await delays_in_child(self.pool, problem, paces)
        if delays is None:
            log.warning("delays.not_learned", operations=len(problem.operations))
            return
        self._learned = Learned(delays, paces, time.monotonic())
        log.info(
            "delays.learned", operations=len(problem.operations), took_s=round(self._learned.at - began, 1)
        )

    async def _hold(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = await self._asked(body)
        return await asyncio.to_thread(asked.hold, body["name"], body["latest"], body.get("option"))

    async def _fixes(self, body: dict[str, Any]) -> dict[str, Any]:
        picture = await self._now()
        problem, order = picture.view.problem, str(body["work_order"])
        if order not in problem.order_by_id:
            return {"fixes": []}
        found = await asyncio.to_thread(fixes, problem, picture.plan, order)
        return {"fixes": [asdict(fix) for fix in found]}

    async def _asked(self, body: dict[str, Any]) -> Asked:
        material, quantity = MaterialId(body["material"]), Decimal(body["quantity"])
        async with self.db.read() as tx:
            master = await dispatching.planning_master(tx, material, utc_now())
        picture = await self._now(master)
        wanted = None if body.get("wanted") is None else datetime.fromisoformat(body["wanted"])
        priority = body.get("priority", LEAST_URGENT)
        return Asked(picture, material, quantity, master, priority, wanted, self._delays(picture))

    async def _now(self, master: Sequence[PlanMasterOperation] = ()) -> Picture:
        """The picture at hand while it holds for a product that is made so, else a new one."""
        async with self.db.read() as tx:
            version, given_back = await version_in_force(tx), await store.given_back(tx)
            kept = {hold.name for hold in await store.holds(tx, utc_now())}
        if (
            given_back != self._given_back
            or self._picture is None
            or not self._picture.view.promises <= kept <= self._picture.promises
            or not self._picture.holds(version, master)
        ):
            self._given_back = given_back
            before = self._picture.raised if self._picture else {}
            async with self.db.read() as tx:
                view = await view_plant(tx, utc_now(), self.settings.planner, far=True)
            self._picture = await asyncio.to_thread(picture_of, view, master, before)
        return self._picture


def skills_of(master: Sequence[PlanMasterOperation]) -> frozenset[str]:
    """What people must be able to do for a product."""
    return frozenset(step.skill for step in master if step.skill)


def picture_of(
    view: View, master: Sequence[PlanMasterOperation] = (), before: Standards | None = None
) -> Picture:
    """A picture that can be asked for a product that is made so. Computes for a while.

    Args:
        before: Set-ups of products that were asked for before; those that concern no job order stay.
    """
    taken = time.monotonic()
    others = {key: m for key, m in (before or {}).items() if not view.reading.is_ordered(*key)}
    raised = {**others, **view.reading.raised_by(master)}
    view = replace(view, reading=view.reading.told_of(raised))
    problem = view.problem
    known = skills_of(master) | {skill for crew in problem.crews for skill in crew.skills}
    plan = as_published(problem)
    desk = Desk(problem, plan, known, accepted=view.reading.accepted)
    return Picture(view, plan, desk, frozenset(known), taken, raised=raised)


@dataclass(frozen=True)
class Asked:
    """One question for a date; computes for some milliseconds.

    Args:
        wanted: When it is wanted: of an order in parts as much as possible comes until then, else half.
    """

    picture: Picture
    material: MaterialId
    quantity: Decimal
    master: Sequence[PlanMasterOperation]
    priority: int
    wanted: datetime | None = None
    delays: Delays | None = None

    def answer(self) -> dict[str, Any]:
        steps = self._steps(QUOTE, self.quantity)
        found = self._quoted(steps)
        if isinstance(found, Missing):
            return self._beyond(found)
        return {
            "date": self._time(found.end),
            **self._safely(found),
            "binding": {"code": found.binding.code, "params": dict(found.binding.params)},
            "alternatives": [self._told(way) for way in self._ways(QUOTE, steps, found)],
        }

    def hold(self, name: str, latest: str | None, wish: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Reserve the places of the answer, or of another way to a date that was told before.

        Not where the date is clearly later than `latest`, or the other way is not to be had any more as it
        was told: then say what can be had now. The next question finds the places and the material taken;
        whoever asked keeps them in the database.

        Args:
            wish: The other way, as it was told.
        """
        if name not in self.picture.held:
            knows = {"version": self.picture.view.version, "promises": sorted(self.picture.promises)}
            answer = {**self._held(name, latest, wish), "knows": knows}
            if answer.get("parts") is None:
                return answer
            self.picture.view.reading.reserve(self.material, self.quantity, self.master)
            self.picture.held[name] = answer
        return self.picture.held[name]

    def _held(self, name: str, latest: str | None, wish: Mapping[str, Any] | None) -> dict[str, Any]:
        steps = self._steps(name, self.quantity)
        found = self._quoted(steps)
        if isinstance(found, Missing):
            return self._beyond(found)
        if wish is not None:
            ways = self._ways(name, steps, found, first=first_part(wish))
            way = next((way for way in ways if still_holds(self._told(way), wish)), None)
            if way is None:
                return {**self.answer(), "parts": None}
            return self._taken(way, steps, name)
        date = self._time(found.end)
        if latest is not None and is_later(date, latest):
            return {**self.answer(), "parts": None}
        return {"date": date, "parts": [self._part(name, self.quantity, self.picture.desk.reserve(steps))]}

    def _taken(self, way: Option, steps: tuple[Operation, ...], name: str) -> dict[str, Any]:
        """What is kept for another way."""
        taken = self.picture.desk.take(way, steps)
        names = [name] if len(taken.quotes) == 1 else [f"{name}-{letter}" for letter in PARTS]
        first = Decimal(way.params["quantity"]) if way.parts and way.kind == "split" else self.quantity
        amounts = (first, self.quantity - first)
        told = self._told(way)
        return {
            "date": told["date"],
            "parts": [self._part(*row) for row in zip(names, amounts, taken.quotes, strict=False)],
            "option": {**told, "kept": self._terms(way, steps, taken)},
        }

    def _part(self, name: str, quantity: Decimal, held: Quote) -> dict[str, Any]:
        return {
            "name": name,
            "quantity": str(quantity),
            "date": self._time(held.end),
            "latest": self._latest(held),
            "places": {fit.block.operation.id: self._place(fit) for fit in held.steps},
        }

    def _place(self, fit: Fit) -> dict[str, str]:
        return {"equipment": fit.unit, "start": self._time(fit.start), "end": self._time(fit.end)}

    def _terms(self, way: Option, steps: tuple[Operation, ...], taken: Taken) -> dict[str, Any]:
        """What the next plans must know of another way, see `planner.view`."""
        if way.overtime is not None:
            windows = [{"start": self._time(w.start), "end": self._time(w.end)} for w in way.overtime.windows]
            return {"equipment": way.overtime.unit, "skill": way.overtime.skill, "windows": windows}
        if taken.moved is not None:
            jobs = {fit.block.operation.id: self._place(fit) for fit in taken.moved.steps}
            return {"version": self.picture.view.version, "jobs": jobs}
        if way.kind == "unit":
            fixed = (one for one, other in zip(way.parts[0], steps, strict=True) if one is not other)
            return {"only_on": {step.id: way.params["unit"] for step in fixed}}
        return {}

    def _safely(self, found: Quote) -> dict[str, Any]:
        """When it is done in nine of ten cases, if anybody knows, and on what evidence."""
        known = evidence(self.picture.view.reading.paces, work_of(self.picture.desk, found))
        return {
            "latest": self._latest(found),
            "evidence": {
                "jobs": known.jobs,
                "pace": round(known.pace, 3),
                "first_time_yield": round(known.first_time_yield, 3),
            },
        }

    def _latest(self, found: Quote) -> str | None:
        """When it is done in nine of ten cases; None where nobody knows, or beyond all calendars."""
        if self.delays is None:
            return None
        minute = latest(self.picture.desk, found, self.delays, self.picture.view.reading.paces)
        return self._time(minute) if minute < self._horizon else None

    @property
    def _horizon(self) -> int:
        return self.picture.view.problem.horizon

    def _quoted(self, steps: tuple[Operation, ...]) -> Quote | Missing:
        """The earliest end; what is missing where nobody can say when."""
        for step, row in zip(steps, self.master, strict=True):
            if not step.alternatives:
                return Missing("unit", {"work_center": row.work_center})
        found = self.picture.desk.quote(steps)
        return found if found.end < self._horizon else missing(self.picture.view.problem, found)

    def _beyond(self, found: Missing) -> dict[str, Any]:
        """No date: where no calendar reaches, or what is not on order is there, a minute is only a number."""
        lacking = {"code": found.code, "params": dict(found.params)}
        return {"beyond": self._time(self._horizon), "missing": lacking}

    def _ways(
        self, name: str, steps: tuple[Operation, ...], found: Quote, first: Decimal | None = None
    ) -> list[Option]:
        """All other ways to a date.

        Args:
            found: The date that moves nobody.
            first: How much the first of two parts is, where that is known.
        """
        desk = self.picture.desk
        ways = [
            self._in_parts(name, found.end, first or self._first_part(found.end)),
            desk.with_overtime(steps, found),
            desk.on_another_unit(steps, found),
            *desk.instead_of_others(steps, WEIGHTS.get(self.priority, 1), found),
        ]
        return [way for way in ways if way is not None and way.end < self._horizon]

    def _in_parts(self, name: str, whole: int, first: Decimal) -> Option | None:
        """A part of it sooner than the whole."""
        if not 0 < first < self.quantity:
            return None
        rest = self._steps(f"{name}-{PARTS[1]}", self.quantity - first, first)
        parts = (self._steps(f"{name}-{PARTS[0]}", first), rest)
        one, two = self.picture.desk.quote_parts(parts)
        if one.end >= whole:
            return None
        return Option("split", max(one.end, two.end), 0, {"quantity": str(first), "first": one.end}, parts)

    def _first_part(self, whole: int) -> Decimal:
        """As much as comes until it is wanted, to a hundredth; half where nobody says, or nothing does."""
        wanted, half = self._wanted, self.quantity // 2
        if wanted is None or wanted >= whole:
            return half
        grain = max(Decimal(1), -(-self.quantity // GRAINS))
        parts = range(1, int(-(-self.quantity // grain)))
        some = bisect_right(parts, wanted, key=lambda n: self._end_of(n * grain))
        return some * grain or half

    def _end_of(self, quantity: Decimal) -> int:
        return self.picture.desk.quote(self._steps(QUOTE, quantity)).end

    @property
    def _wanted(self) -> int | None:
        """The minute in which it is wanted."""
        origin = self.picture.view.problem.origin
        return None if self.wanted is None else (self.wanted - origin) // timedelta(minutes=1)

    def _told(self, way: Option) -> dict[str, Any]:
        """Another way, as people are told."""
        params = dict(way.params)
        if "first" in params:
            params["first"] = self._time(int(params["first"]))
        label = self.picture.view.labels.orders.get(str(params.get("order")), {})
        if label.get("customer"):
            params["customer"] = str(label["customer"])
        return {"kind": way.kind, "date": self._time(way.end), "price": way.price, "params": params}

    def _steps(self, name: str, quantity: Decimal, first: Decimal = Decimal(0)) -> tuple[Operation, ...]:
        return self.picture.view.reading.asked(name, self.material, quantity, self.master, first)

    def _time(self, minute: int) -> str:
        return Clock(self.picture.view.problem.origin).text(minute)
