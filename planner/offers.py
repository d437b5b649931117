"""Is another way to a date, as it was told, still to be had? Asked again on the plant as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

SAME_DATE = timedelta(minutes=5)
"""A date that is later by less is the same, as it is of a promise."""

SUBJECTS = ("unit", "order", "quantity")
"""What an offer is about: with another one it is another offer."""

BURDENS = ("minutes", "late")
"""What an offer costs others: minutes of overtime, or by how much somebody else is late."""


def still_holds(now: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether what can be had now is what was told, no clearly later and no clearly dearer."""
    if now["kind"] != told["kind"]:
        return False
    fresh, old = now["params"], told["params"]
    if any(str(fresh.get(name)) != str(old.get(name)) for name in SUBJECTS):
        return False
    if is_later(now["date"], told["date"]) or (now["kind"] == "split" and _comes_later(fresh, old)):
        return False
    return not any(_minutes(fresh, name) - _minutes(old, name) >= SAME_DATE for name in BURDENS)


def is_later(now: str, told: str) -> bool:
    """Whether a date is clearly later than it was told."""
    return datetime.fromisoformat(now) - datetime.fromisoformat(told) >= SAME_DATE


def _comes_later(now: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether the first part does; a date that is none was never told."""
    try:
        return is_later(str(now["first"]), str(told.get("first")))
    except (TypeError, ValueError):
        return True


def _minutes(params: Mapping[str, Any], name: str) -> timedelta:
    value = params.get(name, 0)
    return timedelta(minutes=value) if isinstance(value, int) else timedelta(0)


def first_part(told: Mapping[str, Any]) -> Decimal | None:
    """How much the first of two parts was to be; None where nothing of the kind was told."""
    try:
        quantity = Decimal(str(told["params"].get("quantity")))
    except InvalidOperation:
        return None
    return quantity if quantity.is_finite() else None
