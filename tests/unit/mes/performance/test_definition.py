"""What sums are made of has a number, and a change of it asks for the next one."""

import inspect
from hashlib import sha256

from mes.performance.model import TIME_KINDS
from mes.performance.store.elements import OUTPUT, TIMES
from mes.performance.sums import DEFINITION, planned_time
from mes.resources import calendar

KNOWN = {1: "c1d6512b498ace8864217920164c65a7ea3e7bd784e1ff843fcab34b1471fb5a"}
"""Definition -> the hash of what it says."""

LAID_OUT = (
    planned_time,
    calendar.windows,
    calendar._unclipped,
    calendar._days,
    calendar._moment,
    calendar._parts,
    calendar._clip,
)


def said() -> str:
    kinds = ",".join(f"{state}={kind.value}" for state, kind in sorted(TIME_KINDS.items()))
    texts = [TIMES, OUTPUT, kinds, *(inspect.getsource(function) for function in LAID_OUT)]
    return sha256(" ".join(" ".join(texts).split()).encode()).hexdigest()


def test_another_meaning_of_an_element_is_another_definition() -> None:
    assert KNOWN.get(DEFINITION) == said(), (
        "sums that are stored mean something else now: count up DEFINITION in mes/performance/sums.py and"
        " put its hash here; where only words were changed, the hash alone"
    )
