"""Our own labels: `WO:` `OP:` `LOT:` `SN:` `EMP:` `LOC:` `TOOL:` `CMD:` and a code."""

import re
import unicodedata
from typing import Final

from mes.identification.model import (
    COMMANDS,
    CommandUnknown,
    Element,
    LabelMalformed,
    Scan,
    ScanForm,
)

PREFIXES: Final = {
    "WO": "work_order",
    "OP": "job_order",
    "LOT": "lot",
    "SN": "serial",
    "EMP": "person",
    "LOC": "location",
    "TOOL": "tool",
    "CMD": "command",
}
"""Prefix on the label -> field of the scan."""

_PREFIX_OF: Final = {kind: prefix for prefix, kind in PREFIXES.items()}
_LABEL: Final = re.compile(r"([A-Za-z]{2,4}):(.*)", re.DOTALL)
_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9._/-]{0,39}")
_LOT: Final = re.compile(r"(?! ).{1,60}(?<! )")
_ANOTHER_LABEL: Final = re.compile(rf"(?:{'|'.join(PREFIXES)}):", re.IGNORECASE)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of characters that nobody sees on a label."""


def label_text(kind: str, code: str) -> str:
    """Return what a label for `code` carries.

    Args:
        kind: A value of `PREFIXES`, such as `lot`.
        code: 1 to 40 of `A-Z 0-9 . _ / -`; a lot is called as the ERP calls it, in 1 to 60
            characters that can be seen, without another of our labels inside.

    Raises:
        LabelMalformed: The code has characters that a label cannot carry.
        CommandUnknown: A command label for no command.
        KeyError: `kind` is none of ours.
    """
    prefix = _PREFIX_OF[kind]
    return f"{prefix}:{_checked(prefix, code)}"


def read_label(text: str, symbology: str | None) -> Scan | None:
    """Return the scan when `text` is one of our labels, None when it is something else.

    Our codes are upper case: a reader behind a pressed Caps Lock sends the other case. Lots are the
    ERP's: they keep theirs.

    Raises:
        LabelMalformed: Our prefix before a value that our labels never carry.
        CommandUnknown: A command label for no command.
    """
    match = _LABEL.fullmatch(text)
    if match is None or match[1].upper() not in PREFIXES:
        return None
    prefix = match[1].upper()
    code = _checked(prefix, match[2] if prefix == "LOT" else match[2].upper())
    return Scan(ScanForm.OWN, symbology, {PREFIXES[prefix]: code}, (Element(prefix, code),))


def _checked(prefix: str, code: str) -> str:
    if not (_names_a_lot(code) if prefix == "LOT" else _CODE.fullmatch(code)):
        raise LabelMalformed(prefix=prefix, value=code)
    if prefix == "CMD" and code not in COMMANDS:
        raise CommandUnknown(command=code)
    return code


def _names_a_lot(code: str) -> bool:
    """Whether a label can carry the number of a lot: a reader sends it in its compatible form (NFKC)."""
    read = unicodedata.normalize("NFKC", code)
    seen = not any(unicodedata.category(character) in _UNSEEN for character in read)
    return seen and _LOT.fullmatch(read) is not None and _ANOTHER_LABEL.search(read) is None
