"""What happened in the fortnight before the demo plant started: pure, and the same for a seed."""

import random
from bisect import bisect, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mes.definitions.model import WorkMaster
from mes.kernel.ids import EquipmentId, MaterialId, PersonId
from mes.resources.model import Window

CUSTOMERS = (
    ("C-01", "杭州清泉水务有限公司"),
    ("C-02", "苏州工业园热力公司"),
    ("C-03", "Nordsee Pumpentechnik GmbH"),
    ("C-04", "青岛海润船舶设备厂"),
    ("C-05", "Alpine Brewing Systems AG"),
    ("C-06", "廣州珠江水處理工程公司"),
)
BUSY = timedelta(hours=9)
BUSY_TAKT_S, QUIET_TAKT_S = 20.5, 150.0
"""Seconds from one ordered pump to the next: in the last hours, and before them."""
BUSY_PIECES, QUIET_PIECES = (8, 12), (40, 64)
"""Range of an order's quantity, as long as there is time to make so many."""
LEAST_PIECES = 2
LEAD_S, LEAD_PER_PIECE_S = 300.0, 220.0
"""An order takes about so long from its receipt, and so much longer for each piece."""
WAIT_S = (20, 120)
"""An order lies so long before it is started."""
GAP = timedelta(seconds=20)
"""A machine is free again so long after a job."""
SCRAP_RATE = 0.01
"""Share of pieces lost at each operation."""
FAULT_MEAN_S = 3000.0
"""Mean running time between two faults of one machine."""
STOP_S = (60, 420)
PACE = (0.97, 1.12)
"""Range of actual against standard run time."""
LEAD = timedelta(hours=4)
"""An order is due so long after it was received, on average."""
SCRAP_REASONS = ("porosity", "dimension", "surface", "leak", "test-failed")
FAULTS = ("SPINDLE_OVERLOAD", "TOOL_BREAKAGE", "COOLANT_LOW", "GUARD_OPEN", "DRIVE_FAULT")


@dataclass(frozen=True, slots=True)
class PastStop:
    """A machine fault in the middle of a job."""

    starts_at: datetime
    ends_at: datetime
    fault: str


@dataclass(frozen=True, slots=True)
class PastJob:
    """One operation as it was done.

    Args:
        good: Pieces handed on.
        scrap: Pieces lost here, with `reason`.
    """

    operation: int
    equipment: EquipmentId
    person: PersonId
    starts_at: datetime
    ends_at: datetime
    good: int
    scrap: int
    reason: str | None
    stop: PastStop | None


@dataclass(frozen=True, slots=True)
class PastOrder:
    """One order as it was made."""

    number: int
    material: MaterialId
    customer: str
    customer_name: str
    quantity: int
    received_at: datetime
    due_at: datetime
    jobs: tuple[PastJob, ...]


