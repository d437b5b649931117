"""How often each fault happens: a few times in `make faults`, the full count in `make soak`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the full counts, for closing notes")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How many times each fault is made."""
    return 25 if request.config.getoption("--soak") else 2
