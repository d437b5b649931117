"""What an answer of Tryton, or none, means to the document."""

from __future__ import annotations

from erp_bridge.adapter import (
    ErpCurrencyDiffers,
    ErpLoginRefused,
    ErpUnavailable,
    Outcome,
    OutcomeUnknown,
    Rejected,
    Remark,
    Retry,
    Unknown,
)
from erp_bridge.adapters.tryton.names import Missing
from erp_bridge.adapters.tryton.rpc import Busy

DOWN_RETRY_S = 3.0


REASONS = (
    ("must provide a stock lot", Remark.LOT_MISSING),
    ("journal-period", Remark.JOURNAL_CLOSED),
    ("period", Remark.PERIOD_CLOSED),
    ("expired", Remark.LOT_EXPIRED),
    ("not allowed", Remark.ACCESS_DENIED),
    ("do not have enough", Remark.STOCK_MISSING),
)
"""Words in Tryton's refusals -> our codes."""


class half_done:  # noqa: N801 - reads as a statement
    """Records exist but are not finished: an unclear end must be looked into, not repeated."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, Busy | ErpUnavailable):
            raise OutcomeUnknown(detail=str(error)) from error


def unanswered(error: Exception) -> Outcome:
    """Return what becomes of a document that Tryton did not take and did not refuse."""
    match error:
        case OutcomeUnknown():
            return Unknown(str(error))
        case Busy():
            return Retry(str(error), code=Remark.BUSY)
        case ErpCurrencyDiffers():
            return Retry(str(error), DOWN_RETRY_S, Remark.CURRENCY_DIFFERS)
        case ErpLoginRefused():
            return Retry(str(error), DOWN_RETRY_S, Remark.LOGIN_REFUSED)
    return Retry(str(error), DOWN_RETRY_S)


def rejection(refused: Exception) -> Rejected:
    """Return a refusal by our code, with Tryton's own words."""
    if isinstance(refused, Missing):
        return Rejected(refused.code, str(refused))
    words = str(refused)
    lower = words.lower()
    code = next((code for part, code in REASONS if part in lower), Remark.REFUSED)
    return Rejected(code, words)
