"""What the plant answers when it refuses: a code, a fact, and what to do about it."""

import asyncio
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


class PlantError(Exception):
    """The plant refused this.

    A subclass is two lines: its docstring's first line names the broken fact, `remedy` tells the
    operator what to do. The pages translate both by `code` and `params`.

    Args:
        state: What is true now, where the caller's picture was out of date (for 409).
        params: The values that the message speaks of.
    """

    http_status: ClassVar[int] = 400
    remedy: ClassVar[str] = ""
    retryable: ClassVar[bool] = False
    """True when the same command may succeed later unchanged: its refusal is not remembered."""

    def __init__(self, state: dict[str, Any] | None = None, **params: Any) -> None:
        self.state = state
        self.params = params
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """Name by which pages and devices know this error."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """First line of the class docstring, followed by the parameters."""
        first = (type(self).__doc__ or "").strip().split("\n", 1)[0]
        detail = ", ".join(f"{key}={value}" for key, value in self.params.items())
        return f"{first} ({detail})" if detail else first

    def as_json(self) -> dict[str, Any]:
        """Return the body of the HTTP reply."""
        body: dict[str, Any] = {
            "error": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "params": {key: _plain(value) for key, value in self.params.items()},
        }
        if self.state is not None:
            body["state"] = self.state
        return body


def found(row: T | None, missing: type[PlantError], **params: Any) -> T:
    """Return a row that was looked up.

    Args:
        params: What was looked for, for the message.

    Raises:
        PlantError: There is none: the `missing` one.
    """
    if row is None:
        raise missing(**params)
    return row


def unless_told_to_end(lost: Exception) -> Exception | asyncio.CancelledError:
    """Return what to raise for a lost connection: `lost`, or the cancellation that it would hide.

    Who gives something back on his way out, a lease perhaps, and finds no database raises the loss in the
    place of his cancellation; whoever waits losses out would go on for ever where he was told to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return asyncio.CancelledError(str(lost))
    return lost


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)
