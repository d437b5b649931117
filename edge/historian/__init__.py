"""Where the streams end: telemetry in the historian's tables, events in the MES's inbox.

The only part of the edge that speaks to a database. A batch and its cursor are one transaction:
either both are there or neither, whatever is killed.
"""

from edge.historian.connection import BatchRefused, CursorMoved, Store, StoreAway
from edge.historian.inbox import EventStore
from edge.historian.telemetry import COPY_SAMPLES, NEWEST_S, Historian

__all__ = [
    "COPY_SAMPLES",
    "NEWEST_S",
    "BatchRefused",
    "CursorMoved",
    "EventStore",
    "Historian",
    "Store",
    "StoreAway",
]
