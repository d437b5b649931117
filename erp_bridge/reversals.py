"""Documents that undo documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from erp_bridge.documents import CostPosting, Document, MaterialActual, MaterialUse, PostingLine

OPPOSITE = {
    MaterialUse.CONSUMED: MaterialUse.RETURNED,
    MaterialUse.RETURNED: MaterialUse.CONSUMED,
    MaterialUse.PRODUCED: MaterialUse.UNPRODUCED,
    MaterialUse.UNPRODUCED: MaterialUse.PRODUCED,
    MaterialUse.SCRAPPED: MaterialUse.UNSCRAPPED,
    MaterialUse.UNSCRAPPED: MaterialUse.SCRAPPED,
}


def opposite(document: Document, day: date) -> MaterialActual | CostPosting | None:
    """Return the movement or entry that undoes one on `day`; None where nothing does."""
    head: dict[str, Any] = {"key": f"{document.key}/reversed", "posting_date": day, "reverses": document.key}
    match document:
        case MaterialActual(use=use) if use in OPPOSITE:
            return replace(document, use=OPPOSITE[use], **head)
        case CostPosting(lines=lines):
            turned = (PostingLine(account=one.account, debit=one.credit, credit=one.debit) for one in lines)
            return replace(document, lines=tuple(turned), **head)
    return None
