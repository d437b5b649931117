"""What happened at the door: who came in, who was turned away."""

from dataclasses import dataclass
from typing import ClassVar

from mes.kernel.ids import PersonId
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class SignedIn(Event):
    """An account opened a session, by `password` or `link`."""

    aggregate_field: ClassVar[str] = "account"
    account: str
    by: str


@event
@dataclass(frozen=True, kw_only=True)
class SignInFailed(Event):
    """Somebody gave a wrong password for an account."""

    aggregate_field: ClassVar[str] = "account"
    account: str
    failures: int


@event
@dataclass(frozen=True, kw_only=True)
class PersonSignedOn(Event):
    """A person took a terminal, by `badge` and PIN or by `sit_down` in the demo plant."""

    aggregate_field: ClassVar[str] = "terminal"
    terminal: str
    person: PersonId
    by: str


@event
@dataclass(frozen=True, kw_only=True)
class PersonSignedOff(Event):
    """A person left a terminal: `own`, `replaced` by the next one, or `withdrawn` with badge or session."""

    aggregate_field: ClassVar[str] = "terminal"
    terminal: str
    person: PersonId
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class BadgeIssued(Event):
    """A person was given a badge or a new PIN."""

    aggregate_field: ClassVar[str] = "person"
    person: PersonId
    badge: str


@event
@dataclass(frozen=True, kw_only=True)
class BadgeWithdrawn(Event):
    """Nobody signs on with a person's badge any more: it was lost, or the person left."""

    aggregate_field: ClassVar[str] = "person"
    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class SessionsEnded(Event):
    """Every browser of an account was signed out at once: a tablet was lost."""

    aggregate_field: ClassVar[str] = "account"
    account: str
    sessions: int


@event
@dataclass(frozen=True, kw_only=True)
class PinRefused(Event):
    """A wrong PIN was entered with a badge."""

    aggregate_field: ClassVar[str] = "terminal"
    terminal: str
    badge: str
    failures: int


@event
@dataclass(frozen=True, kw_only=True)
class AccountChanged(Event):
    """An account was made, or its password or roles were changed."""

    aggregate_field: ClassVar[str] = "account"
    account: str
    roles: tuple[str, ...]
