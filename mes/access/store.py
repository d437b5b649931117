"""SQL of accounts, sessions, badges, terminals and sign-ons."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from mes.access.model import Account, Badge, Grant, OpenSession, Role, SignOn, Terminal
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A role of an account and where it holds."""

    role: str
    site: str
    scope: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A service's token and what it may do."""

    account: str
    secret_hash: bytes
    permissions: list[str]


async def find_account(tx: Tx, account: str) -> Account | None:
    """Return an account by its name."""
    return await tx.fetch_one(
        Account,
        """
        select account, language, password_hash, locked_until, disabled
        from mes.account where account = %(account)s
        """,
        {"account": account},
    )


async def all_accounts(tx: Tx) -> list[Account]:
    """Return all accounts."""
    return await tx.fetch_all(
        Account,
        """
        select account, language, password_hash, locked_until, disabled
        from mes.account order by account
        """,
    )


async def save_account(tx: Tx, account: str, password_hash: str | None, language: str) -> None:
    """Insert an account, or give it this password (None keeps the old one)."""
    await tx.execute(
        """
        insert into mes.account (account, site, password_hash, language)
        values (%(account)s, %(site)s, %(password_hash)s, %(language)s)
        on conflict (account) do update
        set password_hash = coalesce(excluded.password_hash, mes.account.password_hash),
            failures = 0, locked_until = null, disabled = false
        """,
        {
            "account": account,
            "site": tx.site,
            "password_hash": password_hash,
            "language": language,
        },
    )


async def save_language(tx: Tx, account: str, language: str) -> None:
    """Keep the language that an account's pages speak."""
    await tx.execute(
        "update mes.account set language = %(language)s where account = %(account)s",
        {"account": account, "language": language},
    )


async def disable_account(tx: Tx, account: str) -> int:
    """Shut an account and return how many there were of that name."""
    return await tx.execute(
        "update mes.account set disabled = true where account = %(account)s", {"account": account}
    )


async def count_password(tx: Tx, account: str, most: int, until: datetime) -> int | None:
    """Count a password before it is looked at; the last of `most` in a row locks the account.

    Returns how many there were in a row, or None where none may be looked at: the account is
    locked, or there is none. A lock that passed begins the count anew.
    """
    number: int | None = await tx.value(
        """
        update mes.account
        set failures = case when locked_until is null then failures + 1 else 1 end,
            locked_until = case when locked_until is null and failures + 1 >= %(most)s then %(until)s end
        where account = %(account)s and (locked_until is null or locked_until <= %(now)s)
        returning failures
        """,
        {"account": account, "most": most, "until": until, "now": tx.now},
    )
    return number


async def forget_passwords(tx: Tx, account: str) -> None:
    """Begin counting anew after a right password."""
    await tx.execute(
        "update mes.account set failures = 0, locked_until = null where account = %(account)s",
        {"account": account},
    )


async def replace_grants(tx: Tx, account: str, grants: tuple[Grant, ...]) -> None:
    """Give an account exactly these roles."""
    await tx.execute("delete from mes.account_grant where account = %(account)s", {"account": account})
    await tx.execute_many(
        """
        insert into mes.account_grant (account, role, site, scope)
        values (%(account)s, %(role)s, %(site)s, %(scope)s)
        """,
        [
            {"account": account, "role": grant.role.value, "site": grant.site, "scope": grant.scope}
            for grant in grants
        ],
    )


async def grants_of(tx: Tx, account: str) -> tuple[Grant, ...]:
    """Return the roles of an account."""
    rows = await tx.fetch_all(
        GrantRow,
        """
        select role, site, scope from mes.account_grant
        where account = %(account)s order by role, site, scope
        """,
        {"account": account},
    )
    return tuple(Grant(Role(row.role), row.site, row.scope) for row in rows)


async def insert_session(
    tx: Tx, *, token_hash: bytes, session: UUID, account: str, expires_after: datetime
) -> None:
    """Open a session; `expires_after` is the oldest last use that is still good."""
    await tx.execute(
        """
        insert into mes.session (token_hash, session, account, site, created_at, last_used_at)
        values (%(token_hash)s, %(session)s, %(account)s, %(site)s, %(now)s, %(now)s)
        """,
        {
            "token_hash": token_hash,
            "session": session,
            "account": account,
            "site": tx.site,
            "now": tx.now,
        },
    )
    await tx.execute(
        "delete from mes.session where last_used_at < %(expires_after)s",
        {"expires_after": expires_after},
    )


