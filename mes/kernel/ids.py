"""Typed identifiers: natural keys that people scan and say, UUIDs where nobody does."""

import os
import time
from typing import NewType
from uuid import UUID

EquipmentId = NewType("EquipmentId", str)
"""Code of a site, area, work centre or unit, such as `CNC-2` (ISA-95 Equipment)."""
PersonId = NewType("PersonId", str)
"""Personnel number, such as `E-1001` (ISA-95 Person)."""
MaterialId = NewType("MaterialId", str)
"""Code of a material definition, such as `PUMP-40`."""
ToolId = NewType("ToolId", str)
"""Code of a kind of tool, mould or fixture, such as `MOULD-40`."""
LotNumber = NewType("LotNumber", str)
"""Number of a material lot, such as `LOT-CAST-40-0007`."""
SerialNumber = NewType("SerialNumber", str)
"""Serial number of one produced piece, such as `SN-00000042`."""
WorkOrderNumber = NewType("WorkOrderNumber", str)
"""Number of a work order, such as `WO-000042`."""
JobOrderId = NewType("JobOrderId", str)
"""Work order and operation, such as `WO-000042-20`."""
MaintenanceNumber = NewType("MaintenanceNumber", str)
"""Number of one maintenance of a unit, such as `MT-000042`."""
EdgeId = NewType("EdgeId", str)
"""Identity of an edge agent, such as `edge-suz-1`."""


def uuid7() -> UUID:
    """Return a time-ordered UUID (RFC 9562, section 5.7: 48 bits of milliseconds, then random).

    PostgreSQL makes these itself only from version 18 on, and Python only from 3.14 on.
    """
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | random_bits
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
