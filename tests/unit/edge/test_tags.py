from decimal import Decimal
from pathlib import Path

import pytest

from edge.tags import BadConfig, Deadband, Endpoint, Tag, load_config, parse_tags
from mes.kernel.messages import GOOD, Kind
from mes.kernel.topics import Stream

ENDPOINT = Endpoint(name="cell", driver="opcua", url="opc.tcp://127.0.0.1:1")


def tag(**more: object) -> Tag:
    row = {"name": "CNC-1/load", "kind": "analog", "endpoint": "cell", "address": "ns=1;s=x", **more}
    return Tag.model_validate(row)


def test_a_value_is_scaled_into_its_unit() -> None:
    assert tag(scale=0.1, offset=-5.0).convert(200) == pytest.approx(15.0)


def test_a_state_number_of_the_vendor_becomes_that_of_the_standard() -> None:
    found = tag(kind="state", datatype="int", numbers={"3": 6, "1": 4})
    assert found.convert(3) == 6
    assert found.convert(9) is None


def test_text_where_a_number_belongs_is_bad() -> None:
    assert tag().convert("seven") is None


def test_events_and_telemetry_part_by_kind() -> None:
    assert {kind for kind in Kind if tag(kind=kind.value).stream is Stream.TELEMETRY} == {Kind.ANALOG}


def test_small_changes_wait_and_the_heartbeat_does_not() -> None:
    band = Deadband(tag(deadband=1.0, heartbeat_s=10))
    assert band.passes(5.0, 1_000, GOOD)
    assert not band.passes(5.9, 2_000, GOOD)
    assert band.passes(6.0, 3_000, GOOD)
    assert band.passes(6.0, 13_000, GOOD)


def test_a_change_of_quality_is_always_worth_sending() -> None:
    band = Deadband(tag(deadband=1.0))
    assert band.passes(5.0, 1_000, GOOD)
    assert band.passes(5.0, 1_100, 64)


def test_one_bad_tag_does_not_stop_the_others() -> None:
    good = tag().model_dump(mode="json")
    rows = [good, {**good, "name": "no slash"}, {**good, "name": "A/b", "endpoint": "away"}, good]
    tags, refused = parse_tags(rows, [ENDPOINT])
    assert [found.name for found in tags] == ["CNC-1/load"]
    assert [entry["tag"] for entry in refused] == ["no slash", "A/b", "CNC-1/load"]


def test_a_modulus_comes_from_json_exactly() -> None:
    assert tag(kind="count", modulus="65536").counter.modulus == Decimal(65536)


def test_config_resolves_paths_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "CONFIG.toml").write_text(
        'id = "edge-1"\nbroker = "mqtt://127.0.0.1"\nspool = "spool"\n'
        '[[endpoints]]\nname = "cell"\ndriver = "opcua"\nurl = "opc.tcp://x"\nkey = "pki/edge.pem"\n'
    )
    config = load_config(tmp_path / "CONFIG.toml")
    assert config.spool == tmp_path / "spool"
    assert config.endpoints[0].key == tmp_path / "pki/edge.pem"


@pytest.mark.parametrize(
    "text", ["id = 1", 'id = "Edge!"\nbroker = "x"\nspool = "s"', "not toml", 'colour = "red"']
)
def test_a_config_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "CONFIG.toml").write_text(text)
    with pytest.raises(BadConfig):
        load_config(tmp_path / "CONFIG.toml")


def test_an_address_is_shown_without_its_password() -> None:
    endpoint = Endpoint(name="d", driver="mqtt", url="mqtt://user:secret@host:1883")
    assert "secret" not in endpoint.place
    assert "secret" not in repr(endpoint)
