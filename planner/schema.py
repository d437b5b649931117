"""The JSON Schema of problems and of all that the command answers, read off the dataclasses.

Source:
    JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import datetime
from inspect import cleandoc
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from planner.bench import Result
from planner.contradiction import LockedPlace, Mend, Released
from planner.difference import Difference
from planner.explain import Cause
from planner.fault import Fault
from planner.form import Json
from planner.named import Named
from planner.objective import Score
from planner.problem import Problem
from planner.progress import Progress
from planner.ranges import RANGES
from planner.schedule import Schedule
from planner.share import CpShare
from planner.ties import Excess
from planner.too_long import TooLong
from planner.unmanned import Unmanned

LIMITS: dict[tuple[str, str], tuple[int, int]] = {
    place: (limits.least, limits.most) for place, limits in RANGES.items()
}
"""The least and the greatest of a number; a refusal names what is beyond."""


@dataclass(frozen=True)
class CpAnswer(CpShare):
    """What CP-SAT brought to a plan.

    Args:
        share: Its part of what was saved against the dispatch plan; null where nothing was.
    """

    share: float | None


@dataclass(frozen=True)
class Plan:
    """The answer of `solve`, and the `plan` in the rows of `replan`.

    Args:
        solver: Who made the sequences.
        rule: The dispatch rule that began, or "known" for the published plan.
        status: "optimal" when no plan is better; "stopped" when the search was told to end.
        objective: What it costs, in points.
        bound: No plan costs less.
        gap: Share of the objective that may still be saved; null where no bound is known.
        dispatch_objective: What the dispatch plan alone would have cost.
        cp: What CP-SAT brought; null where it was not asked.
        released: Locks that no plan keeps, and that this one is without.
        named: Who could do work that starts before `named_until`.
        excesses: Greatest lags that cannot be kept, because the step before is a fact.
        too_long: Steps that no break may interrupt and that fit into no shift; they are behind the horizon.
        unmanned: Steps whose skill nobody has, or is expected with; they are behind the horizon.
        why_late: Late order -> its minutes by cause, which add up to its lateness; not there when the search
            was stopped, and in the row `repaired`.
    """

    solver: Literal["dispatch", "annealing", "tabu search", "cp-sat"]
    rule: str
    status: Literal["optimal", "feasible", "stopped"]
    objective: int
    bound: int
    gap: float | None
    dispatch_objective: int
    cp: CpAnswer | None
    score: Score
    released: tuple[Released, ...]
    named: tuple[Named, ...]
    schedule: Schedule
    excesses: tuple[Excess, ...]
    too_long: tuple[TooLong, ...]
    unmanned: tuple[Unmanned, ...]
    why_late: Mapping[str, tuple[Cause, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ProgressRow(Progress):
    """A plan that is better than all before it: standard error of `solve`, a row of `replan`."""

    kind: Literal["progress"]


@dataclass(frozen=True)
class PlanRow:
    """A row of `replan` before its last: the published plan put right, then the plan that moves nobody."""

    kind: Literal["repaired", "kept"]
    plan: Plan


@dataclass(frozen=True)
class LastRow:
    """The last row of `replan`.

    Args:
        better: A plan that costs less by moving published work; null when there is none.
        changes: What it changes against the plan that moves nobody.
        kept_objective: What that one costs in the measure of `better`.
        fresh: Nothing was published before.
    """

    kind: Literal["replanned"]
    better: Plan | None
    changes: Difference | None
    kept_objective: int
    fresh: bool


@dataclass(frozen=True)
class FaultRow(Fault):
    """What is wrong in which row, and how to mend it; of locks that contradict each other also why.

    Args:
        locks: Those of which no plan keeps all.
        rules: Which rules forbid it.
        mends: One for each lock; any of them is enough.
        proved: False when that was not shown in the time there was.
    """

    locks: tuple[LockedPlace, ...] = ()
    rules: tuple[str, ...] = ()
    mends: tuple[Mend, ...] = ()
    proved: bool = True


@dataclass(frozen=True)
class RefusedRow:
    """A refusal, with exit code 2; 74 where the answer cannot be written.

    Args:
        error: `NotJson` (it is no JSON), `InvalidProblem` (a field is missing, unknown, of a wrong type or
            out of its range, or rows contradict each other; every fault is named), `LocksConflict` (no plan
            keeps all locks); of `bench` also `NoInstance` and `NoKernel`; on standard error `NotWritten`.
        instance: Of `bench`, the file that is no instance; the others are planned.
    """

    kind: Literal["refused"]
    error: Literal["NotJson", "InvalidProblem", "LocksConflict", "NoInstance", "NoKernel", "NotWritten"]
    faults: tuple[FaultRow, ...]
    instance: str = ""


ANSWERS: dict[str, type] = {
    "problem": Problem,
    "plan": Plan,
    "progress": ProgressRow,
    "repaired_or_kept": PlanRow,
    "replanned": LastRow,
    "refused": RefusedRow,
    "bench": Result,
}
"""What is read and written, by the names under which the schema defines it."""


def schema() -> dict[str, Json]:
    """The schema of a problem; what is answered is defined beside it, see `ANSWERS`."""
    definitions: dict[str, Json] = {}
    for kind in ANSWERS.values():
        _of(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A problem of the Lineside planner, and the answers to it",
        "$ref": "#/$defs/Problem",
        "$defs": dict(sorted(definitions.items())),
    }


def classes() -> list[type]:
    """All dataclasses of the form, each before those that it is made of."""
    definitions: dict[str, Json] = {}
    found: dict[str, type] = {}
    for kind in ANSWERS.values():
        _of(kind, definitions, found)
    return list(found.values())


def meanings(kind: type) -> tuple[str, dict[str, str]]:
    """What a class says of itself and of some of its fields, by name, in the words of JSON."""
    rows: dict[str, list[str]] = {}
    for one in (*reversed(kind.__mro__[1:-1]), kind):
        _, _, rest = cleandoc(one.__doc__ or "").partition("\n\nArgs:\n")
        name = ""
        for line in rest.partition("\n\n")[0].splitlines():
            field_name, colon, words = line.strip().partition(": ")
            if colon and not line.startswith("     "):
                name, rows[field_name] = field_name, [words]
            else:
                rows[name].append(line.strip())
    about = cleandoc(kind.__doc__ or "").partition("\n\nArgs:\n")[0].partition("\n\nRaises:\n")[0]
    return _as_json(about.split()), {name: _as_json(words) for name, words in rows.items()}


def _as_json(words: Iterable[str]) -> str:
    return re.sub(r"\bNone\b", "null", " ".join(words))


def is_needed(one: Field[Any]) -> bool:
    """Whether a row without this field is refused."""
    return one.default is MISSING and one.default_factory is MISSING


def _of(kind: Any, definitions: dict[str, Json], found: dict[str, type] | None = None) -> dict[str, Json]:
    """The schema of a type; a dataclass is defined once and referred to."""
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_of(one, definitions, found) for one in get_args(kind)]}
    if origin is tuple:
        return {"type": "array", "items": _of(get_args(kind)[0], definitions, found)}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin is not None:
        return {"type": "object", "additionalProperties": _of(get_args(kind)[1], definitions, found)}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}
            if found is not None:
                found[kind.__name__] = kind
            definitions[kind.__name__] = _members(kind, definitions, found)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return dict(_PLAIN[kind])


_PLAIN: dict[Any, dict[str, Json]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
}


def _members(kind: type, definitions: dict[str, Json], found: dict[str, type] | None) -> dict[str, Json]:
    hints, (about, words) = get_type_hints(kind), meanings(kind)
    properties: dict[str, Json] = {}
    for one in fields(kind):
        row = _of(hints[one.name], definitions, found)
        if limits := LIMITS.get((kind.__name__, one.name)):
            row |= {"minimum": limits[0], "maximum": limits[1]}
        row |= {"description": words[one.name]} if one.name in words else {}
        properties[one.name] = row
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": [one.name for one in fields(kind) if is_needed(one)],
        "additionalProperties": False,
    }
