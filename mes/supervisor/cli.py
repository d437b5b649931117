"""The commands of `lineside` that are not services."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mes.kernel import plugins
from mes.kernel.home import default_home
from mes.kernel.settings import EXIT_CONFIG, SettingsError, load
from mes.supervisor import backup, control, people, plant, readings

app = typer.Typer(
    help="Lineside: from a machine's tag to the ERP's ledger.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3
"""Source: LSB, exit codes of `status`: 3, the program is not running."""


app.add_typer(people.app, name="user")
app.add_typer(plant.app, name="plant")
app.command()(people.verify)
app.command()(readings.quarantine)
app.command()(readings.replay)
app.command()(backup.backup)
app.command()(backup.restore)


def say(text: str) -> None:
    """Print a line for a person at once."""
    typer.echo(text)
    sys.stdout.flush()


@app.command()
def up(
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew: delete all data of this home.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the sign-in link where there is a display.")] = True,
    profile: Annotated[str | None, typer.Option(help="demo (default) or production.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --fresh.")] = False,
    link: Annotated[bool, typer.Option(hidden=True)] = True,
) -> None:
    """Start the whole plant: database, broker, ERP, machines and all services."""
    from mes.supervisor import up as program

    if profile not in {None, "demo", "production"}:
        raise typer.BadParameter("demo or production", param_hint="--profile")
    try:
        load()
        loss = program.what_fresh_deletes(profile) if fresh and not yes else ""
        if loss:
            typer.confirm(f"{loss} Go on?", abort=True)
        if detach:
            arguments = [
                *(["--fresh", "--yes"] if fresh else []),
                *([f"--profile={profile}"] if profile else []),
            ]
            raise typer.Exit(program.detach([*arguments, "--no-browser", "--no-link"], say))
        asyncio.run(program.up(program.Options(fresh, browser, profile, link), say))
    except program.AlreadyRunning as running:
        say(str(running))
        _show_address()
        raise typer.Exit(0 if not fresh else EXIT_FAILED) from None
    except (SettingsError, OSError, program.CannotStart) as error:
        typer.echo(f"lineside up: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


@app.command()
def down() -> None:
    """Stop the plant that `up --detach` started; the data are kept."""
    try:
        asyncio.run(_down())
    except control.NotRunning as error:
        say(str(error))
        return
    say("Stopped; the data are kept.")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what runs and the plant's figures; exit code 3 when nothing runs."""
    from mes.supervisor.status import read_status, table

    found = asyncio.run(read_status(default_home()))
    say(json.dumps(found, ensure_ascii=False, indent=2) if as_json else table(found))
    if not found["processes"]:
        raise typer.Exit(EXIT_NOT_RUNNING)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for what keeps a plant from running well; exit code 1 when something does."""
    from mes.supervisor.doctor import examine

    findings = asyncio.run(examine(default_home()))
    if as_json:
        say(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            say(f"{finding.mark:4} {finding.subject}: {finding.text}")
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def migrate(
    link: Annotated[bool, typer.Option("--link", hidden=True)] = False,
) -> None:
    """Bring the databases to this version's tables."""
    from mes.kernel import log
    from mes.migrate import migrate as upgrade
    from mes.resources.model import SiteDiffers, TimezoneDiffers
    from mes.supervisor.settle import settle

    settings = load()
    log.configure("migrate", settings.log)
    upgrade(settings.database_url, settings.historian_url)
    try:
        asyncio.run(settle(settings))
    except (SiteDiffers, TimezoneDiffers) as refusal:
        typer.echo(f"lineside: {refusal.message} {refusal.remedy}", err=True)
        raise typer.Exit(EXIT_CONFIG) from None
    if link:
        from mes.supervisor.link import register

        asyncio.run(register(settings))


@app.command()
def sign_in() -> None:
    """Print a new one-time sign-in link for the administrator."""
    from mes.access.service import make_one_time_link

    say(people.carry_out_with_settings(lambda tx, settings: make_one_time_link(tx, settings.http.url)))


@app.command(hidden=True)
def prepare(name: str) -> None:
    """Do a service's slow work before it starts."""
    from mes.supervisor.worker import prepare_service

    prepare_service(name)


@app.command(context_settings={"ignore_unknown_options": True})
def process(
    action: Annotated[str, typer.Argument(help="stop, start or kill.")],
    name: Annotated[str, typer.Argument(help="As in `lineside status`.")],
) -> None:
    """Stop, start or kill one process of the running plant."""
    if action not in {"stop", "start", "kill"}:
        raise typer.BadParameter("stop, start or kill")
    try:
        asyncio.run(control.ask(default_home(), action, name))
    except (control.NotRunning, control.ControlRefused) as error:
        typer.echo(f"lineside process: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


edge = typer.Typer(help="The edge agent, beside the machines.", no_args_is_help=True)
app.add_typer(edge, name="edge")


@edge.command("run")
def run_edge(
    config: Annotated[Path | None, typer.Argument(help="CONFIG.toml; none: the simulated plant's.")] = None,
) -> None:
    """Run the edge agent; it needs no database."""
    if config is not None:
        os.environ["LINESIDE_EDGE__CONFIG"] = str(config.absolute())
    _run_service("edge")


@edge.command("browse")
def browse_edge(
    endpoint: Annotated[str, typer.Argument(help="Endpoint of the edge's CONFIG.toml, such as machining.")],
    node: Annotated[str, typer.Argument(help="Address to look below; none: the top.")] = "",
    edge_id: Annotated[str | None, typer.Option("--edge", help="Which edge; none: this plant's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what a machine offers, with the addresses that tags need."""
    from mes.kernel.settings import load
    from mes.supervisor.browse import NoAnswer, browse

    settings = load()
    url = settings.broker.url_for("ingest")
    try:
        found = asyncio.run(browse(url, edge_id or settings.edge.id, endpoint, node))
    except NoAnswer as error:
        typer.echo(f"lineside edge browse: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for entry in found:
        shown = f"{entry['type']} {entry['value']}".strip() if entry["leaf"] else "…"
        typer.echo(f"{entry['address']:48} {entry['name']:28} {shown}")


def _add_services() -> None:
    """Show each installed service as a command; `mes.__main__` starts them without this module."""
    for name in plugins.entries(plugins.SERVICES):
        if name != "edge":
            text = f"Run the service {name} in the foreground, as `up` does."
            app.command(name, help=text)(_command_of(name))


def _command_of(name: str) -> Callable[[], None]:
    def run() -> None:
        _run_service(name)

    return run


def _run_service(name: str) -> None:
    from mes.supervisor.worker import run_service

    run_service(name)


def _add_commands() -> None:
    for name, entry in plugins.entries(plugins.COMMANDS).items():
        app.add_typer(entry.load(), name=name)


_add_services()
_add_commands()


async def _down() -> None:
    home = default_home()
    await control.ask(home, "down")
    while True:
        try:
            await control.ask(home, "status")
        except control.NotRunning:
            return
        await asyncio.sleep(0.2)


def _show_address() -> None:
    try:
        facts: dict[str, Any] = asyncio.run(control.ask(default_home(), "status"))
    except (control.NotRunning, control.ControlRefused):
        return
    say(f"Pages: {facts['url']}   (`lineside sign-in` prints a new sign-in link)")