@dataclass
class Floor:
    """The units, when they are free, and who stands there.

    Args:
        units: Units of each work centre.
        windows: Working stretches of each unit, in order.
        crews: Who works at each unit in each shift.
        taken: When each unit is not free, in order.
    """

    units: Mapping[EquipmentId, Sequence[EquipmentId]]
    windows: Mapping[EquipmentId, Sequence[Window]]
    crews: Mapping[str, Mapping[EquipmentId, PersonId]]
    taken: dict[EquipmentId, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def next_slot(
        self, center: EquipmentId, ready_at: datetime, needs: timedelta
    ) -> tuple[EquipmentId, datetime, str] | None:
        """Return the unit, start and shift of the first stretch that holds the whole job.

        Of units that are free at the same time, the one that has waited longest; None also where the work
        centre has no unit in service.
        """
        found = [slot for unit in self.units.get(center, ()) if (slot := self._slot(unit, ready_at, needs))]
        return min(found, key=lambda slot: (slot[1], self._free_since(*slot)), default=None)

    def take(self, job: PastJob) -> None:
        """Let a unit be busy with a job."""
        insort(self.taken.setdefault(job.equipment, []), (job.starts_at, job.ends_at + GAP))

    def _free_since(self, unit: EquipmentId, at: datetime, _shift: str) -> datetime:
        taken = self.taken.get(unit, [])
        before = bisect(taken, (at, at))
        return taken[before - 1][1] if before else datetime.min.replace(tzinfo=UTC)

    def _slot(
        self, unit: EquipmentId, ready_at: datetime, needs: timedelta
    ) -> tuple[EquipmentId, datetime, str] | None:
        windows = self.windows[unit]
        windows = windows[bisect(windows, ready_at, key=lambda window: window.ends_at) :]
        for begin, end in self._gaps(unit, ready_at, needs):
            for window in windows:
                at = max(begin, window.starts_at)
                if at >= end:
                    break
                if window.kind == "work" and at + needs <= min(window.ends_at, end):
                    return unit, at, window.shift
        return None

    def _gaps(
        self, unit: EquipmentId, ready_at: datetime, needs: timedelta
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield the stretches between jobs that are long enough, in order; the last one is open."""
        free_at, taken = ready_at, self.taken.get(unit, [])
        for starts_at, ends_at in taken[max(bisect(taken, (ready_at, ready_at)) - 1, 0) :]:
            if free_at + needs + GAP <= starts_at:
                yield free_at, starts_at - GAP
            free_at = max(free_at, ends_at)
        yield free_at, datetime.max.replace(tzinfo=UTC)


def lay_out(
    masters: Mapping[MaterialId, WorkMaster], floor: Floor, span: tuple[datetime, datetime], seed: int
) -> list[PastOrder]:
    """Return the orders made within `span`, in the order in which they were received.

    The last hours were as busy as the live plant is; the days before had few orders, so that the past
    stays small and the figures of the running shift are those of a plant at work. Towards the end
    orders get smaller, so that all are made and the machines are at work until then.

    Args:
        span: Start and end, aware UTC; an order that would end later is left out.
    """
    rng = random.Random(seed)  # a simulation, repeatable
    made = []
    for number, receipt in enumerate(_receipts(rng, span), start=1):
        order = _make(number, rng, masters, floor, receipt)
        if order is not None and order.jobs[-1].ends_at < span[1]:
            for job in order.jobs:
                floor.take(job)
            made.append(order)
    return made


def _receipts(rng: random.Random, span: tuple[datetime, datetime]) -> Iterator[tuple[datetime, int]]:
    at, busy_from = span[0], span[1] - BUSY
    while True:
        left_s = (span[1] - at).total_seconds()
        pieces, takt_s = (BUSY_PIECES, BUSY_TAKT_S) if at >= busy_from else (QUIET_PIECES, QUIET_TAKT_S)
        quantity = min(rng.randint(*pieces), int((left_s - LEAD_S) / LEAD_PER_PIECE_S))
        if quantity < LEAST_PIECES:
            return
        yield at, quantity
        at += timedelta(seconds=round(quantity * takt_s * rng.uniform(0.7, 1.3)))


def _make(
    number: int,
    rng: random.Random,
    masters: Mapping[MaterialId, WorkMaster],
    floor: Floor,
    receipt: tuple[datetime, int],
) -> PastOrder | None:
    received_at, quantity = receipt
    material = rng.choice(sorted(masters))
    customer, name = rng.choice(CUSTOMERS)
    jobs = _work(rng, masters[material], floor, received_at, quantity)
    if jobs is None:
        return None
    due_at = received_at + LEAD * rng.uniform(0.4, 1.6)
    return PastOrder(number, material, customer, name, quantity, received_at, due_at, jobs)


def _work(
    rng: random.Random, master: WorkMaster, floor: Floor, received_at: datetime, quantity: int
) -> tuple[PastJob, ...] | None:
    jobs: list[PastJob] = []
    ready_at, left = received_at + timedelta(seconds=rng.randint(*WAIT_S)), quantity
    for step in master.operations:
        run_s = float(step.setup_s) + left * float(step.run_s) * rng.uniform(*PACE)
        stop_s = rng.randint(*STOP_S) if rng.expovariate(1 / FAULT_MEAN_S) < run_s else 0
        needs = timedelta(seconds=round(run_s + stop_s))
        slot = floor.next_slot(step.work_center, ready_at, needs)
        if slot is None:
            return None
        unit, starts_at, shift = slot
        scrap = min(sum(rng.random() < SCRAP_RATE for _ in range(left)), left - 1)
        jobs.append(
            PastJob(
                operation=step.operation,
                equipment=unit,
                person=floor.crews[shift][unit],
                starts_at=starts_at,
                ends_at=starts_at + needs,
                good=left - scrap,
                scrap=scrap,
                reason=rng.choice(SCRAP_REASONS) if scrap else None,
                stop=_stop(rng, starts_at, needs, stop_s),
            )
        )
        ready_at, left = starts_at + needs + timedelta(seconds=30), left - scrap
    return tuple(jobs)


def _stop(rng: random.Random, starts_at: datetime, needs: timedelta, stop_s: int) -> PastStop | None:
    if stop_s == 0:
        return None
    begin = starts_at + (needs - timedelta(seconds=stop_s)) * rng.uniform(0.2, 0.8)
    return PastStop(begin, begin + timedelta(seconds=stop_s), rng.choice(FAULTS))


def posts(
    units: Sequence[tuple[EquipmentId, str]], people: Sequence[tuple[PersonId, Sequence[str]]]
) -> dict[EquipmentId, PersonId]:
    """Give each unit a person of its own: whoever has its skill and the fewest others.

    Args:
        units: Units with the skill that each needs.
        people: One crew, with their skills.
    """
    free = sorted(people, key=lambda one: (len(one[1]), one[0]))
    given: dict[EquipmentId, PersonId] = {}
    for unit, skill in units:
        person = next((one for one, skills in free if skill in skills and one not in given.values()), None)
        if person is not None:
            given[unit] = person
    return given


def needed(orders: Iterable[PastOrder], masters: Mapping[MaterialId, WorkMaster]) -> dict[MaterialId, int]:
    """Return how many whole units of each component the orders take, rounded up."""
    total: dict[MaterialId, float] = {}
    for order in orders:
        for part in masters[order.material].components:
            total[part.material] = total.get(part.material, 0.0) + order.quantity * float(part.quantity)
    return {material: int(amount) + 1 for material, amount in total.items()}
