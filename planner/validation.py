"""What rows of a problem contradict each other, or name what is not there.

Ranges of numbers are in `planner.ranges`, values of a wrong type are refused where JSON is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from planner.fault import Fault
from planner.ranges import range_faults
from planner.tied_places import tied_place_faults
from planner.ties import Ties

if TYPE_CHECKING:
    from planner.problem import Link, Operation, Problem, Unit, Window


def faults_of(problem: Problem) -> Iterator[Fault]:
    """All that is wrong in a problem; the fields of its rows may have any value of their types."""
    found = [
        *range_faults(problem),
        *_plant_faults(problem),
        *_crew_faults(problem),
        *_tool_faults(problem),
        *_material_faults(problem),
        *_buffer_faults(problem),
        *_operation_faults(problem),
    ]
    told: dict[tuple[str, str], Fault] = {}
    for fault in found:  # both ends of a window may be out of their range
        told.setdefault((fault.row, fault.what), fault)
    yield from told.values() if told else tied_place_faults(problem)


def _plant_faults(problem: Problem) -> Iterator[Fault]:
    if problem.origin.tzinfo is None:
        yield Fault("problem", "origin has no time zone", "Give an aware UTC time")
    rows: dict[str, list[str]] = {
        "calendars": [c.id for c in problem.calendars],
        "work_centers": [c.id for c in problem.work_centers],
        "units": [u.id for u in problem.units],
        "crews": [c.id for c in problem.crews],
        "tools": [t.id for t in problem.tools],
        "materials": [m.id for m in problem.materials],
        "buffers": [b.id for b in problem.buffers],
        "orders": [o.id for o in problem.orders],
        "operations": [o.id for o in problem.operations],
    }
    yield from _id_faults(rows)
    for calendar in problem.calendars:
        yield from _window_faults(f"calendars {calendar.id}", calendar.windows, problem.horizon)
    yield from _unit_faults(problem, set(rows["calendars"]), set(rows["work_centers"]))


def _id_faults(rows: dict[str, list[str]]) -> Iterator[Fault]:
    for kind, ids in rows.items():
        for name, times in Counter(ids).items():
            if not name:
                yield Fault(f"{kind}[{ids.index(name)}]", "has an empty id", "Give it a name of its own")
            elif times > 1:
                yield Fault(f"{kind} {name}", f"is there {times} times", "Keep one row")


def _unit_faults(problem: Problem, calendars: set[str], centers: set[str]) -> Iterator[Fault]:
    for unit in problem.units:
        row = f"units {unit.id}"
        if unit.calendar not in calendars:
            yield Fault(row, f"has no calendar {unit.calendar}", "Add the calendar or name another")
        if unit.work_center not in centers:
            yield Fault(row, f"has no work centre {unit.work_center}", "Add the work centre")
        yield from _window_faults(f"{row} stops", unit.stops, problem.horizon)
        if unit.subcontractor:
            yield from _subcontractor_faults(problem, row, unit)


def _subcontractor_faults(problem: Problem, row: str, unit: Unit) -> Iterator[Fault]:
    if unit.places is not None:
        remedy = "Leave the places out: he makes his batches himself"
        yield Fault(row, f"is a subcontractor and has {unit.places} places", remedy)
    if any(center.setups for center in problem.work_centers if center.id == unit.work_center):
        what = f"is a subcontractor, but its work centre {unit.work_center} has set-ups"
        yield Fault(row, what, "Give it a work centre of its own: his set-ups are in his lead time")


def _window_faults(row: str, windows: tuple[Window, ...], horizon: int) -> Iterator[Fault]:
    for window in windows:
        if not 0 <= window.start < window.end <= horizon:
            span = f"has the window {window.start} to {window.end}"
            yield Fault(row, span, f"Keep it between 0 and the horizon {horizon}, start first")
    for one, two in pairwise(windows):
        if one.end >= two.start:
            span = f"has windows that touch at {two.start}"
            yield Fault(row, span, "Sort them and join those that meet")


def _crew_faults(problem: Problem) -> Iterator[Fault]:
    for crew in problem.crews:
        row = f"crews {crew.id}"
        if crew.people and len(set(crew.people)) != crew.count:
            what = f"counts {crew.count} people but names {len(set(crew.people))}"
            yield Fault(row, what, "Name everybody once, or nobody")
        yield from _window_faults(row, crew.windows, problem.horizon)


def _tool_faults(problem: Problem) -> Iterator[Fault]:
    for tool in problem.tools:
        row = f"tools {tool.id}"
        for away in tool.away:
            if not 0 <= away.start < away.end <= problem.horizon:
                what = f"is away from {away.start} to {away.end}"
                yield Fault(row, what, f"Keep it between 0 and the horizon {problem.horizon}, start first")
            if away.count > tool.count:
                what = f"has {away.count} of its {tool.count} away"
                yield Fault(row, what, f"Give 1 to {tool.count}")
    counts = {tool.id: tool.count for tool in problem.tools}
    for operation in problem.operations:
        yield from _use_faults(f"operations {operation.id}", operation, counts)


def _use_faults(row: str, operation: Operation, counts: dict[str, int]) -> Iterator[Fault]:
    for name, times in Counter(use.tool for use in operation.tools).items():
        if times > 1:
            yield Fault(row, f"names the tool {name} {times} times", "Give one row with their sum")
    for use in operation.tools:
        there = counts.get(use.tool)
        if there is None:
            yield Fault(row, f"needs the tool {use.tool}, which is not there", "Add the tool or drop it here")
        elif use.count > there:
            what = f"needs {use.count} of the tool {use.tool}, of which there are {there}"
            yield Fault(row, what, f"Give 1 to {there}, or the tool a higher count")


def _material_faults(problem: Problem) -> Iterator[Fault]:
    known = {material.id for material in problem.materials}
    for operation in problem.operations:
        yield from _ingredient_faults(f"operations {operation.id}", operation, known)


def _ingredient_faults(row: str, operation: Operation, known: set[str]) -> Iterator[Fault]:
    for name, times in Counter(use.material for use in operation.materials).items():
        if times > 1:
            yield Fault(row, f"names the material {name} {times} times", "Give one row with their sum")
    for use in operation.materials:
        if use.material not in known:
            what = f"needs the material {use.material}, of which nothing is known"
            yield Fault(row, what, "Add the material with its stock and receipts, or drop it here")


def _buffer_faults(problem: Problem) -> Iterator[Fault]:
    places = {buffer.id: buffer.places for buffer in problem.buffers}
    before = {center.id: center.buffer for center in problem.work_centers}
    for name, named in before.items():
        if named is not None and named not in places:
            what = f"has no buffer {named}"
            yield Fault(f"work_centers {name}", what, "Add the buffer with its places, or drop it here")
    at_unit = {unit.id: before.get(unit.work_center) for unit in problem.units}
    for operation in problem.operations:
        row, found = f"operations {operation.id}", {at_unit.get(a.unit) for a in operation.alternatives}
        if len(found) > 1:
            what = f"waits before {', '.join(sorted(b or 'no buffer' for b in found))}"
            yield Fault(row, what, "Give the work centres of its units one buffer")
        yield from _stored_faults(row, operation, found)
    yield from _crowd_faults(problem, places, at_unit)


def _stored_faults(row: str, operation: Operation, found: set[str | None]) -> Iterator[Fault]:
    if operation.stored and found <= {None}:
        what = "lies in a buffer, but its work centre has none"
        yield Fault(row, what, "Give the work centre a buffer, or drop the word")
    if operation.stored and operation.started:
        yield Fault(row, "is started and lies in a buffer", "Drop the word: it has left its place")


def _crowd_faults(
    problem: Problem, places: dict[str, int], at_unit: dict[str, str | None]
) -> Iterator[Fault]:
    """Steps that need more places of a buffer at once than it has."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    for operation in problem.operations:
        for buffer in {at_unit.get(a.unit) for a in operation.alternatives}:
            if buffer is not None and buffer in places and not operation.started:
                rows = [link.operation for link in operation.predecessors]
                wanted[operation.id, "takes", buffer] += len(rows) + operation.stored
                wanted.update((name, "fills", buffer) for name in rows)
    for (name, does, buffer), count in wanted.items():
        if count > max(places[buffer], 1):
            what = f"{does} {count} places of {buffer} at once, which has {places[buffer]}"
            remedy = f"Give the buffer {count} places, or some of the steps another one"
            yield Fault(f"operations {name}", what, remedy)


