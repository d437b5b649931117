"""The pump plant's machines: who stands where, what each measures, and the tags that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.plant_sim.machines import Machine, Signal

NAMESPACE = "urn:lineside:plant"
CELLS = {
    "machining": ("CNC-1", "CNC-2", "CNC-3", "CNC-4"),
    "assembly": ("ASM-1", "ASM-2", "ASM-3"),
    "test": ("TEST-1",),
}
"""Units by the OPC UA server of their cell."""
PACKING = "PACK-1"
METER = "METER-1"
DEVICES = "devices"
"""Endpoint of the MQTT devices."""
SCANNERS = frozenset({"TEST-1", PACKING})

_SPINDLE = (
    Signal("spindle_load", "%", rest=0.0, work=58.0, noise=4.0, lag_s=2.0),
    Signal("spindle_speed", "1/min", rest=0.0, work=4200.0, noise=60.0, lag_s=2.0),
    Signal("power", "kW", rest=0.4, work=7.5, noise=0.4, lag_s=2.0),
)
_STATION = (
    Signal("torque", "N.m", rest=0.0, work=24.0, noise=1.2, lag_s=1.0),
    Signal("power", "kW", rest=0.1, work=0.9, noise=0.06, lag_s=1.0),
)
_BENCH = (
    Signal("pressure", "bar", rest=0.0, work=6.0, noise=0.12, lag_s=3.0),
    Signal("flow", "m3/h", rest=0.0, work=42.0, noise=0.8, lag_s=3.0),
    Signal("power", "kW", rest=0.2, work=5.5, noise=0.2, lag_s=3.0),
)
_PACKER = (Signal("power", "kW", rest=0.1, work=1.2, noise=0.08),)
SIGNALS = {"CNC": _SPINDLE, "ASM": _STATION, "TEST": _BENCH, "PACK": _PACKER}

_TOTALS = {
    "total_good": "count.good",
    "total_scrap": "count.scrap",
    "total_states": "state",
    "total_scans": "scan",
}


def machines(folder: Path | None = None, *, seed: int = 0, pace: float = 1.0) -> dict[str, Machine]:
    """Return the plant's machines by their code.

    Args:
        folder: Where they keep their memory; none: nowhere.
        pace: Speed of their time.
    """
    units = [unit for cell in CELLS.values() for unit in cell] + [PACKING]
    return {
        unit: Machine(
            unit,
            signals=SIGNALS[unit.partition("-")[0]],
            folder=folder,
            seed=seed,
            scans=unit in SCANNERS,
            pace=pace,
        )
        for unit in units
    }


def tags() -> list[dict[str, Any]]:
    """Return the tags of the demo's edge, as rows of its first configuration."""
    found = [row for cell, units in CELLS.items() for unit in units for row in _opcua_tags(cell, unit)]
    return [*found, *_packing_tags(), *_meter_tags()]


def _opcua_tags(cell: str, unit: str) -> list[dict[str, Any]]:
    def row(signal: str, kind: str, **more: Any) -> dict[str, Any]:
        address = f"nsu={NAMESPACE};s={unit}.{signal}"
        return {"name": f"{unit}/{signal}", "kind": kind, "endpoint": cell, "address": address, **more}

    rows = [
        row("fault", "fault", datatype="string"),
        row("state", "state", datatype="int"),
        row("good", "count", metric="count.good", datatype="int", unit="pc"),
        row("scrap", "count", metric="count.scrap", datatype="int", unit="pc"),
    ]
    rows += [
        row(signal, "total", metric=metric, datatype="int")
        for signal, metric in _TOTALS.items()
        if signal != "total_scans" or unit in SCANNERS
    ]
    if unit in SCANNERS:
        rows.append(row("scan", "scan", datatype="string", reader=f"{unit}-SCAN"))
    for signal in SIGNALS[unit.partition("-")[0]]:
        rows.append(row(signal.name, "analog", unit=signal.unit, deadband=signal.noise))
    return rows


def _packing_tags() -> list[dict[str, Any]]:
    def row(signal: str, kind: str, **more: Any) -> dict[str, Any]:
        place = {"endpoint": DEVICES, "address": "devices/pack-1/report"}
        return {"name": f"{PACKING}/{signal}", "kind": kind, **place, "time": "$.time", **more}

    changes = {"each": "$.changes", "time": "$.time", "number": "$.n"}
    rows = [
        row("fault", "fault", datatype="string", path="$.fault"),
        row("state", "state", datatype="int", path="$.state", **changes),
        row("good", "count", metric="count.good", datatype="int", unit="pc", path="$.good"),
        row("scrap", "count", metric="count.scrap", datatype="int", unit="pc", path="$.scrap"),
        row(
            "scan",
            "scan",
            datatype="string",
            path="$.code",
            reader=f"{PACKING}-SCAN",
            **{**changes, "each": "$.scans"},
        ),
        row("power", "analog", unit="kW", path="$.values.power", deadband=0.08),
    ]
    for signal, metric in _TOTALS.items():
        name = signal.removeprefix("total_")
        rows.append(
            row(signal, "total", metric=metric, datatype="int", path=f"$.totals.{name}", time="$.totals.time")
        )
    return rows


def _meter_tags() -> list[dict[str, Any]]:
    place = {"endpoint": DEVICES, "address": "devices/meter-1/reading", "time": "$.ts", "kind": "analog"}
    return [
        {"name": f"{METER}/power", "unit": "kW", "path": "$.m.p", "deadband": 0.2, **place},
        {"name": f"{METER}/energy", "unit": "kWh", "path": "$.m.e", "deadband": 0.1, **place},
    ]
