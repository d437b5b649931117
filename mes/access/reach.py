"""Who acts at a terminal, and what is in reach there: the one place of that rule.

An act through a terminal is the act of the person who is signed on there. It reaches the terminal's unit
and that person; what else lies there (a lot) says its own activity. Whoever oversees the floor reaches
everything where that right holds, at a terminal or at a desk.
"""

from datetime import datetime
from uuid import UUID

from mes.access import service, store
from mes.access.model import (
    SIGN_ON_LIFETIME,
    WHOLE_SITE,
    Caller,
    NobodySignedOn,
    Permission,
    PersonOutOfReach,
    TerminalTakenOver,
    UnitOutOfReach,
)
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId


async def person_at(
    tx: Tx, caller: Caller, terminal: str, at: datetime, receipt: UUID | None = None
) -> tuple[PersonId, datetime]:
    """Return who did an act at a terminal in the caller's browser at the moment `at`, and when.

    A receipt that is shown decides alone: the act is that person's until that sign-on ended, not a
    moment longer. It was not done before that sign-on began, so where a device says that it waited
    for longer, the act is dated to the beginning.

    Args:
        receipt: Of the sign-on under which the act was done; it outlives the browser's session.

    Raises:
        TerminalTakenOver: Another sign-on has the terminal.
        NobodySignedOn: Nobody was there.
    """
    shown = None if receipt is None else await store.sign_on_of(tx, receipt)
    if shown is not None and (shown.terminal, shown.account) == (terminal, caller.account):
        over = min(shown.ended_at or shown.since + SIGN_ON_LIFETIME, shown.since + SIGN_ON_LIFETIME)
        then = shown if at <= over else None
    else:
        then = await store.sign_on_at(tx, terminal, caller.session, at, lifetime=SIGN_ON_LIFETIME)
    if then is not None:
        return then.person, max(at, then.since)
    if await store.open_sign_on(tx, terminal, at - SIGN_ON_LIFETIME) is not None:
        raise TerminalTakenOver(terminal=terminal)
    raise NobodySignedOn(terminal=terminal)


def at_hand(tx: Tx, unit: str) -> bool:
    """Say whether an act was done at a unit, or at no terminal at all."""
    return tx.cause.terminal in {None, unit}


def check_unit(tx: Tx, caller: Caller, permission: Permission, unit: str, scope: str) -> None:
    """Refuse what is done to another unit than that of the terminal where the caller's person is.

    Args:
        scope: The unit's place below the site.

    Raises:
        NotPermitted: No grant covers the unit.
        UnitOutOfReach: It is another terminal's, or nobody is signed on at one.
    """
    caller.check(permission, scope)
    if tx.cause.terminal != unit and not caller.may(Permission.FLOOR_OVERSEE, scope):
        raise UnitOutOfReach(equipment=unit)


async def check_person(tx: Tx, caller: Caller, person: str) -> None:
    """Refuse to clock anybody but the person who is signed on at the terminal.

    Raises:
        NotPermitted: No grant covers the terminal, or without one the site.
        PersonOutOfReach: It is somebody else.
    """
    if not await oversees(tx, caller, Permission.PERSON_CLOCK) and tx.cause.actor != f"person:{person}":
        raise PersonOutOfReach(person=person)


async def oversees(tx: Tx, caller: Caller, permission: Permission) -> bool:
    """Say whether the caller may do this to more than what is at the terminal it is done at.

    Raises:
        NotPermitted: No grant covers the terminal, or without one the site.
        TerminalUnknown: There is no such terminal.
    """
    terminal = tx.cause.terminal
    scope = WHOLE_SITE if terminal is None else await service.scope_of_terminal(tx, terminal)
    caller.check(permission, scope)
    return caller.may(Permission.FLOOR_OVERSEE, scope)
