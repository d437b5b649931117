"""Who may do what, and where: roles, permissions, scopes, callers, and the rules of a PIN."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import PersonId

PIN_ATTEMPTS = 5
"""Wrong PINs for one badge at one terminal before both wait (reliability.md, section 3)."""
PIN_LOCKOUT = timedelta(minutes=5)
PASSWORD_ATTEMPTS = 10
PASSWORD_LOCKOUT = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(hours=12)
"""A session ends this long after its last use: one shift and its handover."""
SESSION_TOUCH = timedelta(minutes=1)
"""The last use of a session is written at most this often."""
LINK_LIFETIME = timedelta(hours=24)
SIGN_ON_LIFETIME = timedelta(hours=12)
TAKEOVER_IDLE = timedelta(seconds=60)
"""A terminal without use for this long may be taken by the simulator again."""
LONGEST_WAIT = timedelta(days=7)
"""For so long an act may have waited in a device without a network; what says more is not believed."""


class Role(StrEnum):
    """The job a person has in the plant; an account may have several."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    PLANNER = "planner"
    ENGINEER = "engineer"
    FINANCE = "finance"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """One thing that somebody may do; every route names exactly one."""

    PLANT_VIEW = "plant.view"
    """See orders, jobs, states, counts, lots, KPIs and the live stream."""
    WORK_REPORT = "work.report"
    """Start, hold, report, consume, stop reasons: the operator's daily work."""
    WORK_CORRECT = "work.correct"
    """Reverse a report, with a reason."""
    HELP_ANSWER = "help.answer"
    """Answer a call for help: whoever comes says so."""
    FLOOR_OVERSEE = "floor.oversee"
    """Reach every unit, person and lot, and not only what is at the terminal where one is signed on."""
    TERMINAL_USE = "terminal.use"
    """Let people sign on at a terminal of this browser."""
    TERMINAL_SIT_DOWN = "terminal.sit_down"
    """Work as a demo person without a PIN (demo profile on loopback only)."""
    ORDER_RELEASE = "order.release"
    ORDER_CHANGE = "order.change"
    LOT_HOLD = "lot.hold"
    LOT_RELEASE = "lot.release"
    """Release a held lot: the decision of quality or a supervisor."""
    LOT_SCRAP = "lot.scrap"
    PERSON_CLOCK = "person.clock"
    """Clock oneself in and out at a terminal; others, who oversees the floor."""
    RESOURCE_KEEP = "resource.keep"
    """Take tools out of service and put them back; plan, carry out and cancel maintenance."""
    COUNT_DECIDE = "count.decide"
    """Decide a doubtful machine count."""
    PLAN_VIEW = "plan.view"
    PLAN_PROPOSE = "plan.propose"
    PLAN_PUBLISH = "plan.publish"
    COST_VIEW = "cost.view"
    ERP_VIEW = "erp.view"
    ERP_REPAIR = "erp.repair"
    """Retry or set aside a document that the ERP refused."""
    EDGE_VIEW = "edge.view"
    EDGE_CONFIGURE = "edge.configure"
    STATUS_VIEW = "status.view"
    TROUBLE_VIEW = "trouble.view"
    TROUBLE_MAKE = "trouble.make"
    """Make trouble in the demo plant (demo profile on loopback only)."""


SEEING = frozenset(
    {
        Permission.PLANT_VIEW,
        Permission.PLAN_VIEW,
        Permission.COST_VIEW,
        Permission.ERP_VIEW,
        Permission.EDGE_VIEW,
        Permission.STATUS_VIEW,
        Permission.TROUBLE_VIEW,
    }
)
"""Who may see something anywhere sees the whole site: an order does not end at a line."""

_VIEW = frozenset(
    {
        Permission.PLANT_VIEW,
        Permission.PLAN_VIEW,
        Permission.ERP_VIEW,
        Permission.STATUS_VIEW,
        Permission.TROUBLE_VIEW,
    }
)
_OPERATOR = _VIEW | {
    Permission.WORK_REPORT,
    Permission.WORK_CORRECT,
    Permission.TERMINAL_USE,
    Permission.TERMINAL_SIT_DOWN,
    Permission.LOT_HOLD,
    Permission.PERSON_CLOCK,
}
_SUPERVISOR = _OPERATOR | {
    Permission.HELP_ANSWER,
    Permission.FLOOR_OVERSEE,
    Permission.ORDER_RELEASE,
    Permission.LOT_RELEASE,
    Permission.LOT_SCRAP,
    Permission.RESOURCE_KEEP,
    Permission.COUNT_DECIDE,
    Permission.PLAN_PROPOSE,
    Permission.EDGE_VIEW,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OPERATOR: _OPERATOR,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.PLANNER: _VIEW
    | {
        Permission.ORDER_RELEASE,
        Permission.ORDER_CHANGE,
        Permission.PLAN_PROPOSE,
        Permission.PLAN_PUBLISH,
        Permission.RESOURCE_KEEP,
    },
    Role.ENGINEER: _VIEW
    | {
        Permission.HELP_ANSWER,
        Permission.RESOURCE_KEEP,
        Permission.COUNT_DECIDE,
        Permission.EDGE_VIEW,
        Permission.EDGE_CONFIGURE,
        Permission.ERP_REPAIR,
    },
    Role.FINANCE: _VIEW | {Permission.COST_VIEW, Permission.ERP_REPAIR},
    Role.ADMINISTRATOR: frozenset(Permission),
}
"""The one table of rights; anything not in it is refused."""


