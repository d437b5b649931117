"""Days wanted and days promised at a sale: who wrote which.

Tryton derives a sale line's shipping date from the planned dates of its outgoing moves. The bridge writes
promises there, and people write there what the customer wants now. What stands in the sale's comment tells
the two apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

PROMISED = re.compile(r"^Promised: (\d{4}-\d\d-\d\d)", re.MULTILINE)
WANTED = re.compile(r"^Wanted: (\d{4}-\d\d-\d\d) instead of (\d{4}-\d\d-\d\d|no date)$", re.MULTILINE)
OURS = ("Promised: ", "Wanted: ")
NO_DATE = "no date"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the bridge noted in a sale's comment.

    Args:
        promised: The day that it promised last, and wrote to the moves that nobody had changed.
        wanted: A day that somebody had set at the shipment.
        instead_of: The sale's own day at that time, as it is written.
    """

    promised: date | None = None
    wanted: date | None = None
    instead_of: str = NO_DATE

    @classmethod
    def of(cls, comment: str | None) -> Notes:
        """Read them."""
        promised, wanted = PROMISED.search(comment or ""), WANTED.search(comment or "")
        return cls(
            None if promised is None else date.fromisoformat(promised[1]),
            None if wanted is None else date.fromisoformat(wanted[1]),
            NO_DATE if wanted is None else wanted[2],
        )


def wish(planned: date | None, original: date | None, notes: Notes, sold: date | None) -> date | None:
    """Return the day that somebody set at the shipment instead of the sale's; None for no such day.

    Args:
        planned: The moves' day now.
        original: Their day when the sale was made.
        sold: The sale's own shipping date: where it was changed later, an older wish is over.
    """
    if planned is None:
        return None
    if planned == notes.promised:
        return notes.wanted if notes.instead_of == _written(sold) else None
    return None if planned == original else planned


def noted(comment: str | None, wanted: date | None, sold: date | None, promised: datetime) -> str:
    """Return the sale's comment with the promise, and with the wish where there is one.

    Args:
        promised: In the site's own time.
    """
    lines = [line for line in (comment or "").splitlines() if not line.startswith(OURS)]
    if wanted is not None:
        lines.append(f"Wanted: {wanted} instead of {_written(sold)}")
    return "\n".join([*lines, f"Promised: {promised:%Y-%m-%d %H:%M} ({promised:%z})"])


def _written(day: date | None) -> str:
    return NO_DATE if day is None else day.isoformat()
