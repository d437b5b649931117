"""One measured figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number with its unit and, where there is one, the limit or the peer of the same run."""

    name: str
    value: float
    unit: str
    beside: str = ""
    """Such as `limit 50` or `raw COPY 0.84`."""
