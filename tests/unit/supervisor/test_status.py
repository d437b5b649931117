"""`lineside status --json` has every key at all times: a script that watches a plant goes on."""

from dataclasses import fields
from pathlib import Path

from dashboards.model import Status
from dashboards.store.status import EdgeFigures, ErpFigures, OrderFigures, PlanFigures
from mes.supervisor.status import read_status, table

PROMISED = {
    "edge": {"samples_committed", "events_committed", "duplicates_refused", "gaps_declared", "spool_depth",
             "ingest_lag_s", "lost", "doubled"},
    "orders": {"pulled", "released", "running", "completed"},
    "plan": {"version", "operations", "late_orders", "solver", "objective", "bound"},
    "erp": {"name", "reachable", "documents_posted", "outbox_lag_s", "open_lanes", "dead_letters",
            "quantity_difference", "value_difference"},
}  # fmt: skip


async def test_a_plant_that_does_not_run_has_every_key_and_no_figure(tmp_path: Path) -> None:
    status = await read_status(tmp_path)
    assert set(status) == {field.name for field in fields(Status)}
    figures = {"edge": EdgeFigures, "orders": OrderFigures, "plan": PlanFigures, "erp": ErpFigures}
    for name, kind in figures.items():
        assert set(status[name]) == {field.name for field in fields(kind)} >= PROMISED[name], name
        assert set(status[name].values()) == {None}
    assert (status["ready"], status["url"], status["processes"], status["kpi"]) == (False, None, [], [])
    assert "Nothing runs" in table(status)
