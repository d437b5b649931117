"""Columns that say where a fact was read."""

from uuid import UUID

from mes.performance.model import Source


def source_columns(source: Source | None) -> dict[str, object]:
    """Return the columns of a source, empty ones of none."""
    if source is None:
        return {"edge": None, "epoch": None, "seq": None, "idx": None}
    return {"edge": source.edge, "epoch": source.epoch, "seq": source.seq, "idx": source.index}


def read_source(edge: str | None, epoch: UUID | None, seq: int | None, index: int | None) -> Source | None:
    """Return the source that the columns name, if they do."""
    if edge is None or epoch is None or seq is None or index is None:
        return None
    return Source(edge, epoch, seq, index)
