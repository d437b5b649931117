import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

from edge.plant_sim.layout import machines, tags
from edge.plant_sim.machines import Machine
from edge.state import COMPLETES, TRANSITIONS, State
from edge.tags import Endpoint, parse_tags


@asynccontextmanager
async def alive(machine: Machine) -> AsyncIterator[list[tuple[str, float | str, datetime]]]:
    said: list[tuple[str, float | str, datetime]] = []
    machine.publish = lambda name, value, at: said.append((name, value, at))
    task = asyncio.create_task(machine.live())
    try:
        yield said
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(what: object, seconds: float = 30.0) -> None:
    assert callable(what)
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.005)


def job(machine: Machine, quantity: int = 3, job_order: str = "WO-000001-10") -> None:
    machine.run(job_order=job_order, item="PUMP-40", quantity=quantity, cycle_s=1.0)


async def test_a_machine_makes_what_it_is_asked_for_and_stops() -> None:
    machine = Machine("CNC-1", pace=50)
    async with alive(machine) as said:
        job(machine)
        job(machine)
        await until(lambda: machine.state is State.COMPLETE)
    made = machine.made_for("WO-000001-10")
    assert made is not None
    assert made.good + made.scrap == 3
    assert machine.totals.good + machine.totals.scrap == 3
    assert machine.totals.states == sum(1 for name, _, _ in said if name == "state")


async def test_its_states_follow_the_standard() -> None:
    machine = Machine("CNC-1", pace=50)
    async with alive(machine) as said:
        job(machine)
        await until(lambda: machine.state is State.EXECUTE)
        machine.fault("TOOL_BREAKAGE")
        await until(lambda: machine.state is State.ABORTED)
        machine.repair()
        await until(lambda: machine.state is State.COMPLETE)
    states = [State(int(value)) for name, value, _ in said if name == "state"]
    for before, later in itertools.pairwise(states):
        assert COMPLETES.get(before) is later or later in {
            to for (state, _), to in TRANSITIONS.items() if state is before
        }


async def test_each_change_has_its_own_millisecond() -> None:
    machine = Machine("CNC-1", pace=200)
    async with alive(machine) as said:
        job(machine, 10)
        await until(lambda: machine.state is State.COMPLETE)
    times = [at for name, _, at in said if name == "state"]
    assert len(set(times)) == len(times)


async def test_totals_survive_a_restart(tmp_path: Path) -> None:
    machine = Machine("CNC-1", folder=tmp_path, pace=100)
    async with alive(machine):
        job(machine)
        await until(lambda: machine.state is State.COMPLETE)
    again = Machine("CNC-1", folder=tmp_path)
    assert again.totals == machine.totals
    assert again.made_for("WO-000001-10") == machine.made_for("WO-000001-10")


async def test_pieces_that_are_made_and_not_reported_are_not_made_twice() -> None:
    machine = Machine("CNC-1", pace=100)
    async with alive(machine):
        job(machine, 3)
        await until(lambda: machine.state is State.COMPLETE)
        job(machine, 3)
        await asyncio.sleep(0.1)
        assert machine.state is State.COMPLETE
        made = machine.made_for("WO-000001-10")
        assert made is not None
        machine.run(
            job_order="WO-000001-10",
            item="PUMP-40",
            quantity=1,
            cycle_s=1.0,
            good=made.good,
            scrap=made.scrap,
        )
        await until(lambda: made.good + made.scrap == 4)


def test_the_demo_tags_are_all_of_use() -> None:
    endpoints = [
        Endpoint(name=name, driver="opcua", url="opc.tcp://x")
        for name in ("machining", "assembly", "test", "devices")
    ]
    found, refused = parse_tags(tags(), endpoints)
    assert refused == []
    assert {tag.equipment for tag in found} == {*machines(), "METER-1"}
