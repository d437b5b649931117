"""Signing in and on: accounts, sessions, one-time links, tokens, badges and terminals."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from mes.access import store
from mes.access.events import (
    AccountChanged,
    BadgeIssued,
    BadgeWithdrawn,
    PersonSignedOff,
    PersonSignedOn,
    PinRefused,
    SessionsEnded,
    SignedIn,
    SignInFailed,
)
from mes.access.model import (
    LINK_LIFETIME,
    PASSWORD_ATTEMPTS,
    PASSWORD_LOCKOUT,
    PIN_ATTEMPTS,
    PIN_LOCKOUT,
    ROLE_PERMISSIONS,
    SESSION_LIFETIME,
    SESSION_TOUCH,
    SIGN_ON_LIFETIME,
    AccountLocked,
    AccountShut,
    AccountUnknown,
    BadgeNotIssued,
    BadgeNotValid,
    BadgeRefused,
    BadgeTaken,
    Caller,
    Grant,
    LinkNotValid,
    PasswordTooShort,
    Permission,
    PinLocked,
    PinNotValid,
    Role,
    SignInRefused,
    SignOn,
    TerminalTakenOver,
    TerminalUnknown,
)
from mes.access.passwords import (
    hash_secret,
    make_token,
    same_hash,
    secret_matches,
    token_hash,
)
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.ids import PersonId, uuid7
from mes.kernel.outbox import append

ADMINISTRATOR = "admin"
"""The account that the first one-time link opens; it has no password until one is set."""

SERVICE_RIGHTS: dict[str, frozenset[Permission]] = {
    "cli": frozenset(Permission),
    "plant": ROLE_PERMISSIONS[Role.OPERATOR] | {Permission.ORDER_RELEASE, Permission.FLOOR_OVERSEE},
    "supervisor": frozenset({Permission.STATUS_VIEW, Permission.TROUBLE_VIEW}),
}
"""Programs that call the API, and what their tokens allow; at the simulated plant's gate everybody clocks."""

MIN_PASSWORD = 12
BADGE = re.compile(r"EMP:[A-Za-z0-9][A-Za-z0-9._/-]{0,59}")
"""What a badge says; other labels are no people."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened; the token goes into the cookie and is stored nowhere."""

    account: str
    token: str


async def make_account(
    tx: Tx,
    account: str,
    grants: tuple[Grant, ...],
    *,
    password_hash: str | None = None,
    language: str = "",
) -> None:
    """Make an account, or give it these roles and this password instead.

    Args:
        password_hash: From `hash_password`; None leaves it without one, or as it was.
    """
    await store.save_account(tx, account, password_hash, language)
    await store.replace_grants(tx, account, grants)
    roles = tuple(sorted(grant.role.value for grant in grants))
    await append(tx, AccountChanged(site=tx.site, account=account, roles=roles))


@dataclass(frozen=True, slots=True)
class AccountCard:
    """An account and its roles, each with its place where it does not hold everywhere."""

    account: str
    roles: tuple[str, ...]
    disabled: bool


async def accounts(tx: Tx) -> list[AccountCard]:
    """Return every account by name."""
    return [
        AccountCard(
            one.account,
            tuple(_role_text(grant) for grant in await store.grants_of(tx, one.account)),
            one.disabled,
        )
        for one in await store.all_accounts(tx)
    ]


def _role_text(grant: Grant) -> str:
    place = "/".join(part for part in (grant.site, grant.scope) if part)
    return f"{grant.role.value} at {place}" if place else grant.role.value


async def hash_password(password: str) -> str:
    """Return the hash of a new password.

    Raises:
        PasswordTooShort: Fewer than 12 characters (NIST SP 800-63B asks for length, not symbols).
    """
    if len(password) < MIN_PASSWORD:
        raise PasswordTooShort(minimum=MIN_PASSWORD)
    return await hash_secret(password)


