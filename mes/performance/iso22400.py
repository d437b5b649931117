"""Key performance indicators of ISO 22400-2. Pure.

Times are in one unit of the caller's choice (we use seconds), quantities in pieces. Nothing is
capped: an effectiveness above 1 is legal and says that a standard time is too long. A zero
denominator gives no value and a reason. Sums of elements aggregate units and periods; averages of
ratios do not.

Source:
    ISO 22400-2 formulas as restated in OPC 40501-1, annex C.2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from math import sqrt
from typing import Self

ZERO = Decimal(0)


class NoValue(StrEnum):
    """Why a figure has no value."""

    NO_PLANNED_BUSY_TIME = "no_planned_busy_time"
    NOTHING_KNOWN = "nothing_known"
    NO_PRODUCTION_TIME = "no_production_time"
    NO_PRODUCED_QUANTITY = "no_produced_quantity"
    NO_BUSY_TIME = "no_busy_time"
    NO_ORDER_TIME = "no_order_time"
    NO_FAILURES = "no_failures"
    NO_SPREAD = "no_spread"
    NO_CALENDAR_TIME = "no_calendar_time"
    NO_INSPECTED_PARTS = "no_inspected_parts"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, or the reason why there is none."""

    value: Decimal | None
    reason: NoValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Time elements of a unit in a window.

    Args:
        pot: Planned operation time.
        pdot: Planned down time within it.
        apt: Actual production time.
        aust: Actual unit set-up time.
        adet: Actual unit delay time: an order is there and nothing is made.
        unknown: Planned time at work of which nobody knows the state. It is never taken for a stop:
            figures are those of the time that is known, and this is told beside them.
    """

    pot: Decimal = ZERO
    pdot: Decimal = ZERO
    apt: Decimal = ZERO
    aust: Decimal = ZERO
    adet: Decimal = ZERO
    unknown: Decimal = ZERO

    @property
    def pbt(self) -> Decimal:
        """Planned busy time, as far as anything is known of it."""
        return self.pot - self.pdot - self.unknown

    @property
    def aupt(self) -> Decimal:
        """Actual unit processing time."""
        return self.apt + self.aust

    @property
    def aubt(self) -> Decimal:
        """Actual unit busy time."""
        return self.aupt + self.adet

    @property
    def adot(self) -> Decimal:
        """Actual unit down time: planned busy, and no order there."""
        return self.pbt - self.aubt

    @property
    def no_pbt(self) -> NoValue:
        """Why there is no planned busy time, where there is none."""
        return NoValue.NOTHING_KNOWN if self.unknown else NoValue.NO_PLANNED_BUSY_TIME

    def __add__(self, other: Self) -> "Times":
        return Times(
            pot=self.pot + other.pot,
            pdot=self.pdot + other.pdot,
            apt=self.apt + other.apt,
            aust=self.aust + other.aust,
            adet=self.adet + other.adet,
            unknown=self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What was made of one item.

    Args:
        pri: Planned run time per item, in the unit of the times.
        produced: PQ = good + scrap + rework, pieces.
        good: GQ.
        scrap: SQ.
        rework: RQ.
    """

    pri: Decimal
    produced: Decimal
    good: Decimal
    scrap: Decimal = ZERO
    rework: Decimal = ZERO

    @property
    def rejected(self) -> Decimal:
        """What was made and not accepted."""
        return self.produced - self.good


@dataclass(frozen=True, slots=True)
class Elements:
    """Everything that the figures of a unit and a window are made of."""

    times: Times
    outputs: tuple[Output, ...] = field(default=())

    @property
    def pq(self) -> Decimal:
        """Produced quantity."""
        return sum((output.produced for output in self.outputs), ZERO)

    @property
    def gq(self) -> Decimal:
        """Good quantity."""
        return sum((output.good for output in self.outputs), ZERO)

    @property
    def sq(self) -> Decimal:
        """Scrap quantity."""
        return sum((output.scrap for output in self.outputs), ZERO)

    @property
    def rq(self) -> Decimal:
        """Rework quantity."""
        return sum((output.rework for output in self.outputs), ZERO)

    @property
    def planned_run_time(self) -> Decimal:
        """Sum of PRI x PQ over the items."""
        return sum((output.pri * output.produced for output in self.outputs), ZERO)

    @property
    def planned_good_time(self) -> Decimal:
        """Sum of PRI x GQ over the items."""
        return sum((output.pri * output.good for output in self.outputs), ZERO)

    def __add__(self, other: Self) -> "Elements":
        return Elements(self.times + other.times, self.outputs + other.outputs)


def ratio(numerator: Decimal, denominator: Decimal, reason: NoValue) -> Figure:
    """Return numerator / denominator, or `reason` where the denominator is zero."""
    return Figure(numerator / denominator) if denominator else Figure(None, reason)


def availability(elements: Elements) -> Figure:
    """A = APT / PBT."""
    times = elements.times
    return ratio(times.apt, times.pbt, times.no_pbt)


def effectiveness(elements: Elements) -> Figure:
    """E = sum(PRI x PQ) / APT; above 1 where work was faster than its standard."""
    return ratio(elements.planned_run_time, elements.times.apt, NoValue.NO_PRODUCTION_TIME)


