from decimal import Decimal

from edge.collector import Collector
from edge.readings import REMEMBERED, UNSEEN, Known, Reading, in_source_order
from edge.spool import Mark
from edge.tags import Tag
from mes.kernel.messages import AGAIN, BAD, GOOD, UNREAD, Kind, Note, NoteSample, Sample, Value


def tag(signal: str, kind: Kind) -> Tag:
    datatype = "string" if kind in {Kind.SCAN, Kind.FAULT} else "int"
    row = {"name": f"M/{signal}", "kind": kind, "endpoint": "cell", "address": "x", "datatype": datatype}
    return Tag.model_validate(row)


STATE, GOODS, TOTAL, SCAN = (
    tag("state", Kind.STATE),
    tag("good", Kind.COUNT),
    tag("total_good", Kind.TOTAL),
    tag("scan", Kind.SCAN),
)
ALIASES = {found.name: number for number, found in enumerate((STATE, GOODS, TOTAL, SCAN), 1)}


def read(found: Tag, value: Value, time_ms: int, number: int = -1) -> Reading:
    return Reading(found, value, time_ms, GOOD, number)


def said(known: Known, *readings: Reading) -> list[tuple[int, Value]]:
    step = known.take(readings, ALIASES)
    known.accept(step)
    return [(sample.alias, sample.value) for sample in step.samples if isinstance(sample, Sample)]


def values(known: Known, *readings: Reading) -> list[Value]:
    return [value for _, value in said(known, *readings)]


def test_a_counter_without_source_times_does_not_run_backwards() -> None:
    """The value that a server shows first has no time of its own, the next one has an earlier one."""
    known = Known({GOODS.name: Decimal(7)}, {})
    assert values(known, read(GOODS, 7, 2_000), read(GOODS, 8, 1_500)) == [1]
    assert values(known, read(GOODS, 9, 1_600)) == [1]


def test_a_counter_whose_clock_was_set_back_counts_on() -> None:
    known = Known({GOODS.name: Decimal(7)}, {})
    assert values(known, read(GOODS, 8, 9_000), read(GOODS, 9, 1_000), read(GOODS, 10, 1_001)) == [1, 1, 1]


def test_a_message_that_a_broker_delivers_again_counts_nothing() -> None:
    known = Known({GOODS.name: Decimal(5)}, {})
    reports = [read(GOODS, 6, 1_000), read(GOODS, 7, 1_100), read(GOODS, 8, 1_200)]
    assert values(known, *reports) == [1, 1, 1]
    assert values(known, *reports) == []
    assert values(known, read(GOODS, 9, 1_300)) == [1]


def test_a_counter_that_began_anew_is_counted_and_doubtful() -> None:
    known = Known({GOODS.name: Decimal(8)}, {})
    step = known.take([read(GOODS, 3, 5_000)], ALIASES)
    assert [sample for sample in step.samples if isinstance(sample, Sample)] == [
        Sample(ALIASES[GOODS.name], 3, 5_000, GOOD, {"raw": 3, "doubtful": True})
    ]


def test_what_a_history_gave_is_known_when_the_subscription_gives_it_again() -> None:
    known = Known({}, {STATE.name: Mark(1_000, -1, "6")})
    history = [read(STATE, 7, 1_100), read(STATE, 2, 1_200), read(STATE, 4, 1_300)]
    assert values(known, *history) == [7, 2, 4]
    assert values(known, read(STATE, 6, 1_000), *history) == []
    assert values(known, read(STATE, 6, 1_400)) == [6]


def test_what_overlaps_in_one_commit_is_there_once() -> None:
    known = Known({}, {STATE.name: Mark(1_000, -1, "6")})
    readings = [read(STATE, 7, 1_100), read(STATE, 2, 1_200), read(STATE, 6, 1_000), read(STATE, 7, 1_100)]
    assert values(known, *readings) == [7, 2]


def test_what_was_not_committed_is_not_known() -> None:
    known = Known({GOODS.name: Decimal(7)}, {})
    readings = [read(GOODS, 8, 1_000), read(SCAN, "WO:1", 1_000)]
    known.take(readings, ALIASES)
    assert said(known, *readings) == [(ALIASES[GOODS.name], 1), (ALIASES[SCAN.name], "WO:1")]


