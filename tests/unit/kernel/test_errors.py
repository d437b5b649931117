"""Whoever is told to end ends, though the database goes away at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from edge.historian import EventStore, StoreAway
from mes.kernel.db import DatabaseUnavailable, translated

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


async def _give_back_to_the_plant() -> None:
    async with translated():
        raise psycopg.OperationalError("the database system is shutting down")


async def _give_back_to_the_historian() -> None:
    await EventStore(NOWHERE, "test", "SUZ").cursors()


async def _keep_trying(give_back: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            try:
                await asyncio.sleep(600)
            finally:
                await give_back()
        except (DatabaseUnavailable, StoreAway):
            continue


@pytest.mark.parametrize("give_back", [_give_back_to_the_plant, _give_back_to_the_historian])
async def test_what_cannot_be_given_back_on_the_way_out_keeps_nobody(
    give_back: Callable[[], Awaitable[None]],
) -> None:
    working = asyncio.create_task(_keep_trying(give_back))
    await asyncio.sleep(0)
    working.cancel()
    done, _ = await asyncio.wait({working}, timeout=60)
    assert done
    assert working.cancelled()


async def test_a_loss_alone_is_told_as_one() -> None:
    with pytest.raises(DatabaseUnavailable):
        await _give_back_to_the_plant()
    with pytest.raises(StoreAway):
        await _give_back_to_the_historian()


async def test_a_server_that_ends_amid_its_answer_is_a_loss_and_a_fault_of_its_own_is_none() -> None:
    with pytest.raises(DatabaseUnavailable):
        async with translated():
            raise psycopg.InternalError("received 2 results from command 'COMMIT'")
    with pytest.raises(psycopg.errors.DataCorrupted):
        async with translated():
            raise psycopg.errors.DataCorrupted("invalid page in block 7")


async def test_an_ingest_waits_for_a_server_that_ended_amid_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def end_amid_it(_store: EventStore) -> None:
        raise psycopg.InternalError("received 2 results from command 'COMMIT'")

    monkeypatch.setattr(EventStore, "connection", end_amid_it)
    with pytest.raises(StoreAway):
        await EventStore(NOWHERE, "test", "SUZ").cursors()
