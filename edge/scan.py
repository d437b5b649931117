"""Scans as readers send them: the AIM identifier, the payload, the reader's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
"""AIM symbology identifier (ISO/IEC 15424), such as `]C1` for GS1-128."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan.

    Args:
        payload: What the code says, GS characters kept, the identifier taken off.
        symbology: AIM identifier, empty when the reader sends none.
        reader: Name of the reader.
    """

    payload: str
    symbology: str
    reader: str


def read(text: str, reader: str) -> Scan:
    """Take the AIM identifier off `text`."""
    found = AIM.match(text)
    if found is None:
        return Scan(text, "", reader)
    return Scan(text[found.end() :], found.group(), reader)