async def find_session(
    tx: Tx, token_hash: bytes, used_since: datetime, terminal: str | None, signed_on_since: datetime
) -> OpenSession | None:
    """Return the session of a cookie, unless it ended, aged, or its account was shut.

    With it come the account's roles and who is signed on at the terminal: every request asks this,
    so it is one question.
    """
    return await tx.fetch_one(
        OpenSession,
        """
        select s.session::text as session, s.account, a.language, s.last_used_at,
               (select coalesce(jsonb_agg(jsonb_build_array(g.role, g.site, g.scope)), '[]')
                from mes.account_grant g where g.account = s.account) as grants,
               o.person, o.since as signed_on_at
        from mes.session s
        join mes.account a using (account)
        left join mes.sign_on o
          on o.terminal = %(terminal)s and o.session = s.session::text and o.ended_at is null
             and o.since > %(signed_on_since)s
        where s.token_hash = %(token_hash)s and s.ended_at is null
          and s.last_used_at >= %(used_since)s and not a.disabled
        """,
        {
            "token_hash": token_hash,
            "used_since": used_since,
            "terminal": terminal,
            "signed_on_since": signed_on_since,
        },
    )


async def touch_session(tx: Tx, token_hash: bytes) -> None:
    """Note that a session was used now."""
    await tx.execute(
        "update mes.session set last_used_at = %(now)s where token_hash = %(token_hash)s",
        {"now": tx.now, "token_hash": token_hash},
    )


async def end_session(tx: Tx, token_hash: bytes) -> None:
    """End one session."""
    await tx.execute(
        """
        update mes.session set ended_at = %(now)s
        where token_hash = %(token_hash)s and ended_at is null
        """,
        {"now": tx.now, "token_hash": token_hash},
    )


async def end_sessions_of(tx: Tx, account: str) -> int:
    """End every session of an account; return how many were open."""
    return await tx.execute(
        """
        update mes.session set ended_at = %(now)s
        where account = %(account)s and ended_at is null
        """,
        {"now": tx.now, "account": account},
    )


async def insert_link(tx: Tx, *, token_hash: bytes, account: str, expires_at: datetime) -> None:
    """Keep a one-time link's hash."""
    await tx.execute(
        """
        insert into mes.one_time_link (token_hash, account, site, expires_at)
        values (%(token_hash)s, %(account)s, %(site)s, %(expires_at)s)
        on conflict (token_hash) do nothing
        """,
        {
            "token_hash": token_hash,
            "account": account,
            "site": tx.site,
            "expires_at": expires_at,
        },
    )


async def use_link(tx: Tx, token_hash: bytes) -> str | None:
    """Use up a one-time link and return its account; None when used or too old."""
    account: str | None = await tx.value(
        """
        update mes.one_time_link set used_at = %(now)s
        where token_hash = %(token_hash)s and used_at is null and expires_at > %(now)s
        returning account
        """,
        {"now": tx.now, "token_hash": token_hash},
    )
    return account


async def save_token(tx: Tx, account: str, secret_hash: bytes, permissions: list[str]) -> None:
    """Insert or renew a service's token."""
    await tx.execute(
        """
        insert into mes.service_token (account, site, secret_hash, permissions)
        values (%(account)s, %(site)s, %(secret_hash)s, %(permissions)s)
        on conflict (account) do update
        set secret_hash = excluded.secret_hash, permissions = excluded.permissions
        """,
        {
            "account": account,
            "site": tx.site,
            "secret_hash": secret_hash,
            "permissions": permissions,
        },
    )


async def find_token(tx: Tx, account: str) -> TokenRow | None:
    """Return a service's token."""
    return await tx.fetch_one(
        TokenRow,
        """
        select account, secret_hash, permissions
        from mes.service_token where account = %(account)s
        """,
        {"account": account},
    )


async def save_badge(tx: Tx, person: PersonId, badge: str, pin_hash: str | None) -> None:
    """Give a person this badge, and this PIN (None keeps the old one)."""
    await tx.execute(
        """
        insert into mes.badge (person, site, badge, pin_hash)
        values (%(person)s, %(site)s, %(badge)s, %(pin_hash)s)
        on conflict (person) do update
        set badge = excluded.badge, pin_hash = coalesce(excluded.pin_hash, mes.badge.pin_hash),
            disabled = false
        """,
        {"person": person, "site": tx.site, "badge": badge, "pin_hash": pin_hash},
    )


