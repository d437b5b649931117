"""Tables of the planner, schema `planner`."""
