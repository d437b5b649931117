"""SQL of who is at work, and who went."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mes.kernel.db import Tx
from mes.kernel.ids import PersonId


async def clocked_in(tx: Tx, person: str, at: datetime) -> bool:
    """Say whether a person was at work at `at`."""
    found = await tx.value(
        """
        select true from mes.attendance
        where person = %(person)s and in_at <= %(at)s and (out_at is null or out_at > %(at)s)
        """,
        {"person": person, "at": at},
    )
    return bool(found)


async def present(tx: Tx, at: datetime) -> set[PersonId]:
    """Return who was at work at `at`."""
    row = await tx.value(
        """
        select array_agg(distinct person) from mes.attendance
        where site = %(site)s and in_at <= %(at)s and (out_at is null or out_at > %(at)s)
        """,
        {"site": tx.site, "at": at},
    )
    return {PersonId(person) for person in row or ()}


async def open_attendance(tx: Tx, attendance: UUID, person: str) -> bool:
    """Clock a person in at `tx.now`; return False when that is so already."""
    return bool(
        await tx.execute(
            """
            insert into mes.attendance (id, site, person, in_at, simulated)
            values (%(id)s, %(site)s, %(person)s, %(at)s, %(simulated)s)
            on conflict (person, simulated) where out_at is null do nothing
            """,
            {
                "id": attendance,
                "site": tx.site,
                "person": person,
                "at": tx.now,
                "simulated": tx.cause.simulated,
            },
        )
    )


async def close_attendance(tx: Tx, person: str, reason: str | None) -> bool:
    """Clock a person out at `tx.now`; return False when nobody was clocked in."""
    return bool(
        await tx.execute(
            """
            update mes.attendance set out_at = greatest(in_at, %(at)s), reason = %(reason)s
            where person = %(person)s and simulated = %(simulated)s and out_at is null
            """,
            {"person": person, "at": tx.now, "reason": reason, "simulated": tx.cause.simulated},
        )
    )


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody went before the end of the shift."""

    person: str
    out_at: datetime


async def departures(tx: Tx, since: datetime) -> dict[str, datetime]:
    """Return who left with a reason since then, and is not back, with the time of leaving."""
    rows = await tx.fetch_all(
        Departure,
        """
        select person, max(out_at) as out_at from mes.attendance a
        where site = %(site)s and out_at >= %(since)s and reason is not null and not simulated
          and not exists (select 1 from mes.attendance b where b.person = a.person
                          and not b.simulated and b.in_at >= a.out_at)
        group by person
        """,
        {"site": tx.site, "since": since},
    )
    return {row.person: row.out_at for row in rows}