async def holder_of(tx: Tx, badge: str) -> PersonId | None:
    """Return whose badge says this, whether it is valid or not."""
    person: PersonId | None = await tx.value(
        "select person from mes.badge where badge = %(badge)s", {"badge": badge}
    )
    return person


async def disable_badge(tx: Tx, person: PersonId) -> bool:
    """Shut a person's badge; return whether there was one that is valid."""
    shut = "update mes.badge set disabled = true where person = %(person)s and not disabled"
    return bool(await tx.execute(shut, {"person": person}))


async def rest_badges(tx: Tx, people: Collection[str], *, resting: bool) -> None:
    """Let the badges of some people sign nobody on for a while, or sign on again."""
    await tx.execute(
        """
        update mes.badge set resting = %(resting)s
        where person = any(%(people)s) and resting <> %(resting)s
        """,
        {"people": list(people), "resting": resting},
    )


async def rests(tx: Tx, person: str) -> bool:
    """Say whether the badge of a person signs nobody on for a while."""
    found = await tx.value(
        "select true from mes.badge where person = %(person)s and resting", {"person": person}
    )
    return bool(found)


async def find_badge(tx: Tx, badge: str) -> Badge | None:
    """Return whose badge this is; it stays so until the transaction ends."""
    return await tx.fetch_one(
        Badge,
        """
        select person, badge, pin_hash, disabled from mes.badge
        where badge = %(badge)s and not disabled and not resting for share
        """,
        {"badge": badge},
    )


async def count_pin(tx: Tx, badge: str, terminal: str, most: int, until: datetime) -> int | None:
    """Count a PIN before it is looked at; the last of `most` in a row locks the badge there.

    Returns how many there were in a row, or None while the badge is locked at this terminal. A
    lock that passed begins the count anew.
    """
    number: int | None = await tx.value(
        """
        insert into mes.pin_attempt as p (badge, terminal, site, scope, failures)
        values (%(badge)s, %(terminal)s, %(site)s,
                coalesce((select scope from mes.terminal where terminal = %(terminal)s), ''), 1)
        on conflict (badge, terminal) do update
        set failures = case when p.locked_until is null then p.failures + 1 else 1 end,
            locked_until = case when p.locked_until is null and p.failures + 1 >= %(most)s
                                then %(until)s::timestamptz end
        where p.locked_until is null or p.locked_until <= %(now)s
        returning failures
        """,
        {
            "badge": badge,
            "terminal": terminal,
            "site": tx.site,
            "most": most,
            "until": until,
            "now": tx.now,
        },
    )
    return number


async def pin_locked_until(tx: Tx, badge: str, terminal: str) -> datetime | None:
    """Return until when no PIN of this badge is looked at here."""
    until: datetime | None = await tx.value(
        """
        select locked_until from mes.pin_attempt
        where badge = %(badge)s and terminal = %(terminal)s
        """,
        {"badge": badge, "terminal": terminal},
    )
    return until


async def forget_attempts(tx: Tx, badge: str) -> None:
    """Begin counting anew for a badge."""
    await tx.execute("delete from mes.pin_attempt where badge = %(badge)s", {"badge": badge})


async def save_terminal(tx: Tx, terminal: str, scope: str) -> None:
    """Enrol a terminal, or move it."""
    await tx.execute(
        """
        insert into mes.terminal (terminal, site, scope)
        values (%(terminal)s, %(site)s, %(scope)s)
        on conflict (terminal) do update set scope = excluded.scope, active = true
        """,
        {"terminal": terminal, "site": tx.site, "scope": scope},
    )


async def close_terminal(tx: Tx, terminal: str) -> None:
    """Let nobody sign on at a terminal any more."""
    await tx.execute(
        "update mes.terminal set active = false where terminal = %(terminal)s", {"terminal": terminal}
    )


async def find_terminal(tx: Tx, terminal: str) -> Terminal | None:
    """Return an enrolled terminal."""
    return await tx.fetch_one(
        Terminal,
        "select terminal, scope from mes.terminal where terminal = %(terminal)s and active",
        {"terminal": terminal},
    )


async def all_terminals(tx: Tx) -> list[Terminal]:
    """Return the enrolled terminals by name."""
    return await tx.fetch_all(
        Terminal, "select terminal, scope from mes.terminal where active order by terminal"
    )


