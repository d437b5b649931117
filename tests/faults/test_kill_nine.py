"""Promise 1 on the whole plant: kill -9 of any process loses nothing and doubles nothing."""

import os
import signal
import time

import pytest

from mes.kernel.clock import utc_now
from mes.supervisor.children import Identity
from tests.fixtures.plant import RunningPlant, Status, agreed_since, settled

pytestmark = pytest.mark.timeout(900)

PROCESSES = ("edge", "broker", "ingest", "serve", "floor", "planner", "bridge", "postgres", "erp")

ENDED_S = 60.0
"""What the supervisor held may end its work in hand first."""


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_comes_back_and_the_books_agree(
    running_plant: RunningPlant, name: str, rounds: int
) -> None:
    before = running_plant.wait_for(settled, "the plant is settled before the kill")
    for _ in range(rounds):
        running_plant.kill(name)
    back = agreed_since(utc_now())
    after = running_plant.wait_for(back, f"the books were compared and agree after {name} was killed")
    assert after["erp"]["documents_posted"] >= before["erp"]["documents_posted"]
    running_plant.wait_for(settled, f"what waited while {name} was away has arrived")
    running_plant.wait_for(
        lambda status: status["edge"]["events_committed"] > after["edge"]["events_committed"],
        "the machines are heard again",
    )
    assert after["edge"]["events_committed"] >= before["edge"]["events_committed"]
    if name == "edge":
        running_plant.wait_for(
            lambda status: status["edge"]["gaps_declared"] > before["edge"]["gaps_declared"],
            "the window in which nobody saw the machines is declared",
        )


def test_everything_killed_at_once_comes_back(running_plant: RunningPlant) -> None:
    running_plant.wait_for(settled, "the plant is settled before the kill")
    before = {item["name"]: item for item in running_plant.status()["processes"]}
    for name in PROCESSES:
        os.kill(before[name]["pid"], signal.SIGKILL)

    def back(status: Status) -> bool:
        now = {item["name"]: item["restarts"] for item in status["processes"]}
        return all(now[name] > before[name]["restarts"] for name in PROCESSES)

    running_plant.wait_for(back, "all are back")
    running_plant.wait_for(agreed_since(utc_now()), "the books were compared and agree")
    running_plant.wait_for(settled, "what waited has arrived")


def test_a_killed_supervisor_takes_all_with_it_and_the_next_start_goes_on(
    running_plant: RunningPlant,
) -> None:
    before = running_plant.wait_for(settled, "the plant is settled before the kill")
    children = {item["name"]: Identity.of(item["pid"]) for item in before["processes"]}
    os.kill(before["pid"], signal.SIGKILL)
    deadline = time.monotonic() + ENDED_S
    while left := [name for name, child in children.items() if child is not None and child.alive]:
        said = {name: running_plant.log(name) for name in left}
        assert time.monotonic() < deadline, f"still there: {said}"
        time.sleep(0.2)
    running_plant.start()
    after = running_plant.wait_for(
        agreed_since(utc_now()), "the books were compared and agree after the second start"
    )
    assert after["orders"]["pulled"] >= before["orders"]["pulled"]
    assert after["edge"]["events_committed"] >= before["edge"]["events_committed"]
