"""One door for everything that a reader sends."""

import re
import unicodedata
from typing import Final

from mes.identification.code import without_controls
from mes.identification.envelope import (
    END_OF_TRANSMISSION,
    HEADER,
    RECORD_SEPARATOR,
    read_envelope,
)
from mes.identification.gs1 import (
    ITEM_DIGITS,
    MESSAGE_SYMBOLOGIES,
    read_item,
    read_link,
    read_message,
)
from mes.identification.labels import read_label
from mes.identification.model import (
    GS,
    BarcodeUnknown,
    Scan,
    ScanEmpty,
    SymbologyMissing,
)

_AIM: Final = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_LOOKS_LIKE_GS1: Final = re.compile(
    r"[0-9]{8}|[0-9]{12,14}|0[12][0-9]{14}.*|00[0-9]{18}.*|[0-9]{2,}.*" + GS + r".*", re.DOTALL
)
_BLANK: Final = " \t\r\n"
_SEPARATORS: Final = GS + RECORD_SEPARATOR + END_OF_TRANSMISSION
"""The control characters that a grammar has a place for; each grammar refuses them elsewhere."""


def parse_scan(raw: str, *, gs: str = GS) -> Scan:
    """Say what a scanned code means.

    Args:
        raw: What the reader sent, without its own prefix and suffix.
        gs: What this reader sends for the group separator (keyboard readers cannot send U+001D).

    Raises:
        ScanRefused: One of its kinds says what is wrong and what to do.

    Source:
        ISO/IEC 15424 (symbology identifiers), GS1 General Specifications, GS1 Digital Link URI
        Syntax 1.2, ISO/IEC 15434, ANSI MH10.8.2.
    """
    text = unicodedata.normalize("NFKC", raw.replace(gs, GS)).strip(_BLANK)
    symbology, text = _split_symbology(text)
    if not text:
        raise ScanEmpty
    without_controls(text, allowed=_SEPARATORS)
    if symbology in ITEM_DIGITS:
        return read_item(text, symbology)
    if text.startswith(HEADER):
        return read_envelope(text, symbology)
    if re.match(r"https?://", text, re.IGNORECASE):
        return read_link(text, symbology)
    if symbology in MESSAGE_SYMBOLOGIES:
        return read_message(text, symbology)
    return read_label(text, symbology) or _refuse(text)


def _split_symbology(text: str) -> tuple[str | None, str]:
    match = _AIM.match(text)
    if match is None:
        return None, text
    return match[0], text[match.end() :].strip(_BLANK)


def _refuse(text: str) -> Scan:
    if _LOOKS_LIKE_GS1.fullmatch(text):
        raise SymbologyMissing(scan=text)
    raise BarcodeUnknown(scan=text)
