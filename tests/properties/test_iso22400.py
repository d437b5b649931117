"""What holds for every shift, whatever happened in it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mes.performance import iso22400 as iso
from mes.performance.iso22400 import Elements, Output, Times

seconds = st.integers(0, 40_000).map(Decimal)
pieces = st.integers(0, 1_000).map(Decimal)


@st.composite
def shifts(draw: st.DrawFn) -> Elements:
    apt, aust, adet, adot, pdot, unknown = (draw(seconds) for _ in range(6))
    times = Times(
        pot=apt + aust + adet + adot + pdot + unknown,
        pdot=pdot,
        apt=apt,
        aust=aust,
        adet=adet,
        unknown=unknown,
    )
    outputs = []
    for _ in range(draw(st.integers(0, 3))):
        good, scrap, rework = draw(pieces), draw(pieces), draw(pieces)
        pri = draw(st.integers(1, 300).map(Decimal))
        outputs.append(Output(pri=pri, produced=good + scrap + rework, good=good, scrap=scrap, rework=rework))
    return Elements(times, tuple(outputs))


@given(shifts())
def test_the_time_balance_closes(elements: Elements) -> None:
    times = elements.times
    assert times.adot >= 0
    assert times.pbt == times.apt + times.aust + times.adet + times.adot


@given(shifts())
def test_oee_is_the_product_of_its_factors_for_one_item(elements: Elements) -> None:
    one = Elements(elements.times, elements.outputs[:1])
    factors = (iso.availability(one), iso.effectiveness(one), iso.quality_ratio(one))
    values = [factor.value for factor in factors]
    whole = iso.oee(one).value
    if whole is not None and None not in values:
        product = Decimal(1)
        for value in values:
            assert value is not None
            product *= value
        assert abs(product - whole) < Decimal("1e-20")


@given(shifts(), shifts())
def test_figures_of_two_shifts_lie_between_the_figures_of_each(left: Elements, right: Elements) -> None:
    for figure in (iso.availability, iso.effectiveness, iso.quality_ratio, iso.oee):
        parts = [figure(left).value, figure(right).value]
        both = figure(left + right).value
        if both is not None and parts[0] is not None and parts[1] is not None:
            low, high = sorted(part for part in parts if part is not None)
            assert low - Decimal("1e-20") <= both <= high + Decimal("1e-20")


@given(shifts())
def test_a_figure_has_a_value_or_a_reason(elements: Elements) -> None:
    for figure in (
        iso.availability,
        iso.effectiveness,
        iso.quality_ratio,
        iso.oee,
        iso.nee,
        iso.allocation_efficiency,
        iso.utilization_efficiency,
        iso.technical_efficiency,
        iso.setup_ratio,
        iso.scrap_ratio,
        iso.rework_ratio,
    ):
        found = figure(elements)
        assert (found.value is None) == (found.reason is not None)
