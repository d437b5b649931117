from decimal import Decimal

import pytest

from edge.counter import Counted, CounterRule, count

D = Decimal


def test_the_first_reading_counts_nothing() -> None:
    assert count(None, D(512), CounterRule()) == Counted(D(0), D(512))


def test_the_difference_is_what_was_made() -> None:
    assert count(D(512), D(515), CounterRule()) == Counted(D(3), D(515))


@pytest.mark.parametrize(("base", "raw", "delta"), [(65530, 4, 10), (65535, 0, 1)])
def test_a_counter_rolls_over_at_its_modulus(base: int, raw: int, delta: int) -> None:
    rule = CounterRule(modulus=D(65536), max_step=D(100))
    assert count(D(base), D(raw), rule) == Counted(D(delta), D(raw))


def test_a_reset_far_from_the_modulus_is_no_rollover() -> None:
    rule = CounterRule(modulus=D(65536), max_step=D(100))
    assert count(D(300), D(2), rule) == Counted(D(2), D(2), doubtful=True)


def test_a_counter_set_to_nought_has_counted_nothing_since() -> None:
    assert count(D(300), D(0), CounterRule()) == Counted(D(0), D(0))


def test_a_counter_that_was_reset_and_went_on_is_doubtful() -> None:
    assert count(D(300), D(7), CounterRule()) == Counted(D(7), D(7), doubtful=True)


def test_a_jump_beyond_belief_is_doubtful() -> None:
    found = count(D(10), D(5000), CounterRule(max_step=D(50)))
    assert found == Counted(D(4990), D(5000), doubtful=True)


def test_kilograms_are_counted_exactly() -> None:
    assert count(D("1.1"), D("1.4"), CounterRule()).delta == D("0.3")
