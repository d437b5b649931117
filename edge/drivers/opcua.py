"""OPC UA: subscriptions with the server's own timestamps, and history for what was missed.

After a break the server's history fills in states, scans and faults; a server without history
has the gap declared. A node that is not there, or vanishes, is reported once, tried again, and stops
nobody; some servers say of a node that vanishes nothing, so they are asked whether it is there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClientState
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeNotif, Subscription
from asyncua.crypto import security_policies
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc
from asyncua.ua.uaerrors import UaError

from edge.driver import NO_SOURCE_TIME, BrowseNode, Sink
from edge.spool import Mark
from edge.tags import Endpoint, Tag
from mes.kernel.log import get_logger
from mes.kernel.messages import BAD, GOOD, UNCERTAIN, Kind, Value
from mes.kernel.topics import Stream

log = get_logger(__name__)
logging.getLogger("asyncua.client").setLevel(logging.CRITICAL)
logging.getLogger("asyncua.common.subscription").setLevel(logging.CRITICAL)
# A lost server is one line of ours; asyncua would add a traceback for each attempt.

APPLICATION_URI = "urn:lineside:edge"
REQUEST_TIMEOUT_S = 10.0
WATCHDOG_S = 10.0
"""asyncua declares a server dead that does not answer its probe within this; its own 1 s is
shorter than a busy server's pauses."""
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 5.0
TRY_AGAIN_S = 60.0
"""Nodes that the server did not know are asked for again this often, and whether the others are there."""
CHUNK = 500
"""Nodes in one request: below the limits of every known server."""
QUEUE = 200
EACH_CHANGE = 0.0
"""Sampling interval by which a server reports each change (OPC UA part 4, 5.12.1.2)."""
HISTORY_KINDS = frozenset({Kind.STATE, Kind.SCAN, Kind.FAULT})
"""Kinds of which each single value counts."""
EARLIEST_YEAR = 1971
OVERFLOW = 0x0480
"""InfoType DataValue with the overflow bit (OPC UA part 4, 7.39.1)."""
SEVERITY_AND_SUBCODE = 0xFFFF0000
"""What a status code is beside its flags (OPC UA part 4, 7.38)."""
GONE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid})
"""Status of a node that is no longer there: what monitored it never speaks again."""
SECURITY = {
    "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt,
    "Sign": ua.MessageSecurityMode.Sign,
}


class Read(NamedTuple):
    """One value of a tag; `why` it is bad, where a person has to know."""

    tag: Tag
    value: Value
    time_ms: int
    quality: int
    why: str = ""


class Monitored(NamedTuple):
    """What monitors a node; its handle means another one after the subscription was made anew."""

    subscription: int | None
    handle: int


