"""What others make of the public instances with the same CPU: PyJobShop and plain CP-SAT.

Both get two workers and stop when the process has used its CPU seconds, watched by a thread: on a
busy machine seconds of the clock say nothing. A peer without a solution counts as the sum of all
times.
"""

from __future__ import annotations

from typing import Any

from ortools.sat.python import cp_model
from pyjobshop import Model
from pyjobshop.solvers.ortools.CPModel import CPModel

from planner.cp.limit import stop_after
from planner.problem import Problem

WORKERS = 2


def everything(problem: Problem) -> int:
    """The makespan of doing one thing after the other."""
    setups = max((s.minutes for c in problem.work_centers for s in c.setups), default=0)
    return sum(max(a.minutes for a in o.alternatives) + setups for o in problem.operations)


def cp_sat(problem: Problem, cpu_seconds: float) -> int:
    """The textbook model of a (flexible) job shop without set-ups."""
    model = cp_model.CpModel()
    horizon = everything(problem)
    ends: dict[str, cp_model.IntVar] = {}
    on_unit: dict[str, list[cp_model.IntervalVar]] = {unit.id: [] for unit in problem.units}
    makespan = model.new_int_var(0, horizon, "")
    for operation in problem.operations:
        start, end = model.new_int_var(0, horizon, ""), model.new_int_var(0, horizon, "")
        ends[operation.id] = end
        chosen = []
        for choice in operation.alternatives:
            literal = model.new_bool_var("")
            chosen.append(literal)
            interval = model.new_optional_interval_var(start, choice.minutes, end, literal, "")
            on_unit[choice.unit].append(interval)
        model.add_exactly_one(chosen)
        for link in operation.predecessors:
            model.add(start >= ends[link.operation])
        model.add(makespan >= end)
    for intervals in on_unit.values():
        model.add_no_overlap(intervals)
    model.minimize(makespan)
    return _solve(model, cpu_seconds, horizon)


def _solve(model: cp_model.CpModel, cpu_seconds: float, otherwise: int) -> int:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = WORKERS
    with stop_after(cpu_seconds, solver.stop_search):
        status = solver.solve(model)
    known = status in {cp_model.OPTIMAL, cp_model.FEASIBLE}
    return round(solver.objective_value) if known else otherwise


def pyjobshop(problem: Problem, cpu_seconds: float) -> int:
    """PyJobShop's own model and parameters, with two workers."""
    model = Model()
    machines = {unit.id: model.add_machine(name=unit.id) for unit in problem.units}
    tasks: dict[str, Any] = {}
    jobs = {order.id: model.add_job(name=order.id) for order in problem.orders}
    for operation in problem.operations:
        task = model.add_task(job=jobs[operation.order], name=operation.id)
        tasks[operation.id] = task
        for choice in operation.alternatives:
            model.add_mode(task, machines[choice.unit], duration=choice.minutes)
        for link in operation.predecessors:
            model.add_end_before_start(tasks[link.operation], task)
    _add_setups(problem, model, machines, tasks)
    model.set_objective(weight_makespan=1)
    return _solve(CPModel(model.data()).model, cpu_seconds, everything(problem))


def _add_setups(problem: Problem, model: Any, machines: dict[str, Any], tasks: dict[str, Any]) -> None:
    for unit in problem.units:
        able = [o for o in problem.operations if any(a.unit == unit.id for a in o.alternatives)]
        for one in able:
            for two in able:
                minutes = problem.setup_minutes(unit.id, one.family, two.family) if one is not two else 0
                if minutes:
                    model.add_setup_time(machines[unit.id], tasks[one.id], tasks[two.id], minutes)
