"""The numbers of an instance's file, each with the line where it stands."""

from __future__ import annotations

from planner.fault import Fault, InvalidProblem


def refused(row: str, what: str, remedy: str) -> InvalidProblem:
    """What to raise for a row that is not in the format."""
    return InvalidProblem([Fault(row, what, remedy)])


LONGEST_WORD = 40
"""Signs of a word that are shown."""

MOST_DIGITS = 15
"""Of a number in a file; no instance has one that is nearly as large."""


def whole(words: list[str], row: str) -> list[int]:
    """The words as whole numbers that are not negative.

    Raises:
        InvalidProblem: One is something else, or has more than `MOST_DIGITS`; names the row.
    """
    for word in words:
        if not (word.isascii() and word.isdecimal()):
            what = f"has {shown(word)} where a whole number is due"
            raise refused(row, what, "Check the format of the file")
        if len(word) > MOST_DIGITS:
            remedy = f"Give at most {MOST_DIGITS} digits"
            raise refused(row, f"has a number of {len(word)} digits", remedy)
    return [int(word) for word in words]


def shown(word: str) -> str:
    """A word of the file in quotation marks, and not all of it where it is long."""
    return repr(word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}...")


def _row(line: int, of: str) -> str:
    return f"line {line}, {of}" if of else f"line {line}"


class Numbers:
    """The numbers of a file, one after the other, whatever lines they are in."""

    def __init__(self, text: str) -> None:
        """Begin at the first.

        Args:
            text: The file; its lines count from 1.
        """
        self._words = [(line, word) for line, row in enumerate(text.splitlines(), 1) for word in row.split()]
        self._at = 0

    def next(self, what: str, of: str = "") -> int:
        """The next number.

        Args:
            what: What it is, for the refusal.
            of: Whose it is, for the refusal.

        Raises:
            InvalidProblem: The file ends, or has something else there.
        """
        if self._at == len(self._words):
            last = self._words[-1][0] if self._words else 1
            raise refused(_row(last, of), f"ends where {what} is due", "Check that the file is complete")
        line, word = self._words[self._at]
        self._at += 1
        return whole([word], _row(line, of))[0]

    @property
    def line(self) -> int:
        """The line of the number that was read last."""
        return self._words[self._at - 1][0]

    def take(self, count: int, what: str, of: str = "") -> tuple[int, ...]:
        """The next `count` numbers."""
        return tuple(self.next(what, of) for _ in range(count))

    def leave_line(self) -> None:
        """Skip what is left of the line that was read last."""
        line = self.line
        while self._at < len(self._words) and self._words[self._at][0] == line:
            self._at += 1

    def finish(self) -> None:
        """Make sure that nothing is left.

        Raises:
            InvalidProblem: There are more numbers than the format has places for.
        """
        if self._at < len(self._words):
            line, word = self._words[self._at]
            what = f"goes on with {shown(word)} where the instance is complete"
            raise refused(f"line {line}", what, "Check the counts in the first lines")