class OpcUaDriver:
    """One OPC UA server."""

    def __init__(self, endpoint: Endpoint, sink: Sink) -> None:
        self._endpoint = endpoint
        self._sink = sink
        self._tags: dict[str, Tag] = {}
        self._by_node: dict[ua.NodeId, tuple[Tag, ...]] = {}
        self._handles: dict[str, Monitored] = {}
        self._gone: set[str] = set()
        self._checked_ms = 0
        self._client: Client | None = None
        self._subscription: Subscription | None = None
        self._namespaces: list[str] = []
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._held: list[Read] | None = None
        self._up = False

    async def run(self) -> None:
        """Stay connected until cancelled."""
        delay = FIRST_DELAY_S
        told = False
        while True:
            try:
                await self._session()
                delay, told = FIRST_DELAY_S, False
            except (OSError, TimeoutError, UaError) as error:
                if not told and not self._up:
                    log.warning("opcua.unreachable", endpoint=self._endpoint.name, reason=_text(error))
                told = True
                self._lost(_text(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_DELAY_S)

    async def apply(self, tags: Sequence[Tag]) -> None:
        """Read these tags from now on."""
        self._tags = {tag.name: tag for tag in tags}
        self._changed.set()

    # -- the connection --------------------------------------------------------------------------

    async def _session(self) -> None:
        """One client from connecting until it is beyond help; asyncua reconnects meanwhile."""
        self._held = []
        client = await self._open()
        self._client = client
        try:
            self._subscription = await client.create_subscription(self._endpoint.interval_ms, self)
            await self._arrive()
            async with client.uaclient.subscribe_state() as states:
                while True:
                    await self._work(states)
        finally:
            self._client = self._subscription = None
            self._handles.clear()
            self._gone.clear()
            self._by_node.clear()
            await _close(client)

    async def _work(self, states: Any) -> None:
        """Wait for the connection or the tags to change, and follow."""
        state = asyncio.ensure_future(states.next_change())
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            waited: set[asyncio.Future[Any]] = {state, changed}
            await asyncio.wait(waited, timeout=TRY_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
            if state.done():
                await self._follow(state.result())
            elif self._up:
                await self._subscribe()
        finally:
            for future in (state, changed):
                future.cancel()
                with suppress(asyncio.CancelledError):
                    await future

    async def _follow(self, state: UaClientState) -> None:
        if state is UaClientState.CONNECTED:
            await asyncio.sleep(self._endpoint.interval_ms / 1000)
            await self._arrive()
        elif state is UaClientState.DISCONNECTED:
            raise ConnectionError("session ended")
        else:
            self._lost("connection lost")

    async def _arrive(self) -> None:
        """Bring the subscription and what was missed in order, then let values through."""
        await self._subscribe()
        missed = await self._missed()
        held, self._held = self._held or [], None
        if not self._up:
            self._up = True
            self._sink.connected(self._endpoint.name)
        seen = {_moment(item) for item in missed}
        fresh = [item for item in held if _moment(item) not in seen]
        kept = [item for item in fresh if item.tag.kind in HISTORY_KINDS]
        rest = [item for item in fresh if item.tag.kind not in HISTORY_KINDS]
        for item in [*sorted([*missed, *kept], key=_source_time), *rest]:
            self._pass_on(item)

    def _lost(self, reason: str) -> None:
        if self._held is None:
            self._held = []
        if self._up:
            self._up = False
            self._sink.disconnected(self._endpoint.name, reason)

    async def _open(self) -> Client:
        endpoint = self._endpoint
        client = Client(
            endpoint.url,
            timeout=REQUEST_TIMEOUT_S,
            watchdog_intervall=WATCHDOG_S,
            auto_reconnect=True,
            reconnect_max_delay=MAX_DELAY_S,
        )
        client.name = client.description = "Lineside edge"
        client.application_uri = APPLICATION_URI
        if endpoint.security != "None":
            await self._secure(client)
        try:
            async with asyncio.timeout(2 * REQUEST_TIMEOUT_S):
                await client.connect()
            self._namespaces = await client.get_namespace_array()
        except BaseException:
            await _close(client)
            raise
        return client

    async def _secure(self, client: Client) -> None:
        endpoint = self._endpoint
        if endpoint.certificate is None or endpoint.key is None or endpoint.trust is None:
            raise UaError("security needs certificate, key and trust")
        store = TrustStore([endpoint.trust], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_SERVER
        client.certificate_validator = CertificateValidator(options, store).validate
        await client.set_security(
            security_policies.SecurityPolicyBasic256Sha256,
            certificate=str(endpoint.certificate),
            private_key=str(endpoint.key),
            mode=SECURITY[endpoint.security],
        )

    # -- the subscription ------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        """Make the subscription hold exactly the nodes of the tags."""
        async with self._turn:
            self._changed.clear()
            wanted: dict[str, list[Tag]] = {}
            for tag in self._tags.values():
                wanted.setdefault(tag.address, []).append(tag)
            await self._unsubscribe([address for address in self._handles if address not in wanted])
            self._by_node = {}
            new: list[tuple[str, ua.NodeId]] = []
            held: list[tuple[str, ua.NodeId]] = []
            for address, tags in wanted.items():
                node = self._node_id(address)
                if node is None:
                    self._refuse(tags, "unknown namespace or bad node id")
                    continue
                self._by_node[node] = tuple(tags)
                (held if address in self._handles else new).append((address, node))
            now = _now_ms()
            vanished = await self._let_go(held)
            await self._monitor_all(new, wanted, None)
            await self._monitor_all(vanished, wanted, self._checked_ms)
            self._checked_ms = now

    async def _let_go(self, held: Sequence[tuple[str, ua.NodeId]]) -> list[tuple[str, ua.NodeId]]:
        """Return the nodes that are no longer there; what monitored them is taken back."""
        told, self._gone = self._gone, set()
        vanished = [one for one in held if one[0] in told]
        for start in range(0, len(held), CHUNK):
            part = [one for one in held[start : start + CHUNK] if one[0] not in told]
            vanished += await self._missing(part)
        for address, _ in vanished:
            with suppress(UaError):
                await self._unsubscribe([address])
        return vanished

    async def _missing(self, nodes: Sequence[tuple[str, ua.NodeId]]) -> list[tuple[str, ua.NodeId]]:
        """Return those of `nodes` that the server does not know any more."""
        if self._client is None or not nodes:
            return []
        asked = [self._client.get_node(node) for _, node in nodes]
        try:
            found = await self._client.read_attributes(asked, AttributeIds.NodeClass)
        except UaError as error:
            log.info("opcua.not_checked", endpoint=self._endpoint.name, reason=_text(error))
            return []
        return [one for one, told in zip(nodes, found, strict=True) if _status(told) in GONE]

    async def _monitor_all(
        self, new: Sequence[tuple[str, ua.NodeId]], wanted: Mapping[str, list[Tag]], read_until: int | None
    ) -> None:
        for start in range(0, len(new), CHUNK):
            part = new[start : start + CHUNK]
            events = [one for one in part if _is_event(wanted[one[0]])]
            rest = [one for one in part if not _is_event(wanted[one[0]])]
            for nodes, sampling_ms in ((events, EACH_CHANGE), (rest, float(self._endpoint.interval_ms))):
                for address, reason in await self._monitor(nodes, sampling_ms):
                    self._refuse(wanted[address], reason, read_until)

    async def _monitor(
        self, new: Sequence[tuple[str, ua.NodeId]], sampling_ms: float
    ) -> list[tuple[str, str]]:
        """Monitor nodes; return the addresses of those that cannot be, and why."""
        if self._client is None or self._subscription is None or not new:
            return []
        nodes = [self._client.get_node(node) for _, node in new]
        results = await self._subscription.subscribe_data_change(
            nodes, queuesize=QUEUE, sampling_interval=ua.Double(sampling_ms)
        )
        refused = []
        for (address, _), result in zip(new, results, strict=True):
            if isinstance(result, ua.StatusCode):
                refused.append((address, result.name))
            else:
                self._handles[address] = Monitored(self._subscription.subscription_id, result)
        return refused

    async def _unsubscribe(self, addresses: Iterable[str]) -> None:
        monitored = [self._handles.pop(address) for address in list(addresses)]
        if self._subscription is not None:
            now = self._subscription.subscription_id
            handles = [one.handle for one in monitored if one.subscription == now]
            if handles:
                await self._subscription.unsubscribe(handles)

    def _refuse(self, tags: Iterable[Tag], reason: str, read_until: int | None = None) -> None:
        for tag in tags:
            self._sink.refused(tag, reason, read_until=read_until)

    def _node_id(self, address: str) -> ua.NodeId | None:
        try:
            if address.startswith("nsu="):
                uri, _, rest = address.removeprefix("nsu=").partition(";")
                address = f"ns={self._namespaces.index(uri)};{rest}"
            return ua.NodeId.from_string(address)
        except (ValueError, UaError):
            return None

    def datachange_notification(self, node: Node, val: Any, data: DataChangeNotif) -> None:  # noqa: ARG002
        """Take one change; called by asyncua for each."""
        found = data.monitored_item.Value
        if _status(found) in GONE:
            self._gone |= {tag.address for tag in self._by_node.get(node.nodeid, ())}
        for tag in self._by_node.get(node.nodeid, ()):
            self._take(tag, found)

    def status_change_notification(self, status: ua.StatusChangeNotification) -> None:
        """Note the end of a subscription; the client's supervisor makes a new one."""
        log.info("opcua.subscription", endpoint=self._endpoint.name, status=str(status.Status))

    def _take(self, tag: Tag, found: ua.DataValue) -> None:
        code = found.StatusCode.value if found.StatusCode is not None else 0
        at = _time_ms(found)
        if code & OVERFLOW == OVERFLOW:
            self._sink.missed(tag, at, "overflow")
        value, quality = _read(found)
        if tag.kind is Kind.TOTAL and quality > BAD and _dated(found.SourceTimestamp) is None:
            self._sink.refused(tag, NO_SOURCE_TIME)
            return
        item = Read(tag, value, at, quality, "" if quality > BAD else _why(found))
        if self._held is not None and tag.stream is Stream.EVENTS:
            self._held.append(item)
        else:
            self._pass_on(item)

    def _pass_on(self, item: Read) -> None:
        if item.why:
            self._sink.refused(item.tag, item.why)
        self._sink.reading(item.tag, item.value, item.time_ms, item.quality)

    # -- history ---------------------------------------------------------------------------------

    async def _missed(self) -> list[Read]:
        """Return what the server has kept since each tag was read last."""
        found: list[Read] = []
        for tag in self._tags.values():
            mark = self._sink.mark(tag) if tag.kind in HISTORY_KINDS else None
            node = self._node_id(tag.address)
            if mark is None or node is None or self._client is None or tag.address not in self._handles:
                continue
            start = datetime.fromtimestamp(mark.time_ms / 1000, UTC)
            try:
                values = await self._client.get_node(node).read_raw_history(
                    start, datetime.now(UTC) + timedelta(minutes=1), return_bounds=False
                )
            except UaError as error:
                log.info("opcua.no_history", tag=tag.name, reason=_text(error))
                self._sink.missed(tag, int(datetime.now(UTC).timestamp() * 1000), "no_history")
                continue
            found += _since(tag, mark, values)
        return found

    # -- browsing --------------------------------------------------------------------------------

    async def browse(self, node: str) -> list[BrowseNode]:
        """Return the children of a node; an empty text is the Objects folder."""
        client = self._client
        if client is None or not self._up:
            raise ConnectionError(self._endpoint.name)
        found = self._node_id(node) if node else client.nodes.objects.nodeid
        if found is None:
            return []
        try:
            references = await client.get_node(found).get_references(
                ObjectIds.HierarchicalReferences, ua.BrowseDirection.Forward
            )
            return [await self._entry(client, reference) for reference in references]
        except (UaError, TimeoutError) as error:
            raise ConnectionError(self._endpoint.name) from error

    async def _entry(self, client: Client, reference: ua.ReferenceDescription) -> BrowseNode:
        node_id = reference.NodeId
        rest = (
            ua.NodeId(node_id.Identifier, ua.Int16(0), node_id.NodeIdType).to_string().removeprefix("ns=0;")
        )
        uri = self._namespaces[node_id.NamespaceIndex]
        address = f"nsu={uri};{rest}" if node_id.NamespaceIndex else rest
        leaf = reference.NodeClass == ua.NodeClass.Variable
        datatype = value = ""
        if leaf:
            with suppress(UaError):
                read = await client.get_node(node_id).read_data_value()
                if read.Value is not None:
                    datatype, value = read.Value.VariantType.name, str(read.Value.Value)[:200]
        return BrowseNode(address, str(reference.DisplayName.Text), leaf, datatype, value)


async def _close(client: Client) -> None:
    with suppress(OSError, TimeoutError, UaError):
        async with asyncio.timeout(2):
            await client.disconnect()


def _since(tag: Tag, mark: Mark, values: Iterable[ua.DataValue]) -> list[Read]:
    """Return the values of a history that are later than the mark, each once.

    Of those in the mark's own millisecond, what the server has kept before the mark is known.
    """
    found: dict[tuple[int, str], Read] = {}
    for value in sorted(values, key=_time_ms):
        at = _time_ms(value)
        raw, quality = _read(value)
        if at == mark.time_ms and str(tag.convert(raw)) == mark.value:
            found.clear()
        elif at >= mark.time_ms:
            found[at, str(raw)] = Read(tag, raw, at, quality)
    return list(found.values())


def _is_event(tags: Iterable[Tag]) -> bool:
    return any(tag.stream is Stream.EVENTS for tag in tags)


def _moment(item: Read) -> tuple[str, int, str]:
    return item.tag.name, item.time_ms, str(item.value)


def _source_time(item: Read) -> int:
    return item.time_ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _status(found: ua.DataValue) -> int:
    """Return the status of a value without its flags; none is good."""
    return 0 if found.StatusCode is None else int(found.StatusCode.value) & SEVERITY_AND_SUBCODE


def _why(found: ua.DataValue) -> str:
    """Return why a value is bad; nothing where there has been none yet, which is no fault."""
    status = _status(found)
    if status >> 30 > 1:
        return "" if status == StatusCodes.BadWaitingForInitialData else str(get_name_and_doc(status)[0])
    return "" if found.Value is None or found.Value.Value is None else "no single value"


def _time_ms(found: ua.DataValue) -> int:
    """Return the source's time, else the server's, else that of the edge."""
    at = _dated(found.SourceTimestamp) or _dated(found.ServerTimestamp) or datetime.now(UTC)
    return round(at.timestamp() * 1000)


def _dated(at: datetime | None) -> datetime | None:
    """Return a time with its zone; one before 1970 is none."""
    if at is None or at.year < EARLIEST_YEAR:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _read(found: ua.DataValue) -> tuple[Value, int]:
    """Return a value and its quality in OPC classic's three words, by its severity bits.

    What is no single value (a list, a structure) is bad: no tag can hold it.
    """
    raw = found.Value.Value if found.Value is not None else None
    code = found.StatusCode.value if found.StatusCode is not None else 0
    if isinstance(raw, bool | int | float | str):
        return raw, (GOOD, UNCERTAIN, BAD, BAD)[code >> 30]
    return None, BAD


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip(": ")
