"""A plan as the pages read it: clock times instead of minutes, names instead of ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from planner.form import schedule_from_json
from planner.objective import order_ends
from planner.problem import Operation, Problem
from planner.schedule import Assignment, Schedule
from planner.ties import Excess, excesses
from planner.too_long import TooLong, too_long
from planner.unmanned import Unmanned, unmanned
from planner.worktime import WorkTime

Names = Mapping[str, Mapping[str, Any]]

SHOWN_AFTER = 60
"""Minutes of calendar that are shown after the last operation."""


@dataclass(frozen=True)
class Labels:
    """What the pages show of things that the planner knows by id only; JSON values.

    Args:
        jobs: Operation id -> work_order, number, name, material, family, priority.
        orders: Order id -> customer, customer_order, due_at, material, quantity, uom.
        units: Unit id -> name, work_center, time_percent.
    """

    jobs: Names = field(default_factory=dict)
    orders: Names = field(default_factory=dict)
    units: Names = field(default_factory=dict)


class Clock:
    """Minutes of a problem as clock times."""

    def __init__(self, origin: datetime) -> None:
        self._origin = origin

    def at(self, minute: int) -> datetime:
        """The time of `minute`."""
        return self._origin + timedelta(minutes=minute)

    def text(self, minute: int) -> str:
        """The time of `minute`, ISO."""
        return self.at(minute).isoformat()


def plan_document(problem: Problem, report: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """The operations, orders and units of a plan.

    Args:
        report: What the solver's child process said of the plan; without `why_late` no causes are known yet.
    """
    schedule, clock = schedule_from_json(report["schedule"]), Clock(problem.origin)
    ends = order_ends(problem, schedule)
    late = {name: max(0, end - problem.order_by_id[name].due) for name, end in ends.items()}
    last = max(ends.values(), default=0) + SHOWN_AFTER
    released = report.get("released", ())
    people = {
        row["operation"]: [
            {"person": turn["person"], "from": clock.text(turn["start"]), "to": clock.text(turn["end"])}
            for turn in row["turns"]
        ]
        for row in report.get("named", ())
    }
    unkept = _unkept(problem, schedule)
    locked = {o.id for o in problem.operations if o.lock} - {row["lock"]["operation"] for row in released}
    return {
        "origin": problem.origin.isoformat(),
        "rule": report["rule"],
        "explained": "why_late" in report,
        "score": report["score"],
        "cp": report.get("cp"),
        "released": [_released(clock, row) for row in released],
        "operations": [
            _operation(problem, problem.operation_by_id[row.operation], row, late, labels)
            | {"locked": row.operation in locked, "people": people.get(row.operation, [])}
            for row in schedule.assignments
        ],
        "orders": [
            {
                "work_order": name,
                **labels.orders.get(name, {}),
                "end": clock.text(end),
                "late_min": late[name],
                "why": [_cause(cause) for cause in report.get("why_late", {}).get(name, [])],
                "unkept": unkept.get(name, []),
            }
            for name, end in ends.items()
        ],
        "equipment": [_unit(problem, unit.id, last, labels) for unit in problem.units],
    }


def _operation(
    problem: Problem, operation: Operation, row: Assignment, late: Mapping[str, int], labels: Labels
) -> dict[str, Any]:
    clock = Clock(problem.origin)
    names = labels.jobs.get(operation.id, {})
    return {
        "job_order": operation.id,
        "work_order": operation.order,
        "operation": names.get("number"),
        "name": names.get("name"),
        "equipment": row.unit,
        "setup_start": clock.text(row.setup_start),
        "start": clock.text(row.start),
        "end": clock.text(row.end),
        "setup_min": row.setup,
        "material": names.get("material"),
        "family": operation.family,
        "late_min": late[operation.order],
        "reason": {"code": row.reason.code, "params": dict(row.reason.params)},
        "frozen": operation.frozen,
    }


def _released(clock: Clock, row: Mapping[str, Any]) -> dict[str, Any]:
    """A lock that the plan does not keep: where it was, by which rules, and together with which others."""
    why = row["because"]
    others = [lock for lock in why["locks"] if lock["operation"] != row["lock"]["operation"]]
    place, *with_it = (
        {"job_order": lock["operation"], "equipment": lock["unit"], "start": clock.text(lock["start"])}
        for lock in (row["lock"], *others)
    )
    return {**place, "rules": list(why["rules"]), "with": with_it, "proved": why["proved"]}


def _unkept(problem: Problem, schedule: Schedule) -> dict[str, list[dict[str, Any]]]:
    """Order -> what is asked of its steps and no plan keeps: a code for the pages, and its parameters."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows: list[tuple[str, TooLong | Unmanned | Excess]] = [
        *(("too-long", row) for row in too_long(problem)),
        *(("unmanned", row) for row in unmanned(problem)),
        *(("excess", row) for row in excesses(problem.operations, schedule)),
    ]
    for code, row in rows:
        order = problem.operation_by_id[row.operation].order
        found.setdefault(order, []).append({"code": code, "params": asdict(row)})
    return found


def _cause(cause: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cause": cause["code"],
        "minutes": cause["minutes"],
        "subject": cause["subject"],
        "by": cause["by"],
    }


def _unit(problem: Problem, name: str, last: int, labels: Labels) -> dict[str, Any]:
    clock = Clock(problem.origin)
    unit = problem.unit_by_id[name]
    work = WorkTime.of(problem, unit).windows_until(last)
    stops = [(s.start, min(s.end, last)) for s in unit.stops if s.start < last]
    spans = [(start, end, "work") for start, end in work]
    spans += [(start, end, "stop") for start, end in stops]
    return {
        "id": name,
        **labels.units.get(name, {}),
        "calendar": [
            {"from": clock.text(start), "to": clock.text(end), "kind": kind}
            for start, end, kind in sorted(spans)
        ],
    }


def difference_document(problem: Problem, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a proposal changes, with clock times."""
    clock = Clock(problem.origin)
    return {
        "moved": [
            {
                "job_order": move["operation"],
                "work_order": problem.operation_by_id[move["operation"]].order,
                "from": {"equipment": move["from_unit"], "start": clock.text(move["from_start"])},
                "to": {"equipment": move["to_unit"], "start": clock.text(move["to_start"])},
                "cause": _because(move),
            }
            for move in changes["moved"]
        ],
        "late": [_shift(clock, shift) for shift in changes["late"]],
        "saved": [_shift(clock, shift) for shift in changes["saved"]],
        "added": list(changes["added"]),
    }


def _shift(clock: Clock, shift: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "work_order": shift["order"],
        "end_before": clock.text(shift["before"]),
        "end_after": clock.text(shift["after"]),
        "late_before_min": shift["late_before"],
        "late_after_min": shift["late_after"],
        "cause": _because(shift),
    }


def _because(row: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if row["cause"] is None else _cause(row["cause"])


def sequences(schedule: Schedule) -> dict[str, int]:
    """Operation id -> its place on its unit, from 1."""
    return {
        row.operation: place for rows in schedule.by_unit.values() for place, row in enumerate(rows, start=1)
    }
