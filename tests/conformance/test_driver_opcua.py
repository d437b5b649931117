"""The OPC UA driver, with a server of its own library and with one by another maker."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes

from edge.plant_sim.servers import CellServer, Pki
from edge.tags import Endpoint, Tag
from mes.kernel.messages import Kind, Value
from tests.conformance.driver_suite import NodeSuite, Recorder, until
from tests.fixtures.edge import free_port
from tests.fixtures.node import install_from_lock, node

NAMESPACE = "urn:lineside:conformance"
TYPES = {
    "state": ua.VariantType.Int32,
    "good": ua.VariantType.UInt32,
    "load": ua.VariantType.Double,
    "scan": ua.VariantType.String,
}
ZERO: dict[str, Value] = {"state": 0, "good": 0, "load": 0.0, "scan": ""}
DATATYPES = {"state": "int", "good": "int", "load": "double", "scan": "string"}
NODE = Path(__file__).with_name("node_opcua")


class OpcUaSource:
    """What both servers share: address and tags."""

    driver = "opcua"
    keeps_history = True

    def __init__(self) -> None:
        self.port = free_port()

    def endpoint(self) -> Endpoint:
        url = f"opc.tcp://127.0.0.1:{self.port}/conformance"
        return Endpoint(name="cell", driver="opcua", url=url, security="None", interval_ms=100)

    def tag(self, signal: str, kind: Kind) -> Tag:
        return Tag.model_validate(
            {
                "name": f"M/{signal}",
                "kind": kind.value,
                "endpoint": "cell",
                "address": f"nsu={NAMESPACE};s=M.{signal}",
                "datatype": DATATYPES[signal],
            }
        )

    def missing_tag(self) -> Tag:
        address = f"nsu={NAMESPACE};s=M.ghost"
        return self.tag("load", Kind.ANALOG).model_copy(update={"name": "M/ghost", "address": address})


class AsyncuaSource(OpcUaSource):
    """asyncua's own server."""

    def __init__(self) -> None:
        super().__init__()
        self._server: Server | None = None
        self._index = 0

    async def start(self) -> None:
        server = Server()
        await server.init()
        server.set_endpoint(self.endpoint().url)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        self._index = await server.register_namespace(NAMESPACE)
        machine = await server.nodes.objects.add_object(self._id("M"), f"{self._index}:Machine")
        for signal, kind in TYPES.items():
            value = ua.Variant(ZERO[signal], kind)
            await machine.add_variable(self._id(f"M.{signal}"), f"{self._index}:{signal}", value)
        await server.start()
        for signal in ("state", "scan"):
            await server.historize_node_data_change(server.get_node(self._id(f"M.{signal}")), count=500)
        self._server = server

    async def kill(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def set(self, signal: str, value: Value, time_ms: int, *, good: bool = True) -> None:
        assert self._server is not None
        status = StatusCodes.Good if good else StatusCodes.BadSensorFailure
        at = ua.DateTime.fromtimestamp(time_ms / 1000, UTC)
        found = ua.DataValue(
            ua.Variant(value, TYPES[signal]), ua.StatusCode(ua.UInt32(status)), SourceTimestamp=at
        )
        await self._server.write_attribute_value(self._id(f"M.{signal}"), found)

    async def spoil(self) -> None:
        """A list where a number belongs."""
        assert self._server is not None
        await self._server.write_attribute_value(
            self._id("M.load"), ua.DataValue(ua.Variant([1.0, 2.0], ua.VariantType.Double))
        )

    async def vanish(self, signal: str) -> None:
        assert self._server is not None
        await self._server.delete_nodes([self._server.get_node(self._id(f"M.{signal}"))])

    async def come_back(self, signal: str) -> None:
        assert self._server is not None
        machine = self._server.get_node(self._id("M"))
        value = ua.Variant(ZERO[signal], TYPES[signal])
        await machine.add_variable(self._id(f"M.{signal}"), f"{self._index}:{signal}", value)

    def _id(self, name: str) -> ua.NodeId:
        return ua.NodeId(ua.String(name), ua.Int16(self._index))


class NodeSource(OpcUaSource):
    """The server of node-opcua, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *node().program,
            "server.cjs",
            str(self.port),
            str(self._folder / "pki"),
            cwd=NODE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await self._line("ready")

    async def _line(self, expected: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while line := await self._process.stdout.readline():
                if line.decode().strip() == expected:
                    return
        pytest.fail("the server of node-opcua ended")

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined]

    async def set(self, signal: str, value: Value, time_ms: int, *, good: bool = True) -> None:
        await self._tell({"do": "set", "signal": signal, "value": value, "time": time_ms, "good": good})

    async def spoil(self) -> None:
        await self.vanish("load")

    async def vanish(self, signal: str) -> None:
        await self._tell({"do": "remove", "signal": signal})

    async def come_back(self, signal: str) -> None:
        await self._tell({"do": "add", "signal": signal})

    async def _tell(self, order: dict[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        await self._line("done")


@pytest.fixture(scope="session")
def node_opcua() -> None:
    """node-opcua, installed from its lock in its own npm project."""
    install_from_lock(NODE, "node-opcua-server")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers of node-opcua keep their own: no case is about them, and new ones take long."""
    return tmp_path_factory.mktemp("node-opcua")


class OpcUaSuite(NodeSuite):
    """What both servers' cases share."""

    @pytest.fixture
    def asked_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edge.drivers.opcua.TRY_AGAIN_S", 1.0)


@pytest.mark.filterwarnings("ignore:.*MonitoredItemService.datachange_callback:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*datachange_callback:pytest.PytestUnraisableExceptionWarning")
class TestAsyncuaServer(OpcUaSuite):
    """The numbered cases against asyncua's server."""

    @pytest.fixture
    async def source(self) -> AsyncIterator[AsyncuaSource]:
        source = AsyncuaSource()
        await source.start()
        yield source
        await source.kill()


class TestNodeServer(OpcUaSuite):
    """The numbered cases against the server of node-opcua."""

    @pytest.fixture
    async def source(self, node_opcua: None, certificates: Path) -> AsyncIterator[NodeSource]:
        source = NodeSource(certificates)
        await source.start()
        yield source
        await source.kill()


class TestSecurity:
    """Only who is trusted is spoken to, and nobody listens."""

    @pytest.fixture
    def pki(self, tmp_path: Path) -> Pki:
        return Pki(tmp_path / "pki")

    def endpoint(self, pki: Pki, port: int, **more: object) -> Endpoint:
        values = {
            "name": "cell",
            "driver": "opcua",
            "url": f"opc.tcp://127.0.0.1:{port}/cell",
            "certificate": pki.certificate("edge"),
            "key": pki.key("edge"),
            "trust": pki.trusted_by("edge"),
            "interval_ms": 100,
        }
        return Endpoint.model_validate({**values, **more})

    async def test_sign_and_encrypt_with_a_trust_list(self, pki: Pki) -> None:
        await pki.make(["cell", "stranger"])
        server = CellServer("cell", {}, port := free_port(), pki)
        await server.start()
        try:
            assert await _connects(self.endpoint(pki, port))
            assert not await _connects(self.endpoint(pki, port, security="None"), 2.5)
            assert not await _connects(self.endpoint(pki, port, trust=pki.trusted_by("stranger")), 2.5)
            stranger = {"certificate": pki.certificate("stranger"), "key": pki.key("stranger")}
            assert not await _connects(self.endpoint(pki, port, **stranger), 2.5)
        finally:
            await server.stop()


async def _connects(endpoint: Endpoint, within_s: float = 20.0) -> bool:
    from edge.drivers.opcua import OpcUaDriver

    recorder = Recorder()
    task = asyncio.create_task(OpcUaDriver(endpoint, recorder).run())
    try:
        await until(lambda: bool(recorder.links), within_s)
    except TimeoutError:
        return False
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return recorder.links == [True]
