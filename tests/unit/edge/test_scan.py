from edge.scan import Scan, read


def test_the_identifier_is_taken_off_and_separators_stay() -> None:
    assert read("]C10109521234543213\x1d10ABC", "R1") == Scan("0109521234543213\x1d10ABC", "]C1", "R1")


def test_a_code_without_identifier_is_whole() -> None:
    assert read("WO:WO-000001", "R1") == Scan("WO:WO-000001", "", "R1")
