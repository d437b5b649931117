"""`lineside quarantine` and `lineside replay`: readings that became no fact, and another try for them."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from mes.kernel.settings import load
from mes.supervisor import store
from mes.supervisor.people import AsJson, carry_out


def quarantine(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command line
    """Show the readings and batches that wait in quarantine, and why."""
    from mes.intake import service
    from mes.kernel.outbox import to_json

    readings = carry_out(service.quarantined)
    batches = asyncio.run(store.quarantined_batches(load().historian_url))
    if as_json:
        typer.echo(json.dumps({"readings": to_json(readings), "batches": to_json(batches)}))
        return
    for one in readings:
        place = f"{one.equipment} {one.metric}"
        typer.echo(f"{one.id:>8}  {one.received_at:%Y-%m-%d %H:%M:%S}Z  {one.edge:12} {place:28} {one.error}")
    for batch in batches:
        place = f"{batch.stream} batch {batch.seq if batch.seq is not None else '?'}"
        typer.echo(f"{'-':>8}  {batch.at:%Y-%m-%d %H:%M:%S}Z  {batch.edge:12} {place:28} {batch.reason}")
    typer.echo(
        f"{len(readings)} readings (`lineside replay ROW` tries one again) and {len(batches)} batches."
    )


def replay(
    row: Annotated[int | None, typer.Argument(help="Row, as `lineside quarantine` shows it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,  # noqa: FBT002
) -> None:
    """Let a reading, or all, out of quarantine: the floor worker takes them in again."""
    from mes.intake import service

    if (row is None) is not every:
        raise typer.BadParameter("name a row, or say --all")
    released = carry_out(lambda tx: service.retry(tx, row))
    typer.echo(f"{released} readings are tried again; what cannot be used comes back into quarantine.")
