"""What the floor makes of standard times and of pieces, learned from the job orders that it has finished.

Times are lognormal: a job that takes twice its standard is as far from it as one that takes half. Few samples
say little, so a work centre's figures are drawn towards those of the site, and the site's towards what is
believed of any floor; what is not known of a mean is part of the spread of every life of a plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import exp, hypot, log, sqrt
from statistics import fmean, median
from typing import Any

PRIOR_JOBS = 10
"""So many finished job orders weigh as much as the spread that is believed without any."""

PRIOR_PIECES = 50
"""So many pieces, likewise, for the yield."""

BETWEEN = 0.1
"""Standard deviation of the logarithms of work centres' means: so little is known of one without jobs."""

NINE_OF_TEN = 1.2816
"""Standard deviations above the mean that nine of ten stay below, of a normal distribution."""

OUTLYING = 4.0
"""Robust deviations from the middle beyond which a time is taken to lie just there: a machine that stood
for an hour counts, a job that somebody forgot to end over a weekend does not count as two days of work."""

ROBUST = 1.4826
"""Standard deviations of a normal distribution in its median absolute deviation."""

LEAST_SPREAD = 0.02
"""Of logarithms: no floor is steadier than its clock."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished job order against its standard.

    Args:
        center: Work centre.
        ratio: Busy time for the planned time of all that was made, > 0; None where that says nothing.
        good, scrap: Pieces.
    """

    center: str
    ratio: float | None
    good: Decimal
    scrap: Decimal


@dataclass(frozen=True, slots=True)
class Pace:
    """What a work centre makes of standard times.

    Args:
        mean: Real minutes for a minute of standard time, on average.
        deviation: Standard deviation of the logarithm of one operation's share: 0.15 is about 15 %.
        first_time_yield: Good pieces of all pieces, before anything is done again.
        scrapping: Share of operations in which any piece has to be done again.
        doubt: Standard error of the logarithm of the mean.
        jobs: Finished job orders whose time is in it; 0 for what is believed without any.
    """

    mean: float = 1.0
    deviation: float = 0.15
    first_time_yield: float = 0.98
    scrapping: float = 0.02
    doubt: float = 0.0
    jobs: int = 0

    @property
    def again(self) -> float:
        """Share of an operation that is done again where any piece of it is."""
        return min(1.0, (1 - self.first_time_yield) / self.scrapping) if self.scrapping else 0.0


PRIOR = Pace(doubt=BETWEEN)
"""What is believed of a floor that has not finished anything yet."""


