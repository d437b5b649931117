"""`lineside worker`: one more machine that solves scenarios."""

import typer

app = typer.Typer(
    help="Solve scenarios on this machine too, until stopped; it needs DATABASE_URL and the site.",
    invoke_without_command=True,
)


@app.callback()
def worker() -> None:
    """Solve scenarios on this machine too, until stopped; it needs DATABASE_URL and the site."""
    from mes.supervisor.worker import run_here
    from planner.worker import WORKER

    run_here(WORKER)
