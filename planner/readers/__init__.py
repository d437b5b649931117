"""Published scheduling instances, read into problems.

They know neither calendars nor due dates: the plant is always open, and the objective is the
makespan alone.
"""

from collections.abc import Callable

from planner.problem import Problem
from planner.readers.flexible import read_fjsp, read_fjsp_with_setups, read_jsp
from planner.readers.projects import read_rcpsp

FORMATS: dict[str, Callable[[str], Problem]] = {
    "jsp": read_jsp,
    "fjsp": read_fjsp,
    "sdst": read_fjsp_with_setups,
    "rcpsp": read_rcpsp,
}
"""The formats by name: job shops, flexible job shops, those with sequence-dependent set-ups, and
projects with renewable resources."""

__all__ = ["FORMATS", "read_fjsp", "read_fjsp_with_setups", "read_jsp", "read_rcpsp"]
