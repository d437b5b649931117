"""GS1 codes: trade item numbers, element strings, Digital Links.

biip reads the identifiers and values; here is what it leaves open: check digits are errors, two
values that ran together are errors, and identifiers get the plant's words.
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from typing import Final

from biip import ParseError
from biip.checksums import gs1_standard_check_digit
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString

from mes.identification.model import (
    GS,
    BarcodeUnknown,
    CheckDigitWrong,
    DateImpossible,
    Element,
    Gs1Malformed,
    Scan,
    ScanForm,
    SeparatorLost,
)

MESSAGE_SYMBOLOGIES: Final = frozenset({"]C1", "]e0", "]d2", "]Q3", "]J1"})
"""Symbologies that carry element strings (GS1 General Specifications, figure 5.1.2-2)."""

ITEM_DIGITS: Final = {"]E0": 13, "]E4": 8, "]I1": 14}
"""Symbologies that carry a bare trade item number, and its digits."""

FIELDS: Final = {
    "00": "sscc",
    "01": "gtin",
    "02": "content_gtin",
    "10": "lot",
    "11": "produced_on",
    "13": "packed_on",
    "15": "best_before",
    "17": "expires_on",
    "21": "serial",
    "30": "quantity",
    "37": "quantity",
    "241": "material",
    "400": "order",
}
"""Application identifier -> field of the scan; `310n` (net weight, kg) comes beside."""

_CHECKED_DIGITS: Final = {"00": 18, "01": 14, "02": 14}
_DATES: Final = ("11", "12", "13", "15", "16", "17")
_TAIL: Final = re.compile(r"(00)([0-9]{18})|(0[12])([0-9]{14})|(1[1-3567])([0-9]{6})")


def read_item(digits: str, symbology: str) -> Scan:
    """Return the trade item of an EAN, UPC or ITF-14 symbol as a GTIN of 14 digits.

    Raises:
        CheckDigitWrong: Wrong number of digits or wrong check digit.
    """
    right_length = len(digits) == ITEM_DIGITS[symbology]
    if not (right_length and digits.isascii() and digits.isdigit() and _check_digit_right(digits)):
        raise CheckDigitWrong(identifier="gtin", value=digits)
    gtin = digits.zfill(14)
    return Scan(ScanForm.GTIN, symbology, {"gtin": gtin}, (Element("01", gtin),))


def read_message(message: str, symbology: str | None) -> Scan:
    """Return the element strings of `message` (AIM identifier taken off, FNC1 as `GS`).

    Raises:
        Gs1Malformed: Unknown identifier, wrong value, or one identifier with two values.
        CheckDigitWrong: An SSCC or GTIN inside is misprinted.
        DateImpossible: A date inside does not exist.
        SeparatorLost: A value of variable length has swallowed what followed it.
    """
    if not message.isascii():
        raise Gs1Malformed(at=message)
    found = list(_elements(message))
    elements = tuple(Element(one.ai.ai, one.value) for one in found)
    if GS not in message:
        _refuse_swallowed(found)
    return Scan(ScanForm.GS1, symbology, _fields(found), elements)


def read_link(uri: str, symbology: str | None) -> Scan:
    """Return what a GS1 Digital Link of any domain says (URI Syntax 1.2).

    Raises:
        BarcodeUnknown: An address that is no Digital Link.
        CheckDigitWrong: An SSCC or GTIN inside is misprinted.
    """
    try:
        link = GS1DigitalLinkURI.parse(uri)
    except ParseError as error:
        raise BarcodeUnknown(scan=uri) from error
    elements = tuple(Element(one.ai.ai, one.value) for one in link.element_strings)
    return Scan(ScanForm.DIGITAL_LINK, symbology, _fields(link.element_strings), elements)


def iso_date(yymmdd: str) -> str | None:
    """Return a six-digit date as ISO 8601, day 00 as the month's last; None when impossible.

    Years are read within -49 and +50 years (GS1 General Specifications, section 7.12); for the
    codes of a plant that is this century.
    """
    year, month, day = 2000 + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:])
    if not 1 <= month <= 12:
        return None
    last = monthrange(year, month)[1]
    return f"{year:04}-{month:02}-{day or last:02}" if day <= last else None


def _elements(message: str) -> Iterator[GS1ElementString]:
    rest = message.lstrip(GS)
    seen: dict[str, str] = {}
    while rest:
        chunk = rest.split(GS, 1)[0]
        element = _first_element(rest, chunk)
        identifier = element.ai.ai
        if seen.setdefault(identifier, element.value) != element.value:
            raise Gs1Malformed(at=identifier + element.value)
        yield element
        rest = rest[len(identifier) + len(element.value) :]
        if element.ai.separator_required and rest and not rest.startswith(GS):
            _refuse_unseparated(element, chunk, rest)
        rest = rest.lstrip(GS)


def _first_element(rest: str, chunk: str) -> GS1ElementString:
    try:
        element = GS1ElementString.extract(rest)
    except ParseError as error:
        if chunk[:2] in _DATES and re.match(r"[0-9]{8}", chunk):
            raise DateImpossible(identifier=chunk[:2], value=chunk[2:8]) from error
        raise Gs1Malformed(at=chunk) from error
    if not element.value:
        raise Gs1Malformed(at=chunk)
    return element


def _refuse_unseparated(element: GS1ElementString, chunk: str, rest: str) -> None:
    if _is_gs1_character(rest[0]):
        identifier = element.ai.ai
        raise SeparatorLost(identifier=identifier, value=chunk[len(identifier) :])
    raise Gs1Malformed(at=rest.split(GS, 1)[0])


def _is_gs1_character(character: str) -> bool:
    """Whether GS1's character set 82 has it (General Specifications, figure 7.11-1)."""
    return re.fullmatch(r"[!-\"%-?A-Z_a-z]", character) is not None


def _refuse_swallowed(found: list[GS1ElementString]) -> None:
    """Refuse a value whose tail reads as dates or numbers with a right check digit.

    Only where the whole code has no separator: a reader that sends one sends all of them.
    """
    present = {element.ai.ai for element in found}
    for element in found:
        if element.ai.separator_required and _has_swallowed(element.value, present):
            raise SeparatorLost(identifier=element.ai.ai, value=element.value)


def _has_swallowed(value: str, present: set[str]) -> bool:
    return any(_is_tail(value[start:], present) for start in range(1, len(value) - 7))


def _is_tail(text: str, present: set[str]) -> bool:
    while text:
        match = _TAIL.match(text)
        if match is None:
            return False
        identifier, digits = (part for part in match.groups() if part is not None)
        if identifier in present or not _is_sound(identifier, digits):
            return False
        text = text[match.end() :]
    return True


def _is_sound(identifier: str, digits: str) -> bool:
    if identifier in _CHECKED_DIGITS:
        return _check_digit_right(digits)
    return iso_date(digits) is not None


def _fields(elements: Iterable[GS1ElementString]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for element in elements:
        identifier = element.ai.ai
        if identifier in _CHECKED_DIGITS and not _check_digit_right(element.value):
            raise CheckDigitWrong(identifier=identifier, value=element.value)
        if identifier.startswith("310"):
            fields |= {"quantity": str(element.decimal), "uom": "kg"}
        elif identifier in FIELDS:
            fields[FIELDS[identifier]] = _value(element)
    return fields


def _value(element: GS1ElementString) -> str:
    if element.date is not None:
        return element.date.isoformat()
    return str(int(element.value)) if element.ai.ai in {"30", "37"} else element.value


def _check_digit_right(digits: str) -> bool:
    return gs1_standard_check_digit(digits[:-1]) == int(digits[-1])
