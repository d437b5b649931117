"""The reference page of the planner's JSON, written from its dataclasses."""

import json
import re
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from inspect import getsource
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from planner import explain, schedule
from planner.problem import Problem
from planner.schema import LIMITS, classes, is_needed, meanings

HEAD = """\
# The JSON of the planner

Written from the dataclasses of `planner/` by `python -m tests.architecture.catalogue`; a test compares it
with the code. `python -m planner schema` writes the same as a JSON Schema (draft 2020-12).

A problem is one object, [Problem](#problem). Times are whole minutes after its `origin`, lengths whole
minutes, quantities whole units of whatever is counted, costs points. A field with a default can be left out.
What is unknown, missing, of a wrong type or beyond its limits is refused, and so are rows that contradict one
another: the answer is a [RefusedRow](#refusedrow) whose faults name the row, what is wrong and how to mend
it, all at once, with exit code 2.

| command | writes |
|---|---|
| `solve` | one [Plan](#plan) on standard output; [progress](#progressrow) on standard error |
| `replan` | an object a line: [progress](#progressrow), [repaired and kept](#planrow), [the last](#lastrow) |
| `bench` | one [Result](#result) a line, or a [RefusedRow](#refusedrow) for what is no instance |
"""

CODE = re.compile(r'^    "(\w+)",  # (.*)$', re.MULTILINE)

PLAIN = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    datetime: "ISO time with its zone",
}


def form_page() -> str:
    """Return every row of a problem and of the answers as Markdown."""
    parts, part = [HEAD], ""
    ours = {kind for kind in classes() if kind.__module__ in {Problem.__module__, "planner.material"}}
    for kind in classes():
        here = "Problem" if kind in ours else "Answers"
        if here != part:
            part = here
            parts.append(f"## {'What is asked' if here == 'Problem' else 'What is answered'}\n")
        parts.append("\n".join(_class(kind)))
    parts.append("\n".join(_codes("Codes of a binding reason, and their parameters", schedule)))
    parts.append("\n".join(_codes("Codes of causes of lateness", explain)))
    return "\n".join(parts)


def _class(kind: type) -> Iterator[str]:
    about, words = meanings(kind)
    yield f"### {kind.__name__}\n"
    yield f"{about}\n"
    yield "| field | type | default | limits | meaning |\n|---|---|---|---|---|"
    hints = get_type_hints(kind)
    for field in fields(kind):
        meaning = words.get(field.name, "")
        limits = _limits(LIMITS.get((kind.__name__, field.name)))
        cells = (f"`{field.name}`", _type(hints[field.name]), _default(field), limits, meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _type(kind: Any) -> str:
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return " or ".join(map(_type, get_args(kind)))
    if origin is tuple:
        return f"list of {_type(get_args(kind)[0])}"
    if origin is Literal:
        words = get_args(kind)
        return "a code, see below" if len(words) > 6 else " or ".join(f"`{word}`" for word in words)
    if origin is not None:
        return f"object of {_type(get_args(kind)[1])}"
    if is_dataclass(kind):
        name = getattr(kind, "__name__", "")
        return f"[{name}](#{name.lower()})"
    return PLAIN[kind]


def _default(field: Field[Any]) -> str:
    if is_needed(field):
        return "needed"
    value = field.default
    if value is MISSING or value in ((), ""):
        return "empty"
    return "its own" if is_dataclass(value) else f"`{json.dumps(value)}`"


def _limits(limits: tuple[int, int] | None) -> str:
    return "" if limits is None else f"{limits[0]:,} to {limits[1]:,}"


def _codes(title: str, module: ModuleType) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| code | what it says |\n|---|---|"
    for code, words in CODE.findall(getsource(module)):
        yield f"| `{code}` | {words} |"
    yield ""
