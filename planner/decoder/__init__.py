"""The one exact decoder: the only place that gives operations their times.

Whoever proposes a plan (a dispatch rule, CP-SAT, a person) proposes an order of operations and
a unit for each. The decoder places them one after the other, each as early as its unit, its
set-up, its predecessors, its releases, the calendar, people and tools allow, and notes which of
these was the last to let it start. Started and locked work is placed first.

On a unit with places an operation goes into the batch of the one before it when both are of one
recipe, there is room, and it is ready when that batch starts. Who comes last therefore leads a batch
that waits for him, and nobody's times change when another one joins.

At a subcontractor an operation begins when it is ready and he is open; what else is there does not matter.

Steps between which a greatest lag holds are placed together, at the turn of the first: it begins so
late that those behind it come in time (`planner.ties`).

From the bottom up: `line` (a unit's row of work), `reasons`, `placed` (the plan under construction),
`locks`, `fitting` (the decoder itself: where one operation fits), `chains` (several that belong together),
`turns` (who goes before whom), `proposal` (a whole proposal becomes a plan), `first`.
"""
