"""Simulated operators: they badge in, scan, start, consume, report and complete as a person would.

They know only what a terminal shows and what their machine does. A person who sits down at a
terminal takes it over; the simulated operator leaves and comes back when it is free again.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from edge.control import Control
from edge.plant_sim.clerk import Business, Clerk
from edge.plant_sim.floor_api import FloorApi, Outcome
from edge.plant_sim.machines import Machine
from mes.kernel import secrets
from mes.kernel.log import get_logger
from mes.kernel.settings import Settings

logger = get_logger(__name__)

LOOK_AGAIN_S = 20.0
"""A terminal is looked at when something changed, and after so long at the latest."""

ROSTER_EVERY_S = 60.0
"""The roster is read again after so long: shifts end by the clock."""

SETTLE_S = 0.3
"""Changes come in bursts; one look serves them all."""

Terminal = dict[str, Any]
Job = dict[str, Any]


class Plant(Protocol):
    """The machines that people work at, and the control socket that visitors speak to."""

    machines: dict[str, Machine]
    control: Control


class Crew:
    """Who is at work, and which of them stands at which terminal."""

    def __init__(self, api: FloorApi) -> None:
        self._api = api
        self._at: dict[str, str] = {}
        self._present: list[dict[str, Any]] = []
        self.changed = asyncio.Event()

    async def keep(self) -> None:
        """Read the roster when somebody comes or goes, and once a minute for the shift's end."""
        while True:
            self.changed.clear()
            await self.refresh()
            try:
                async with asyncio.timeout(ROSTER_EVERY_S):
                    await self.changed.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Learn who should be here; clock in who just came on shift, clock out who left."""
        people = (await self._api.get("/people"))["people"]
        for person in people:
            if person["on_shift"] and not person["clocked_in"] and not person["excused"]:
                await self._clock(person, "in")
            elif person["clocked_in"] and not person["on_shift"]:
                await self._clock(person, "out")
        self._present = [person for person in people if person["clocked_in"]]
        here = {person["id"] for person in self._present}
        self._at = {unit: person for unit, person in self._at.items() if person in here}

    async def _clock(self, person: dict[str, Any], way: Literal["in", "out"]) -> None:
        if (await self._api.command(f"/people/{person['id']}/clock-{way}")).done:
            person["clocked_in"] = way == "in"

    def stand_at(self, unit: str, skill: str) -> str | None:
        """Return who works at `unit`: whoever stands there, or a free one with `skill`.

        Of several the one who can do the least else: the others may be wanted elsewhere.
        """
        if unit in self._at:
            return self._at[unit]
        busy = set(self._at.values())
        free = [one for one in self._present if skill in one["skills"] and one["id"] not in busy]
        if not free:
            return None
        self._at[unit] = min(free, key=lambda one: len(one["skills"]))["id"]
        return self._at[unit]

    def leave(self, unit: str) -> None:
        """The person at `unit` is free for another terminal."""
        self._at.pop(unit, None)


@dataclass
class Operator:
    """The simulated work at one unit's terminal."""

    unit: str
    machine: Machine
    api: FloorApi
    crew: Crew
    hands: bool = True
    """False: only the machine is tended; the work at the terminal is a person's."""
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    stop_told: bool = False

    def wake(self) -> None:
        """Something changed here: look at the terminal."""
        self.looked.set()

    async def work(self) -> None:
        """Look, act, wait; for ever."""
        self.machine.on_change(self.wake)
        while True:
            terminal = await self.api.get(f"/terminals/{self.unit}")
            if not await self.act(terminal):
                await self.rest()

    async def rest(self) -> None:
        """Wait for a change at this terminal."""
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self.looked.wait()
            await asyncio.sleep(SETTLE_S)
        except TimeoutError:
            pass
        self.looked.clear()

    async def act(self, terminal: Terminal) -> bool:
        """Do the next thing; True when there may be more to do at once."""
        job = terminal["job"]
        self.tend_machine(job)
        if terminal["visitor"] or not self.hands:
            self.crew.leave(self.unit)
            return False
        if job is None:
            return await self.take_next(terminal)
        if not await self.at_terminal(terminal, job):
            return False
        await self.explain_stop()
        if await self.consume(job):
            return True
        return await self.hand_in(job)

    def tend_machine(self, job: Job | None) -> None:
        """Let the machine work on the job that runs here, whoever started it."""
        if job is None or job["status"] != "Running":
            self.machine.stop()
            return
        self.machine.run(
            job_order=job["id"],
            item=job["material"],
            quantity=int(Decimal(job["remaining"])),
            cycle_s=float(job["run_s"]),
            setup_s=float(job["setup_s"]),
            good=int(Decimal(job["good"])),
            scrap=int(Decimal(job["scrap"])),
        )

    async def at_terminal(self, terminal: Terminal, job: Job) -> bool:
        """Sign a person on who may do this job; False when nobody is free."""
        person = self.crew.stand_at(self.unit, job["skill"])
        if person is None:
            return False
        if person in {signed["id"] for signed in terminal["people"]}:
            return True
        outcome = await self.command(f"/terminals/{self.unit}/sit-down", {"person": person})
        return outcome.done

    async def take_next(self, terminal: Terminal) -> bool:
        """Go on with what a visitor paused here, else start the first job of the list that can start."""
        queue = terminal["queue"]
        paused = next((job for job in queue if job["status"] == "Held"), None)
        if paused is not None and await self.begin(terminal, paused, "resume"):
            return True
        job = next((job for job in queue if job["startable"]), None)
        if job is None:
            self.crew.leave(self.unit)
            return False
        return await self.begin(terminal, job, "start")

    async def begin(self, terminal: Terminal, job: Job, verb: Literal["start", "resume"]) -> bool:
        """Start or resume a job, when somebody is free for it."""
        if not await self.at_terminal(terminal, job):
            return False
        return (await self.command(f"/job-orders/{job['id']}/{verb}")).done

    async def consume(self, job: Job) -> bool:
        """Scan the lots that the job still needs, those that expire first, first."""
        consumed = False
        for component in job["components"]:
            missing = Decimal(component["required"]) - Decimal(component["consumed"])
            for lot in component["lots"]:
                take = min(missing, Decimal(lot["quantity"]))
                if take <= 0:
                    continue
                outcome = await self.command(
                    f"/job-orders/{job['id']}/consume", {"lot": lot["code"], "quantity": str(take)}
                )
                if outcome.done:
                    consumed = True
                    missing -= take
        return consumed

    async def hand_in(self, job: Job) -> bool:
        """Report what the machine made, good and scrap in one gesture, and complete the job."""
        made = self.machine.made_for(job["id"])
        if made is None or not made.finished:
            return False
        good = made.good + made.good_before - int(Decimal(job["good"]))
        scrap = made.scrap + made.scrap_before - int(Decimal(job["scrap"]))
        if good > 0 or scrap > 0:
            body: dict[str, Any] = {"good": str(max(good, 0)), "scrap": str(max(scrap, 0))}
            if scrap > 0:
                body["reason"] = random.choice(("dimension", "surface", "leak"))
            outcome = await self.command(f"/job-orders/{job['id']}/report", body)
            if not outcome.done:
                return False
        return (await self.command(f"/job-orders/{job['id']}/complete")).done

    async def explain_stop(self) -> None:
        """Give the reason of a fault once, as an operator would."""
        if not self.machine.faulted:
            self.stop_told = False
            return
        if not self.stop_told:
            self.stop_told = (
                await self.command(f"/equipment/{self.unit}/stop-reason", {"reason": "breakdown"})
            ).done

    async def command(self, path: str, body: dict[str, Any] | None = None) -> Outcome:
        """Send a command from this terminal, and say once when it is refused."""
        outcome = await self.api.command(path, body, terminal=self.unit)
        if not outcome.done:
            logger.info(
                "operator.refused",
                unit=self.unit,
                path=path,
                error=outcome.error,
                **outcome.body.get("params", {}),
            )
        return outcome


