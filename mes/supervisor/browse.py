"""Look into a machine's address space through its edge: ask over the broker, wait for the answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from mes.kernel.bus import Bus, Received
from mes.kernel.messages import Browse
from mes.kernel.topics import Down, Up, down, up

TIMEOUT_S = 20.0


class NoAnswer(ConnectionError):
    """The edge or its endpoint did not answer; the text says which."""


async def browse(broker: str, edge: str, endpoint: str, node: str) -> list[dict[str, Any]]:
    """Return what lies below `node` at an endpoint of `edge`: address, name, leaf, type, value.

    Args:
        broker: Broker URL with the user of ingest.
        node: Address of a node; an empty text is the top.

    Raises:
        NoAnswer: The broker, the edge or the endpoint does not answer.
    """
    token = secrets.token_hex(8)
    answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def heard(message: Received) -> None:
        body = json.loads(message.payload)
        if body.get("token") == token:
            answers.put_nowait(body)

    bus = Bus(broker, name="browse", subscriptions=[up(edge, Up.BROWSED)], on_message=heard)
    try:
        async with asyncio.timeout(TIMEOUT_S), bus:
            await bus.connected.wait()
            asked = Browse(token=token, endpoint=endpoint, node=node)
            await bus.publish(down(edge, Down.BROWSE), asked.encode())
            answer = await answers.get()
    except TimeoutError:
        raise NoAnswer(f"no answer from {edge} in {TIMEOUT_S:.0f} s; does it run?") from None
    if "error" in answer:
        raise NoAnswer(f"{endpoint}: {answer['error']}")
    nodes: list[dict[str, Any]] = answer["nodes"]
    return nodes
