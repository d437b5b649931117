"""Published scheduling instances, read into problems.

They know neither calendars nor due dates: the plant is always open, and the objective is the
makespan alone.
"""

from planner.readers.flexible import read_fjsp, read_fjsp_with_setups, read_jsp

__all__ = ["read_fjsp", "read_fjsp_with_setups", "read_jsp"]
