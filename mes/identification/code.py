"""A number that somebody scanned or typed, as it comes to the boundary: all of it can be seen."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from mes.identification.model import ControlCharacter

LONGEST = 60


def without_controls(text: str, *, allowed: str = "") -> str:
    """Return `text` if it has no control character but those `allowed`.

    Raises:
        ControlCharacter: It has one; names its code point.
    """
    for character in text:
        if unicodedata.category(character) == "Cc" and character not in allowed:
            raise ControlCharacter(character=f"U+{ord(character):04X}")
    return text


Code = Annotated[str, Field(max_length=LONGEST), AfterValidator(without_controls)]
"""A number in the body of a request: of a lot, a piece, a unit, a reason."""
