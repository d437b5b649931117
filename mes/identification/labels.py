"""Our own labels: `WO:` `OP:` `LOT:` `SN:` `EMP:` `LOC:` `TOOL:` `CMD:` and a code."""

import re
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


def label_text(kind: str, code: str) -> str:
    """Return what a label for `code` carries.

    Args:
        kind: A value of `PREFIXES`, such as `lot`.
        code: 1 to 40 of `A-Z 0-9 . _ / -`.

    Raises:
        LabelMalformed: The code has characters that a label cannot carry.
        CommandUnknown: A command label for no command.
        KeyError: `kind` is none of ours.
    """
    prefix = _PREFIX_OF[kind]
    return f"{prefix}:{_checked(prefix, code)}"


def read_label(text: str, symbology: str | None) -> Scan | None:
    """Return the scan when `text` is one of our labels, None when it is something else.

    Our codes are upper case: a reader behind a pressed Caps Lock sends the other case.

    Raises:
        LabelMalformed: Our prefix before a value that our labels never carry.
        CommandUnknown: A command label for no command.
    """
    match = _LABEL.fullmatch(text)
    if match is None or match[1].upper() not in PREFIXES:
        return None
    prefix = match[1].upper()
    code = _checked(prefix, match[2].upper())
    return Scan(ScanForm.OWN, symbology, {PREFIXES[prefix]: code}, (Element(prefix, code),))


def _checked(prefix: str, code: str) -> str:
    if _CODE.fullmatch(code) is None:
        raise LabelMalformed(prefix=prefix, value=code)
    if prefix == "CMD" and code not in COMMANDS:
        raise CommandUnknown(command=code)
    return code
