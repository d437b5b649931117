"""Job orders: the transition table, and what one operation may do because of the others."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mes.execution.model import why_not_startable
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber
from mes.workorders.model import (
    NOT_STARTED,
    OVER,
    STARTED,
    TRANSITIONS,
    JobOrder,
    JobOrderStatus,
    JobOrderTransitionRefused,
    Line,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def job(
    operation: int = 10,
    status: JobOrderStatus = JobOrderStatus.READY,
    quantity: int = 4,
    good: int = 0,
    scrap: int = 0,
) -> JobOrder:
    return JobOrder(
        id=JobOrderId(f"WO-000001-{operation}"),
        work_order=WorkOrderNumber("WO-000001"),
        operation=operation,
        name="Step",
        scope="MACH/MC",
        material=MaterialId("PUMP-40"),
        family="40",
        work_center=EquipmentId("MC"),
        cost_center="CC-MACH",
        skill=None,
        labour_class="L1",
        setup_s=Decimal(60),
        run_s=Decimal(15),
        quantity=Decimal(quantity),
        uom="pc",
        status=status,
        good=Decimal(good),
        scrap=Decimal(scrap),
        equipment=EquipmentId("CNC-1"),
        planned_start=None,
        planned_end=None,
        sequence=None,
        locked=False,
        last=False,
        from_operation=operation - 10,
        serial_from=None,
        hold_reason=None,
        started_at=None,
        completed_at=None,
        due_at=NOW,
        priority=5,
        simulated=False,
    )


statuses = st.sampled_from(JobOrderStatus)


@given(statuses, statuses)
def test_a_job_moves_only_as_the_table_says(before: JobOrderStatus, to: JobOrderStatus) -> None:
    one = job(status=before)
    if (before, to) in TRANSITIONS:
        assert one.moved(to).status is to
    else:
        with pytest.raises(JobOrderTransitionRefused) as refused:
            one.moved(to)
        assert refused.value.state is not None
        assert refused.value.state["status"] == before.value


def test_every_status_is_in_exactly_one_phase() -> None:
    assert set(JobOrderStatus) == NOT_STARTED | STARTED | OVER
    assert not NOT_STARTED & STARTED
    assert not STARTED & OVER


def test_every_status_is_reached_and_closed_is_the_end() -> None:
    reached = {JobOrderStatus.WAITING}
    while more := {to for before, to in TRANSITIONS if before in reached} - reached:
        reached |= more
    assert reached == set(JobOrderStatus)
    assert not [pair for pair in TRANSITIONS if pair[0] is JobOrderStatus.CLOSED]


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """A line as reports can make it: nobody reports more than the step before made good."""
    quantity = draw(st.integers(1, 20))
    arrived = quantity
    jobs: list[JobOrder] = []
    for operation in (10, 20, 30):
        done = draw(st.integers(0, arrived))
        good = draw(st.integers(0, done))
        over = draw(st.booleans()) if operation == 10 or jobs[-1].status in OVER else False
        status = JobOrderStatus.COMPLETED if over else JobOrderStatus.RUNNING
        jobs.append(job(operation, status, quantity, good, done - good))
        arrived = good
    return Line(tuple(jobs))


@given(lines())
def test_no_piece_is_expected_that_cannot_come(line: Line) -> None:
    scrap_before = Decimal(0)
    for one in line.jobs:
        assert line.available(one) >= 0
        if one.status not in OVER:
            assert line.available(one) <= line.remaining(one)
        assert one.done + line.remaining(one) + scrap_before <= one.quantity
        scrap_before += one.scrap


@given(lines())
def test_what_lies_before_a_job_decides_whether_it_starts(line: Line) -> None:
    for one in line.jobs:
        waiting = line.with_job(
            JobOrder(**{**{n: getattr(one, n) for n in one.__slots__}, "status": JobOrderStatus.READY})
        )
        reason = why_not_startable(waiting, waiting.job(one.id))
        assert reason == (None if line.available(one) > 0 else "nothing-before")
