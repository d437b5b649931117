import pytest

from edge.drivers.mqtt import BadPath, Mapping, NotThere, parse_path, pick, read_time
from edge.tags import Tag


def tag(**more: object) -> Tag:
    row = {"name": "P/x", "kind": "state", "endpoint": "d", "address": "t", "datatype": "int", **more}
    return Tag.model_validate(row)


def test_a_path_leads_into_objects_and_lists() -> None:
    document = {"a": [{"b c": 7}]}
    assert pick(document, parse_path("$.a[0]['b c']")) == 7


@pytest.mark.parametrize("path", ["a.b", "$..a", "$.a[", "$.a[x]", ""])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        parse_path(path)


def test_a_message_without_the_path_says_nothing() -> None:
    with pytest.raises(NotThere):
        pick({"a": 1}, parse_path("$.a.b"))


def test_a_list_of_numbered_entries_is_read_entry_by_entry() -> None:
    mapping = Mapping(tag(each="$.changes", path="$.s", time="$.t", number="$.n"))
    document = {"changes": [{"s": 4, "t": 1000, "n": 1}, {"s": 6, "t": 2000, "n": 2}]}
    assert list(mapping.read(document, 9)) == [(4, 1000, 1), (6, 2000, 2)]


def test_times_are_milliseconds_or_iso_with_an_offset() -> None:
    assert read_time(1_700_000_000_123) == 1_700_000_000_123
    assert read_time("2023-11-14T22:13:20.123+00:00") == 1_700_000_000_123
    for bad in ("2023-11-14T22:13:20", "noon", None, True):
        with pytest.raises(ValueError, match=r".*"):
            read_time(bad)
