"""Fixtures for every tier: the parts that tests meet are the real ones."""

pytest_plugins = [
    "tests.fixtures.plant",
    "tests.fixtures.postgres",
    "tests.fixtures.floor",
    "tests.fixtures.web",
    "tests.fixtures.tryton",
]
