"""Detailed scheduling: what to make where and when, and why it cannot be sooner."""
