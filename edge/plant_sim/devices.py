"""The two devices that speak MQTT JSON: a packing machine with a scanner, and an energy meter."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from edge.plant_sim.layout import DEVICES
from edge.plant_sim.machines import Machine
from mes.kernel.bus import Bus, BusDown

HEARTBEAT_S = 10.0
GATHER_S = 0.2
METER_S = 5.0


class PackingDevice:
    """Reports the packing machine: what is now, and its last numbered changes and scans.

    Each report repeats the last entries, so one that a broker loses is made good by the next.
    """

    def __init__(self, machine: Machine, bus: Bus) -> None:
        self._machine = machine
        self._bus = bus
        self._news = asyncio.Event()
        machine.publish = self._heard

    def _heard(self, name: str, _value: float | str, _at: datetime) -> None:
        if name not in self._machine.values:
            self._news.set()

    def report(self) -> dict[str, Any]:
        """Return what the device says of itself, all of it at one moment."""
        memory, now = self._machine.memory, _iso(self._machine.now())
        return {
            "device": self._machine.unit,
            "time": now,
            "fault": memory.fault,
            "good": memory.totals.good,
            "scrap": memory.totals.scrap,
            "changes": [{"n": e.number, "state": e.value, "time": _iso(e.at)} for e in memory.changes],
            "scans": [{"n": e.number, "code": e.value, "time": _iso(e.at)} for e in memory.scans],
            "values": {"power": self._machine.values["power"]},
            "totals": {**asdict(memory.totals), "time": now},
        }

    async def run(self) -> None:
        """Report each change, and now and then without one; for ever."""
        topic = f"{DEVICES}/{self._machine.unit.lower()}/report"
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._news.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._news.clear()
            await _send(self._bus, topic, self.report())


class Meter:
    """The plant's energy meter."""

    def __init__(self, unit: str, machines: Iterable[Machine], bus: Bus) -> None:
        self._topic = f"{DEVICES}/{unit.lower()}/reading"
        self._machines = tuple(machines)
        self._bus = bus
        self._energy = 0.0

    async def run(self) -> None:
        """Report power and energy; for ever."""
        while True:
            await asyncio.sleep(METER_S)
            power = 1.5 + sum(machine.values.get("power", 0.0) for machine in self._machines)
            self._energy += power * METER_S / 3600
            reading = {"p": round(power, 2), "e": round(self._energy, 3)}
            await _send(self._bus, self._topic, {"m": reading, "ts": time.time_ns() // 1_000_000})


async def _send(bus: Bus, topic: str, body: dict[str, Any]) -> None:
    try:
        await bus.publish(topic, json.dumps(body).encode())
    except BusDown:
        await bus.connected.wait()


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
