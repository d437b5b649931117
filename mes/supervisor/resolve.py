"""From what the installation wishes to what this start really uses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mes.kernel import secrets
from mes.kernel.settings import Erp, Settings
from mes.supervisor import accounts, broker, ports, postgres
from mes.supervisor.paths import Paths

LOWEST_PORT = 20000
PORTS_EACH = 10
HOMES = 1200
"""Each home starts to look at a port of its own between 20000 and 31999: below the range from
which systems take ports for outgoing connections (32768 and up on Linux)."""


@dataclass(frozen=True)
class Resolved:
    """What this start uses; a part is None when the installation brings its own."""

    settings: Settings
    cluster: postgres.Cluster | None
    broker: broker.Embedded | None
    embedded_erp: bool


def resolve(wishes: Settings, http_port: int) -> Resolved:
    """Choose ports, make secrets and fill in the addresses of the embedded parts.

    Args:
        wishes: As read from the environment and `lineside.toml`.
        http_port: Port of the listening socket that the pages have.
    """
    paths = Paths(wishes.home)
    chosen = ports.choose(paths.ports, _wished_ports(wishes, paths))
    cluster = None if wishes.database_url else _cluster(paths, chosen["postgres"])
    embedded = None
    if not wishes.broker.url:
        embedded = broker.Embedded(wishes.home, chosen["broker"], wishes.edge.id)
    embedded_erp = not wishes.erp.url and wishes.erp.adapter == "tryton"
    changes: dict[str, Any] = {
        "http": wishes.http.model_copy(update=_http(wishes, http_port)),
        "plant": wishes.plant.model_copy(
            update={"ports": {cell: chosen[f"plant-{cell}"] for cell in wishes.plant.ports}}
        ),
    }
    if cluster:
        changes["database_url"] = cluster.url
        changes["historian_url"] = wishes.historian_url or cluster.url
    if embedded:
        changes["broker"] = embedded.settings()
    if embedded_erp:
        changes["erp"] = _erp(wishes, chosen["erp"])
    return Resolved(wishes.model_copy(update=changes), cluster, embedded, embedded_erp)


def write_endpoints(file: Path, settings: Settings) -> None:
    """Write the resolved settings as TOML, mode 0600, in one step."""
    scratch = file.with_name(f".{file.name}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.writelines(toml_lines(settings.model_dump(mode="json", exclude_none=True, exclude={"home"})))
    scratch.replace(file)


def toml_lines(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield `tables` as TOML: plain keys first, then each table under its name."""
    for key, value in tables.items():
        if not isinstance(value, Mapping):
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield f"\n[{prefix}{key}]\n"
            yield from toml_lines(value, f"{prefix}{key}.")


def _wished_ports(wishes: Settings, paths: Paths) -> dict[str, int]:
    first = LOWEST_PORT + PORTS_EACH * (int(paths.digest, 16) % HOMES)
    names = ("postgres", "broker", "erp", *(f"plant-{cell}" for cell in wishes.plant.ports))
    wished = {name: first + offset for offset, name in enumerate(names)}
    if "ports" in wishes.plant.model_fields_set:
        wished |= {f"plant-{cell}": port for cell, port in wishes.plant.ports.items()}
    return wished


def _http(wishes: Settings, port: int) -> dict[str, Any]:
    address = wishes.http.url.rpartition(":")[0]
    own = wishes.http.url.endswith(f":{wishes.http.port}")
    return {"port": port, "fd": None, "url": f"{address}:{port}" if own else wishes.http.url}


def _cluster(paths: Paths, port: int) -> postgres.Cluster:
    account = accounts.unprivileged()
    base, programs = postgres.locate(paths.home, paths.digest, account)
    return postgres.Cluster(
        base=base,
        bin=programs,
        port=port,
        superuser_password=secrets.ensure(paths.home, "postgres-superuser"),
        password=secrets.ensure(paths.home, "postgres"),
        account=account,
    )


def _erp(wishes: Settings, port: int) -> Erp:
    password = secrets.ensure(wishes.home, "erp-password")
    return wishes.erp.model_copy(update={"url": f"http://127.0.0.1:{port}", "password": password})
