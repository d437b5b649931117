"""Whatever a machine sends, an edge goes on: what cannot be stored is bad, and nothing else is lost."""

from __future__ import annotations

import json
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.readings import Known, Reading
from edge.tags import Tag
from mes.kernel.messages import (
    GOOD,
    Batch,
    Kind,
    NoteSample,
    Sample,
    Value,
    decode,
    encode_batch,
    read_samples,
)

EPOCH = UUID(int=7)
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(st.characters()),
)


def tag(kind: str, datatype: str, scale: float, *, numbered: bool) -> Tag:
    return Tag.model_validate(
        {
            "name": "M/x",
            "kind": kind,
            "endpoint": "cell",
            "address": "x",
            "datatype": datatype,
            "scale": scale,
            "numbers": {1: 6} if numbered else None,
        }
    )


@settings(max_examples=400, deadline=None)
@given(
    values=st.lists(VALUES, min_size=1, max_size=6),
    kind=st.sampled_from([kind.value for kind in Kind]),
    datatype=st.sampled_from(["double", "int", "bool", "string"]),
    scale=st.sampled_from([1.0, 0.1, 1e308]),
    numbered=st.booleans(),
)
@example(values=[float("nan"), 3.0], kind="count", datatype="double", scale=1.0, numbered=False)
@example(values=[float("inf"), 3], kind="count", datatype="int", scale=1.0, numbered=False)
@example(values=["\ud800\0"], kind="scan", datatype="string", scale=1.0, numbered=False)
@example(values=[10**400], kind="state", datatype="double", scale=0.1, numbered=False)
def test_any_value_is_converted_stored_and_read_back(
    values: list[Value], kind: str, datatype: str, scale: float, *, numbered: bool
) -> None:
    found = tag(kind, datatype, scale, numbered=numbered)
    converted = [value for value in map(found.convert, values) if value is not None]
    readings = [Reading(found, value, 1_000 + number, GOOD, -1) for number, value in enumerate(converted)]
    step = Known({}, {}).take(readings, {found.name: 1})
    batch = decode(encode_batch(EPOCH, 1, 1, 1_000, step.samples))
    assert isinstance(batch, Batch)
    for written, back in zip(step.samples, read_samples(batch), strict=True):
        assert isinstance(written, Sample)
        assert isinstance(back, Sample)
        assert (back.alias, back.time_ms) == (written.alias, written.time_ms)
        assert not isinstance(back, NoteSample)
        assert "\\u0000" not in json.dumps(back.value, allow_nan=False).replace("\\\\", "")
