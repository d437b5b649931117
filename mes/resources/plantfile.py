"""The plant file: what the MES itself owns of a plant, as TOML, read into a `PlantDefinition`."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mes.kernel.ids import EquipmentId
from mes.resources.model import (
    Calendar,
    Equipment,
    EquipmentLevel,
    PlantDefinition,
    PlantFileNotValid,
    Policy,
    RateDraft,
    Reason,
    ReasonKind,
    SetupRule,
)

DEMO_PLANT = "pump_plant.toml"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Rates of a plant file hold from here on: the file knows no other date."""

KEYS = {
    "file": {field.name for field in fields(PlantDefinition)},
    "policy": {field.name for field in fields(Policy)},
    "equipment": {field.name for field in fields(Equipment)} - {"scope", "work_center", "position"},
    "calendars": {field.name for field in fields(Calendar)},
    "people": {"crew", "skills", "ids", "rate_class"},
    "setups": {"work_center", "families", "seconds"},
    "rates": {field.name for field in fields(RateDraft)},
}
"""What may stand in each table of the file."""

_PLANT = TypeAdapter(PlantDefinition)


def load_plant(path: Path | None = None) -> PlantDefinition:
    """Read a plant file; the demo's pump plant when no path is given.

    Raises:
        PlantFileNotValid: A key is missing, unknown in its place or out of its range.
    """
    source = files("mes.resources").joinpath(DEMO_PLANT) if path is None else path
    return parse_plant(source.read_text("utf-8"))


def parse_plant(text: str) -> PlantDefinition:
    """Return the plant that `text` describes.

    Raises:
        PlantFileNotValid: As for `load_plant`.
    """
    try:
        data = tomllib.loads(text)
        _refuse_unknown(data)
        return _PLANT.validate_python(
            {
                "site": data["site"],
                "timezone": data["timezone"],
                "policy": data.get("policy", {}),
                "equipment": tuple(_places(data["equipment"])),
                "calendars": data["calendars"],
                "skills": data["skills"],
                "people": tuple(_people(data["people"])),
                "families": _families(data.get("families", {})),
                "setups": tuple(_setups(data.get("setups", []))),
                "reasons": tuple(_reasons(data["reasons"])),
                "rates": tuple({"valid_from": EPOCH, **rate} for rate in data.get("rates", [])),
            }
        )
    except tomllib.TOMLDecodeError as error:
        raise PlantFileNotValid(place=str(error)) from error
    except KeyError as error:
        raise PlantFileNotValid(place=f"{error.args[0]} is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PlantFileNotValid(place=f"{place}: {first['msg']}") from error


def _refuse_unknown(data: Mapping[str, Any]) -> None:
    tables = {"file": [data], "policy": [data.get("policy", {})]}
    for name in ("equipment", "calendars", "people", "setups", "rates"):
        tables[name] = data.get(name, [])
    for name, rows in tables.items():
        for row in rows:
            unknown = sorted(set(row) - KEYS[name])
            if unknown:
                raise PlantFileNotValid(place=f"{name}: {unknown[0]} is not known")


def _places(rows: list[Mapping[str, Any]]) -> Iterator[Equipment]:
    known: dict[str, Equipment] = {}
    for position, row in enumerate(rows):
        place = _place(row, known, position)
        known[place.id] = place
        yield place


def _place(row: Mapping[str, Any], known: Mapping[str, Equipment], position: int) -> Equipment:
    parent = known.get(row.get("parent", ""))
    if "parent" in row and parent is None:
        raise PlantFileNotValid(place=f"equipment {row['id']}: parent {row['parent']} comes later")
    level = EquipmentLevel(row["level"])
    below_site = level not in {EquipmentLevel.ENTERPRISE, EquipmentLevel.SITE}
    above = parent.scope if parent is not None else ""
    unit = level is EquipmentLevel.WORK_UNIT
    center = parent if unit else None
    return Equipment(
        id=EquipmentId(row["id"]),
        level=level,
        name=row["name"],
        scope=f"{above}/{row['id']}".strip("/") if below_site else "",
        parent=None if parent is None else parent.id,
        work_center=None if center is None else center.id,
        cost_center=row.get("cost_center", center.cost_center if center else ""),
        skill=row.get("skill", center.skill if center else None),
        calendar=row.get("calendar", center.calendar if center else None),
        assigns_serial=bool(row.get("assigns_serial", False)),
        position=position,
    )


def _people(groups: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for group in groups:
        for person in group["ids"]:
            yield {
                "id": person,
                "crew": group["crew"],
                "skills": tuple(group["skills"]),
                "rate_class": group.get("rate_class", "L1"),
            }


def _families(families: Mapping[str, list[str]]) -> dict[str, str]:
    return {material: family for family, materials in families.items() for material in materials}


def _setups(rows: list[Mapping[str, Any]]) -> Iterator[SetupRule]:
    for row in rows:
        for before in row["families"]:
            for after in row["families"]:
                if before != after:
                    yield SetupRule(
                        work_center=row["work_center"],
                        from_family=before,
                        to_family=after,
                        seconds=row["seconds"],
                    )


def _reasons(kinds: Mapping[str, list[Mapping[str, str]]]) -> Iterator[Reason]:
    for kind, rows in kinds.items():
        for row in rows:
            yield Reason(kind=ReasonKind(kind), code=row["code"], loss=row.get("loss", ""))
