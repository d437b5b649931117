"""Tables of the bridge: schema `erp`."""

from mes.migrate import Branch

BRANCH = Branch(owner="erp", package="erp_bridge.migrations", restored="select erp.restored()")
