"""`lineside user` and `lineside verify`: who gets in, and whether the past was left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mes.access.model import Grant, Role
from mes.kernel.clock import utc_now
from mes.kernel.errors import PlantError
from mes.kernel.ids import PersonId
from mes.kernel.settings import Settings, load

if TYPE_CHECKING:
    from mes.kernel.db import Tx

T = TypeVar("T")

app = typer.Typer(help="Accounts that sign in, badges that sign on.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Account = Annotated[str, typer.Argument(help="Name of the account.")]


@app.command("list")
def list_accounts(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command line
    """Show every account with its roles."""
    from mes.access import service

    found = carry_out(service.accounts)
    if as_json:
        typer.echo(json.dumps([{"account": one.account, "roles": list(one.roles)} for one in found]))
        return
    for one in found:
        typer.echo(f"{one.account:24} {'shut' if one.disabled else ', '.join(one.roles)}")


@app.command()
def add(
    account: Account,
    role: Annotated[list[Role], typer.Option(help="Once or several times.")],
    scope: Annotated[str, typer.Option(help="Where it holds, such as MACH/MC; everywhere by default.")] = "",
    password: Annotated[bool, typer.Option(help="Ask for a password now.")] = False,  # noqa: FBT002
) -> None:
    """Make an account with these roles, or give it these instead, and print a link to sign in."""
    from mes.access import service
    from mes.resources import service as resources

    hashed = _or_exit(service.hash_password(_ask("Password"))) if password else None

    async def make(tx: Tx, settings: Settings) -> str:
        await resources.check_place(tx, scope)
        grants = tuple(Grant(one, settings.site if scope else "", scope) for one in role)
        await service.make_account(tx, account, grants, password_hash=hashed)
        return await service.make_one_time_link(tx, settings.http.url, account)

    typer.echo(carry_out_with_settings(make))


@app.command()
def link(account: Account) -> None:
    """Print a link that signs an account in, once, within a day."""
    from mes.access import service

    async def make(tx: Tx, settings: Settings) -> str:
        return await service.make_one_time_link(tx, settings.http.url, account)

    typer.echo(carry_out_with_settings(make))


@app.command()
def shut(account: Account) -> None:
    """Let nobody in with an account any more, at once."""
    from mes.access import service

    carry_out(lambda tx: service.shut_account(tx, account))
    typer.echo(f"{account} is shut.")


@app.command()
def badge(
    person: Annotated[str, typer.Argument(help="Personnel number, such as E-1001.")],
    barcode: Annotated[
        str, typer.Option(help="What the badge says, beginning with EMP:; EMP:<number> by default.")
    ] = "",
) -> None:
    """Give a person a badge and a PIN of four to eight digits; asks for the PIN."""
    from mes.access import service
    from mes.resources import service as resources
    from mes.resources.model import PersonNotInPlant

    hashed = _or_exit(service.hash_pin(_ask("PIN")))
    code = barcode or f"EMP:{person}"

    async def give(tx: Tx) -> None:
        known = await resources.get_person(tx, PersonId(person))
        if not known.active:
            raise PersonNotInPlant(person=person)
        await service.issue_badge(tx, known.id, code, hashed)

    carry_out(give)
    typer.echo(f"{person} signs on with {code} and that PIN.")


@app.command()
def withdraw(
    person: Annotated[str, typer.Argument(help="Personnel number, such as E-1001.")],
) -> None:
    """Let nobody sign on with a person's badge any more: it was lost, or the person left."""
    from mes.access import service

    carry_out(lambda tx: service.withdraw_badge(tx, PersonId(person)))
    typer.echo(f"The badge of {person} signs nobody on; `lineside user badge {person}` gives a new one.")


@app.command("sign-out")
def sign_out(account: Account) -> None:
    """Sign every browser of an account out at once: a tablet was lost."""
    from mes.access import service

    ended = carry_out(lambda tx: service.end_sessions(tx, account))
    typer.echo(f"Browsers signed out: {ended}. `lineside user link {account}` lets one in again.")


def verify(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command line
    """Recompute the audit chain; exit code 1 when it is broken."""
    from mes.kernel import audit

    found = carry_out(audit.verify)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    elif found.broken is None:
        typer.echo(f"{found.events} events in {found.blocks} blocks are as they were. Head: {found.head}")
    else:
        typer.echo(f"Block {found.broken} does not fit ({found.reason}); the {found.blocks} before it do.")
    if found.broken is not None:
        raise typer.Exit(1)


def _ask(what: str) -> str:
    answer: str = typer.prompt(what, hide_input=True, confirmation_prompt=True)
    return answer


def carry_out(work: Callable[[Tx], Awaitable[T]]) -> T:
    """Do `work` in a transaction of its own; a refusal is told, with exit code 1."""
    return carry_out_with_settings(lambda tx, _: work(tx))


def carry_out_with_settings(work: Callable[[Tx, Settings], Awaitable[T]]) -> T:
    """Do `work` in a transaction of its own; a refusal is told, with exit code 1."""
    from mes.kernel.db import Cause, Database

    settings = load()
    if not settings.database_url:
        typer.echo("No plant runs here: start it with `lineside up`, or set DATABASE_URL.", err=True)
        raise typer.Exit(1)

    async def carry_out() -> T:
        cause = Cause(actor="service:cli", at=utc_now())
        async with (
            await Database.open(settings.database_url, name="cli", site=settings.site, max_size=1) as db,
            db.transaction(cause) as tx,
        ):
            return await work(tx, settings)

    return _or_exit(carry_out())


def _or_exit(work: Awaitable[T]) -> T:
    async def waited() -> T:
        return await work

    try:
        return asyncio.run(waited())
    except PlantError as refusal:
        typer.echo(f"{refusal.message} {refusal.remedy}", err=True)
        raise typer.Exit(1) from None