def _operation_faults(problem: Problem) -> Iterator[Fault]:
    orders = {order.id for order in problem.orders}
    units = {unit.id for unit in problem.units}
    places = {unit.id: unit.places for unit in problem.units if unit.places is not None}
    known = {operation.id: operation for operation in problem.operations}
    for operation in problem.operations:
        row = f"operations {operation.id}"
        if operation.order not in orders:
            yield Fault(row, f"belongs to no order {operation.order}", "Add the order")
        yield from _alternative_faults(row, operation, units)
        yield from _place_faults(row, operation, places)
        yield from _link_faults(row, operation, known)
        yield from _fixed_faults(row, operation)
    yield from _maintenance_faults(problem)
    yield from _running_faults(problem)
    tie_faults = list(_tie_faults(problem, known))
    yield from tie_faults
    yield from _cycle_faults(problem, known, Ties() if tie_faults else Ties.of(problem.operations))
    if not tie_faults:
        yield from _common_unit_faults(problem, units)


def _alternative_faults(row: str, operation: Operation, units: set[str]) -> Iterator[Fault]:
    if not operation.alternatives:
        what, remedy = "has no unit that can do it", "Give its work centre a unit"
        yield Fault(row, what, remedy, "no-unit", {"operation": operation.id})
    named = Counter(alternative.unit for alternative in operation.alternatives)
    for name, times in named.items():
        if times > 1:
            yield Fault(row, f"names unit {name} {times} times", "Keep the shorter one")
    for alternative in operation.alternatives:
        if alternative.unit not in units:
            yield Fault(row, f"names no unit {alternative.unit}", "Add the unit or drop it here")


