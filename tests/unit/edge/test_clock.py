"""A machine's clock is judged by what it has just changed, never by what it had kept."""

from edge.clock import SETTLE_MS, WINDOW_MS, ClockOffset

HOUR_MS = 3_600_000
BEGIN = 1_790_000_000_000
LATER = BEGIN + SETTLE_MS


def counting(behind_ms: int, *moments: int) -> ClockOffset:
    """Return what a counter says that goes up at these moments, by the edge's clock."""
    clock = ClockOffset()
    for now in (BEGIN, *moments):
        clock.heard("CNC-1/good", now - behind_ms, now)
    return clock


def test_a_clock_in_the_wrong_zone_is_an_hour_behind() -> None:
    assert counting(HOUR_MS + 40, LATER, LATER + 1000).behind_s == 3600.0


def test_a_clock_ahead_is_negative() -> None:
    assert counting(-120_000, LATER).behind_s == -120.0


def test_a_machine_that_stands_since_hours_says_nothing_of_its_clock() -> None:
    clock = ClockOffset()
    for now in (BEGIN, LATER, LATER + HOUR_MS):  # the same last change, told again and again
        clock.heard("CNC-1/state", BEGIN - 9 * HOUR_MS, now)
    assert clock.behind_s is None


def test_what_was_kept_says_nothing_and_one_fresh_change_is_enough() -> None:
    clock = ClockOffset()
    for kept in range(5):
        clock.heard("CNC-1/state", BEGIN - HOUR_MS + kept, BEGIN + 10)
    assert clock.behind_s is None
    clock.heard("CNC-1/state", BEGIN + 1000, LATER + 1000)
    clock.heard("CNC-1/state", LATER + 1920, LATER + 2000)
    assert clock.behind_s == 0.1


def test_a_clock_that_was_set_right_is_believed_after_two_windows() -> None:
    clock = counting(HOUR_MS, LATER)
    for turn in range(1, 4):
        now = LATER + turn * WINDOW_MS
        clock.heard("CNC-1/good", now, now)
    assert clock.behind_s == 0.0


def test_a_clock_that_goes_wrong_is_noticed() -> None:
    clock = counting(0, LATER)
    for turn in range(1, 4):
        now = LATER + 100 * WINDOW_MS + turn * WINDOW_MS
        clock.heard("CNC-1/good", now - HOUR_MS, now)
    assert clock.behind_s == 3600.0