async def work(plant: Plant, settings: Settings) -> None:
    """Let simulated people work at every machine's terminal, sell and buy, until cancelled."""
    token = f"plant.{secrets.ensure(settings.home, 'token-plant')}"
    rng = random.Random(settings.plant.seed)
    rpc = f"{settings.erp.url}/{settings.erp.database}/rpc/"
    clerk = Clerk(rpc, secrets.ensure(settings.home, "erp-clerk-password"), settings.site_tz)
    business = Business(clerk, rng)
    try:
        async with FloorApi(settings.http.own, token) as api, asyncio.TaskGroup() as people:
            register_trouble(plant, business)
            man_the_terminals(plant, api, people, hands=settings.plant.operators)
            if settings.plant.orders:
                people.create_task(business.sell(settings.plant.order_interval_s))
                people.create_task(business.supply())
    finally:
        await clerk.close()


def man_the_terminals(plant: Plant, api: FloorApi, people: asyncio.TaskGroup, *, hands: bool) -> None:
    """Put a simulated operator at each machine, and tell them of changes."""
    crew = Crew(api)
    operators = [Operator(unit, machine, api, crew, hands) for unit, machine in plant.machines.items()]
    if hands:
        people.create_task(crew.keep())
    people.create_task(follow(api, crew, operators))
    for operator in operators:
        people.create_task(operator.work())


async def follow(api: FloorApi, crew: Crew, operators: list[Operator]) -> None:
    """Wake the operators whom a change concerns, and the crew when people come and go."""
    async for topics in api.changes():
        if "people" in topics:
            crew.changed.set()
        for operator in operators:
            if not topics or concerns(operator.unit, topics):
                operator.wake()


def concerns(unit: str, topics: frozenset[str]) -> bool:
    """Say whether a change may give the operator at `unit` something to do."""
    return f"equipment:{unit}" in topics or any(
        topic.startswith(("job:", "plan", "people")) for topic in topics
    )


def register_trouble(plant: Plant, business: Business) -> None:
    """Offer what a visitor can ask of the clerk: a rush order, a late truck."""

    async def rush_order(message: dict[str, Any]) -> dict[str, Any]:
        return {"subject": await business.rush(str(message["key"]))}

    async def late_receipt(_message: dict[str, Any]) -> dict[str, Any]:
        return {"subject": await business.delay_truck()}

    plant.control.register("rush-order", rush_order)
    plant.control.register("late-receipt", late_receipt)
