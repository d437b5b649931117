"""The cells' OPC UA servers: real ones, that take only encrypted connections of who they trust."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.plant_sim.layout import NAMESPACE, SCANNERS
from edge.plant_sim.machines import Entry, Machine

HOST = "127.0.0.1"
EDGE_URI = "urn:lineside:edge"
KEPT_FOR = timedelta(days=1)
HISTORY = 200
"""Values of a state, scan or fault that a server keeps for a client that was away."""
_TYPES: Mapping[str, ua.VariantType] = {
    "state": ua.VariantType.Int32,
    "fault": ua.VariantType.String,
    "scan": ua.VariantType.String,
}
_KEPT = ("state", "fault", "scan")
_COUNTED = frozenset({"state", "good", "scrap", "scan"})
"""Signals that the totals count."""
_UNTRUE = ua.StatusCode(ua.UInt32(StatusCodes.BadWaitingForInitialData))


@dataclass(frozen=True, slots=True)
class Pki:
    """Keys and certificates of the demo plant, in one folder."""

    folder: Path

    def certificate(self, name: str) -> Path:
        """Return the certificate of `name` (DER)."""
        return self.folder / "own" / f"{name}.der"

    def key(self, name: str) -> Path:
        """Return the private key of `name` (PEM, mode 0600)."""
        return self.folder / "own" / f"{name}.pem"

    def trusted_by(self, name: str) -> Path:
        """Return the folder of the certificates that `name` believes."""
        return self.folder / f"trusted-by-{name}"

    async def make(self, servers: list[str]) -> None:
        """Make what is missing; each server trusts the edge, and the edge trusts each server."""
        self.certificate("edge").parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("edge", *servers):
            use = ExtendedKeyUsageOID.CLIENT_AUTH if name == "edge" else ExtendedKeyUsageOID.SERVER_AUTH
            uri = EDGE_URI if name == "edge" else server_uri(name)
            await setup_self_signed_certificate(
                self.key(name),
                self.certificate(name),
                uri,
                socket.gethostname(),
                [use],
                {"commonName": name, "organizationName": "Lineside demo"},
            )
            self.key(name).chmod(0o600)
        for name in servers:
            self._trust(name, "edge")
            self._trust("edge", name)

    def _trust(self, who: str, whom: str) -> None:
        folder = self.trusted_by(who)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{whom}.der").write_bytes(self.certificate(whom).read_bytes())


def server_uri(cell: str) -> str:
    """Return the application URI of a cell's server."""
    return f"urn:lineside:plant:{cell}"


def server_url(cell: str, port: int) -> str:
    """Return the address of a cell's server."""
    return f"opc.tcp://{HOST}:{port}/{cell}"


