"""Fixtures for every tier: the parts that tests meet are the real ones.

With several workers (`-n`), a file's tests stay together, and each worker has its own PostgreSQL.
One whole plant runs at a time; its tests are begun first, because they take longest, and short files come
last, so that all workers end together.
"""

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = [
    "tests.fixtures.plant",
    "tests.fixtures.postgres",
    "tests.fixtures.floor",
    "tests.fixtures.kernel",
    "tests.fixtures.web",
    "tests.fixtures.tryton",
]

WHOLE_PLANT = frozenset({"running_plant", "quiet_plant"})
PLANT_TESTS = (
    "tests/scenarios/test_first_hour.py",
    "tests/scenarios/test_trouble.py",
    "tests/browser/test_whole_plant.py",
    "tests/scenarios/test_order_to_ledger.py",
    "tests/faults/test_kill_nine.py",
)
"""Where whole plants are started, and nowhere else; in this order, because the first hour is a new plant's
and the trouble that follows is in the same."""

LONG_FIRST = ("tests/conformance/", "tests/integration/", "tests/browser/", "tests/properties/")
"""Folders whose files take minutes; those of the others take seconds."""

# Whoever runs the tests sees the same examples, on however slow a machine; `make hunt` takes new ones.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", UNTIMED, derandomize=True)
settings.register_profile("new", UNTIMED, database=None, print_blob=True)
settings.load_profile("same")


class OnePlantAtATime(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker one file after another, and all whole plants to the same."""

    def _split_scope(self, nodeid: str) -> str:
        return "plant" if nodeid.startswith(PLANT_TESTS) else nodeid.partition("::")[0]


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return OnePlantAtATime(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the whole plant; the other workers never wait for it."""
    for item in items:
        wanted = frozenset(getattr(item, "fixturenames", ()))
        if "compiled_kernel" in wanted:
            item.add_marker(pytest.mark.timeout(900))  # whoever is first waits for the compiler
        if wanted & WHOLE_PLANT and not item.nodeid.startswith(PLANT_TESTS):
            raise pytest.UsageError(f"{item.nodeid} starts a whole plant: move it to one of {PLANT_TESTS}")
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """Return when an item's file is begun; of equal ones the order stays as it is."""
    order = (*PLANT_TESTS, *LONG_FIRST)
    return next((at for at, start in enumerate(order) if item.nodeid.startswith(start)), len(order))
