"""What sums are made of has a number, and a change of it asks for the next one."""

import inspect
from hashlib import sha256

from mes.performance.model import TIME_KINDS
from mes.performance.store.elements import OUTPUT, TIMES
from mes.performance.sums import DEFINITION, planned_time
from mes.resources import calendar

KNOWN = {2: "d9e24b17c01fa24f824c99da1a1d6543b5e38a7bb66ac320e4763139f96385f1"}
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