async def hash_pin(pin: str) -> str:
    """Return the hash of a new PIN.

    Raises:
        PinNotValid: It is not four to eight digits.
    """
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 8):
        raise PinNotValid
    return await hash_secret(pin)


async def make_one_time_link(
    tx: Tx, base_url: str, account: str = ADMINISTRATOR, token: str | None = None
) -> str:
    """Return an address that signs `account` in, once, within a day.

    The account `admin` is made with the administrator's role when it is missing.
    `token` may have been shown before the database was there; it must be as random as ours.

    Raises:
        AccountUnknown: No such account.
        AccountShut: Nobody gets in with it.
    """
    known = await store.find_account(tx, account)
    if known is None:
        if account != ADMINISTRATOR:
            raise AccountUnknown(account=account)
        await make_account(tx, account, (Grant(Role.ADMINISTRATOR),))
    elif known.disabled:
        raise AccountShut(account=account)
    token = token or make_token()
    await store.insert_link(
        tx, token_hash=token_hash(token), account=account, expires_at=tx.now + LINK_LIFETIME
    )
    return f"{base_url.rstrip('/')}/sign-in?token={token}"


async def sign_in_by_link(tx: Tx, token: str) -> NewSession:
    """Use up a one-time link and open a session.

    Raises:
        LinkNotValid: Used already, too old, or never made.
    """
    account = await store.use_link(tx, token_hash(token))
    if account is None:
        raise LinkNotValid
    return await _open_session(tx, account, by="link")


async def sign_in(db: Database, cause: Cause, account: str, password: str) -> NewSession:
    """Open a session for the right password.

    Each is counted before it is looked at, so that many at once are no more than one by one.

    Raises:
        SignInRefused: No such account, or another password.
        AccountLocked: Too many wrong passwords; `until` says how long.
    """
    async with db.transaction(cause) as tx:
        until = tx.now + PASSWORD_LOCKOUT
        number = await store.count_password(tx, account, PASSWORD_ATTEMPTS, until)
        found = await store.find_account(tx, account)
    if found is not None and number is None:
        raise AccountLocked(until=(found.locked_until or until).isoformat())
    usable = found is not None and not found.disabled
    right = await secret_matches(found.password_hash if found else None, password)
    async with db.transaction(cause) as tx:
        if usable and right:
            await store.forget_passwords(tx, account)
            return await _open_session(tx, account, by="password")
        if number is not None:
            await append(tx, SignInFailed(site=tx.site, account=account, failures=number))
    raise SignInRefused


async def _open_session(tx: Tx, account: str, by: str) -> NewSession:
    token = make_token()
    await store.insert_session(
        tx,
        token_hash=token_hash(token),
        session=uuid7(),
        account=account,
        expires_after=tx.now - 2 * SESSION_LIFETIME,
    )
    await append(tx, SignedIn(site=tx.site, account=account, by=by))
    return NewSession(account, token)


async def sign_out(tx: Tx, token: str) -> None:
    """End the session of this token."""
    await store.end_session(tx, token_hash(token))


async def end_sessions(tx: Tx, account: str) -> int:
    """End every session of an account at once, and who is signed on there: a tablet was lost.

    Returns:
        How many sessions were open.

    Raises:
        AccountUnknown: No such account.
    """
    if await store.find_account(tx, account) is None:
        raise AccountUnknown(account=account)
    ended = await _throw_out(tx, account)
    await append(tx, SessionsEnded(site=tx.site, account=account, sessions=ended))
    return ended


async def _throw_out(tx: Tx, account: str) -> int:
    """End the sessions of an account, and who is signed on in them; return how many sessions were open."""
    for there in await store.open_sign_ons(tx):
        if there.account == account:
            await _leave(tx, there.terminal, reason="withdrawn")
    return await store.end_sessions_of(tx, account)


