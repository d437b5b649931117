"""Asks whether a JSON value is what a schema of the planner says: the words of it that ours use."""

from __future__ import annotations

from typing import Any

from planner.schema import schema

WHOLE = schema()

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def differences(data: Any, kind: str) -> list[str]:
    """What of `data` is not as the class of that name is defined; empty when all is."""
    return _differences(data, WHOLE["$defs"][kind], kind)


def _differences(data: Any, rule: dict[str, Any], at: str) -> list[str]:
    if "$ref" in rule:
        return _differences(data, WHOLE["$defs"][rule["$ref"].rpartition("/")[2]], at)
    if "anyOf" in rule:
        found = [_differences(data, one, at) for one in rule["anyOf"]]
        return min(found, key=len) + _out_of_range(data, rule, at)
    if "enum" in rule:
        return [] if data in rule["enum"] else [f"{at} is {data!r}"]
    is_kind = isinstance(data, KINDS[rule["type"]])
    if not is_kind or (isinstance(data, bool) and rule["type"] != "boolean"):
        return [f"{at} is {data!r}, no {rule['type']}"]
    return _inside(data, rule, at)


def _inside(data: Any, rule: dict[str, Any], at: str) -> list[str]:
    if rule["type"] == "array":
        return [row for i, item in enumerate(data) for row in _differences(item, rule["items"], f"{at}[{i}]")]
    return _of_object(data, rule, at) if rule["type"] == "object" else _out_of_range(data, rule, at)


def _of_object(data: dict[str, Any], rule: dict[str, Any], at: str) -> list[str]:
    found = [f"{at} has no {name}" for name in rule.get("required", ()) if name not in data]
    others = rule.get("additionalProperties", True)
    for name, value in data.items():
        if one := rule.get("properties", {}).get(name):
            found += _differences(value, one, f"{at} {name}")
        elif others is False:
            found.append(f"{at} has {name}")
        elif others is not True:
            found += _differences(value, others, f"{at} {name}")
    return found


def _out_of_range(data: Any, rule: dict[str, Any], at: str) -> list[str]:
    if not isinstance(data, int):
        return []
    is_low, is_high = data < rule.get("minimum", data), data > rule.get("maximum", data)
    return [f"{at} is {data}"] if is_low or is_high else []