async def lock_terminal(tx: Tx, terminal: str) -> Terminal | None:
    """Return an enrolled terminal, and let nobody else sign on there meanwhile."""
    return await tx.fetch_one(
        Terminal,
        "select terminal, scope from mes.terminal where terminal = %(terminal)s for update",
        {"terminal": terminal},
    )


async def open_sign_on(tx: Tx, terminal: str, since: datetime) -> SignOn | None:
    """Return who is signed on at a terminal, if that began after `since`."""
    return await tx.fetch_one(
        SignOn,
        """
        select receipt, terminal, person, account, session, simulated, since, last_used_at, ended_at
        from mes.sign_on
        where terminal = %(terminal)s and ended_at is null and since > %(since)s
        """,
        {"terminal": terminal, "since": since},
    )


async def open_sign_ons(tx: Tx) -> list[SignOn]:
    """Return who is signed on anywhere."""
    return await tx.fetch_all(
        SignOn,
        """
        select receipt, terminal, person, account, session, simulated, since, last_used_at, ended_at
        from mes.sign_on where ended_at is null order by terminal
        """,
    )


async def sign_on_at(
    tx: Tx, terminal: str, session: str, at: datetime, *, lifetime: timedelta
) -> SignOn | None:
    """Return who was signed on at a terminal by this session at the moment `at`.

    Args:
        lifetime: A sign-on that began longer ago is over, though nobody signed off.
    """
    return await tx.fetch_one(
        SignOn,
        """
        select receipt, terminal, person, account, session, simulated, since, last_used_at, ended_at
        from mes.sign_on
        where terminal = %(terminal)s and session = %(session)s
          and since <= %(at)s and since > %(at)s::timestamptz - %(lifetime)s
          and coalesce(ended_at, 'infinity') >= %(at)s
        order by since desc limit 1
        """,
        {"terminal": terminal, "session": session, "at": at, "lifetime": lifetime},
    )


async def person_there(tx: Tx, terminal: str, at: datetime, lifetime: timedelta) -> PersonId | None:
    """Return who was signed on at a terminal at the moment `at`."""
    person: PersonId | None = await tx.value(
        """
        select person from mes.sign_on
        where terminal = %(terminal)s and since <= %(at)s and since > %(at)s::timestamptz - %(lifetime)s
          and coalesce(ended_at, 'infinity') > %(at)s
        order by since desc limit 1
        """,
        {"terminal": terminal, "at": at, "lifetime": lifetime},
    )
    return person


async def sign_on_of(tx: Tx, receipt: UUID) -> SignOn | None:
    """Return the sign-on that this receipt was given for."""
    return await tx.fetch_one(
        SignOn,
        """
        select receipt, terminal, person, account, session, simulated, since, last_used_at, ended_at
        from mes.sign_on where receipt = %(receipt)s
        """,
        {"receipt": receipt},
    )


async def insert_sign_on(tx: Tx, sign_on: SignOn) -> None:
    """Keep that a person signed on."""
    await tx.execute(
        """
        insert into mes.sign_on
          (receipt, terminal, site, scope, person, account, session, simulated, since, last_used_at)
        values (%(receipt)s, %(terminal)s, %(site)s,
                coalesce((select scope from mes.terminal where terminal = %(terminal)s), ''),
                %(person)s, %(account)s, %(session)s, %(simulated)s, %(since)s, %(since)s)
        """,
        {
            "receipt": sign_on.receipt,
            "terminal": sign_on.terminal,
            "site": tx.site,
            "person": sign_on.person,
            "account": sign_on.account,
            "session": sign_on.session,
            "simulated": sign_on.simulated,
            "since": sign_on.since,
        },
    )


async def end_sign_on(tx: Tx, terminal: str) -> None:
    """Note that whoever is at a terminal left it."""
    await tx.execute(
        """
        update mes.sign_on set ended_at = greatest(%(now)s, since)
        where terminal = %(terminal)s and ended_at is null
        """,
        {"terminal": terminal, "now": tx.now},
    )


async def touch_sign_on(tx: Tx, terminal: str, session: str, now: datetime) -> None:
    """Note that a terminal is in use."""
    await tx.execute(
        """
        update mes.sign_on set last_used_at = %(now)s
        where terminal = %(terminal)s and session = %(session)s and ended_at is null
          and last_used_at < %(now)s::timestamptz - interval '5 seconds'
        """,
        {"terminal": terminal, "session": session, "now": now},
    )