def test_a_total_read_again_says_nothing() -> None:
    """An old total after a newer one would move the base that pieces are checked against."""
    known = Known({}, {})
    assert values(known, read(TOTAL, 7, 1_000), read(TOTAL, 8, 2_000)) == [7, 8]
    assert values(known, read(TOTAL, 7, 1_000)) == []


def test_a_total_follows_what_it_counts() -> None:
    order = in_source_order([read(TOTAL, 8, 1_000), read(GOODS, 8, 1_000), read(STATE, 6, 900)])
    assert [item.tag.name for item in order if isinstance(item, Reading)] == [
        STATE.name,
        GOODS.name,
        TOTAL.name,
    ]


def test_notes_stand_among_readings_by_their_time() -> None:
    note = NoteSample(Note.GAP, {}, 1_000)
    assert in_source_order([read(STATE, 6, 1_500), note, read(STATE, 7, 1_600)])[0] is note


def test_numbered_readings_are_known_by_their_number() -> None:
    known = Known({}, {STATE.name: Mark(1_000, 7, "6")})
    assert values(known, read(STATE, 6, 1_000, 7), read(STATE, 6, 1_000, 8)) == [6]
    assert values(known, read(STATE, 3, 900, 2)) == []
    assert values(known, read(STATE, 3, 1_100, 2)) == [3]


def test_the_same_label_scanned_again_is_another_scan() -> None:
    known = Known({}, {})
    assert values(known, read(SCAN, "LOT:1", 1_000), read(SCAN, "LOT:1", 1_001)) == ["LOT:1", "LOT:1"]
    assert values(known, read(SCAN, "", 1_002)) == []


def test_only_so_much_is_remembered() -> None:
    known = Known({}, {})
    first = [read(SCAN, f"LOT:{number}", number) for number in range(REMEMBERED + 10)]
    assert len(values(known, *first)) == REMEMBERED + 10
    assert len(known._moments[SCAN.name]) == REMEMBERED


def collected(collector: Collector, known: Known) -> tuple[list[Sample], list[NoteSample]]:
    """What the collector adds to the stream, and its gaps."""
    step = known.take(collector.take().readings, ALIASES)
    known.accept(step)
    notes = [item for item in step.samples if isinstance(item, NoteSample) and item.note is Note.GAP]
    return [item for item in step.samples if isinstance(item, Sample)], notes


def test_a_state_that_could_not_be_read_is_unseen_until_it_is_told_again() -> None:
    """Whatever ended meanwhile, the machine's state is told when it can be read, though it is the same."""
    known, collector = Known({}, {}), Collector(["cell"])
    collector.reading(STATE, 6, 1_000)
    assert collected(collector, known) == ([Sample(ALIASES[STATE.name], 6, 1_000)], [])
    for reason in ("BadNodeIdUnknown", "BadNodeIdUnknown", "BadOutOfService"):
        collector.refused(STATE, reason, read_until=1_500)
        collector.reading(STATE, None, 2_000, BAD)
    samples, (gap,) = collected(collector, known)
    assert (samples, collector.refusals) == ([], {STATE.name: "BadOutOfService"})
    told = {key: gap.body[key] for key in ("stream", "reason", "equipment", "from")}
    assert told == {"stream": "events", "reason": UNREAD, "equipment": ["M"], "from": 1_500}
    mark = known.mark(STATE.name)
    assert mark == Mark(1_000, UNSEEN, "6")
    for _ in range(2):
        collector.reading(STATE, 6, 1_000)
    assert collected(collector, known) == ([Sample(ALIASES[STATE.name], 6, 1_000, GOOD, {AGAIN: True})], [])
    assert collector.refusals == {}
    collector.refused(GOODS, "BadNodeIdUnknown")
    assert collected(collector, known) == ([], [])


def test_an_edge_that_starts_anew_tells_again_what_could_not_be_read_before() -> None:
    mark = Mark(1_000, UNSEEN, "6")
    known, collector = Known({}, {STATE.name: mark}), Collector(["cell"])
    collector.unseen = {STATE.name}
    collector.reading(STATE, 6, 1_000)
    collector.reading(STATE, 6, 1_000)
    assert collected(collector, known)[0] == [Sample(ALIASES[STATE.name], 6, 1_000, GOOD, {AGAIN: True})]
    assert known.mark(STATE.name) == Mark(1_000, -1, "6")