class CellServer:
    """One cell's server.

    Args:
        cell: Its name.
        machines: The units of the cell.
        port: TCP port on the loopback address.
        pki: Keys; none: an open server, for tests only.
    """

    def __init__(self, cell: str, machines: Mapping[str, Machine], port: int, pki: Pki | None) -> None:
        self.cell = cell
        self.machines = machines
        self.url = server_url(cell, port)
        self.server = Server()
        self.nodes: dict[str, Node] = {}
        self._pki = pki
        self._writes: asyncio.Queue[tuple[str, ua.DataValue]] = asyncio.Queue()

    async def start(self) -> None:
        """Build the address space and listen."""
        await self.server.init()
        self.server.set_endpoint(self.url)
        self.server.set_server_name(f"Lineside plant, {self.cell}")
        await self.server.set_application_uri(server_uri(self.cell))
        if self._pki is not None:
            await self._secure(self._pki)
        else:
            self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await self.server.register_namespace(NAMESPACE)
        for machine in self.machines.values():
            await self._build(machine, index)
            await self._historize(machine)
        await self.server.start()

    async def run(self) -> None:
        """Write what the machines say into the address space, in their order; for ever.

        What is kept is in the history before anybody can see it.
        """
        kept = {f"{unit}.{name}" for unit in self.machines for name in _KEPT}
        while True:
            name, value = await self._writes.get()
            node = self.nodes[name].nodeid
            if name in kept:
                await self.server.iserver.history_manager.storage.save_node_value(node, value)
            await self.server.write_attribute_value(node, value)

    async def stop(self) -> None:
        """Close the server."""
        await self.server.stop()

    async def _secure(self, pki: Pki) -> None:
        self.server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        await self.server.load_certificate(str(pki.certificate(self.cell)))
        await self.server.load_private_key(str(pki.key(self.cell)))
        store = TrustStore([pki.trusted_by(self.cell)], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
        self.server.set_certificate_validator(CertificateValidator(options, store).validate)

    async def _build(self, machine: Machine, index: int) -> None:
        parent = await self.server.nodes.objects.add_object(
            _id(machine.unit, index), f"{index}:{machine.unit}"
        )
        for name, value in self._signals(machine).items():
            full = f"{machine.unit}.{name}"
            node = await parent.add_variable(_id(full, index), f"{index}:{name}", value.Value)
            await self.server.write_attribute_value(node.nodeid, value)
            self.nodes[full] = node
        machine.publish = self._publisher(machine)

    def _signals(self, machine: Machine) -> dict[str, ua.DataValue]:
        """Return what a machine shows when it is switched on: its last change with its own time.

        Totals come after what they count.
        """
        totals, memory, change = machine.totals, machine.memory, machine.memory.changes[-1]
        values = {
            "state": _value(change.value, _TYPES["state"], change.at),
            "fault": _value(memory.fault, ua.VariantType.String, change.at),
        }
        if machine.unit in SCANNERS:
            scan = memory.scans[-1] if memory.scans else Entry(0, "", change.at)
            values["scan"] = _value(scan.value, _TYPES["scan"], scan.at)
        now = machine.now()
        for signal in machine.signals:
            values[signal.name] = _value(machine.values[signal.name], ua.VariantType.Double, now)
        for name in ("good", "scrap"):
            values[name] = _value(getattr(totals, name), ua.VariantType.UInt32, now)
        now = machine.now()
        for name in ("good", "scrap", "states", "scans"):
            values[f"total_{name}"] = _value(getattr(totals, name), ua.VariantType.UInt32, now)
        return values

    async def _historize(self, machine: Machine) -> None:
        """Keep states, scans and faults, beginning with what the machine itself remembers."""
        storage = self.server.iserver.history_manager.storage
        for name in _KEPT:
            node = self.nodes.get(f"{machine.unit}.{name}")
            if node is None:
                continue
            await node.write_attribute(AttributeIds.Historizing, ua.DataValue(ua.Variant(Value=True)))
            for bits in (AttributeIds.AccessLevel, AttributeIds.UserAccessLevel):
                await node.set_attr_bit(bits, ua.AccessLevel.HistoryRead)
            await storage.new_historized_node(node.nodeid, KEPT_FOR, HISTORY)
            remembered = {"state": machine.memory.changes, "scan": machine.memory.scans}.get(name, ())
            for entry in remembered:
                await storage.save_node_value(node.nodeid, _value(entry.value, _TYPES[name], entry.at))

    def _publisher(self, machine: Machine) -> Publisher:
        return Publisher(machine.unit, self.nodes, self._writes)


class Publisher:
    """Turns what a machine says into writes of its server."""

    def __init__(
        self, unit: str, nodes: Mapping[str, Node], writes: asyncio.Queue[tuple[str, ua.DataValue]]
    ) -> None:
        self._unit = unit
        self._nodes = nodes
        self._writes = writes
        self._totals = [name for name in nodes if name.startswith(f"{unit}.total_")]
        self._told = True

    def __call__(self, name: str, value: float | str, at: datetime) -> None:
        """Queue one write; a signal that the server does not have is not for it."""
        full = f"{self._unit}.{name}"
        if full not in self._nodes:
            return
        if name in _COUNTED:
            self._withdraw(at)
        elif full in self._totals:
            self._told = True
        kind = _TYPES.get(name, ua.VariantType.Double if isinstance(value, float) else ua.VariantType.UInt32)
        self._writes.put_nowait((full, _value(value, kind, at)))

    def _withdraw(self, at: datetime) -> None:
        """Show no totals that are no longer true; who connects now would believe them."""
        if self._told:
            self._told = False
            for name in self._totals:
                self._writes.put_nowait((name, _bad(at)))


def _id(name: str, namespace: int) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(namespace))


def _value(value: float | str, kind: ua.VariantType, at: datetime) -> ua.DataValue:
    return ua.DataValue(
        ua.Variant(value, kind), SourceTimestamp=ua.DateTime.fromtimestamp(at.timestamp(), UTC)
    )


def _bad(at: datetime) -> ua.DataValue:
    return ua.DataValue(
        ua.Variant(None), _UNTRUE, SourceTimestamp=ua.DateTime.fromtimestamp(at.timestamp(), UTC)
    )
