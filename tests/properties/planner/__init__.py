"""Properties of the planner."""
