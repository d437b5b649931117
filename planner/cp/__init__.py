"""The whole plan as a CP-SAT model: one file per rule, in any order.

A rule is a module with `add(model)`. A new one is a new file and its name in `RULES`.
"""

from planner.cp import (
    batches,
    buffers,
    capacity,
    frozen,
    lags,
    makespan,
    people,
    precedence,
    setups,
    stability,
    tardiness,
    tools,
)

RULES = (
    *(capacity, batches, precedence, lags, frozen, people, tools, buffers),
    *(setups, tardiness, stability, makespan),
)