def _place_faults(row: str, operation: Operation, places: dict[str, int]) -> Iterator[Fault]:
    for alternative in operation.alternatives:
        there = places.get(alternative.unit, operation.places)
        if operation.places > max(there, 1):
            what = f"takes {operation.places} places on {alternative.unit}, which has {there}"
            yield Fault(row, what, f"Give 1 to {there}, or do it on another unit")


def _link_faults(row: str, operation: Operation, known: dict[str, Operation]) -> Iterator[Fault]:
    for link in operation.predecessors:
        if link.operation not in known:
            what = f"waits for {link.operation}, which is not planned"
            yield Fault(row, what, "Drop the link when it is complete, or add the operation")
    held = operation.frozen or operation.kept
    if held and not (operation.published or operation.lock or operation.started):
        yield Fault(row, "is held but has no published place", "Free it or publish it first")
    if operation.frozen and not operation.started:
        for link in operation.predecessors:
            before = known.get(link.operation)
            if before and not (before.frozen or before.started or before.lock):
                what = f"is frozen but waits for {before.id}, which is free"
                yield Fault(row, what, "Freeze that too, or free this one")


def _tie_faults(problem: Problem, known: dict[str, Operation]) -> Iterator[Fault]:
    """Greatest lags that no plan can keep, or that make no chain of single steps."""
    behind: dict[str, str] = {}
    for operation in problem.operations:
        row = f"operations {operation.id}"
        tied = [link for link in operation.predecessors if link.most is not None]
        names = [link.operation for link in tied] + ([operation.after.operation] if operation.after else [])
        if len(names) > 1:
            what = f"has greatest lags after {names[0]} and {names[1]}"
            yield Fault(row, what, "Keep one of them, after the step that ends last")
        for link in tied:
            yield from _most_faults(row, link)
            other = behind.setdefault(link.operation, operation.id)
            if other != operation.id and link.operation in known:
                what = f"has a greatest lag after {link.operation}, as {other} has"
                yield Fault(row, what, "Keep one of them, or let one of the two follow the other")


def _most_faults(row: str, link: Link) -> Iterator[Fault]:
    most = link.most or 0
    if 0 <= most < link.lag:
        what = f"may start at most {most} minutes after {link.operation}, and at least {link.lag}"
        yield Fault(row, what, f"Give {link.lag} or more, or leave it out")
    if link.sublots > 1:
        what = f"has a greatest lag after {link.operation} and gets {link.sublots} sub-lots of it"
        yield Fault(row, what, "Keep one of the two: who gets sub-lots begins before the end")


def _common_unit_faults(problem: Problem, units: set[str]) -> Iterator[Fault]:
    """Set-ups on a unit that does two steps of a chain, for which there is no time between them."""
    centers = {center.id for center in problem.work_centers}
    if any(unit.work_center not in centers for unit in problem.units):
        return
    for chain in problem.ties.chains.values():
        for first, one in enumerate(chain):
            room = 0
            for before, two in pairwise(chain[first:]):
                most = next(link.most or 0 for link in two.predecessors if link.operation == before.id)
                room += most + (0 if before is one else min(a.minutes for a in before.alternatives))
                common = {a.unit for a in one.alternatives} & {a.unit for a in two.alternatives}
                for unit in sorted(common & units):
                    minutes = problem.setup_minutes(unit, one.family, two.family)
                    if minutes > room:
                        yield _no_time(one, two, unit, minutes, room)


