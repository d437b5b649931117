"""What an operation waits for, in the words of a plan."""

from __future__ import annotations

from planner.decoder.line import Block, Line
from planner.problem import Link, Operation, Problem, Release
from planner.schedule import Reason, ReasonCode
from planner.shared import Shortage

Cause = Reason | Link | Release
"""What lets an operation begin no sooner: most are never told, because its unit is busy for longer."""

NOTHING: Cause = Reason("now")
"""Nothing keeps an operation from beginning at once."""


def told(cause: Cause) -> Reason:
    """What an operation waits for, as the pages tell it."""
    if isinstance(cause, Reason):
        return cause
    if isinstance(cause, Link):
        code: ReasonCode = "overlap" if cause.sublots > 1 else "lag" if cause.lag else "predecessor"
        return Reason(code, {"operation": cause.operation})
    if cause.cause == "tied":
        return Reason("tied", {"operation": cause.detail})
    return Reason("release", {"cause": cause.cause, "detail": cause.detail})


def lacking(operation: Operation, short: Shortage) -> Reason:
    """The people, the tool or the buffer that it waited for last."""
    if short.buffer:
        return Reason("buffer", {"buffer": short.buffer})
    if short.tool is not None:
        return Reason("tool", {"tool": short.tool})
    return Reason("people", {"skill": operation.skill or ""})


def queued(problem: Problem, line: Line, before: Block, setup: int, start: int) -> Reason:
    """The work before it on its unit, the set-up after that, or the calendar until `start`."""
    if setup:
        return Reason("setup", {"unit": line.unit, "minutes": setup})
    if start > line.time.after(before.end):
        return closed(problem, line.unit, start)
    order = problem.order_by_id.get(before.operation.order)
    code: ReasonCode = "maintenance" if order and order.kind == "maintenance" else "unit"
    return Reason(code, {"unit": line.unit, "operation": before.operation.id})


def closed(problem: Problem, unit: str, opens: int) -> Reason:
    """The stop or the calendar that keeps a unit closed until minute `opens`."""
    stops = problem.unit_by_id[unit].stops
    stopped = any(stop.start < opens <= stop.end for stop in stops)
    return Reason("stop" if stopped else "calendar", {"unit": unit})
