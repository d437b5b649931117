"""Told to end while the database goes away: its loss must not hide the word to end."""

from __future__ import annotations

import asyncio


def unless_told_to_end(lost: Exception) -> Exception | asyncio.CancelledError:
    """Return what to raise for a lost connection: `lost`, or the cancellation that it would hide.

    Who gives something back on his way out, a lease perhaps, and finds no database raises the loss in the
    place of his cancellation; whoever waits losses out would go on for ever where he was told to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return asyncio.CancelledError(str(lost))
    return lost
