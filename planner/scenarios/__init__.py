"""Scenarios: copy the plan in force, change it, have it solved, compare, publish."""
