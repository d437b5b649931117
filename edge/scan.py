"""Scans as readers send them: frames out of raw bytes, the AIM identifier, the reader's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
"""AIM symbology identifier (ISO/IEC 15424), such as `]C1` for GS1-128."""
MAX_FRAME = 4096
_END = re.compile(rb"[\r\n\x03]+")
_START = b"\x02"


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


class FrameTooLong(ValueError):
    """A reader sent more than any code holds without an end; its bytes are noise."""


def read(text: str, reader: str) -> Scan:
    """Take the AIM identifier off `text`."""
    found = AIM.match(text)
    if found is None:
        return Scan(text, "", reader)
    return Scan(text[found.end() :], found.group(), reader)


class Framer:
    """Cuts a byte stream of a serial or TCP reader into frames (CR, LF or STX/ETX)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield each complete frame as text; what is incomplete waits for more bytes.

        Raises:
            FrameTooLong: `MAX_FRAME` bytes came without an end; they are forgotten.
        """
        parts = _END.split(self._rest + data)
        self._rest = parts.pop()
        for part in parts:
            text = part.removeprefix(_START).decode("utf-8", "replace")
            if text:
                yield text
        if len(self._rest) > MAX_FRAME:
            self._rest = b""
            raise FrameTooLong