WHOLE_SITE = ""
"""The scope of what has no place in the plant: orders, plans, the ERP, settings, accounts."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that holds at one place of the equipment hierarchy and below it.

    Args:
        site: Site code; empty is every site.
        scope: Hierarchy below the site (`MACH`, `MACH/MC`); empty is the whole site.
    """

    role: Role
    site: str = ""
    scope: str = ""

    def covers(self, site: str, scope: str) -> bool:
        """Say whether `scope` at `site` is this grant's place or below it."""
        if self.site and site != self.site:
            return False
        return not self.scope or scope == self.scope or scope.startswith(f"{self.scope}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent this request, as far as it was proved.

    Args:
        account: Account name, or the service's name for a token.
        person: Person signed on at `terminal` in this session, if any.
        terminal: Unit whose terminal sent the request (header `X-Terminal`).
        site: Site that the request is about.
        session: The browser session or token, to tell two of the same account apart.
        signed_on_at: Since when that person has been there.
        tokens: Permissions of a service token; None for people, whose grants decide.
    """

    account: str
    grants: tuple[Grant, ...]
    site: str
    session: str
    person: PersonId | None = None
    signed_on_at: datetime | None = None
    terminal: str | None = None
    tokens: frozenset[Permission] | None = None
    language: str = ""

    @property
    def is_service(self) -> bool:
        """Whether a program sent it, and not a person's browser."""
        return self.tokens is not None

    @property
    def roles(self) -> frozenset[Role]:
        """Roles held anywhere."""
        return frozenset(grant.role for grant in self.grants)

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything allowed somewhere at this site; the place decides the rest."""
        if self.tokens is not None:
            return self.tokens
        here = (grant for grant in self.grants if not grant.site or grant.site == self.site)
        return frozenset().union(*(ROLE_PERMISSIONS[grant.role] for grant in here))

    @property
    def actor(self) -> str:
        """Who acts, as written into every event: the person before the account."""
        if self.person is not None:
            return f"person:{self.person}"
        return f"service:{self.account}" if self.tokens is not None else f"account:{self.account}"

    def may(self, permission: Permission, scope: str) -> bool:
        """Say whether the caller may do this at `scope` (hierarchy below the site)."""
        if self.tokens is not None:
            return permission in self.tokens
        return any(
            permission in ROLE_PERMISSIONS[grant.role] and grant.covers(self.site, scope)
            for grant in self.grants
        )

    def check(self, permission: Permission, scope: str) -> None:
        """Refuse unless the caller may do this at `scope` (hierarchy below the site).

        Raises:
            NotPermitted: No grant covers it.
        """
        if not self.may(permission, scope):
            raise NotPermitted(permission=permission.value, scope=scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who signs in with a password, a one-time link or a token."""

    account: str
    language: str
    password_hash: str | None
    locked_until: datetime | None
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A person's badge and the hash of the PIN that goes with it."""

    person: PersonId
    badge: str
    pin_hash: str | None
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """An enrolled terminal: a work unit's screen.

    Args:
        scope: Equipment path of its unit.
    """

    terminal: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    """A person at a terminal, from signing on to signing off.

    Args:
        receipt: Known to the browser it was given to alone; acts that wait there show it, so that
            they are still this person's after the browser had to sign in again.
    """

    receipt: UUID
    terminal: str
    person: PersonId
    account: str
    session: str
    simulated: bool
    since: datetime
    last_used_at: datetime
    ended_at: datetime | None

    def visitor(self, now: datetime) -> bool:
        """Say whether a real person used the terminal within the last minute."""
        return not self.simulated and self.last_used_at > now - TAKEOVER_IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A browser session that is still good.

    Args:
        grants: Role, site and scope of each grant of its account.
        person: Who signed on in it at the terminal that was asked about.
    """

    session: str
    account: str
    language: str
    last_used_at: datetime
    grants: list[tuple[str, str, str]]
    person: PersonId | None
    signed_on_at: datetime | None


class NotSignedIn(PlantError):
    """Nobody is signed in."""

    http_status = 401
    remedy = "Sign in, then do it again."


class NotPermitted(PlantError):
    """This account may not do that here."""

    http_status = 403
    remedy = "Ask a supervisor, or an administrator for the right to do it."


class SignInRefused(PlantError):
    """Account and password do not match."""

    http_status = 401
    remedy = "Check both and try again."


class LinkNotValid(PlantError):
    """This sign-in link was used already or is too old."""

    http_status = 401
    remedy = "Make a new one with: lineside sign-in."


class AccountLocked(PlantError):
    """Too many wrong passwords for this account."""

    http_status = 429
    retryable = True
    remedy = "Wait until the time shown, then try again."


class PasswordTooShort(PlantError):
    """A password needs more characters."""

    http_status = 422
    remedy = "Take at least twelve characters; a sentence is good."


class PinNotValid(PlantError):
    """A PIN is four to eight digits."""

    http_status = 422
    remedy = "Choose four to eight digits."


class AccountUnknown(PlantError):
    """There is no such account."""

    http_status = 404
    remedy = "Check the name."


class AccountShut(PlantError):
    """This account is shut."""

    http_status = 409
    remedy = "Open it again with its roles: lineside user add."


class BadgeRefused(PlantError):
    """Badge and PIN do not match."""

    http_status = 401
    remedy = "Scan your own badge and enter your PIN again."


class BadgeNotValid(PlantError):
    """A badge with this barcode could be read nowhere."""

    http_status = 422
    remedy = "Begin it with EMP: as every badge does, then letters, digits, '.', '_' or '-'."


class BadgeTaken(PlantError):
    """Somebody else has, or had, the badge with this barcode."""

    http_status = 409
    remedy = "Give it another barcode: what was signed with it stays that person's."


class BadgeNotIssued(PlantError):
    """This person has no badge that is valid."""

    http_status = 404
    remedy = "Check the personnel number; `lineside user badge` gives a badge."


class PinLocked(PlantError):
    """Too many wrong PINs with this badge at this terminal."""

    http_status = 429
    retryable = True
    remedy = "Wait until the time shown, or ask the supervisor for a new PIN."


class TerminalUnknown(PlantError):
    """There is no such terminal."""

    http_status = 404
    remedy = "Open the terminal from the start page."


class NobodySignedOn(PlantError):
    """Nobody is signed on at this terminal."""

    http_status = 409
    remedy = "Scan your badge, then do it again."


class TerminalTakenOver(PlantError):
    """Somebody else works at this terminal now."""

    http_status = 409
    remedy = "Scan your badge to take the terminal back, then do it again."


class UnitOutOfReach(PlantError):
    """Nobody does this from here: it is done at the terminal of that unit."""

    http_status = 403
    remedy = "Sign on at the terminal of that unit and do it there, or ask a supervisor."


class PersonOutOfReach(PlantError):
    """People clock in and out themselves."""

    http_status = 403
    remedy = "Let the person sign on at a terminal and do it, or ask a supervisor."


class DemoOnly(PlantError):
    """This exists only in the demo plant on this machine."""

    http_status = 404
    remedy = "Sign on with badge and PIN."


class OriginRefused(PlantError):
    """The request came from another web site."""

    http_status = 403
    remedy = "Open Lineside itself and do it there."


class HostRefused(PlantError):
    """Lineside is not known under this name."""

    http_status = 421
    remedy = "Open it under the address that `lineside up` printed, or set http.url."


class BodyTooLarge(PlantError):
    """The request is too large."""

    http_status = 413
    remedy = "Send less at once."


class RequestNotValid(PlantError):
    """The request does not have the right form."""

    http_status = 422
    remedy = "Correct the fields named, then send it again."


class NotFound(PlantError):
    """There is nothing at this address."""

    http_status = 404
    remedy = "Check the address, or begin at the start page."


class MethodNotAllowed(PlantError):
    """This address does not take that kind of request."""

    http_status = 405
    remedy = "See /api/v1/openapi.json."


class InternalFault(PlantError):
    """Lineside itself failed at this."""

    http_status = 500
    retryable = True
    remedy = "Nothing was booked. Try again; if it stays, call the plant engineer."


class IdempotencyKeyNotValid(PlantError):
    """The Idempotency-Key header is not a UUID."""

    http_status = 400
    remedy = "Send a UUID made on the device, the same for each retry of one command."
