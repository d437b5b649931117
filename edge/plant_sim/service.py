"""The service `plant`: machines, their servers and devices, and the edge's CONFIG.toml."""

from __future__ import annotations

import asyncio
import os
import tomllib
from pathlib import Path
from typing import Any

from edge.control import Control, ControlRefused
from edge.plant_sim import people
from edge.plant_sim.devices import Meter, PackingDevice
from edge.plant_sim.layout import CELLS, DEVICES, METER, PACKING, machines
from edge.plant_sim.machines import Machine
from edge.plant_sim.servers import CellServer, Pki, server_url
from mes.kernel.bus import Bus
from mes.kernel.home import sockets
from mes.kernel.log import get_logger
from mes.kernel.settings import Settings

log = get_logger(__name__)

BROKEN_S = 120.0


class Plant:
    """The simulated plant of one installation."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.home / "plant"
        memory = folder / "memory"
        memory.mkdir(parents=True, exist_ok=True)
        self.machines = machines(memory, seed=settings.plant.seed, pace=settings.plant.pace)
        self.pki = Pki(folder / "pki")
        self.control = Control()
        self.control.register("break-machine", self._break)
        self.control.register("repair-machine", self._repair)
        self.control.register("faulted", self._faulted)
        self.control.register("totals", self._totals)
        self._settings = settings
        self.servers = [
            CellServer(
                cell, {unit: self.machines[unit] for unit in units}, settings.plant.ports[cell], self.pki
            )
            for cell, units in CELLS.items()
        ]
        self._bus = Bus(settings.broker.url_for("device"), name="plant")

    async def run(self) -> None:
        """Work until cancelled."""
        await self.pki.make(list(CELLS))
        write_edge_config(self._settings, self.pki)
        packing = PackingDevice(self.machines[PACKING], self._bus)
        meter = Meter(METER, self.machines.values(), self._bus)
        for server in self.servers:
            await server.start()
        try:
            socket = sockets(self._settings.home) / "plant.sock"
            async with self._bus, self.control.listening(socket), asyncio.TaskGroup() as group:
                for server in self.servers:
                    group.create_task(server.run(), name=f"server {server.cell}")
                group.create_task(packing.run(), name="packing device")
                group.create_task(meter.run(), name="meter")
                group.create_task(self._tick(), name="signals")
                for machine in self.machines.values():
                    group.create_task(machine.live(), name=machine.unit)
                group.create_task(people.work(self, self._settings), name="people")
        finally:
            for server in self.servers:
                await server.stop()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for machine in self.machines.values():
                machine.tick()

    def _machine(self, request: dict[str, Any]) -> Machine:
        unit = str(request.get("equipment", ""))
        if unit not in self.machines:
            raise ControlRefused(f"no machine {unit!r}")
        return self.machines[unit]

    async def _break(self, request: dict[str, Any]) -> dict[str, Any]:
        machine = self._machine(request)
        seconds = float(request.get("seconds", BROKEN_S)) * self._settings.plant.pace
        machine.fault(str(request.get("reason", "SPINDLE_OVERLOAD")), seconds)
        return {"subject": machine.unit}

    async def _repair(self, request: dict[str, Any]) -> dict[str, Any]:
        machine = self._machine(request)
        machine.repair()
        return {"subject": machine.unit}

    async def _faulted(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"machines": [unit for unit, machine in self.machines.items() if machine.faulted]}

    async def _totals(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"machines": {unit: machine.snapshot() for unit, machine in self.machines.items()}}


def edge_config_path(settings: Settings) -> Path:
    """Return where CONFIG.toml of this installation's edge is."""
    return settings.edge.config or settings.home / "edge" / "CONFIG.toml"


def write_edge_config(settings: Settings, pki: Pki) -> None:
    """Write CONFIG.toml of the demo's edge (mode 0600), when no other one is chosen."""
    if settings.edge.config is not None:
        return
    path = edge_config_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [
        f"id = {_quoted(settings.edge.id)}",
        f"broker = {_quoted(settings.broker.url_for('edge'))}",
        f"spool = {_quoted('spool')}",
    ]
    for cell in CELLS:
        lines += [
            "",
            "[[endpoints]]",
            f"name = {_quoted(cell)}",
            'driver = "opcua"',
            f"url = {_quoted(server_url(cell, settings.plant.ports[cell]))}",
            f"certificate = {_quoted(str(pki.certificate('edge')))}",
            f"key = {_quoted(str(pki.key('edge')))}",
            f"trust = {_quoted(str(pki.trusted_by('edge')))}",
        ]
    lines += [
        "",
        "[[endpoints]]",
        f"name = {_quoted(DEVICES)}",
        'driver = "mqtt"',
        f"url = {_quoted(settings.broker.url_for('edge'))}",
    ]
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
