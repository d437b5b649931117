"""The bus leaves nothing behind, whenever it ends."""

import asyncio
import gc
import warnings
from typing import Any

import pytest

from mes.kernel.bus import Bus


async def test_a_bus_that_ends_while_it_connects_closes_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    connecting = asyncio.Event()

    async def never(*_: Any) -> None:
        connecting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with Bus("mqtt://127.0.0.1:1883", name="test"):
            await connecting.wait()
        gc.collect()
    assert [one.message for one in told if one.category is ResourceWarning] == []