@dataclass(frozen=True, slots=True)
class Paces:
    """The pace of every work centre.

    Args:
        site: That of a work centre of which nothing is known.
    """

    site: Pace = PRIOR
    centers: Mapping[str, Pace] = field(default_factory=dict)

    def of(self, center: str) -> Pace:
        """The pace of a work centre."""
        return self.centers.get(center, self.site)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a date that is kept in nine of ten cases rests on.

    Args:
        jobs: Finished job orders whose times were measured; 0: on what is believed of any floor.
        pace: Real minutes for a minute of standard time.
        first_time_yield: Good pieces of all pieces, 0 to 1.
    """

    jobs: int
    pace: float
    first_time_yield: float


def measured(rows: Iterable[Finished], prior: Pace = PRIOR) -> Paces:
    """Learn the paces of a site."""
    everything = list(rows)
    whole = _pace(everything, prior)
    site = replace(whole, doubt=hypot(whole.doubt, BETWEEN)) if whole.jobs else prior
    by_center: dict[str, list[Finished]] = defaultdict(list)
    for row in everything:
        by_center[row.center].append(row)
    return Paces(site, {center: _pace(rows, site) for center, rows in sorted(by_center.items())})


def evidence(paces: Paces, work: Iterable[tuple[str, float]]) -> Evidence:
    """What is known of the work centres of an order.

    Args:
        work: Work centre and minutes of each step; the pace is their weighted mean, the yield that of all
            steps after each other.
    """
    rows = [(center, paces.of(center), minutes) for center, minutes in work]
    total = sum(minutes for _, _, minutes in rows)
    mean = sum(pace.mean * minutes for _, pace, minutes in rows) / total if total else 1.0
    through = 1.0
    for _, pace, _ in rows:
        through *= pace.first_time_yield
    centers = {center: pace.jobs for center, pace, _ in rows if center in paces.centers}
    return Evidence(sum(centers.values()), mean, through)


def own_delay(paces: Paces, work: Iterable[tuple[str, float]]) -> int:
    """By how many minutes more than their standard steps take at the most, in nine of ten cases.

    Args:
        work: Work centre and minutes of each step.
    """
    more, variance = 0.0, 0.0
    for center, minutes in work:
        pace = paces.of(center)
        real = minutes * pace.mean * (1 + pace.scrapping * pace.again)
        more += real - minutes
        redone = pace.scrapping * (1 - pace.scrapping) * (minutes * pace.mean * pace.again) ** 2
        variance += real**2 * (pace.deviation**2 + pace.doubt**2) + redone
    return max(0, round(more + NINE_OF_TEN * sqrt(variance)))


def _pace(rows: Sequence[Finished], before: Pace) -> Pace:
    """What some job orders say, drawn towards what was believed before."""
    logs = _held_in([log(row.ratio) for row in rows if row.ratio is not None and row.ratio > 0])
    mean, deviation = _drawn(logs, before)
    scrapped = [row for row in rows if row.good + row.scrap > 0]
    made = float(sum(row.good + row.scrap for row in scrapped))
    good = float(sum(row.good for row in scrapped))
    through = (good + PRIOR_PIECES * before.first_time_yield) / (made + PRIOR_PIECES)
    bad = sum(row.scrap > 0 for row in scrapped)
    scrapping = (bad + PRIOR_JOBS * before.scrapping) / (len(scrapped) + PRIOR_JOBS)
    doubt = deviation / sqrt(len(logs) + (deviation / before.doubt) ** 2)
    return Pace(exp(mean + deviation**2 / 2), deviation, through, scrapping, doubt, len(logs))


def _held_in(logs: Sequence[float]) -> list[float]:
    """Logarithms of which none is farther from the middle than any honest one."""
    if not logs:
        return []
    middle = median(logs)
    reach = OUTLYING * max(LEAST_SPREAD, ROBUST * median(abs(one - middle) for one in logs))
    return [min(middle + reach, max(middle - reach, one)) for one in logs]


def _drawn(logs: Sequence[float], before: Pace) -> tuple[float, float]:
    """Mean and deviation of logarithms, drawn towards what was believed before.

    The mean as far as it was doubted: by as many jobs as would leave just that doubt.
    """
    believed = log(before.mean) - before.deviation**2 / 2
    if not logs:
        return believed, before.deviation
    count, own = len(logs), fmean(logs)
    spread = sum((one - own) ** 2 for one in logs) + PRIOR_JOBS * before.deviation**2
    deviation = max(LEAST_SPREAD, sqrt(spread / (count + PRIOR_JOBS)))
    weight = (deviation / before.doubt) ** 2
    return (count * own + weight * believed) / (count + weight), deviation


def paces_to_json(paces: Paces) -> dict[str, Any]:
    """Paces as JSON."""
    rows = {center: _row(pace) for center, pace in paces.centers.items()}
    return {"site": _row(paces.site), "centers": rows}


def paces_from_json(data: Mapping[str, Any]) -> Paces:
    """Paces of what `paces_to_json` made of them."""
    return Paces(Pace(*data["site"]), {center: Pace(*row) for center, row in data["centers"].items()})


def _row(pace: Pace) -> list[float]:
    return [getattr(pace, name) for name in Pace.__slots__]
