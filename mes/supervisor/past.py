"""What happened in the fortnight before the demo plant started: pure, and the same for a seed."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
ORDERS_A_DAY = 15
BUSY = timedelta(days=1)
BUSY_ORDERS_A_DAY = 85
PIECES = (24, 48)
"""Range of an order's quantity."""
SCRAP_RATE = 0.02
STOP_RATE = 0.12
"""Share of jobs that a machine fault interrupts."""
STOP_S = (120, 900)
PACE = (0.95, 1.25)
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
    """

    units: Mapping[EquipmentId, Sequence[EquipmentId]]
    windows: Mapping[EquipmentId, Sequence[Window]]
    crews: Mapping[str, Mapping[EquipmentId, PersonId]]
    free_at: dict[EquipmentId, datetime] = field(default_factory=dict)

    def next_slot(
        self, center: EquipmentId, ready_at: datetime, needs: timedelta
    ) -> tuple[EquipmentId, datetime, str] | None:
        """Return the unit, start and shift of the first stretch that holds the whole job."""
        found = [slot for unit in self.units[center] if (slot := self._slot(unit, ready_at, needs))]
        return min(found, key=lambda slot: slot[1], default=None)

    def _slot(
        self, unit: EquipmentId, ready_at: datetime, needs: timedelta
    ) -> tuple[EquipmentId, datetime, str] | None:
        earliest = max(ready_at, self.free_at.get(unit, ready_at))
        for window in self.windows[unit]:
            begin = max(earliest, window.starts_at)
            if window.kind == "work" and begin + needs <= window.ends_at:
                return unit, begin, window.shift
        return None


def lay_out(
    masters: Mapping[MaterialId, WorkMaster], floor: Floor, span: tuple[datetime, datetime], seed: int
) -> list[PastOrder]:
    """Return the orders made within `span`, in the order in which they were received.

    The last day was as busy as the live plant is; the days before had few orders, so that the past
    stays small and the figures of the running shift are those of a plant at work.

    Args:
        span: Start and end, aware UTC; an order that would end later is left out.
    """
    rng = random.Random(seed)  # a simulation, repeatable
    made = []
    for number, received_at in enumerate(_receipts(rng, span), start=1):
        order = _make(number, rng, masters, floor, received_at)
        if order is not None and order.jobs[-1].ends_at < span[1]:
            made.append(order)
    return made


def _receipts(rng: random.Random, span: tuple[datetime, datetime]) -> Iterator[datetime]:
    busy_from = max(span[0], span[1] - BUSY)
    for begin, end, a_day in ((span[0], busy_from, ORDERS_A_DAY), (busy_from, span[1], BUSY_ORDERS_A_DAY)):
        count = round((end - begin) / timedelta(days=1) * a_day)
        for place in range(count):
            yield begin + (end - begin) / count * (place + rng.random() * 0.8)


def _make(
    number: int,
    rng: random.Random,
    masters: Mapping[MaterialId, WorkMaster],
    floor: Floor,
    received_at: datetime,
) -> PastOrder | None:
    material = rng.choice(sorted(masters))
    customer, name = rng.choice(CUSTOMERS)
    quantity = rng.randint(*PIECES)
    jobs = _work(rng, masters[material], floor, received_at, quantity)
    if jobs is None:
        return None
    due_at = received_at + LEAD * rng.uniform(0.4, 1.6)
    return PastOrder(number, material, customer, name, quantity, received_at, due_at, jobs)


def _work(
    rng: random.Random, master: WorkMaster, floor: Floor, received_at: datetime, quantity: int
) -> tuple[PastJob, ...] | None:
    jobs: list[PastJob] = []
    ready_at, left = received_at + timedelta(minutes=rng.randint(5, 40)), quantity
    for step in master.operations:
        stop_s = rng.randint(*STOP_S) if rng.random() < STOP_RATE else 0
        seconds = float(step.setup_s) + left * float(step.run_s) * rng.uniform(*PACE) + stop_s
        needs = timedelta(seconds=round(seconds))
        slot = floor.next_slot(step.work_center, ready_at, needs)
        if slot is None:
            return None
        unit, starts_at, shift = slot
        scrap = min(sum(rng.random() < SCRAP_RATE / 2 for _ in range(left)), left - 1)
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
        floor.free_at[unit] = starts_at + needs + timedelta(seconds=20)
        ready_at, left = starts_at + needs + timedelta(seconds=60), left - scrap
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
