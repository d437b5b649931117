"""The numbered cases that every driver keeps: DR-01 connects to DR-12 is told what it cannot read.

A driver's own test file gives a `Source` (a real device or server that a case can drive) and
inherits `DriverSuite`; where signals are nodes that come and go, `NodeSuite`, which has DR-13 too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from edge.driver import Driver, driver_class
from edge.spool import Mark
from edge.tags import Endpoint, Tag
from mes.kernel.messages import BAD, GOOD, Kind, Value

FIRST_MS = 1_290_000_000_000
SPAN_MS = 60_000
"""Source times of a minute long ago, that no clock gives by chance."""


class Source(Protocol):
    """A device or server that has the signals state, good, load and scan."""

    driver: str
    keeps_history: bool

    async def start(self) -> None: ...

    async def kill(self) -> None:
        """End it without a word."""

    async def set(self, signal: str, value: Value, time_ms: int, *, good: bool = True) -> None: ...

    async def spoil(self) -> None:
        """Make it say something that nobody can read."""

    def endpoint(self) -> Endpoint: ...

    def tag(self, signal: str, kind: Kind) -> Tag: ...

    def missing_tag(self) -> Tag:
        """Return a tag that the source does not have."""


class NodeSource(Source, Protocol):
    """A source whose signals can vanish and come back."""

    async def vanish(self, signal: str) -> None: ...

    async def come_back(self, signal: str) -> None: ...


@dataclass(frozen=True)
class Heard:
    """One reading that a driver gave."""

    tag: str
    value: Value
    time_ms: int
    quality: int


@dataclass
class Recorder:
    """A sink that remembers; a numbered change that a device repeats is the same one, as for the agent."""

    readings: list[Heard] = field(default_factory=list)
    links: list[bool] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    unread: dict[str, int | None] = field(default_factory=dict)
    """Tags that cannot be read now, and until when they were there."""
    malformations: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)

    def reading(self, tag: Tag, value: Value, time_ms: int, quality: int = GOOD, *, number: int = -1) -> None:
        if quality > BAD:
            self.unread.pop(tag.name, None)
        mark = self.marks.get(tag.name)
        if mark is not None and 0 <= number <= mark.number:
            return
        if mark is None or time_ms >= mark.time_ms:
            self.marks[tag.name] = Mark(time_ms, number, str(value))
        self.readings.append(Heard(tag.signal, value, time_ms, quality))

    def mark(self, tag: Tag) -> Mark | None:
        return self.marks.get(tag.name)

    def malformed(self, endpoint: str, source: str, payload: bytes, reason: str) -> None:
        self.malformations.append(reason)

    def understood(self, endpoint: str, source: str, tag: str = "") -> None:
        self.malformations.append("")

    def connected(self, endpoint: str) -> None:
        self.links.append(True)

    def disconnected(self, endpoint: str, reason: str) -> None:
        self.links.append(False)

    def missed(self, tag: Tag, time_ms: int, reason: str) -> None:
        self.losses.append(tag.name)

    def refused(self, tag: Tag, reason: str, *, read_until: int | None = None) -> None:
        self.unread.setdefault(tag.name, read_until)
        if tag.name not in self.refusals:
            self.refusals.append(tag.name)

    def values(self, signal: str) -> list[Value]:
        """Return what came of `signal` with the times that a case gave."""
        return [
            heard.value
            for heard in self.readings
            if heard.tag == signal and FIRST_MS <= heard.time_ms < FIRST_MS + SPAN_MS
        ]


async def until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def reading(source: Source, *tags: Tag) -> AsyncIterator[tuple[Driver, Recorder]]:
    """A driver that reads `tags` of `source` meanwhile."""
    recorder = Recorder()
    driver = driver_class(source.driver)(source.endpoint(), recorder)
    await driver.apply(tags)
    task = asyncio.create_task(driver.run())
    try:
        yield driver, recorder
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class DriverSuite:
    """The cases; `source` is a fixture of the inheriting class."""

    @pytest.fixture
    def tags(self, source: Source) -> list[Tag]:
        return [
            source.tag("state", Kind.STATE),
            source.tag("good", Kind.COUNT),
            source.tag("load", Kind.ANALOG),
            source.tag("scan", Kind.SCAN),
        ]

    async def test_dr_01_it_connects_and_says_so_once(self, source: Source, tags: list[Tag]) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await asyncio.sleep(0.5)
            assert heard.links == [True]

    async def test_dr_02_values_carry_the_time_of_their_source(self, source: Source, tags: list[Tag]) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.set("load", 41.5, FIRST_MS + 17)
            await until(lambda: Heard("load", 41.5, FIRST_MS + 17, GOOD) in heard.readings)

    async def test_dr_03_fast_changes_all_arrive_in_their_order(
        self, source: Source, tags: list[Tag]
    ) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            for step in range(60):
                await source.set("state", step % 17 + 1, FIRST_MS + step)
            await until(lambda: len(heard.values("state")) >= 60)
            assert heard.values("state") == [step % 17 + 1 for step in range(60)]

    async def test_dr_04_other_tags_are_read_without_a_new_connection(
        self, source: Source, tags: list[Tag]
    ) -> None:
        async with reading(source, tags[0]) as (driver, heard):
            await until(lambda: heard.links == [True])
            await driver.apply(tags)
            await asyncio.sleep(0.6)
            await source.set("load", 7.25, FIRST_MS)
            await until(lambda: 7.25 in heard.values("load"))
            await driver.apply(tags[:2])
            for step in range(1, 30):
                await asyncio.sleep(0.6)
                await source.set("load", 8.25 + step, FIRST_MS + 2 * step)
                await source.set("good", step, FIRST_MS + 2 * step + 1)
                while heard.values("good")[-1:] != [step]:
                    await asyncio.sleep(0.05)
                if 8.25 + step not in heard.values("load"):
                    break
            assert 8.25 + step not in heard.values("load")
            assert False not in heard.links[:1]

    async def test_dr_05_an_unknown_tag_is_told_once_and_stops_nobody(
        self, source: Source, tags: list[Tag]
    ) -> None:
        missing = source.missing_tag()
        async with reading(source, *tags, missing) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.set("good", 9, FIRST_MS)
            await until(lambda: 9 in heard.values("good"))
            assert heard.refusals == [missing.name]

    async def test_dr_06_a_lost_source_is_told_once_and_its_return_once(
        self, source: Source, tags: list[Tag]
    ) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.kill()
            await until(lambda: heard.links == [True, False])
            await asyncio.sleep(1.5)
            await source.start()
            await until(lambda: heard.links == [True, False, True])
            await source.set("good", 12, FIRST_MS)
            await until(lambda: 12 in heard.values("good"))

    async def test_dr_07_a_source_that_comes_later_is_found(self, source: Source, tags: list[Tag]) -> None:
        await source.kill()
        async with reading(source, *tags) as (_, heard):
            await asyncio.sleep(0.8)
            assert heard.links == []
            await source.start()
            await until(lambda: heard.links == [True])

    async def test_dr_08_states_of_an_edge_that_was_away_are_read_or_declared(
        self, source: Source, tags: list[Tag]
    ) -> None:
        recent = time.time_ns() // 1_000_000
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.set("state", 2, recent)
            await until(lambda: any(found.time_ms == recent for found in heard.readings))
            marks = heard.marks
        for step in range(1, 6):
            await source.set("state", 2 + step, recent + step)
        recorder = Recorder(marks=marks)
        driver = driver_class(source.driver)(source.endpoint(), recorder)
        await driver.apply(tags)
        task = asyncio.create_task(driver.run())
        try:
            await until(lambda: recorder.links == [True])
            await source.set("state", 17, recent + 10)
            await until(lambda: any(found.value == 17 for found in recorder.readings))
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        states = [
            found.value for found in recorder.readings if found.tag == "state" and found.time_ms > recent
        ]
        if source.keeps_history:
            assert states == [3, 4, 5, 6, 7, 17]
        else:
            assert 17 in states

    async def test_dr_09_bad_quality_arrives_as_bad(self, source: Source, tags: list[Tag]) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.set("load", 3.5, FIRST_MS)
            await source.set("load", 4.5, FIRST_MS + 1, good=False)
            await until(
                lambda: any(
                    found.quality == BAD and found.time_ms == FIRST_MS + 1 for found in heard.readings
                )
            )

    async def test_dr_10_what_cannot_be_read_is_told_and_the_rest_flows_on(
        self, source: Source, tags: list[Tag]
    ) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.spoil()
            await source.set("good", 77, FIRST_MS)
            await until(lambda: 77 in heard.values("good"))
            bad = [found for found in heard.readings if found.quality == BAD]
            assert heard.malformations or bad or heard.refusals

    async def test_dr_11_an_engineer_can_look_around(self, source: Source, tags: list[Tag]) -> None:
        async with reading(source, *tags) as (driver, heard):
            await until(lambda: heard.links == [True])
            await source.set("good", 1, FIRST_MS)
            await until(lambda: 1 in heard.values("good"))
            wanted = source.tag("good", Kind.COUNT)
            seen: set[str] = set()
            front = [""]
            for _ in range(4):
                nodes = [node for place in front for node in await driver.browse(place)]
                seen |= {node.address for node in nodes}
                front = [
                    node.address for node in nodes if not node.leaf and not node.address.startswith("i=")
                ]
            assert wanted.address in seen or f"{wanted.address}#{wanted.path}" in seen

    async def test_dr_12_browsing_a_lost_source_says_so(self, source: Source, tags: list[Tag]) -> None:
        async with reading(source, *tags) as (driver, heard):
            await until(lambda: heard.links == [True])
            await source.kill()
            await until(lambda: heard.links == [True, False])
            with pytest.raises(ConnectionError):
                await driver.browse("")


class NodeSuite(DriverSuite):
    """The cases of a source that has an address space; `asked_often` makes the driver ask again soon."""

    @pytest.mark.usefixtures("asked_often")
    async def test_dr_13_a_node_that_vanishes_is_told_and_read_again_when_it_is_back(
        self, source: NodeSource, tags: list[Tag]
    ) -> None:
        async with reading(source, *tags) as (_, heard):
            await until(lambda: heard.links == [True])
            await source.set("state", 6, FIRST_MS)
            await until(lambda: heard.values("state") == [6])
            before = time.time_ns() // 1_000_000
            await source.vanish("state")
            await until(lambda: set(heard.unread) == {tags[0].name})
            known = heard.unread[tags[0].name]
            assert known is None or known <= before + SPAN_MS
            await source.set("good", 5, FIRST_MS)
            await until(lambda: 5 in heard.values("good"))
            await source.come_back("state")
            await source.set("state", 9, FIRST_MS + 1)
            await until(lambda: heard.values("state")[-1:] == [9] and heard.unread == {})
            assert heard.links == [True]
