"""The JSON form of problems and schedules: the field names of the dataclasses, defaults left out.

Reading is strict: an unknown field, a missing one, a wrong type and a blank text are faults that name
their row.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from planner.fault import Fault, InvalidProblem
from planner.problem import Problem
from planner.schedule import Assignment, Schedule

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json = Any
"""A value that `json` writes: dict, list, str, int, float, bool or None."""


PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types whose values are their own JSON form."""


def problem_to_json(problem: Problem) -> dict[str, Json]:
    """The problem as a JSON object."""
    return {name: _written(value) for name, value in _members(problem).items()}


def problem_from_json(data: Json) -> Problem:
    """Read a problem.

    Raises:
        InvalidProblem: Every fault of form, or else every contradiction, with its row.
    """
    faults: list[Fault] = []
    values = _Reader(faults).members(Problem, data, "problem")
    if faults or values is None:
        raise InvalidProblem(faults)
    return Problem(**values)


def schedule_to_json(schedule: Schedule) -> dict[str, Json]:
    """The schedule as a JSON object; row by row by hand, because who stopped a search waits for it."""
    return {"assignments": [_assignment(row) for row in schedule.assignments]}


def _assignment(row: Assignment) -> dict[str, Json]:
    reason: dict[str, Json] = {"code": row.reason.code}
    if row.reason.params:
        reason["params"] = dict(row.reason.params)
    return {
        "operation": row.operation,
        "unit": row.unit,
        "setup_start": row.setup_start,
        "start": row.start,
        "end": row.end,
        "setup": row.setup,
        "reason": reason,
    }


def schedule_from_json(data: Json) -> Schedule:
    """Read a schedule.

    Raises:
        InvalidProblem: Faults of form, with their rows.
    """
    faults: list[Fault] = []
    values = _Reader(faults).members(Schedule, data, "schedule")
    if faults or values is None:
        raise InvalidProblem(faults)
    return Schedule(**values)


def _members(row: DataclassInstance) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults."""
    known = _defaults(type(row))
    return {name: value for name, default in known if (value := getattr(row, name)) != default}


@cache
def _defaults(kind: type[DataclassInstance]) -> tuple[tuple[str, Any], ...]:
    """The names of fields and what they are when nothing is said; MISSING is no value's equal."""
    return tuple(
        (f.name, f.default if f.default_factory is MISSING else f.default_factory()) for f in fields(kind)
    )


def _written(value: Any) -> Json:
    if type(value) in PLAIN:
        return value
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return {name: _written(member) for name, member in _members(value).items()}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


class _Reader:
    """Turns JSON into dataclasses and notes what does not fit."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def _fault(self, row: str, what: str, remedy: str) -> None:
        self._faults.append(Fault(row, what, remedy))

    def members(self, kind: type, data: Json, row: str) -> dict[str, Any] | None:
        """The constructor's arguments for `kind`, or None when something is missing."""
        if not isinstance(data, Mapping):
            self._fault(row, f"is {_named(data)}", "Give an object with named fields")
            return None
        known = {field.name: field for field in fields(kind)}
        for name in data:
            if name not in known:
                self._fault(row, f"has the unknown field {name}", f"Use {', '.join(known)}")
        values: dict[str, Any] = {}
        for name, field in known.items():
            if name in data and data[name] == "" == field.default:
                values[name] = ""
            elif name in data:
                values[name] = self.value(_hints(kind)[name], data[name], f"{row} {name}")
            elif field.default is MISSING and field.default_factory is MISSING:
                self._fault(row, f"has no {name}", f"Add the field {name}")
        return values

    def value(self, kind: Any, data: Json, row: str) -> Any:
        """`data` as `kind`; None after a fault."""
        origin = get_origin(kind)
        if origin in {Union, types.UnionType}:
            return self._either(get_args(kind), data, row)
        if origin is tuple:
            return self._row(get_args(kind)[0], data, row)
        if origin is Literal:
            return self._word(get_args(kind), data, row)
        if is_dataclass(kind) and isinstance(kind, type):
            before = len(self._faults)
            values = self.members(kind, data, row)
            return kind(**values) if values is not None and len(self._faults) == before else None
        return self._plain(kind, data, row)

    def _either(self, kinds: tuple[Any, ...], data: Json, row: str) -> Any:
        if data is None and type(None) in kinds:
            return None
        return self.value(next(kind for kind in kinds if kind is not type(None)), data, row)

    def _row(self, kind: Any, data: Json, row: str) -> Any:
        if not isinstance(data, list):
            self._fault(row, f"is {_named(data)}", "Give a list")
            return ()
        return tuple(self.value(kind, item, _label(row, i, item)) for i, item in enumerate(data))

    def _word(self, words: tuple[str, ...], data: Json, row: str) -> Any:
        if data not in words:
            self._fault(row, f"is {data!r}", f"Use one of {', '.join(words)}")
        return data

    def _plain(self, kind: Any, data: Json, row: str) -> Any:
        if kind is datetime:
            return self._time(data, row)
        if get_origin(kind) is not None:  # the parameters of a reason
            return dict(data) if isinstance(data, Mapping) else {}
        if type(data) is not kind:
            self._fault(row, f"is {_named(data)}", f"Give {_article(kind)}")
        elif kind is str and not data.strip():
            self._fault(row, "is blank", "Give it a name, or leave it out where nothing is meant")
        elif kind is str and not _is_unicode(data):
            self._fault(row, "has half of a character (a lone surrogate)", "Write it in whole characters")
        return data

    def _time(self, data: Json, row: str) -> datetime | None:
        try:
            return datetime.fromisoformat(data)
        except (TypeError, ValueError):
            self._fault(row, f"is {data!r}", "Give an ISO time such as 2026-11-02T06:00:00+00:00")
            return None


def _is_unicode(text: str) -> bool:
    """Whether a text can be written; JSON lets half of a pair of surrogates pass."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _label(row: str, index: int, item: Json) -> str:
    name = item.get("id", item.get("operation")) if isinstance(item, Mapping) else None
    is_name = isinstance(name, str) and name.strip() and _is_unicode(name)
    return f"{row} {name}" if is_name else f"{row}[{index}]"


def _named(data: Json) -> str:
    words = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return words.get(type(data), f"{data!r}")


def _article(kind: type) -> str:
    return {int: "a whole number", str: "text", bool: "true or false"}[kind]
