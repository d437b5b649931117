"""The planner, without input or output."""