async def shut_account(tx: Tx, account: str) -> None:
    """Let nobody in with this account any more, from this moment on.

    Raises:
        AccountUnknown: No such account.
    """
    if not await store.disable_account(tx, account):
        raise AccountUnknown(account=account)
    await _throw_out(tx, account)
    await append(tx, AccountChanged(site=tx.site, account=account, roles=()))


async def speak(tx: Tx, account: str, language: str) -> None:
    """Keep the language that an account's pages speak."""
    await store.save_language(tx, account, language)


async def caller_of_session(
    tx: Tx, token: str, terminal: str | None, now: datetime
) -> tuple[Caller, bool] | None:
    """Return who a session cookie belongs to, and whether its last use should be written."""
    session = await store.find_session(
        tx, token_hash(token), now - SESSION_LIFETIME, terminal, now - SIGN_ON_LIFETIME
    )
    if session is None:
        return None
    caller = Caller(
        account=session.account,
        grants=tuple(Grant(Role(role), site, scope) for role, site, scope in session.grants),
        site=tx.site,
        session=session.session,
        person=session.person,
        signed_on_at=session.signed_on_at,
        terminal=terminal,
        language=session.language,
    )
    return caller, session.last_used_at < now - SESSION_TOUCH


async def keep_session(tx: Tx, token: str) -> None:
    """Note that a session was used."""
    await store.touch_session(tx, token_hash(token))


async def put_service_token(tx: Tx, name: str, secret: str) -> None:
    """Make the token of one of our programs good; an older secret of it ends."""
    rights = sorted(permission.value for permission in SERVICE_RIGHTS[name])
    await store.save_token(tx, name, token_hash(secret), rights)


async def caller_of_token(tx: Tx, credential: str, terminal: str | None) -> Caller | None:
    """Return which program a bearer token `name.secret` belongs to."""
    name, _, secret = credential.partition(".")
    row = await store.find_token(tx, name)
    if row is None or not same_hash(row.secret_hash, token_hash(secret)):
        return None
    return Caller(
        account=name,
        grants=(),
        site=tx.site,
        session=f"token:{name}",
        terminal=terminal,
        tokens=frozenset(one for one in Permission if one.value in row.permissions),
    )


async def put_terminal(tx: Tx, terminal: str, scope: str) -> None:
    """Enrol the terminal of a work unit.

    Args:
        scope: The unit's hierarchy below the site, such as `MACH/MC/CNC-1`.
    """
    await store.save_terminal(tx, terminal, scope)


async def close_terminal(tx: Tx, terminal: str) -> None:
    """Let nobody sign on at a terminal any more; whoever is there leaves. `put_terminal` opens it again."""
    await _leave(tx, terminal, reason="withdrawn")
    await store.close_terminal(tx, terminal)


async def rest_badges(tx: Tx, people: Collection[PersonId]) -> None:
    """Let the badges of some people sign nobody on until they are woken; wherever they are, they leave."""
    await store.rest_badges(tx, people, resting=True)
    await _leave_everywhere(tx, people)


async def wake_badges(tx: Tx, people: Collection[PersonId]) -> None:
    """Let the badges of some people sign on again; one that was withdrawn stays withdrawn."""
    await store.rest_badges(tx, people, resting=False)


async def _leave_everywhere(tx: Tx, people: Collection[PersonId]) -> None:
    for there in await store.open_sign_ons(tx):
        if there.person in people:
            await _leave(tx, there.terminal, reason="withdrawn")


async def issue_badge(tx: Tx, person: PersonId, badge: str, pin_hash: str | None = None) -> None:
    """Give a person a badge, and a PIN when `pin_hash` (from `hash_pin`) is given.

    A badge without a PIN identifies, but signs nobody on.

    Raises:
        BadgeNotValid: No terminal takes this for a badge.
        BadgeTaken: Somebody else has it, or had it.
    """
    if BADGE.fullmatch(badge) is None:
        raise BadgeNotValid(badge=badge)
    if await store.holder_of(tx, badge) not in {None, person}:
        raise BadgeTaken(badge=badge)
    await store.save_badge(tx, person, badge, pin_hash)
    await store.forget_attempts(tx, badge)
    await append(tx, BadgeIssued(site=tx.site, person=person, badge=badge))


