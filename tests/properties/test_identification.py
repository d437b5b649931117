"""What our labels carry is read back, and no input breaks the scan grammar."""

import unicodedata

from hypothesis import assume, given
from hypothesis import strategies as st

from mes.identification.labels import PREFIXES, label_text
from mes.identification.model import LabelMalformed, Scan, ScanForm, ScanRefused
from mes.identification.scan import parse_scan

codes = st.from_regex(r"[A-Z0-9][A-Z0-9._/-]{0,39}", fullmatch=True)
kinds = st.sampled_from(sorted(set(PREFIXES.values()) - {"command"}))
names = st.text(st.sampled_from("aBcZ09 +-_:@()批次Ａｂ：\u200b\u3000"), min_size=1, max_size=61)
symbologies = st.sampled_from(["", "]C0", "]Q1", "]d1", "]A0"])
lots = st.from_regex(r"[A-Z][A-Z/-]{0,9}", fullmatch=True)
identifiers = st.from_regex(r"[0-9]{0,3}[A-Z]", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)


@given(kinds, codes, symbologies)
def test_our_labels_are_read_back(kind: str, code: str, symbology: str) -> None:
    scan = parse_scan(symbology + label_text(kind, code))
    assert (scan.form, scan.fields) == (ScanForm.OWN, {kind: code})


@given(names)
def test_the_label_of_any_lot_is_read_back_or_not_printed(name: str) -> None:
    try:
        label = label_text("lot", name)
    except LabelMalformed:
        return
    assert parse_scan(label).fields == {"lot": unicodedata.normalize("NFKC", name)}


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    understood = outcome(text)
    assert understood.elements if isinstance(understood, Scan) else understood.remedy


@given(st.text(st.sampled_from("0123456789AB\x1d|]C1-"), max_size=60))
def test_any_gs1_message_is_understood_or_refused(text: str) -> None:
    understood = outcome("]C1" + text)
    if isinstance(understood, Scan) and understood.form is ScanForm.GS1:
        whole = "".join(element.identifier + element.value for element in understood.elements)
        assert whole == text.replace("\x1d", "")


@given(st.lists(st.tuples(identifiers, values), min_size=1, max_size=6))
def test_an_envelope_gives_back_its_elements(pairs: list[tuple[str, str]]) -> None:
    assume(all(identifier not in {"Q", "7Q", "14D", "16D"} for identifier, _ in pairs))
    body = "\x1d".join(identifier + value for identifier, value in pairs)
    scan = parse_scan(f"[)>\x1e06\x1d{body}\x1e\x04")
    assert [(one.identifier, one.value) for one in scan.elements] == pairs


@given(lots, lots)
def test_two_values_with_their_separator_stay_two(lot: str, serial: str) -> None:
    scan = parse_scan(f"]C110{lot}\x1d21{serial}")
    assert scan.fields == {"lot": lot, "serial": serial}


def outcome(text: str) -> Scan | ScanRefused:
    try:
        return parse_scan(text)
    except ScanRefused as refused:
        return refused
