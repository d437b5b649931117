"""The tutorial `docs/tutorials/first-hour.md`, run step by step on a whole plant, and what it wrote down.

Its console blocks are run; hidden comments say what a reader does and sees:

    <!-- do: POST <address> <JSON> -->
    <!-- see within <seconds> s: <address> :: <expression over `it`> -->
    <!-- keep <name>: <address> :: <expression> -->       used later as {name}
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.architecture.graph import ROOT
from tests.fixtures.plant import RunningPlant

PAGE = ROOT / "docs" / "tutorials" / "first-hour.md"
STEP = re.compile(
    r"<!-- do: (?P<method>[A-Z]+) (?P<target>\S+) (?P<body>\{.*?\}) -->"
    r"|<!-- see within (?P<patience>\d+) s: (?P<seen>\S+) :: (?P<true>.*?) -->"
    r"|<!-- keep (?P<name>\w+): (?P<kept>\S+) :: (?P<value>.*?) -->"
    r"|^\$ (?P<command>.+)$",
    re.MULTILINE,
)
STARTED_BY_THE_FIXTURE = "make up"
KEEP_PATIENCE_S = 60
NOT_YET = (KeyError, IndexError, StopIteration, TypeError)


async def signed_in(plant: RunningPlant) -> httpx2.AsyncClient:
    """Return a browser that opened the link of `lineside sign-in`."""
    printed = await asyncio.to_thread(plant.lineside, "sign-in")
    address, _, token = printed.stdout.strip().partition("/sign-in?token=")
    browser = httpx2.AsyncClient(base_url=address, timeout=30, headers={"Sec-Fetch-Site": "same-origin"})
    (await browser.post("/api/v1/sign-in/link", json={"token": token})).raise_for_status()
    return browser


@dataclass
class Reader:
    """Somebody who does what the page says."""

    plant: RunningPlant
    browser: httpx2.AsyncClient
    kept: dict[str, str] = field(default_factory=dict)

    async def follow(self, step: re.Match[str]) -> None:
        if step["command"]:
            await self.run(step["command"])
        elif step["method"]:
            await self.do(step["method"], self.filled(step["target"]), self.filled(step["body"]))
        elif step["seen"]:
            await self.wait_for(self.filled(step["seen"]), self.filled(step["true"]), int(step["patience"]))
        else:
            value = await self.wait_for(
                self.filled(step["kept"]), self.filled(step["value"]), KEEP_PATIENCE_S
            )
            self.kept[step["name"]] = str(value)

    def filled(self, text: str) -> str:
        for name, value in self.kept.items():
            text = text.replace("{" + name + "}", value)
        return text

    async def run(self, command: str) -> None:
        if command == STARTED_BY_THE_FIXTURE:
            return
        program, *arguments = command.split()
        assert program == "lineside", command
        done = await asyncio.to_thread(self.plant.lineside, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    async def do(self, method: str, target: str, body: str) -> None:
        headers = {"Idempotency-Key": str(uuid4())}
        reply = await self.browser.request(method, target, json=json.loads(body), headers=headers)
        assert reply.is_success, f"{target}: {reply.text}"

    async def wait_for(self, target: str, expression: str, patience_s: int) -> object:
        """Ask until the expression is true of the answer, and return its value."""
        last: object = None
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    last = await self.look(target)
                    value = judged(expression, last)
                    if value:
                        return value
                    await asyncio.sleep(1)
        except TimeoutError:
            raise AssertionError(f"{target}: never {expression}; last: {str(last)[:2000]}") from None

    async def look(self, target: str) -> Any:
        try:
            reply = await self.browser.get(target)
        except httpx2.TransportError as away:
            return {"away": str(away)}
        return reply.json()


KNOWN = {"any": any, "all": all, "float": float, "len": len, "next": next}


def judged(expression: str, it: object) -> object:
    """Return what the page's expression makes of an answer; None while a part of it is missing."""
    try:
        return eval(expression, {"__builtins__": KNOWN, "it": it})  # noqa: S307 - our own page
    except NOT_YET:
        return None


def test_the_page_has_steps_of_every_kind() -> None:
    steps = list(STEP.finditer(PAGE.read_text(encoding="utf-8")))
    assert len(steps) >= 20
    for kind in ("command", "method", "seen", "kept"):
        assert any(step[kind] for step in steps)
    assert PAGE.read_text(encoding="utf-8").count("<!--") == sum(1 for step in steps if not step["command"])


@pytest.mark.timeout(1800)
async def test_the_first_hour_is_as_the_page_says(running_plant: RunningPlant) -> None:
    browser = await signed_in(running_plant)
    reader = Reader(running_plant, browser)
    for step in STEP.finditer(PAGE.read_text(encoding="utf-8")):
        await reader.follow(step)
    await browser.aclose()


@pytest.mark.timeout(1800)
def test_no_log_of_a_plant_lets_its_reader_sign_in(running_plant: RunningPlant) -> None:
    logs = sorted((running_plant.home / "logs").glob("*.log"))
    assert logs
    assert [log.name for log in logs if "token=" in log.read_text(encoding="utf-8")] == []
