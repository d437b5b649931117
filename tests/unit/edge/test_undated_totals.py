"""A total that its machine does not date is refused, and said once."""

from datetime import UTC
from typing import Any

from asyncua import ua

from edge.collector import Collector
from edge.driver import NO_SOURCE_TIME
from edge.drivers.mqtt import MqttDriver
from edge.drivers.opcua import OpcUaDriver
from edge.tags import Endpoint, Tag
from mes.kernel.messages import NoteSample

AT = ua.DateTime(2026, 3, 2, 6, 0, tzinfo=UTC)


def tag(kind: str, **more: Any) -> Tag:
    row = {"name": f"M/{kind}", "kind": kind, "endpoint": "cell", "address": "x", "datatype": "int", **more}
    return Tag.model_validate(row)


def shown(value: int, at: ua.DateTime | None = None) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, ua.VariantType.UInt32), SourceTimestamp=at, ServerTimestamp=AT)


def collected(collector: Collector) -> tuple[list[int], int]:
    """The values that were taken, and how often something was said of a tag."""
    taken = collector.take().readings
    notes = [item for item in taken if isinstance(item, NoteSample)]
    return [item.value for item in taken if not isinstance(item, NoteSample)], len(notes)  # type: ignore[misc]


def test_opc_ua_refuses_a_total_without_a_source_time_once() -> None:
    collector = Collector(["cell"])
    driver = OpcUaDriver(Endpoint(name="cell", driver="opcua", url="opc.tcp://127.0.0.1:1"), collector)
    total, state = tag("total"), tag("state")
    for value in (7, 8):
        driver._take(total, shown(value))
    assert collector.refusals == {"M/total": NO_SOURCE_TIME}
    assert collected(collector) == ([], 1)
    driver._take(state, shown(6))
    driver._take(total, shown(9, AT))
    assert collected(collector) == ([6, 9], 0)
    assert collector.refusals == {}


async def test_mqtt_refuses_a_total_whose_tag_names_no_time() -> None:
    collector = Collector(["cell"])
    driver = MqttDriver(Endpoint(name="cell", driver="mqtt", url="mqtt://127.0.0.1:1"), collector)
    await driver.apply([tag("total", path="$.n"), tag("count", path="$.n")])
    assert collector.refusals == {"M/total": NO_SOURCE_TIME}
    await driver.apply([tag("total", path="$.n", time="$.at")])
    assert collected(collector) == ([], 1)
