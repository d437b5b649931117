"""SQL of the plant's lists: skills, reasons, setup families and setup rules."""

from dataclasses import dataclass

from mes.kernel.db import Tx
from mes.kernel.ids import MaterialId
from mes.resources.model import PlantDefinition, Reason, SetupRule


async def reasons(tx: Tx) -> list[Reason]:
    """Return every reason of the site in the plant's order."""
    return await tx.fetch_all(
        Reason,
        "select kind, code, loss from mes.reason where site = %(site)s order by kind, position, code",
        {"site": tx.site},
    )


async def has_reason(tx: Tx, kind: str, code: str) -> bool:
    """Say whether a reason may be given for this kind of thing."""
    found = await tx.value(
        "select true from mes.reason where site = %(site)s and kind = %(kind)s and code = %(code)s",
        {"site": tx.site, "kind": kind, "code": code},
    )
    return bool(found)


async def skills(tx: Tx) -> list[str]:
    """Return every skill of the site."""
    found = await tx.value(
        "select array_agg(code order by code) from mes.skill where site = %(site)s", {"site": tx.site}
    )
    return list(found or ())


async def save_lists(tx: Tx, plant: PlantDefinition) -> None:
    """Put skills, reasons, setup families and setup rules of the plant in; `drop_from_lists` ends it."""
    await tx.execute_many(
        "insert into mes.skill (site, code) values (%(site)s, %(code)s) on conflict do nothing",
        [{"site": tx.site, "code": code} for code in plant.skills],
    )
    await tx.execute_many(
        """
        insert into mes.reason (site, kind, code, loss, position)
        values (%(site)s, %(kind)s, %(code)s, %(loss)s, %(position)s)
        on conflict (site, kind, code) do update
        set loss = excluded.loss, position = excluded.position
        """,
        [
            {
                "site": tx.site,
                "kind": one.kind,
                "code": one.code,
                "loss": one.loss,
                "position": place,
            }
            for place, one in enumerate(plant.reasons)
        ],
    )
    await _save_setups(tx, plant.families, plant.setups)


async def drop_from_lists(tx: Tx, plant: PlantDefinition) -> None:
    """Delete what the plant has no more; the calendar of equipment out of service is kept for its figures."""
    kept = {
        "site": tx.site,
        "skills": list(plant.skills),
        "reasons": [f"{one.kind} {one.code}" for one in plant.reasons],
        "materials": list(plant.families),
        "rules": [f"{one.work_center} {one.from_family} {one.to_family}" for one in plant.setups],
        "calendars": [one.code for one in plant.calendars],
        "at": tx.now,
    }
    for statement in (
        "delete from mes.skill where site = %(site)s and code <> all(%(skills)s::text[])",
        "delete from mes.reason where site = %(site)s and kind || ' ' || code <> all(%(reasons)s::text[])",
        "delete from mes.setup_family where site = %(site)s and material <> all(%(materials)s::text[])",
        """
        delete from mes.setup_rule where site = %(site)s
          and work_center || ' ' || from_family || ' ' || to_family <> all(%(rules)s::text[])
        """,
        """
        delete from mes.calendar c where site = %(site)s and code <> all(%(calendars)s::text[])
          and not exists (select from mes.equipment e where e.site = c.site and e.calendar = c.code)
        """,
        """
        update mes.calendar set until = %(at)s
        where site = %(site)s and until is null and code <> all(%(calendars)s::text[])
        """,
    ):
        await tx.execute(statement, kept)


async def families(tx: Tx) -> dict[MaterialId, str]:
    """Return the setup family of each material that has one."""
    rows = await tx.fetch_all(
        _FamilyRow,
        "select material, family from mes.setup_family where site = %(site)s order by family, material",
        {"site": tx.site},
    )
    return {MaterialId(row.material): row.family for row in rows}


@dataclass(frozen=True, slots=True)
class _FamilyRow:
    material: str
    family: str


async def family_of(tx: Tx, material: str) -> str | None:
    """Return the setup family of a material."""
    found: str | None = await tx.value(
        "select family from mes.setup_family where site = %(site)s and material = %(material)s",
        {"site": tx.site, "material": material},
    )
    return found


async def _save_setups(tx: Tx, families: dict[MaterialId, str], rules: tuple[SetupRule, ...]) -> None:
    await tx.execute_many(
        """
        insert into mes.setup_family (site, material, family)
        values (%(site)s, %(material)s, %(family)s)
        on conflict (site, material) do update set family = excluded.family
        """,
        [{"site": tx.site, "material": material, "family": family} for material, family in families.items()],
    )
    await tx.execute_many(
        """
        insert into mes.setup_rule (site, scope, work_center, from_family, to_family, seconds)
        values (%(site)s, coalesce((select scope from mes.equipment where id = %(work_center)s), ''),
                %(work_center)s, %(from_family)s, %(to_family)s, %(seconds)s)
        on conflict (work_center, from_family, to_family) do update
        set seconds = excluded.seconds, scope = excluded.scope
        """,
        [
            {
                "site": tx.site,
                "work_center": rule.work_center,
                "from_family": rule.from_family,
                "to_family": rule.to_family,
                "seconds": rule.seconds,
            }
            for rule in rules
        ],
    )


async def setups(tx: Tx) -> list[SetupRule]:
    """Return every setup rule of the site."""
    return await tx.fetch_all(
        SetupRule,
        """
        select work_center, from_family, to_family, seconds from mes.setup_rule
        where site = %(site)s order by work_center, from_family, to_family
        """,
        {"site": tx.site},
    )
