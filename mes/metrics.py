"""Figures of the `serve` process for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mes.kernel import audit
from mes.kernel.db import Database
from mes.kernel.errors import PlantError
from mes.kernel.outbox import held_back

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The registry of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "lineside_http_request_seconds",
            "Time from the request to the start of its reply.",
            ("method", "route", "status"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.refusals = Counter(
            "lineside_refusals", "Requests refused, by code.", ("code",), registry=self.registry
        )
        self.held_back = Gauge(
            "lineside_outbox_held_back_s",
            "Age of the oldest open transaction that holds the event cursors back, in seconds.",
            registry=self.registry,
        )
        self.held_back_pid = Gauge(
            "lineside_outbox_held_back_pid",
            "PostgreSQL session that holds the event cursors back; 0 when none does.",
            registry=self.registry,
        )
        self.unsealed = Gauge(
            "lineside_audit_unsealed_s",
            "Age of the oldest event that no audit block seals yet, in seconds.",
            registry=self.registry,
        )
        self.database = Gauge(
            "lineside_database_reachable", "1 when the database answers.", registry=self.registry
        )

    def refused(self, error: PlantError) -> None:
        """Count a refusal."""
        self.refusals.labels(error.code).inc()

    async def exposition(self, db: Database) -> bytes:
        """Return all figures in the Prometheus text format, the database's ones fresh."""
        try:
            async with db.read() as tx:
                behind = await held_back(tx)
                self.unsealed.set(await audit.unsealed_s(tx))
        except PlantError:
            self.database.set(0)
        else:
            self.database.set(1)
            self.held_back.set(behind.held_back_s)
            self.held_back_pid.set(behind.pid or 0)
        return generate_latest(self.registry)


class Timed:
    """ASGI middleware that measures each request by its route, not by its address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def timed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._observe(scope, status, started)
            await send(message)

        try:
            await self.app(scope, receive, timed)
        except BaseException:
            if status == 500:
                self._observe(scope, status, started)
            raise

    def _observe(self, scope: Scope, status: int, started: float) -> None:
        route = scope.get("route")
        path = route.path if isinstance(route, Route) else "none"
        taken = time.perf_counter() - started
        self.metrics.requests.labels(scope["method"], path, str(status)).observe(taken)
