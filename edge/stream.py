"""The rules of the edge stream, without a disk or a network: which batch is next, at both ends.

Exactly once comes from numbers alone. The edge gives each batch the next `seq` of its epoch and
keeps it until the watermark has passed it; ingest takes exactly the batch after the last one that
it took. Whatever a broker, a crash or an old backup does to the messages between, the two agree
again by repeating.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

WINDOW = 256
"""Batches of one epoch that may be under way above the watermark."""
STALL_S = 10.0
"""A watermark that stands still this long, with batches under way, makes the edge repeat them."""


class Verdict(Enum):
    """What ingest does with a batch."""

    ACCEPT = auto()
    DUPLICATE = auto()
    MISSING = auto()
    """Batches before it are missing: it is dropped, and a replay asked for."""


@dataclass(slots=True)
class Inlet:
    """One epoch of one stream as ingest sees it.

    Args:
        committed: Last batch that is in the database.
        taken: Last batch that was accepted; above `committed` while its transaction runs.
    """

    committed: int = 0
    taken: int = 0

    def judge(self, first: int, last: int) -> Verdict:
        """Judge a message that stands for the batches `first` to `last`; take it if it is next."""
        if last <= self.taken:
            return Verdict.DUPLICATE
        if first > self.taken + 1:
            return Verdict.MISSING
        self.taken = last
        return Verdict.ACCEPT

    def commit(self, seq: int) -> None:
        """Note that everything up to `seq` is in the database."""
        self.committed = max(self.committed, seq)


@dataclass(slots=True)
class Outlet:
    """One epoch of one stream as the edge sees it.

    Args:
        last: Last batch written to the spool.
        lowest: Lowest batch that the spool still has (`last + 1` when it has none).
        acknowledged: The watermark; batches up to here are in the database.
        sent: Last batch published on this connection.
    """

    last: int = 0
    lowest: int = 1
    acknowledged: int = 0
    sent: int = 0

    @property
    def depth(self) -> int:
        """Batches that ingest has not committed yet."""
        return self.last - self.acknowledged

    @property
    def drained(self) -> bool:
        """Whether all of it is committed."""
        return self.acknowledged >= self.last

    def watermark(self, seq: int) -> None:
        """Believe ingest: it has committed up to `seq`, be that more or less than it said before.

        Less means that its database came back from an older backup; those batches go out again.
        """
        if seq > self.last:
            return
        if seq < self.acknowledged:
            self.sent = min(self.sent, seq)
        self.acknowledged = seq
        self.sent = max(self.sent, seq)

    def rewind(self, from_seq: int | None = None) -> None:
        """Send again from `from_seq`, or from above the watermark."""
        target = self.acknowledged if from_seq is None else from_seq - 1
        self.sent = max(0, min(self.sent, target))

    def due(self, window: int = WINDOW) -> tuple[int, int]:
        """Return the first and last batch to publish now; empty when first > last.

        A replay below the watermark counts its window from where it stands.
        """
        base = min(self.acknowledged, self.sent)
        return self.sent + 1, min(self.last, base + window)

    def missing(self) -> tuple[int, int] | None:
        """Return the batches that are wanted and gone, to be declared as a gap."""
        if self.sent + 1 < self.lowest:
            return self.sent + 1, self.lowest - 1
        return None