def quality_ratio(elements: Elements) -> Figure:
    """Q = GQ / PQ."""
    return ratio(elements.gq, elements.pq, NoValue.NO_PRODUCED_QUANTITY)


def oee(elements: Elements) -> Figure:
    """OEE = A x E x Q = sum(PRI x GQ) / PBT.

    The sum is exact for mixed items, and is 0 for a unit that stood still all the planned time.
    """
    return ratio(elements.planned_good_time, elements.times.pbt, elements.times.no_pbt)


def nee(elements: Elements) -> Figure:
    """Net equipment effectiveness = AUPT / PBT x E x Q: set-up is no loss."""
    times, worth = elements.times, effectiveness(elements)
    quality = quality_ratio(elements)
    share = ratio(times.aupt, times.pbt, times.no_pbt)
    if share.value is None or worth.value is None or quality.value is None:
        return Figure(None, share.reason or worth.reason or quality.reason)
    return Figure(share.value * worth.value * quality.value)


def allocation_efficiency(elements: Elements) -> Figure:
    """AE = AUBT / PBT."""
    times = elements.times
    return ratio(times.aubt, times.pbt, times.no_pbt)


def utilization_efficiency(elements: Elements) -> Figure:
    """UE = APT / AUBT."""
    times = elements.times
    return ratio(times.apt, times.aubt, NoValue.NO_BUSY_TIME)


def technical_efficiency(elements: Elements) -> Figure:
    """TE = APT / (APT + ADET)."""
    times = elements.times
    return ratio(times.apt, times.apt + times.adet, NoValue.NO_PRODUCTION_TIME)


def setup_ratio(elements: Elements) -> Figure:
    """SR = AUST / AUPT."""
    times = elements.times
    return ratio(times.aust, times.aupt, NoValue.NO_PRODUCTION_TIME)


def scrap_ratio(elements: Elements) -> Figure:
    """SQ / PQ."""
    return ratio(elements.sq, elements.pq, NoValue.NO_PRODUCED_QUANTITY)


def rework_ratio(elements: Elements) -> Figure:
    """RQ / PQ."""
    return ratio(elements.rq, elements.pq, NoValue.NO_PRODUCED_QUANTITY)


def teep(elements: Elements, calendar_time: Decimal) -> Figure:
    """OEE x PBT / calendar time. Not of ISO 22400: label it so.

    Args:
        calendar_time: Length of the window, in the unit of the times.
    """
    if not elements.times.pbt:
        return Figure(None, elements.times.no_pbt)
    return ratio(elements.planned_good_time, calendar_time, NoValue.NO_CALENDAR_TIME)


def throughput_rate(elements: Elements, aoet: Decimal) -> Figure:
    """PQ / AOET: pieces per unit of time of an order's whole execution (AOET)."""
    return ratio(elements.pq, aoet, NoValue.NO_ORDER_TIME)


def allocation_ratio(elements: Elements, aoet: Decimal) -> Figure:
    """Sum of AUBT / AOET; above 1 where operations overlap."""
    return ratio(elements.times.aubt, aoet, NoValue.NO_ORDER_TIME)


def process_ratio(elements: Elements, aoet: Decimal) -> Figure:
    """Sum of APT / AOET; above 1 where operations overlap."""
    return ratio(elements.times.apt, aoet, NoValue.NO_ORDER_TIME)


def first_pass_yield(good: Decimal, inspected: Decimal) -> Figure:
    """FPY = GP / IP: parts good at first inspection / parts inspected."""
    return ratio(good, inspected, NoValue.NO_INSPECTED_PARTS)


def mean_time(intervals: Sequence[Decimal]) -> Figure:
    """MTBF, MTTF or MTTR: the mean of complete intervals; report the one still open beside it."""
    return ratio(sum(intervals, ZERO), Decimal(len(intervals)), NoValue.NO_FAILURES)


def inherent_availability(mtbf: Decimal, mttr: Decimal) -> Figure:
    """MTBF / (MTBF + MTTR)."""
    return ratio(mtbf, mtbf + mttr, NoValue.NO_FAILURES)


def machine_capability(lower: float, upper: float, sample: Sequence[float]) -> tuple[Figure, Figure]:
    """Cm = (USL - LSL) / 6 s and Cmk = min(USL - mean, mean - LSL) / 3 s, s of the sample."""
    mean = sum(sample) / len(sample)
    spread = sqrt(sum((value - mean) ** 2 for value in sample) / max(len(sample) - 1, 1))
    if not spread:
        return Figure(None, NoValue.NO_SPREAD), Figure(None, NoValue.NO_SPREAD)
    cm = (upper - lower) / (6 * spread)
    cmk = min(upper - mean, mean - lower) / (3 * spread)
    return Figure(Decimal(str(cm))), Figure(Decimal(str(cmk)))


def batch_sizes(quantity: Decimal, batch: Decimal) -> tuple[Decimal, ...]:
    """Split an order into whole batches; the last takes the rest.

    Args:
        quantity: Pieces, not negative.
        batch: Pieces of a batch, > 0.
    """
    whole, rest = divmod(quantity, batch)
    return (batch,) * int(whole) + ((rest,) if rest else ())


def total(parts: Iterable[Elements]) -> Elements:
    """Return the elements of several units or periods together."""
    return sum(parts, Elements(Times()))
