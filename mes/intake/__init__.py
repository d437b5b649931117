"""Intake: each event of an edge becomes a fact of the plant once, or waits in quarantine."""
