"""A command carried out twice is carried out once."""

import asyncio

import pytest

from mes.kernel import commands
from mes.kernel.db import Database, Tx
from mes.kernel.errors import PlantError
from tests.fixtures.postgres import cause


class BellCracked(PlantError):
    """The bell is cracked."""

    http_status = 409
    remedy = "Ring another one."


class BellInUse(PlantError):
    """Somebody else is ringing the bell."""

    retryable = True


class Belfry:
    """Counts how often the handler really ran."""

    def __init__(self, refusal: PlantError | None = None) -> None:
        self.rung = 0
        self.refusal = refusal

    async def ring(self, tx: Tx) -> dict[str, int]:
        self.rung += 1
        await asyncio.sleep(0.05)
        if self.refusal is not None:
            raise self.refusal
        return {"rung": self.rung}


async def test_the_same_key_gives_the_same_reply(db: Database) -> None:
    """A retry is answered from the record."""
    belfry = Belfry()
    first = await commands.execute(db, cause("k1"), "ring", {"bell": "A"}, belfry.ring)
    again = await commands.execute(db, cause("k1"), "ring", {"bell": "A"}, belfry.ring)
    assert (first.body, again.body) == ({"rung": 1}, {"rung": 1})
    assert (first.replayed, again.replayed, belfry.rung) == (False, True, 1)


async def test_a_double_tap_is_carried_out_once(db: Database) -> None:
    """Two requests with one key at the same moment do the work once."""
    belfry = Belfry()
    replies = await asyncio.gather(
        *(commands.execute(db, cause("k1"), "ring", {}, belfry.ring) for _ in range(5))
    )
    assert belfry.rung == 1
    assert [reply.body for reply in replies] == [{"rung": 1}] * 5


async def test_a_refusal_is_remembered(db: Database) -> None:
    """A retry of a refused command gets the same refusal, with what to do."""
    belfry = Belfry(BellCracked(bell="A"))
    for _ in range(2):
        reply = await commands.execute(db, cause("k1"), "ring", {}, belfry.ring)
        assert reply.status == 409
        assert reply.body["error"] == "BellCracked"
        assert reply.body["params"] == {"bell": "A"}
        assert reply.body["remedy"] == "Ring another one."
    assert belfry.rung == 1


async def test_a_reply_is_forgotten_when_nobody_can_wait_for_it_any_more(db: Database) -> None:
    belfry = Belfry()
    for key in ("old", "young"):
        await commands.execute(db, cause(key), "ring", {}, belfry.ring)
    async with db.transaction(cause()) as tx:
        for key, days in (("old", 91), ("young", 89)):
            await tx.execute(
                "update mes.command set stored_at = now() - make_interval(days => %(days)s)"
                " where key = %(key)s",
                {"days": days, "key": key},
            )
        assert await commands.forget(tx) == 1
        assert await commands.answered(tx, "old", "ring", {}) is None
        assert await commands.answered(tx, "young", "ring", {}) is not None


async def test_a_passing_refusal_is_forgotten(db: Database) -> None:
    """What may succeed later is tried again under the same key."""
    with pytest.raises(BellInUse):
        await commands.execute(db, cause("k1"), "ring", {}, Belfry(BellInUse()).ring)
    reply = await commands.execute(db, cause("k1"), "ring", {}, Belfry().ring)
    assert reply.status == 200


async def test_a_key_belongs_to_one_command(db: Database) -> None:
    """Another body under a used key is refused."""
    await commands.execute(db, cause("k1"), "ring", {"bell": "A"}, Belfry().ring)
    with pytest.raises(commands.IdempotencyKeyReused):
        await commands.execute(db, cause("k1"), "ring", {"bell": "B"}, Belfry().ring)
