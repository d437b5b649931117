"""ISO/IEC 15434 envelopes: format 05 (GS1) and format 06 (data identifiers, ANSI MH10.8.2).

Written like `[)>` RS `06` GS `PMOTOR-A` GS `Q12` RS EOT. Readers drop some of the control
characters; what stays unambiguous without them is read.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from mes.identification.gs1 import read_message
from mes.identification.model import (
    GS,
    DateImpossible,
    Element,
    EnvelopeMalformed,
    EnvelopeNotSupported,
    Scan,
    ScanForm,
)

HEADER: Final = "[)>"
RECORD_SEPARATOR: Final = "\x1e"
END_OF_TRANSMISSION: Final = "\x04"

FIELDS: Final = {
    "P": "material",
    "1P": "supplier_material",
    "Q": "quantity",
    "7Q": "quantity",
    "1T": "lot",
    "S": "serial",
    "4S": "serial",
    "V": "supplier",
    "12V": "supplier",
    "K": "order",
    "4K": "order_line",
    "4L": "country",
    "14D": "expires_on",
    "16D": "produced_on",
    "J": "licence_plate",
    "1J": "licence_plate",
    "2J": "licence_plate",
    "3J": "licence_plate",
    "4J": "licence_plate",
    "5J": "licence_plate",
    "6J": "licence_plate",
}
"""Data identifier (ANSI MH10.8.2) -> field of the scan."""

_ELEMENT: Final = re.compile(r"([0-9]{0,3}[A-Z])(.+)", re.DOTALL)
_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Z]{0,3})")
_DATES: Final = ("14D", "16D")
_FORMAT: Final = re.compile(r"([0-9][0-9])" + GS + r"(.*)", re.DOTALL)


def read_envelope(text: str, symbology: str | None) -> Scan:
    """Return everything that the envelope's formats say together.

    Raises:
        EnvelopeMalformed: A format without its separators, or a field without an identifier.
        EnvelopeNotSupported: A format other than 05 and 06.
        DateImpossible: A date inside does not exist.
        ScanRefused: Format 05 holds what a GS1 message may not hold.
    """
    fields: dict[str, str] = {}
    elements: list[Element] = []
    for number, body in _formats(text):
        if number == "05":
            inner = read_message(body, symbology)
            fields |= inner.fields
            elements += inner.elements
        elif number == "06":
            for element in _elements(body):
                elements.append(element)
                fields |= _meaning(element)
        else:
            raise EnvelopeNotSupported(format=number)
    return Scan(ScanForm.ISO15434, symbology, fields, tuple(elements))


def _formats(text: str) -> Iterator[tuple[str, str]]:
    body = text.removeprefix(HEADER).rstrip(END_OF_TRANSMISSION).strip(RECORD_SEPARATOR)
    for part in body.split(RECORD_SEPARATOR):
        match = _FORMAT.fullmatch(part)
        if match is None:
            raise EnvelopeMalformed(at=part)
        yield match[1], match[2]


def _elements(body: str) -> Iterator[Element]:
    for part in filter(None, body.split(GS)):
        match = _ELEMENT.fullmatch(part)
        if match is None:
            raise EnvelopeMalformed(at=part)
        yield Element(match[1], match[2])


def _meaning(element: Element) -> dict[str, str]:
    name = FIELDS.get(element.identifier)
    if name is None:
        return {}
    if name == "quantity":
        return _quantity(element)
    if element.identifier in _DATES:
        return {name: _date(element)}
    return {name: element.value}


def _quantity(element: Element) -> dict[str, str]:
    match = _QUANTITY.fullmatch(element.value)
    if match is None:
        raise EnvelopeMalformed(at=element.identifier + element.value)
    return {"quantity": match[1], "uom": match[2]} if match[2] else {"quantity": match[1]}


def _date(element: Element) -> str:
    """Read YYYYMMDD (MH10.8.2: 14D expiration, 16D production)."""
    try:
        if re.fullmatch(r"[0-9]{8}", element.value) is None:
            raise ValueError(element.value)
        return datetime.strptime(element.value + "+0000", "%Y%m%d%z").date().isoformat()
    except ValueError as error:
        raise DateImpossible(identifier=element.identifier, value=element.value) from error
