"""The standard of a finished job's set-up: by rule, by work master, or none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mes.dispatching.finished import rules_of, standard_setup_s
from mes.dispatching.store import FinishedJob
from mes.kernel.ids import EquipmentId, JobOrderId
from mes.resources.model import SetupRule

JOB = FinishedJob(
    id=JobOrderId("WO-1-10"),
    work_center=EquipmentId("MC"),
    family="40",
    family_before="65",
    run_s=Decimal(15),
    setup_s=Decimal(60),
    good=Decimal(4),
    scrap=Decimal(0),
    alone=True,
    time_percent=100,
)
RULES = [
    SetupRule(work_center=EquipmentId("MC"), from_family=before, to_family="40", seconds=seconds)
    for before, seconds in (("65", 90), ("80", 240))
]


@pytest.mark.parametrize(
    ("rules", "before", "seconds"),
    [
        ([], "65", 60),
        ([], "40", 0),
        (RULES, "65", 90),
        (RULES, "80", 240),
        (RULES, "40", 0),
        (RULES, "100", 0),
    ],
)
def test_a_set_up_has_the_standard_that_plans_give_it(
    rules: list[SetupRule], before: str, seconds: int
) -> None:
    assert standard_setup_s(rules_of(rules), replace(JOB, family_before=before)) == seconds


def test_what_has_no_family_needs_no_set_up() -> None:
    assert standard_setup_s({}, replace(JOB, family=None)) == 0