async def withdraw_badge(tx: Tx, person: PersonId) -> None:
    """Shut a lost badge, or that of a person who left; wherever the person is signed on, that ends.

    Raises:
        BadgeNotIssued: The person has no badge that is valid.
    """
    if not await store.disable_badge(tx, person):
        raise BadgeNotIssued(person=person)
    await _leave_everywhere(tx, (person,))
    await append(tx, BadgeWithdrawn(site=tx.site, person=person))


async def sign_on(
    db: Database, cause: Cause, caller: Caller, terminal: str, *, badge: str, pin: str
) -> SignOn:
    """Let the person with this badge and PIN work at a terminal; whoever was there leaves it.

    Each PIN is counted before it is looked at, so that many at once are no more than one by one; a
    badge that was withdrawn or got another PIN meanwhile is refused.

    Raises:
        TerminalUnknown: No such terminal.
        NotPermitted: The account has no right at that place.
        PinLocked: Five wrong PINs; `until` says how long it waits.
        BadgeRefused: Unknown badge or wrong PIN.
    """
    async with db.transaction(cause) as tx:
        await _check_place(tx, caller, terminal, Permission.TERMINAL_USE)
        number = await store.count_pin(tx, badge, terminal, PIN_ATTEMPTS, tx.now + PIN_LOCKOUT)
        if number is None:
            until = await store.pin_locked_until(tx, badge, terminal)
            raise PinLocked(until=(until or tx.now).isoformat())
        found = await store.find_badge(tx, badge)
    right = await secret_matches(found.pin_hash if found else None, pin)
    async with db.transaction(cause) as tx:
        if found is not None and right and await store.find_badge(tx, badge) == found:
            await store.forget_attempts(tx, badge)
            return await _take(tx, caller, terminal, found.person, by="badge")
        await append(tx, PinRefused(site=tx.site, terminal=terminal, badge=badge, failures=number))
    raise BadgeRefused


async def sit_down(tx: Tx, caller: Caller, terminal: str, person: PersonId) -> SignOn:
    """Work at a terminal as a demo person, without a PIN (the route sees to demo and loopback).

    The simulator never takes a terminal from a person who used it within the last minute.

    Raises:
        TerminalUnknown: No such terminal.
        NotPermitted: The account has no right at that place.
        BadgeRefused: The person does not work here any more.
        TerminalTakenOver: A person works there.
    """
    await _check_place(tx, caller, terminal, Permission.TERMINAL_SIT_DOWN)
    if await store.rests(tx, person):
        raise BadgeRefused
    if caller.is_service:
        now_there = await store.open_sign_on(tx, terminal, tx.now - SIGN_ON_LIFETIME)
        if now_there is not None and now_there.visitor(tx.now):
            raise TerminalTakenOver(terminal=terminal)
    return await _take(tx, caller, terminal, person, by="sit_down")


async def scope_of_terminal(tx: Tx, terminal: str) -> str:
    """Return the place of a terminal, below the site.

    Raises:
        TerminalUnknown: No such terminal.
    """
    place = await store.find_terminal(tx, terminal)
    if place is None:
        raise TerminalUnknown(terminal=terminal)
    return place.scope


async def _check_place(tx: Tx, caller: Caller, terminal: str, permission: Permission) -> None:
    caller.check(permission, await scope_of_terminal(tx, terminal))


