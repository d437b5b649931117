"""Write the missing samples of the event catalogue; existing ones are never touched.

Run: `python -m tests.data.events.write_samples`
"""

import json
import types
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from mes.kernel import outbox
from tests.unit.kernel.test_event_samples import SAMPLES, catalogue

PLAIN: dict[Any, Any] = {
    str: "X-1",
    int: 3,
    bool: True,
    float: 1.5,
    Decimal: Decimal("1.50"),
    datetime: datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
    date: date(2026, 11, 2),
    UUID: UUID("01912d68-783e-7a8b-bd5c-1a2b3c4d5e6f"),
}


def sample(kind: Any) -> Any:
    """Return a fixed value of type `kind`.

    Raises:
        TypeError: A field type that events should not have.
    """
    kind = getattr(kind, "__supertype__", kind)
    if kind in PLAIN:
        return PLAIN[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return sample(args[0])
    if origin is tuple:
        return (sample(args[0]),)
    if origin is not None and origin.__name__ == "Literal":
        return args[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if is_dataclass(kind):
        return instance(kind)
    msg = f"no sample for {kind}"
    raise TypeError(msg)


def instance(cls: Any) -> Any:
    """Return an instance of dataclass `cls` with a value in every field."""
    hints = get_type_hints(cls)
    return cls(**{spec.name: sample(hints[spec.name]) for spec in fields(cls)})


def main() -> None:
    """Write what is missing."""
    for name, cls in catalogue().items():
        path = SAMPLES / f"{name}.v{cls.schema_version}.json"
        if not path.exists():
            path.write_text(json.dumps(outbox.to_json(instance(cls)), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
