"""MQTT on asyncio: one connection that comes back, acknowledgements in the caller's hands."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from mes.kernel.log import get_logger

log = get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 8
"""A connection that is silent for twice as long is dead: a partition is noticed and left within seconds."""
FIRST_DELAY_S = 0.2
MAX_DELAY_S = 5.0


class BusDown(ConnectionError):
    """The broker is out of reach; the bus is connecting again by itself."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message; nothing is acknowledged before `Bus.acknowledge`."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int
    connection: int
    """Number of the connection that it came by; an older one's cannot be acknowledged."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, from `mqtt://user:password@host:port` or `mqtts://`."""

    host: str
    port: int
    user: str
    password: str
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a broker URL apart.

        Raises:
            ValueError: The scheme is not mqtt or mqtts, or the host is missing.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError("a broker address is mqtt://host:port or mqtts://host:port")
        tls = parts.scheme == "mqtts"
        return cls(
            host=parts.hostname,
            port=parts.port or (8883 if tls else 1883),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=tls,
        )


class _Client(mqtt.Client):
    """paho's client on a socket that was connected without blocking the loop."""

    ready_socket: socket.socket

    def _create_socket_connection(self) -> socket.socket:
        return self.ready_socket


class Bus:
    """A connection to the broker, for as long as the `async with` lasts.

    Client identifiers are random for each connection and sessions are clean: what must not be
    lost is kept by the two ends of the edge stream, never by the broker.

    Args:
        url: `mqtt://user:password@host:port`.
        name: Beginning of the client identifier.
        subscriptions: Topic filters, subscribed with QoS 1 at each connection.
        on_message: Called for each message; quick, and it never raises.
        on_connect: Awaited after each connection, subscriptions in place.
        manual_ack: The caller acknowledges each message; else it is done on arrival.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[Received], None] | None = None,
        on_connect: Callable[[], Awaitable[None]] | None = None,
        manual_ack: bool = False,
    ) -> None:
        self.address = Address.parse(url)
        self.connected = asyncio.Event()
        self.lost = asyncio.Event()
        self.connections = 0
        self._name = name
        self._subscriptions = tuple(subscriptions)
        self._on_message = on_message
        self._on_connect = on_connect
        self._manual_ack = manual_ack
        self._client: _Client | None = None
        self._granted: asyncio.Future[None] | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._subscribing: dict[int, asyncio.Future[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._unplugged_until = 0.0
        self._taken: dict[int, int] = {}
        """Messages of this connection by their packet identifier."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_connected(), name=f"bus {self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._client is not None and self.connected.is_set():
            self._client.disconnect()
            self._client.loop_write()
        self._drop("closed")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the broker's acknowledgement.

        Raises:
            BusDown: There is no connection, or it broke meanwhile.
        """
        await self.publish_soon(topic, payload, retain=retain)

    def publish_soon(self, topic: str, payload: bytes, *, retain: bool = False) -> asyncio.Future[None]:
        """Publish with QoS 1; the future is done when the broker has acknowledged.

        Raises:
            BusDown: There is no connection.
        """
        if self._client is None or not self.connected.is_set():
            raise BusDown(self._name)
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BusDown(self._name)
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        self._waiting[info.mid] = future
        return future

    def unplug(self, seconds: float) -> None:
        """Drop the connection and make no other for so long, as if the cable were pulled."""
        self._unplugged_until = time.monotonic() + seconds
        self.lost.set()

    @property
    def unplugged(self) -> bool:
        """Whether the cable is pulled."""
        return time.monotonic() < self._unplugged_until

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that `message` is safe; one of a lost connection is let go."""
        if self._client is not None and message.qos and message.connection == self.connections:
            self._client.ack(message.mid, message.qos)

    async def _keep_connected(self) -> None:
        delay = FIRST_DELAY_S
        was_up = True
        while True:
            while self.unplugged:
                await asyncio.sleep(FIRST_DELAY_S)
            try:
                await self._connect()
            except (OSError, BusDown) as error:
                if was_up:
                    log.warning("bus.unreachable", bus=self._name, reason=str(error))
                was_up = False
                self._drop("unreachable")
            else:
                log.info("bus.connected", bus=self._name)
                was_up, delay = True, FIRST_DELAY_S
                await self.lost.wait()
                log.warning("bus.lost", bus=self._name)
                self._drop("lost")
            await asyncio.sleep(delay * random.uniform(0.7, 1.3))
            delay = min(delay * 2, MAX_DELAY_S)

    async def _connect(self) -> None:
        self.lost.clear()
        client = await self._open()
        loop = asyncio.get_running_loop()
        self._client = client
        self._taken.clear()
        self.connections += 1
        self._granted = loop.create_future()
        client.connect(self.address.host, self.address.port, keepalive=KEEPALIVE_S)
        misc = asyncio.create_task(self._misc(client), name=f"bus {self._name} keepalive")
        client.user_data_set(misc)
        await self._within(self._granted)
        for pattern in self._subscriptions:
            await self._subscribe(client, pattern)
        self.connected.set()
        if self._on_connect is not None:
            await self._on_connect()

    async def _subscribe(self, client: _Client, pattern: str) -> None:
        code, mid = client.subscribe(pattern, qos=1)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise BusDown(f"cannot subscribe {pattern}")
        future = asyncio.get_running_loop().create_future()
        self._subscribing[mid] = future
        await self._within(future)

    async def _within(self, future: asyncio.Future[None]) -> None:
        lost: asyncio.Future[Any] = asyncio.ensure_future(self.lost.wait())
        waited: set[asyncio.Future[Any]] = {future, lost}
        await asyncio.wait(waited, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        closed = lost.done()
        lost.cancel()
        if not future.done():
            raise BusDown("connection closed" if closed else "no answer")
        future.result()

    async def _open(self) -> _Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self._name}-{secrets.token_hex(6)}",
            protocol=mqtt.MQTTv311,
            manual_ack=self._manual_ack,
        )
        if self.address.user:
            client.username_pw_set(self.address.user, self.address.password)
        if self.address.tls:
            client.tls_set_context(ssl.create_default_context())
        client.max_inflight_messages_set(2000)
        client.on_socket_open = self._socket_open
        client.on_socket_close = self._socket_close
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._no_write
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        client.on_message = self._received
        client.ready_socket = await self._open_socket()
        return client

    async def _open_socket(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
        error: OSError = BusDown("host not found")
        for family, kind, number, _, place in found:
            sock = socket.socket(family, kind, number)
            sock.settimeout(0.0)
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await loop.sock_connect(sock, place)
            except (OSError, TimeoutError) as problem:
                sock.close()
                error = BusDown(str(problem) or "timed out")
            except asyncio.CancelledError:
                sock.close()
                raise
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        raise error

    async def _misc(self, client: _Client) -> None:
        while not self.lost.is_set():
            await asyncio.sleep(1.0)
            if client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self.lost.set()

    def _drop(self, reason: str) -> None:
        self.connected.clear()
        client, self._client = self._client, None
        self.lost.set()
        if client is not None:
            misc = client.user_data_get()
            if isinstance(misc, asyncio.Task):
                misc.cancel()
            sock = client.socket()
            if sock is not None:
                self._socket_close(client, None, sock)
                sock.close()
            client.on_socket_open = client.on_socket_close = None
            client.on_socket_register_write = client.on_socket_unregister_write = None
        for future in (*self._waiting.values(), *self._subscribing.values()):
            if not future.done():
                future.set_exception(BusDown(reason))
                future.add_done_callback(_retrieve)
        self._waiting.clear()
        self._subscribing.clear()

    def _socket_open(self, client: mqtt.Client, _data: object, sock: Any) -> None:
        asyncio.get_running_loop().add_reader(sock, self._readable, client)

    def _socket_close(self, _client: mqtt.Client, _data: object, sock: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        loop.remove_writer(sock)

    def _want_write(self, client: mqtt.Client, _data: object, sock: Any) -> None:
        asyncio.get_running_loop().add_writer(sock, client.loop_write)

    def _no_write(self, _client: mqtt.Client, _data: object, sock: Any) -> None:
        asyncio.get_running_loop().remove_writer(sock)

    def _readable(self, client: mqtt.Client) -> None:
        client.loop_read(64)

    def _connected(
        self, _client: mqtt.Client, _data: object, _flags: object, code: Any, _properties: object
    ) -> None:
        if self._granted is None or self._granted.done():
            return
        if code.is_failure:
            self._granted.set_exception(BusDown(str(code)))
        else:
            self._granted.set_result(None)

    def _disconnected(self, client: mqtt.Client, *_: object) -> None:
        if client is self._client:
            self.lost.set()

    def _subscribed(
        self, _client: mqtt.Client, _data: object, mid: int, codes: Sequence[Any], _properties: object
    ) -> None:
        future = self._subscribing.pop(mid, None)
        if future is None or future.done():
            return
        if any(code.is_failure for code in codes):
            future.set_exception(BusDown("the broker refused a subscription"))
        else:
            future.set_result(None)

    def _published(
        self, _client: mqtt.Client, _data: object, mid: int, _code: object, _properties: object
    ) -> None:
        future = self._waiting.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _received(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if self._on_message is not None and not self._again(message):
            self._on_message(
                Received(
                    message.topic,
                    bytes(message.payload),
                    message.retain,
                    message.mid,
                    message.qos,
                    self.connections,
                )
            )

    def _again(self, message: mqtt.MQTTMessage) -> bool:
        """Tell whether the broker repeats what it has sent on this connection already.

        It does so when an acknowledgement was slow; an old message after newer ones would be taken
        for news. Who acknowledges by itself looks after repeated messages by itself too.
        """
        if self._manual_ack or message.qos == 0:
            return False
        digest = hash(message.payload)
        if message.dup and self._taken.get(message.mid) == digest:
            return True
        self._taken[message.mid] = digest
        return False


def _retrieve(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
