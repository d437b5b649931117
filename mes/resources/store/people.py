"""SQL of people: what HR says of them, and their crews and skills."""

from collections.abc import Collection, Iterable
from datetime import datetime

from mes.kernel.db import Params, Tx
from mes.kernel.ids import PersonId
from mes.resources.model import Person, PersonDraft, PersonPlacement

_PERSON = """
    select p.id, p.name, p.crew, p.rate_class, p.active and p.until is null as active,
           array(select s.skill from mes.person_skill s
                 where s.person = p.id and s.valid_from <= %(at)s and s.valid_to > %(at)s
                 order by s.skill) as skills
    from mes.person p
"""


async def save_person(tx: Tx, draft: PersonDraft) -> bool:
    """Insert or change what HR owns of a person; return whether anything differed."""
    return bool(
        await tx.execute(
            """
            insert into mes.person as p (id, site, name, active, erp_ref)
            values (%(id)s, %(site)s, %(name)s, %(active)s, %(erp_ref)s)
            on conflict (id) do update
            set name = excluded.name, active = excluded.active, erp_ref = excluded.erp_ref
            where (p.name, p.active, p.erp_ref)
               is distinct from (excluded.name, excluded.active, excluded.erp_ref)
            """,
            {
                "id": draft.id,
                "site": tx.site,
                "name": draft.name,
                "active": draft.active,
                "erp_ref": draft.erp_ref,
            },
        )
    )


async def placements(tx: Tx, at: datetime) -> list[PersonPlacement]:
    """Return everybody of the site whom the plant has placed, with the skills valid at `at`."""
    rows = await tx.fetch_all(
        Person,
        f"{_PERSON} where p.site = %(site)s and p.until is null order by p.crew, p.id",
        {"site": tx.site, "at": at},
    )
    return [
        PersonPlacement(id=one.id, crew=one.crew, skills=one.skills, rate_class=one.rate_class)
        for one in rows
        if one.crew is not None or one.skills
    ]


async def save_placements(tx: Tx, placements: Iterable[PersonPlacement]) -> None:
    """Insert or change what the plant owns of its people; a name unknown yet is the number.

    A skill that somebody has keeps its dates; one that is taken away ends at `tx.now`, and one that
    is added begins then. The first skills of a person have no beginning.
    """
    placed = list(placements)
    await tx.execute_many(
        """
        insert into mes.person (id, site, name, crew, rate_class)
        values (%(id)s, %(site)s, %(id)s, %(crew)s, %(rate_class)s)
        on conflict (id) do update set crew = excluded.crew, rate_class = excluded.rate_class, until = null
        """,
        [{"id": one.id, "site": tx.site, "crew": one.crew, "rate_class": one.rate_class} for one in placed],
    )
    skilled = await tx.value(
        "select array_agg(distinct person) from mes.person_skill where person = any(%(people)s)",
        {"people": [one.id for one in placed]},
    )
    skilled = set(skilled or ())
    await _end_skills(tx, placed)
    await tx.execute_many(
        """
        insert into mes.person_skill (person, skill, valid_from)
        select %(person)s, %(skill)s, %(since)s::timestamptz
        where not exists (select from mes.person_skill
                          where person = %(person)s and skill = %(skill)s
                            and valid_from <= %(at)s and valid_to > %(at)s)
        on conflict (person, skill, valid_from) do update set valid_to = 'infinity'
        """,
        [
            {
                "person": one.id,
                "skill": skill,
                "at": tx.now,
                "since": tx.now.isoformat() if one.id in skilled else "-infinity",
            }
            for one in placed
            for skill in one.skills
        ],
    )


async def retire_people(tx: Tx, kept: Collection[str]) -> list[PersonId]:
    """Take everybody who is placed and not kept out of the plant; their skills end. Return who it was."""
    gone = await tx.value(
        """
        with gone as (
            update mes.person p set until = %(at)s
            where site = %(site)s and until is null and id <> all(%(kept)s::text[])
              and (crew is not null or exists (
                   select from mes.person_skill s where s.person = p.id and s.valid_to > %(at)s))
            returning id)
        select array_agg(id order by id) from gone
        """,
        {"site": tx.site, "kept": list(kept), "at": tx.now},
    )
    retired = [PersonId(person) for person in gone or ()]
    await _end_skills(tx, [PersonPlacement(id=person, crew=None, skills=()) for person in retired])
    return retired


async def _end_skills(tx: Tx, placed: list[PersonPlacement]) -> None:
    rows: list[Params] = [{"person": one.id, "skills": list(one.skills), "at": tx.now} for one in placed]
    await tx.execute_many(
        """
        delete from mes.person_skill
        where person = %(person)s and skill <> all(%(skills)s::text[]) and valid_from = %(at)s
        """,
        rows,
    )
    await tx.execute_many(
        """
        update mes.person_skill set valid_to = %(at)s
        where person = %(person)s and skill <> all(%(skills)s::text[])
          and valid_from < %(at)s and valid_to > %(at)s
        """,
        rows,
    )


async def find_person(tx: Tx, person: str, at: datetime) -> Person | None:
    """Return a person with the skills valid at `at`."""
    return await tx.fetch_one(Person, f"{_PERSON} where p.id = %(id)s", {"id": person, "at": at})


async def all_people(tx: Tx, at: datetime) -> list[Person]:
    """Return everybody of the site who is employed and in the plant, with the skills valid at `at`."""
    return await tx.fetch_all(
        Person,
        f"{_PERSON} where p.site = %(site)s and p.active and p.until is null order by p.id",
        {"site": tx.site, "at": at},
    )


async def people_named(tx: Tx, people: Collection[str], at: datetime) -> list[Person]:
    """Return some people with the skills valid at `at`."""
    return await tx.fetch_all(
        Person, f"{_PERSON} where p.id = any(%(people)s)", {"people": list(people), "at": at}
    )
