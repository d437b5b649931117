"""Tables of the planner, schema `planner`."""

from mes.migrate import Branch

BRANCH = Branch(owner="planner", package="planner.migrations")
