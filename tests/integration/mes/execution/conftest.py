import pytest_asyncio

from mes.kernel.db import Database
from tests.fixtures.floor import Floor, open_floor


@pytest_asyncio.fixture
async def floor(db: Database) -> Floor:
    """The pump plant with crew A at work and stock of every component."""
    return await open_floor(db)
