"""`lineside books`: what the ERP refused, where the books differ, and what can be done about it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mes.supervisor.people import AsJson, carry_out, carry_out_with_settings

app = typer.Typer(
    help="The link to the ERP: what was refused on either side, and where the books differ.",
    no_args_is_help=True,
)
MANY = 1000
Document = Annotated[int, typer.Argument(help="Number, as `lineside books dead` shows it.")]
REFUSED = "Correct them in the ERP, or what they name in the plant; or `lineside books leave-out`."
LEFT_OUT = "Each comes back when the ERP changes it, or by `lineside books take-up`."
Stream = Annotated[str, typer.Argument(help="As `lineside books refused` shows it.")]
Key = Annotated[str, typer.Argument(help="As `lineside books refused` shows it.")]
Reason = Annotated[str, typer.Argument(help="It is kept, with who gave it.")]


@app.command()
def dead(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command line
    """Show the documents that the ERP refused; each holds up its own order's, and no other."""
    from erp_bridge import service
    from mes.kernel.outbox import to_json

    rows = carry_out(lambda tx: service.documents(tx, None, "dead", MANY))
    if as_json:
        typer.echo(json.dumps([to_json(row) for row in rows]))
        return
    for row in rows:
        typer.echo(
            f"{row.id:>8}  {row.event_time:%Y-%m-%d %H:%M:%S}Z  {row.lane:16} {row.noun:24} {row.code}"
        )
        typer.echo(f"{'':10}{row.detail}")
    typer.echo(
        f"{len(rows)} documents. What each code asks for: how-to `repair-the-link-to-the-erp`; then "
        "`lineside books retry NUMBER`."
    )


@app.command()
def retry(
    document: Annotated[int | None, typer.Argument(help="Number, as `lineside books dead` shows it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were refused.")] = False,  # noqa: FBT002
) -> None:
    """Send a refused document, or all, again."""
    from erp_bridge import service
    from mes.kernel.db import Tx

    if (document is None) is not every:
        raise typer.BadParameter("name a document, or say --all")

    async def again(tx: Tx) -> int:
        found = await service.documents(tx, None, "dead", MANY) if document is None else []
        numbers = [row.id for row in found] if document is None else [document]
        for number in numbers:
            await service.retry(tx, number)
        return len(numbers)

    typer.echo(f"{carry_out(again)} documents are sent again.")


@app.command()
def skip(document: Document, reason: Reason) -> None:
    """Leave a refused document out for good, such as one that was booked by hand."""
    from erp_bridge import service

    left = carry_out(lambda tx: service.skip(tx, document, reason))
    typer.echo(f"Document {left.id} is left out; the comparison shows it until it is explained.")


@app.command()
def refused(
    as_json: AsJson = False,  # noqa: FBT002 - an option of the command line
    left_out: Annotated[bool, typer.Option("--left-out", help="Those that are left out.")] = False,  # noqa: FBT002
) -> None:
    """Show the ERP's records that the plant could not take; they are tried again by themselves."""
    from erp_bridge import service
    from mes.kernel.outbox import to_json

    rows = carry_out(service.refusals_left_out if left_out else service.refusals)
    if as_json:
        typer.echo(json.dumps([to_json(row) for row in rows]))
        return
    for row in rows:
        typer.echo(
            f"{row.received_at:%Y-%m-%d %H:%M:%S}Z  {row.stream:10} {row.key:28} {row.code}: {row.detail}"
        )
        if row.left_out_by is not None:
            typer.echo(f"{'':23}left out by {row.left_out_by}: {row.left_out_reason}")
    typer.echo(f"{len(rows)} records. {LEFT_OUT if left_out else REFUSED}")


@app.command()
def leave_out(stream: Stream, key: Key, reason: Reason) -> None:
    """Do without a record that the plant could not take, as it is now; a change in the ERP brings it back."""
    from erp_bridge import service
    from mes.kernel.db import Tx

    async def leave(tx: Tx) -> None:
        rows = await service.refusals(tx)
        version = next((row.version for row in rows if (row.stream, row.key) == (stream, key)), "")
        await service.leave_out(tx, stream, key, version, reason)

    carry_out(leave)
    typer.echo(f"{key} is left out until the ERP changes it.")


@app.command()
def take_up(stream: Stream, key: Key) -> None:
    """Try a record again that was left out."""
    from erp_bridge import service

    carry_out(lambda tx: service.take_up(tx, stream, key))
    typer.echo(f"{key} is tried again within half a minute.")


@app.command()
def differences(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command line
    """Show where plant and ERP differ in the newest comparison, and what was explained."""
    from erp_bridge import service

    outcome = carry_out_with_settings(
        lambda tx, settings: service.reconciliation(tx, settings.erp.adapter)
    ) or {"cases": []}
    if as_json:
        typer.echo(json.dumps(outcome))
        return
    for case in outcome["cases"]:
        figures = f"plant {case['mine']}, ERP {case['theirs']}"
        typer.echo(
            f"{case['subject']}  {case['work_order']:12} {case['what']:24} {figures} {case.get('why', '')}"
        )
    for one in outcome.get("explained", []):
        typer.echo(f"{one['subject']}  {one['work_order']:12} {one['what']:24} explained: {one['reason']}")
    typer.echo(f"{len(outcome['cases'])} differences.")


@app.command()
def explain(
    subject: Annotated[str, typer.Argument(help="As `lineside books differences` shows it.")], reason: Reason
) -> None:
    """Say why the books differ on one thing: kept with the reason, it is no difference any more."""
    from erp_bridge import service

    cases = carry_out_with_settings(
        lambda tx, settings: service.explain(tx, settings.erp.adapter, subject, reason, with_money=True)
    )
    typer.echo(f"{len(cases)} differences are explained.")
