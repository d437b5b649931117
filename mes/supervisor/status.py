"""`lineside status`: what the supervisor knows, and the figures that the API reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mes.kernel import secrets
from mes.kernel.settings import load
from mes.supervisor import control

TIMEOUT_S = 10.0
UNKNOWN: dict[str, Any] = {
    "edge": dict.fromkeys(
        (
            *("samples_committed", "events_committed", "duplicates_refused", "gaps_declared"),
            *("spool_depth", "ingest_lag_s", "lost", "doubled"),
        )
    ),
    "orders": dict.fromkeys(("pulled", "released", "running", "completed")),
    "recent_orders": [],
    "plan": dict.fromkeys(("version", "operations", "late_orders", "solver", "objective", "bound")),
    "kpi": [],
    "erp": dict.fromkeys(
        (
            *("name", "reachable", "documents_posted", "outbox_lag_s", "open_lanes", "dead_letters"),
            *("books_agree", "quantity_difference", "value_difference", "events_compared"),
            *("events_waiting", "events_late", "value_waiting", "compared_at"),
        )
    ),
}
"""What is told while the API does not answer: every key, and no figure."""


async def read_status(home: Path) -> dict[str, Any]:
    """Return the status; figures are missing, not invented, while the API is away."""
    try:
        running = await control.ask(home, "status")
    except (control.NotRunning, control.ControlRefused):
        return {"ready": False, "url": None, "processes": [], **UNKNOWN}
    figures = await _figures(home, running.pop("own"))
    return {**UNKNOWN, **figures, **running, "ready": running["ready"] and bool(figures)}


async def _figures(home: Path, url: str) -> dict[str, Any]:
    import httpx2

    token = f"cli.{secrets.ensure(home, 'token-cli')}"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT_S, headers=headers) as client:
            reply = await client.get("/api/v1/status")
    except httpx2.TransportError:
        return {}
    if not reply.is_success:
        return {"api": {"status": reply.status_code, "body": reply.text[:500]}}
    figures: dict[str, Any] = reply.json()
    return figures


def table(status: dict[str, Any]) -> str:
    """Return the status as text for a person."""
    if not status["processes"]:
        return f"Nothing runs for {load().home}."
    lines = [f"{'ready' if status['ready'] else 'not ready'}   {status['url']}", ""]
    lines.append(f"{'process':12} {'state':10} {'pid':>8} {'restarts':>8} {'MB':>8}")
    lines += [
        f"{process['name']:12} {process['state']:10} {process['pid'] or '-':>8} "
        f"{process['restarts']:>8} {process['rss_mb']:>8.1f}"
        for process in status["processes"]
    ]
    total = sum(process["rss_mb"] for process in status["processes"])
    lines.append(f"{'in all':12} {'':10} {'':>8} {'':>8} {total:>8.1f}")
    for name in ("edge", "orders", "plan", "erp"):
        if any(value is not None for value in status[name].values()):
            lines += ["", name, *(f"  {key:22} {value}" for key, value in status[name].items())]
    return "\n".join(lines)
