import pytest

from edge.scan import MAX_FRAME, Framer, FrameTooLong, Scan, read


def test_the_identifier_is_taken_off_and_separators_stay() -> None:
    assert read("]C10109521234543213\x1d10ABC", "R1") == Scan("0109521234543213\x1d10ABC", "]C1", "R1")


def test_a_code_without_identifier_is_whole() -> None:
    assert read("WO:WO-000001", "R1") == Scan("WO:WO-000001", "", "R1")


def test_frames_come_out_whole_however_the_bytes_arrive() -> None:
    framer = Framer()
    assert list(framer.feed(b"\x02SN:1\x03SN:")) == ["SN:1"]
    assert list(framer.feed(b"2\r\nSN:3\r")) == ["SN:2", "SN:3"]


def test_endless_noise_is_refused() -> None:
    framer = Framer()
    with pytest.raises(FrameTooLong):
        list(framer.feed(b"x" * (MAX_FRAME + 1)))
    assert list(framer.feed(b"SN:4\n")) == ["SN:4"]