async def _take(tx: Tx, caller: Caller, terminal: str, person: PersonId, by: str) -> SignOn:
    await store.lock_terminal(tx, terminal)
    before = await store.open_sign_on(tx, terminal, tx.now - SIGN_ON_LIFETIME)
    if before is not None and (before.person, before.session) == (person, caller.session):
        await store.touch_sign_on(tx, terminal, caller.session, tx.now)
        return before
    await _leave(tx, terminal, reason="replaced")
    taken = SignOn(
        receipt=uuid4(),
        terminal=terminal,
        person=person,
        account=caller.account,
        session=caller.session,
        simulated=caller.is_service,
        since=tx.now,
        last_used_at=tx.now,
        ended_at=None,
    )
    await store.insert_sign_on(tx, taken)
    scope = await _scope_of(tx, terminal)
    await append(tx, PersonSignedOn(site=tx.site, scope=scope, terminal=terminal, person=person, by=by))
    return taken


async def sign_off(tx: Tx, caller: Caller, terminal: str) -> None:
    """Leave a terminal at the moment of the act.

    Nothing happens when nobody or another session is there, or when the next person signed on
    meanwhile: a sign-off made offline arrives late.
    """
    there = await store.open_sign_on(tx, terminal, tx.now - SIGN_ON_LIFETIME)
    if there is not None and there.session == caller.session and there.since <= tx.now:
        await _leave(tx, terminal, reason="own")


async def _leave(tx: Tx, terminal: str, reason: str) -> None:
    there = await store.open_sign_on(tx, terminal, datetime.min.replace(tzinfo=tx.now.tzinfo))
    if there is None:
        return
    await store.end_sign_on(tx, terminal)
    await append(
        tx,
        PersonSignedOff(
            site=tx.site,
            scope=await _scope_of(tx, terminal),
            terminal=terminal,
            person=there.person,
            reason=reason,
        ),
    )


async def _scope_of(tx: Tx, terminal: str) -> str:
    place = await store.find_terminal(tx, terminal)
    return "" if place is None else place.scope


async def use_terminal(tx: Tx, terminal: str, session: str, now: datetime) -> None:
    """Note that a terminal is in use; the simulator keeps away for a minute."""
    await store.touch_sign_on(tx, terminal, session, now)


async def at_terminal(tx: Tx, terminal: str, now: datetime) -> SignOn | None:
    """Return who is signed on at a terminal; see `SignOn.visitor` for the demo's simulator."""
    return await store.open_sign_on(tx, terminal, now - SIGN_ON_LIFETIME)


async def person_there(tx: Tx, terminal: str, at: datetime) -> PersonId | None:
    """Return who was signed on at a terminal at the moment `at`, in whichever browser."""
    return await store.person_there(tx, terminal, at, SIGN_ON_LIFETIME)


@dataclass(frozen=True, slots=True)
class SignOnCard:
    """Who is at a terminal.

    Args:
        visitor: A real person used it within the last minute; the simulator keeps away.
        receipt: To be shown with what is done under it; given where it is `mine`.
        idle_s: Seconds since the last use.
    """

    person: PersonId
    simulated: bool
    visitor: bool
    mine: bool
    receipt: UUID | None
    since: datetime
    idle_s: float


@dataclass(frozen=True, slots=True)
class TerminalCard:
    """A terminal and who is there."""

    terminal: str
    scope: str
    sign_on: SignOnCard | None


async def terminals(tx: Tx, caller: Caller, now: datetime) -> list[TerminalCard]:
    """Return every terminal and who is there."""
    there = {
        found.terminal: found
        for found in await store.open_sign_ons(tx)
        if found.since > now - SIGN_ON_LIFETIME
    }
    return [
        TerminalCard(place.terminal, place.scope, _card(there.get(place.terminal), caller, now))
        for place in await store.all_terminals(tx)
    ]


def _card(there: SignOn | None, caller: Caller, now: datetime) -> SignOnCard | None:
    if there is None:
        return None
    return SignOnCard(
        person=there.person,
        simulated=there.simulated,
        visitor=there.visitor(now),
        mine=there.session == caller.session,
        receipt=there.receipt if there.session == caller.session else None,
        since=there.since,
        idle_s=max(0.0, (now - there.last_used_at).total_seconds()),
    )
