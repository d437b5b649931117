from uuid import UUID

import pytest

from mes.kernel.messages import (
    BAD,
    BadMessage,
    Batch,
    Birth,
    DataType,
    Definition,
    Gap,
    Kind,
    Note,
    NoteSample,
    Replay,
    Sample,
    Watermark,
    decode,
    decode_down,
    encode_batch,
    encode_birth,
    encode_gap,
    read_samples,
)
from mes.kernel.proto.sparkplug_b_pb2 import Payload
from mes.kernel.topics import BadTopic, Down, Stream, Up, down, parse_down, parse_up, up

EPOCH = UUID("8f7c3c1e-7f5c-4d5e-9b1a-0c2d3e4f5a6b")


def test_a_batch_says_what_was_read() -> None:
    samples: list[Sample | NoteSample] = [
        Sample(1, 3.25, 1_000),
        Sample(2, -7, 1_001),
        Sample(3, True, 1_002),
        Sample(4, "A\x1dB", 1_003, properties={"reader": "R1"}),
        Sample(5, None, 1_004, BAD),
        Sample(6, 2**40, 1_005, 64, {"raw": -1, "doubtful": True}),
        NoteSample(Note.GAP, {"from": 1}, 1_006),
    ]
    batch = decode(encode_batch(EPOCH, 2**40, 7, 2_000, samples))
    assert isinstance(batch, Batch)
    assert (batch.epoch, batch.seq, batch.birth, batch.time_ms) == (EPOCH, 2**40, 7, 2_000)
    assert list(read_samples(batch)) == samples


def test_a_birth_defines_its_tags() -> None:
    definition = Definition(4, "CNC-1/state", Kind.STATE, "CNC-1", "state", DataType.INT64, "")
    birth = Birth(EPOCH, 3, (definition,))
    assert decode(encode_birth(birth)) == birth


def test_a_gap_names_what_is_gone() -> None:
    gap = Gap(EPOCH, 5, 9, {"reason": "spool_full"})
    assert decode(encode_gap(gap, 1_000)) == gap


def test_good_quality_costs_no_byte() -> None:
    good = encode_batch(EPOCH, 1, 1, 1, [Sample(1, 1.0, 1)])
    assert Payload.FromString(good).metrics[1].HasField("properties") is False


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{}not protobuf", "not_protobuf"),
        (Payload(seq=1).SerializeToString(), "no_epoch"),
        (Payload(seq=1, uuid="x").SerializeToString(), "no_epoch"),
        (Payload(seq=1, uuid=str(EPOCH)).SerializeToString(), "no_birth"),
        (encode_gap(Gap(EPOCH, 9, 5), 1), "bad_gap"),
        (encode_batch(EPOCH, 0, 1, 1, []), "bad_seq"),
        (b"\0" * (5 * 1024 * 1024), "too_large"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(payload)
    assert caught.value.reason == reason


def test_downlink_is_json_that_people_can_read() -> None:
    watermark = Watermark(events={EPOCH: 12})
    assert decode_down(Watermark, watermark.encode()) == watermark
    assert str(EPOCH) in watermark.encode().decode()


def test_a_downlink_that_is_none_is_refused() -> None:
    with pytest.raises(BadMessage):
        decode_down(Replay, b'{"stream": "events", "epoch": "x", "from_seq": 0}')


def test_topics_go_there_and_back() -> None:
    assert parse_up(up("edge-1", Stream.EVENTS)).channel is Stream.EVENTS
    assert parse_up(up("edge-1", Up.HEALTH)).channel is Up.HEALTH
    assert parse_down(down("edge-1", Down.REPLAY)) is Down.REPLAY


@pytest.mark.parametrize(
    "topic", ["lineside/v2/e/events", "lineside/v1/e", "lineside/v1/E!/events", "lineside/v1/e/x"]
)
def test_an_unknown_topic_is_refused(topic: str) -> None:
    with pytest.raises(BadTopic):
        parse_up(topic)


def test_an_edge_cannot_be_named_so_that_it_reaches_into_another() -> None:
    with pytest.raises(BadTopic):
        up("edge/+", Stream.EVENTS)
