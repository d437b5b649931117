"""The embedded broker: each user on its own topics, seen by a real MQTT client."""

import os
import queue
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from mes.kernel.settings import Broker
from mes.supervisor import ports
from mes.supervisor.broker import BrokerError, Embedded, reachable, split_url

EDGE = "edge-1"
OTHER = "edge-2"
PATIENCE_S = 30


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    home = tmp_path_factory.mktemp("张伟's 厂")
    port = ports.choose(home / "ports.json", {"broker": 0})["broker"]
    embedded = Embedded(home, port, EDGE)
    settings, program = embedded.settings(), embedded.program()
    assert embedded.config.stat().st_mode & 0o077 == 0
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            program.argv, env={**os.environ, **program.env}, cwd=program.cwd, stdout=log, stderr=log
        )
    deadline = time.monotonic() + 20
    while not reachable(settings):
        assert time.monotonic() < deadline, (home / "log").read_text()
        time.sleep(0.05)
    yield settings
    process.terminate()
    process.wait()


class Client:
    """One signed-in MQTT client that keeps what it hears."""

    def __init__(self, url: str) -> None:
        self.heard: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        self.granted: queue.Queue[bool] = queue.Queue()
        host, port, user, password, _ = split_url(url)
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(user, password)
        self.client.on_message = self._on_message
        self.client.on_subscribe = self._on_subscribe
        self.client.connect(host, port)
        self.client.loop_start()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.put((message.topic, bytes(message.payload), message.retain))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        self.granted.put(not codes[0].is_failure)

    def subscribe(self, topic: str) -> bool:
        self.client.subscribe(topic, qos=1)
        return self.granted.get(timeout=PATIENCE_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


Connect = Callable[[Literal["ingest", "edge", "device"]], Client]


@pytest.fixture
def connect(broker: Broker) -> Iterator[Connect]:
    with ExitStack() as stack:

        def open_client(role: Literal["ingest", "edge", "device"]) -> Client:
            client = Client(broker.url_for(role))
            stack.callback(client.close)
            return client

        yield open_client


def test_an_edge_is_heard_on_its_own_topics_only(connect: Connect) -> None:
    ingest, edge = connect("ingest"), connect("edge")
    assert ingest.subscribe("lineside/v1/+/events")
    assert ingest.subscribe("lineside/v1/+/down/config")
    edge.publish(f"lineside/v1/{OTHER}/events", b"forged")
    edge.publish(f"lineside/v1/{EDGE}/down/config", b"forged")
    edge.publish(f"lineside/v1/{EDGE}/events", b"real")
    assert ingest.heard.get(timeout=PATIENCE_S) == (f"lineside/v1/{EDGE}/events", b"real", False)
    assert ingest.heard.empty()


def test_an_edge_hears_its_own_downlink_and_its_devices_only(connect: Connect) -> None:
    edge = connect("edge")
    assert edge.subscribe(f"lineside/v1/{EDGE}/down/#")
    assert edge.subscribe("devices/#")
    assert not edge.subscribe(f"lineside/v1/{OTHER}/down/#")
    assert not edge.subscribe("lineside/v1/+/events")
    connect("device").publish("devices/PACK-1/state", b"{}")
    heard = ""
    while heard != "devices/PACK-1/state":
        heard = edge.heard.get(timeout=PATIENCE_S)[0]
        assert heard.startswith((f"lineside/v1/{EDGE}/down/", "devices/"))


def test_a_device_reaches_nothing_but_devices(connect: Connect) -> None:
    ingest, device = connect("ingest"), connect("device")
    assert ingest.subscribe("lineside/v1/+/events")
    device.publish(f"lineside/v1/{EDGE}/events", b"forged")
    assert not device.subscribe("lineside/v1/#")
    with pytest.raises(queue.Empty):
        ingest.heard.get(timeout=0.5)


def test_a_watermark_waits_for_an_edge_that_was_away(connect: Connect) -> None:
    connect("ingest").publish(f"lineside/v1/{EDGE}/down/watermark", b"42", retain=True)
    edge = connect("edge")
    assert edge.subscribe(f"lineside/v1/{EDGE}/down/+")
    assert edge.heard.get(timeout=PATIENCE_S) == (f"lineside/v1/{EDGE}/down/watermark", b"42", True)


def test_a_wrong_password_opens_nothing(broker: Broker) -> None:
    assert reachable(broker)
    assert not reachable(broker.model_copy(update={"ingest_password": "guess"}))


@pytest.mark.parametrize("url", ["http://x:1", "mqtt://", "x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BrokerError, match="mqtt://host:port"):
        split_url(url)
