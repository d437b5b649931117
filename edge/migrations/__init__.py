"""The historian's tables (schema `historian`, on HISTORIAN_URL)."""

from mes.migrate import Branch

BRANCH = Branch(owner="historian", package="edge.migrations", database="historian")
