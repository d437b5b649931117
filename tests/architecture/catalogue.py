"""Write what is read off the code: the reference pages, and the API description for the pages.

Run: `python -m tests.architecture.catalogue`
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from inspect import cleandoc, getsource
from itertools import pairwise

from pydantic import BaseModel

from mes.access.model import ROLE_PERMISSIONS, Permission, Role
from mes.app import describe, installed_routers
from mes.kernel.outbox import Event
from mes.kernel.settings import Settings
from tests.architecture.graph import ROOT
from tests.architecture.planner_form import form_page
from tests.unit.kernel.test_event_samples import catalogue

REFERENCE = ROOT / "docs" / "reference"
EVENTS = REFERENCE / "event-catalogue.md"
PERMISSIONS = REFERENCE / "permissions.md"
SETTINGS = REFERENCE / "settings.md"
PLANNER = REFERENCE / "planner-json.md"
OPENAPI = ROOT / "dashboards" / "web" / "openapi.json"

ENVELOPE = """\
# Event catalogue

Written from the dataclasses in `mes/*/events.py` by `python -m tests.architecture.catalogue`; a test
compares it with the code. What each activity tells the rest of the plant, and in which words.

An event is stored in the transaction that stores its facts (`mes.event`), and read by a `(xid, id)`
cursor. Beside the fields below every stored event has: `event_id` (UUID), `type`, `schema_version`,
`site`, `scope` (hierarchy below the site, such as `MACH/MC/CNC-2`), `aggregate` (the thing whose
history it belongs to), `actor`, `terminal`, `key` (idempotency key of the command), `causation`
(event that led to it), `at` (business time), `recorded_at` (time of booking), `simulated` (booked as
demo history).

Quantities are exact decimals with their unit (`uom`), money exact decimals with its `currency`; in
JSON decimals are strings, times are ISO 8601 in UTC. A stored sample of each version stands in
`tests/data/events/`.
"""

RIGHTS = """\
# Permissions

Written from `mes/access/model.py` by `python -m tests.architecture.catalogue`; a test compares it with
the code. Every route names one permission; a role holds at a site and at a place of its hierarchy, and
below it. Whatever is not in this table is refused.
"""


SETTINGS_HEAD = """\
# Settings

Written from `mes/kernel/settings.py` by `python -m tests.architecture.catalogue`; a test compares it with
the code. A variable of the environment wins over `lineside.toml` in `LINESIDE_HOME`; an unknown key stops
the process with its name. `DATABASE_URL` and `HISTORIAN_URL` are read by these plain names too.
"""


def events_page() -> str:
    """Return the event catalogue as Markdown."""
    by_activity: dict[str, list[type[Event]]] = {}
    for cls in catalogue().values():
        by_activity.setdefault(cls.__module__.split(".")[1], []).append(cls)
    parts = [ENVELOPE]
    for activity in sorted(by_activity):
        parts.append(f"## {activity}\n")
        parts.extend(_event(cls) for cls in sorted(by_activity[activity], key=lambda cls: cls.__name__))
    return "\n".join(parts)


def _event(cls: type[Event]) -> str:
    lines = [f"### {cls.__name__}\n", _text(cls), ""]
    lines.append(f"Version {cls.schema_version}; history of `{cls.aggregate_field}`.\n")
    lines += ["| field | type |", "|---|---|", *_fields(cls), ""]
    return "\n".join(lines)


def _fields(cls: type[Event]) -> Iterator[str]:
    for found in fields(cls):
        if found.name not in {"site", "scope"}:
            kind = found.type if isinstance(found.type, str) else _type_name(found.type)
            yield f"| `{found.name}` | {kind.replace('|', 'or')} |"


def _type_name(kind: object) -> str:
    if isinstance(kind, type) and not str(kind).startswith(("tuple[", "list[", "dict[")):
        return kind.__name__
    name = getattr(kind, "__name__", None) if hasattr(kind, "__supertype__") else None
    return name or re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", str(kind))


def _text(cls: type[Event]) -> str:
    return cleandoc(cls.__doc__ or "").split("\n\nArgs:")[0].strip()


def permissions_page() -> str:
    """Return the table of rights as Markdown."""
    head = "| permission | " + " | ".join(role.value for role in Role) + " |"
    lines = [RIGHTS, head, "|---|" + "---|" * len(Role)]
    for permission in Permission:
        marks = ("yes" if permission in ROLE_PERMISSIONS[role] else "" for role in Role)
        lines.append(f"| `{permission.value}` | " + " | ".join(marks) + " |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return every setting with its variable, default and meaning as Markdown."""
    lines = [SETTINGS_HEAD, "| key in lineside.toml | variable | default | meaning |", "|---|---|---|---|"]
    lines += _settings(Settings, "")
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], section: str) -> Iterator[str]:
    meanings = _meanings(model)
    for name, found in model.model_fields.items():
        kind = found.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{name}.")
            continue
        variable = "LINESIDE_" + (section + name).replace(".", "__").upper()
        default = "" if found.default_factory else _default(found.default)
        yield f"| `{section}{name}` | `{variable}` | {default} | {meanings.get(name, '')} |"


def _default(value: object) -> str:
    return "" if value is None or value == "" else f"`{value}`"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the text under each field of a class."""
    body = ast.parse(getsource(model)).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def openapi_text() -> str:
    """Return the OpenAPI description of every installed router."""
    return json.dumps(describe(installed_routers()), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    OPENAPI.write_text(openapi_text(), encoding="utf-8")
    EVENTS.write_text(events_page(), encoding="utf-8")
    PERMISSIONS.write_text(permissions_page(), encoding="utf-8")
    SETTINGS.write_text(settings_page(), encoding="utf-8")
    PLANNER.write_text(form_page(), encoding="utf-8")