def _no_time(one: Operation, two: Operation, unit: str, minutes: int, room: int) -> Fault:
    what = (
        f"comes at most {room} minutes after {one.id}, but its set-up behind that on {unit} takes {minutes}"
    )
    remedy = f"Allow {minutes} minutes, or take {unit} out of the units of one of the two"
    params: dict[str, str | int]
    params = {"operation": two.id, "before": one.id, "unit": unit, "minutes": minutes, "room": room}
    return Fault(f"operations {two.id}", what, remedy, "no-time", params)


def _fixed_faults(row: str, operation: Operation) -> Iterator[Fault]:
    units = {alternative.unit for alternative in operation.alternatives}
    fixed = operation.fixed_unit
    if fixed is None and operation.published:
        fixed = operation.published.unit
    if fixed is not None and fixed not in units:
        what = f"is held on {fixed}, which cannot do it"
        yield Fault(row, what, f"Move it to one of {', '.join(sorted(units)) or 'none'}")
    if operation.started and operation.lock:
        yield Fault(row, "is started and locked", "Drop the lock: it runs already")


def _maintenance_faults(problem: Problem) -> Iterator[Fault]:
    limits = {order.id: order.due for order in problem.orders if order.kind == "maintenance"}
    outside = problem.subcontractors
    for operation in problem.operations:
        if operation.order not in limits:
            continue
        row, limit = f"operations {operation.id}", limits[operation.order]
        if len(operation.alternatives) > 1:
            what = f"is maintenance of {len(operation.alternatives)} units"
            yield Fault(row, what, "Name one, and give each of the others an operation of its own")
        for alternative in operation.alternatives:
            if alternative.unit in outside:
                what = f"is maintenance of {alternative.unit}, a subcontractor"
                yield Fault(row, what, "Give the unit a stop while he is closed")
        least = min((a.minutes for a in operation.alternatives), default=0)
        if 0 < operation.release > limit - least:
            what = f"takes {least} minutes between {operation.release} and {limit}, its limit"
            yield Fault(row, what, f"Release it at minute {max(0, limit - least)}, or give it a later limit")


def _running_faults(problem: Problem) -> Iterator[Fault]:
    places = {unit.id: unit.places for unit in problem.units}
    running: dict[str, list[Operation]] = {}
    for operation in problem.operations:
        if not operation.started or operation.started.unit in problem.subcontractors:
            continue
        unit = operation.started.unit
        together = running.setdefault(unit, [])
        together.append(operation)
        if len(together) > 1 and not _is_batch(problem, together, unit, places.get(unit)):
            what = f"runs on {unit} together with {together[0].id}"
            if places.get(unit) is not None:
                what += ", which is no batch of one family and minutes in its places"
            yield Fault(f"operations {operation.id}", what, "Hold or complete one of the two")


def _is_batch(problem: Problem, together: list[Operation], unit: str, places: int | None) -> bool:
    """Whether work under way can be one batch."""
    if places is None or any(all(a.unit != unit for a in o.alternatives) for o in together):
        return False
    recipes = {problem.recipe(operation, unit) for operation in together}
    return len(recipes) == 1 and sum(operation.places for operation in together) <= places


def _cycle_faults(problem: Problem, known: dict[str, Operation], ties: Ties) -> Iterator[Fault]:
    waits: dict[str, set[str]] = {ties.head(name): set() for name in known}
    for operation in problem.operations:
        before = {link.operation for link in operation.predecessors if link.operation in known}
        before.update(problem.kept_order.get(operation.id, ()))
        waits[ties.head(operation.id)] |= ties.outside(operation.id, before)
    followers: dict[str, list[str]] = {key: [] for key in waits}
    for key, before in waits.items():
        for one in before:
            followers[one].append(key)
    free = [key for key, before in waits.items() if not before]
    done = 0
    left = {key: len(before) for key, before in waits.items()}
    while free:
        done += 1
        for key in followers[free.pop()]:
            left[key] -= 1
            if not left[key]:
                free.append(key)
    if done < len(waits):
        names = sorted(key for key, count in left.items() if count)
        what = f"wait for one another in a circle ({len(names)} operations)"
        remedy = "Take one of the links away"
        if any(name in ties.chains for name in names):
            remedy += ", or a greatest lag: what is between two steps that it ties waits for both"
        yield Fault(f"operations {', '.join(names[:5])}", what, remedy)
