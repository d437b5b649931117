"""Plans as rows: what is stored of a plan, and what becomes of one when it is timed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from mes.kernel.ids import uuid7
from planner.child import Answers
from planner.decoder.locks import LocksConflict
from planner.difference import by_cause, difference, moved_by_itself
from planner.document import Clock, difference_document, plan_document, sequences
from planner.drift import is_elsewhere
from planner.explain import reasons
from planner.form import schedule_from_json, schedule_to_json
from planner.named import suggested
from planner.objective import Score, order_ends, score
from planner.offers import SAME_DATE
from planner.problem import Problem, Published
from planner.replan import as_published, as_read
from planner.schedule import Schedule
from planner.standing import Proposal, Retimed, Slip, retimed
from planner.store import Plan
from planner.view import View

MINUTE = timedelta(minutes=1)

SAME_START = timedelta(minutes=1)
"""A start that moves by less is the same start."""


def plan_row(
    view: View,
    report: Mapping[str, Any],
    trigger: list[dict[str, Any]],
    at: datetime,
    answers: Answers | None = None,
) -> Plan:
    """A plan as it is stored.

    Args:
        answers: Of a better plan: what it changes against the one that goes on without it. Else the plan is
            that one, and overrules nobody who has read a proposal: it has `moved` nothing, and tells what
            the plant as it is now has moved.
    """
    changes = answers.changes if answers else None
    return Plan(
        id=uuid7(),
        status="proposed",
        version=None,
        solver=report["solver"],
        proof="optimal" if report["status"] == "optimal" else "feasible",
        objective=report["objective"],
        bound=report["bound"],
        dispatch_objective=report["dispatch_objective"],
        current_objective=answers.kept_objective if answers else None,
        late_orders=report["score"]["late"],
        moved=len(changes["moved"]) if changes else 0,
        trigger=trigger,
        body=_body(view, report),
        diff=difference_document(view.problem, changes or _by_itself(view.problem, report)),
        made_at=at,
        published_at=None,
        published_by=None,
        planned_on=view.version,
    )


def _body(view: View, report: Mapping[str, Any]) -> dict[str, Any]:
    schedule = schedule_from_json(report["schedule"])
    left_out = {row.order for row in view.reading.left_out}
    whole = plan_document(view.problem, report, view.labels)
    for order in whole["orders"]:
        if order["work_order"] in left_out:
            order["unkept"].append({"code": "left-out", "params": {}})
    return whole | {
        "jobs": _jobs(view.problem, schedule),
        "undated": sorted({*_undated(view.problem, schedule), *left_out}),
        "promises": sorted(view.promises),
        "breaks": _breaks(view, schedule),
        "left_out": [
            {"work_order": row.order, "faults": [asdict(fault) for fault in row.faults]}
            for row in view.reading.left_out
        ],
    }


def explained(problem: Problem, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """A report with the causes of lateness. Computes for a while where it has none."""
    if "why_late" in report:
        return report
    return {**report, "why_late": reasons(problem, schedule_from_json(report["schedule"]))}


def _undated(problem: Problem, schedule: Schedule) -> list[str]:
    """The orders that end where no calendar reaches, or wait for material that nobody has on order."""
    return [name for name, end in order_ends(problem, schedule).items() if end >= problem.horizon]


def _breaks(view: View, schedule: Schedule) -> list[dict[str, str]]:
    """The accepted dates that a plan does not keep, be it within what lies between them and the told ones."""
    clock, ends = Clock(view.problem.origin), order_ends(view.problem, schedule)
    return [
        {
            "work_order": name,
            "promised_at": promised.isoformat(),
            "told_at": view.told[name].isoformat(),
            "end": clock.text(ends[name]),
        }
        for name, promised in sorted(view.promised.items())
        if name in ends and clock.at(ends[name]) - promised >= SAME_DATE
    ]


def puts_off(plan: Plan, kept: Plan) -> bool:
    """Whether a plan breaks an accepted date that the plan which moves nobody keeps."""
    broken, lost = ({row["work_order"] for row in one.body["breaks"]} for one in (plan, kept))
    return not broken <= lost


def _by_itself(problem: Problem, report: Mapping[str, Any]) -> dict[str, Any]:
    """What changes against the plan in force when it goes on by itself."""
    plan = schedule_from_json(report["schedule"])
    return asdict(moved_by_itself(problem, plan))


def _jobs(problem: Problem, schedule: Schedule) -> list[dict[str, Any]]:
    """What the floor is told of each operation when the plan is published."""
    clock, places = Clock(problem.origin), sequences(schedule)
    return [
        {
            "job_order": row.operation,
            "equipment": row.unit,
            "start": clock.text(row.setup_start),
            "end": clock.text(row.end),
            "sequence": places[row.operation],
            "run": clock.text(row.start),
        }
        for row in schedule.assignments
    ]


def is_news(view: View, plan: Plan) -> bool:
    """Whether a plan says anything that the one in force does not, to the minute."""
    if {row["job_order"] for row in plan.body["released"]} != view.not_kept:
        return True
    if {row["work_order"] for row in plan.body["left_out"]} != view.left_out:
        return True
    return any(_is_elsewhere(view, row) is not False for row in plan.body["jobs"])


def is_mended(view: View, plan: Plan) -> bool:
    """Whether a plan says of work in the plan in force anything that this does not, to the minute."""
    return any(_is_elsewhere(view, row) for row in plan.body["jobs"])


def _is_elsewhere(view: View, row: Mapping[str, Any]) -> bool | None:
    """Whether a job has another unit or start than in force, or a running one another end.

    None when it is not in force.
    """
    operation = view.problem.operation_by_id[row["job_order"]]
    if operation.started:
        return is_elsewhere(view, operation, datetime.fromisoformat(row["end"]))
    if operation.id in view.delayed:
        return True
    place = operation.published
    if place is None or operation.id in view.taken_over:
        return None
    start = Clock(view.problem.origin).at(place.start)
    is_moved = abs(datetime.fromisoformat(row["run"]) - start) > SAME_START
    return is_moved or place.unit != row["equipment"]


def is_same(one: Plan, other: Plan) -> bool:
    """Whether two plans tell the floor the same, to the minute."""
    told = {row["job_order"]: row for row in one.body["jobs"]}
    if told.keys() != {row["job_order"] for row in other.body["jobs"]}:
        return False
    for row in other.body["jobs"]:
        before = told[row["job_order"]]
        if (before["equipment"], before["sequence"]) != (row["equipment"], row["sequence"]):
            return False
        moved = datetime.fromisoformat(row["start"]) - datetime.fromisoformat(before["start"])
        if abs(moved) > SAME_START:
            return False
    return True


def told_in_force(view: View, plan: Plan, report: Mapping[str, Any]) -> Plan:
    """A proposal with what it changes against the plan in force: none comes in force in between.

    Computes for a while. Where the plan in force cannot go on for its locks, it is told as it was.

    Args:
        report: Of the same plan.
    """
    return _told_in_force(view, plan, schedule_from_json(report["schedule"]))


def _told_in_force(view: View, plan: Plan, new: Schedule) -> Plan:
    problem = view.keepable
    try:
        goes_on = as_published(problem)
    except LocksConflict:
        return plan
    changes = by_cause(difference(problem, goes_on, new), problem, goes_on, new)
    diff = difference_document(problem, asdict(changes))
    return replace(plan, diff=diff, moved=len(changes.moved))


def retimed_plan(
    view: View, plan: Plan, kept: Schedule | None = None, *, is_in_force: bool = True
) -> Plan | list[Slip]:
    """A proposal with its times of now, or what of it does not hold. Computes for a while.

    What was proved of it when it was made holds no longer when a start has moved.

    Args:
        kept: What happens without it: its changes are told against that anew.
        is_in_force: Whether people read that one. Else its changes are told against the plan in force, and it
            is priced in the measure of `kept` all the same.
    """
    found = retimed(view.keepable, _as_read(view.problem, plan))
    if not isinstance(found, Retimed):
        return found
    put_off = _put_off(view, plan, found)
    if put_off:
        return put_off
    report = {
        **{name: plan.body.get(name) for name in ("rule", "score", "cp")},
        "schedule": schedule_to_json(found.schedule),
        "named": [asdict(row) for row in suggested(found.problem, found.schedule)],
        "why_late": reasons(found.problem, found.schedule),
    }
    body = _body(view, report) | {"released": plan.body.get("released", [])}
    new = replace(plan, body=body, late_orders=sum(row["late_min"] > 0 for row in body["orders"]))
    if kept is None:
        return _priced(new, plan, score(view.problem, found.schedule))
    read = as_read(view.problem, kept)
    changes = by_cause(difference(read, kept, found.schedule), read, kept, found.schedule)
    told = replace(
        _priced(new, plan, score(read, found.schedule)),
        diff=difference_document(view.problem, asdict(changes)),
        moved=len(changes.moved),
        current_objective=score(read, kept).total,
    )
    return told if is_in_force else _told_in_force(view, told, found.schedule)


def _put_off(view: View, plan: Plan, found: Retimed) -> list[Slip]:
    """The dates that were accepted since a plan was made, and that its gaps are too small for."""
    read = {row["work_order"] for row in plan.body["orders"]}
    ends, orders = order_ends(found.problem, found.schedule), found.problem.order_by_id
    late = {name: ends[name] - orders[name].due for name in view.reading.accepted - read if name in ends}
    return [
        Slip(name, f"gets {minutes} minutes late")
        for name, minutes in sorted(late.items())
        if minutes * MINUTE >= SAME_DATE
    ]


def _priced(new: Plan, plan: Plan, cost: Score) -> Plan:
    """The retimed plan with its own objective; nothing is proved of it unless it is the same."""
    before = {row["job_order"]: row["start"] for row in plan.body["jobs"]}
    if {row["job_order"]: row["start"] for row in new.body["jobs"]} == before:
        return new
    body = {**new.body, "score": asdict(cost)}
    return replace(new, body=body, objective=cost.total, bound=0, proof="feasible")


def _as_read(problem: Problem, plan: Plan) -> Proposal:
    """A stored plan, in minutes of a problem of now."""
    places = {
        row["job_order"]: Published(row["equipment"], _minutes(problem, row["start"]))
        for row in plan.body["jobs"]
    }
    late = {row["work_order"] for row in plan.body["orders"] if row["late_min"]}
    return Proposal(places, late, age=max(0, -_minutes(problem, plan.body["origin"])))


def _minutes(problem: Problem, time: str) -> int:
    return (datetime.fromisoformat(time) - problem.origin) // MINUTE
