"""`lineside plant`: the plant as a file, looked at, applied and written out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mes.kernel.errors import PlantError
from mes.kernel.settings import Settings, load
from mes.supervisor.people import carry_out

if TYPE_CHECKING:
    from mes.kernel.db import Tx
    from mes.resources.model import PlantDefinition
    from mes.resources.plantchange import Change

app = typer.Typer(help="The plant: equipment, calendars, people, reasons, rates.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The plant file, such as plant.toml.", metavar="FILE.toml")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

MARKS = {"add": "+", "change": "~", "remove": "-", "retire": "x"}


@app.command()
def check(file: File, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command line
    """Read a plant file and show what it would change; nothing is changed."""
    plant = _read(file)
    if not load().database_url:
        typer.echo(f"{file} is sound. No plant runs here to compare it with.", err=True)
        return

    async def look(tx: Tx) -> tuple[list[Change], list[str]]:
        from mes.execution import service as execution

        return await _compare(tx, plant), [str(use) for use in await execution.uses(tx, plant)]

    found, used = carry_out(look)
    _tell(found, file, as_json=as_json, done=False)
    if used:
        _refuse(file, used)


@app.command("load")
def load_file(file: File, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Make the plant what a file says; a second time it changes nothing."""
    plant = _read(file)

    async def apply(tx: Tx) -> list[Change]:
        from mes.execution import service as execution
        from mes.execution.model import PlantInUse

        found = await _compare(tx, plant)
        try:
            await execution.change_plant(tx, plant)
        except PlantInUse as refusal:
            _refuse(file, refusal.params["uses"])
        return found

    _tell(carry_out(apply), file, as_json=as_json, done=True)


@app.command()
def show() -> None:
    """Write the plant as it is now, as a file that `load` reads."""
    from mes.resources import service as resources
    from mes.resources.plantfile import plant_text

    typer.echo(plant_text(carry_out(resources.get_plant)), nl=False)


async def _compare(tx: Tx, plant: PlantDefinition) -> list[Change]:
    from mes.resources import service as resources
    from mes.resources.plantchange import changes

    return changes(await resources.read_plant(tx, tx.now), plant)


def _refuse(file: Path, used: Iterable[str]) -> NoReturn:
    """Say which work keeps a file from being applied, and end with exit code 1."""
    from mes.execution.model import PlantInUse

    told = "\n".join(used)
    typer.echo(f"{file} cannot be applied now. {PlantInUse().message} {PlantInUse.remedy}\n{told}", err=True)
    raise typer.Exit(1)


def _read(file: Path) -> PlantDefinition:
    """Return the plant of a file that fits this installation; else say why not, with exit code 1."""
    from mes.resources.service import load_plant

    try:
        plant = load_plant(file)
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"lineside plant: {file} cannot be read: {error}", err=True)
        raise typer.Exit(1) from None
    except PlantError as refusal:
        typer.echo(f"{file} cannot be used:\n{refusal.params['place']}", err=True)
        raise typer.Exit(1) from None
    strange = [*_elsewhere(plant, load())]
    if strange:
        typer.echo(f"{file} is not of this installation:\n" + "\n".join(strange), err=True)
        raise typer.Exit(1)
    return plant


def _elsewhere(plant: PlantDefinition, settings: Settings) -> list[str]:
    """Return where a file and the settings speak of two plants, and how to mend it."""
    told = {
        "site": (plant.site, settings.site),
        "timezone": (plant.timezone, settings.site_tz),
        **{
            f"rates {rate.kind} {rate.code}: currency": (rate.currency, settings.currency)
            for rate in plant.rates
        },
    }
    keys = {"site": "site", "timezone": "site_tz"}
    return [
        f"{what} is {theirs}, the settings say {ours}. Correct the file, or set "
        f"{keys.get(what, 'currency')} in lineside.toml and start again."
        for what, (theirs, ours) in told.items()
        if theirs != ours
    ]


def _tell(found: list[Change], file: Path, *, as_json: bool, done: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"applied": done, "changes": [asdict(one) for one in found]}))
        return
    for change in found:
        typer.echo(f"{MARKS[change.what]} {change}")
    if not found:
        typer.echo(f"The plant is as {file} says.")
    elif done:
        typer.echo(f"{len(found)} changed. `lineside plant show` writes the plant out.")
    else:
        typer.echo(f"{len(found)} would change. `lineside plant load {file}` does it.")
