"""A read barcode in the plant's own words, and the reasons to refuse one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mes.kernel.errors import PlantError

GS: Final = "\x1d"
"""Group separator: what a reader sends for an inner FNC1 (ISO/IEC 15424)."""

COMMANDS: Final = (
    "START",
    "HOLD",
    "RESUME",
    "COMPLETE",
    "GOOD",
    "SCRAP",
    "UNDO",
    "STOP",
    "HELP",
    "CONFIRM",
    "CANCEL",
    "SIGN-OFF",
)
"""What a command label may say, in the order of the terminal's buttons."""


class ScanForm(StrEnum):
    """How a code was written."""

    OWN = "own"
    GTIN = "gtin"
    GS1 = "gs1"
    DIGITAL_LINK = "digital_link"
    ISO15434 = "iso15434"


@dataclass(frozen=True, slots=True)
class Element:
    """One identifier and its value, as printed: AI `10`, data identifier `1T`, prefix `LOT`."""

    identifier: str
    value: str


@dataclass(frozen=True, slots=True)
class Scan:
    """One understood code.

    Args:
        form: The grammar it was written in.
        symbology: AIM symbology identifier such as `]C1`, where the reader sent one.
        fields: Meaning by the plant's words (`lot`, `serial`, `gtin`, `expires_on` …). Quantities
            are decimal strings in `uom` (pieces where there is none); dates are ISO 8601.
        elements: Everything that was in the code, mapped or not, in its order.
    """

    form: ScanForm
    symbology: str | None
    fields: Mapping[str, str]
    elements: tuple[Element, ...] = field(default=())


class ScanRefused(PlantError):
    """This code cannot be used."""

    http_status = 422
    remedy = "Scan another label."


class ScanEmpty(ScanRefused):
    """The reader sent nothing."""

    remedy = "Scan again, a little slower."


class BarcodeUnknown(ScanRefused):
    """Nobody knows what this code stands for."""

    remedy = "Scan the label of the order, the lot, the part or your badge."


class SymbologyMissing(ScanRefused):
    """The reader did not say what kind of code this is."""

    remedy = "Set the scanner to send the AIM symbology identifier; the set-up label does it."


class ControlCharacter(ScanRefused):
    """The code holds a character that cannot be seen."""

    remedy = "Scan the label again, alone; when it stays so, ask for a new label."


class LabelMalformed(ScanRefused):
    """Our own label carries a value that none of our labels has."""

    remedy = "Scan the label again, alone; print it anew when it is damaged."


class CommandUnknown(ScanRefused):
    """There is no such command."""

    remedy = "Scan one of the commands of the sheet at this terminal."


class CheckDigitWrong(ScanRefused):
    """The code's check digit does not agree with its digits."""

    remedy = "The label is misprinted: scan another label of the same goods."


class SeparatorLost(ScanRefused):
    """Two values of the code ran together, because a separator got lost."""

    remedy = "Set the scanner to send FNC1 as the group separator, then scan again."


class Gs1Malformed(ScanRefused):
    """This is no proper GS1 code."""

    remedy = "Scan another label of the same goods; tell the supplier."


class DateImpossible(ScanRefused):
    """The code holds a date that no calendar has."""

    remedy = "Scan another label of the same goods; tell the supplier."


class EnvelopeMalformed(ScanRefused):
    """The code begins as ISO 15434 and does not go on so."""

    remedy = "Set the scanner to send control characters, then scan again."


class EnvelopeNotSupported(ScanRefused):
    """The code holds a format that is not read here."""

    remedy = "Scan the label with the GS1 or the MH10.8.2 code."
