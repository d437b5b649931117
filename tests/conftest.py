"""Fixtures for every tier: the parts that tests meet are the real ones.

With several workers (`-n`), each has its own PostgreSQL. One whole plant runs at a time and is
begun first, because it takes longest; tests that share a part of their module stay together.
"""

import pytest

pytest_plugins = [
    "tests.fixtures.plant",
    "tests.fixtures.postgres",
    "tests.fixtures.floor",
    "tests.fixtures.web",
    "tests.fixtures.tryton",
]

WHOLE_PLANT = frozenset({"running_plant", "quiet_plant"})
SHARED_IN_A_MODULE = frozenset({"tryton", "make_tryton"})


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which tests one worker runs one after another."""
    wanted = frozenset(getattr(item, "fixturenames", ()))
    if wanted & WHOLE_PLANT:
        item.add_marker(pytest.mark.xdist_group("whole plant"))
    elif wanted & SHARED_IN_A_MODULE:
        item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the whole plant when there are several workers, else the last one waits for it."""
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        items.sort(key=lambda item: not WHOLE_PLANT & frozenset(getattr(item, "fixturenames", ())))
