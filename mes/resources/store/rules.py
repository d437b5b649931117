"""SQL of the maintenance that the plant file wants again and again."""

from mes.kernel.db import Tx
from mes.resources.model import MaintenanceRule, PlantDefinition


async def rules(tx: Tx) -> list[MaintenanceRule]:
    """Return every rule of the site in the plant's order."""
    return await tx.fetch_all(
        MaintenanceRule,
        """
        select id, unit, name, minutes, every_days, window_days, first_due, weight
        from mes.maintenance_rule where site = %(site)s order by position, id
        """,
        {"site": tx.site},
    )


async def save_rules(tx: Tx, plant: PlantDefinition) -> None:
    """Let the site have the rules of a plant, and no others."""
    await tx.execute("delete from mes.maintenance_rule where site = %(site)s", {"site": tx.site})
    await tx.execute_many(
        """
        insert into mes.maintenance_rule (site, scope, id, unit, name, minutes, every_days, window_days,
                                          first_due, weight, position)
        values (%(site)s, coalesce((select scope from mes.equipment where id = %(unit)s), ''), %(id)s,
                %(unit)s, %(name)s, %(minutes)s, %(every_days)s, %(window_days)s, %(first_due)s, %(weight)s,
                %(position)s)
        """,
        [
            {
                "site": tx.site,
                "position": place,
                **{name: getattr(one, name) for name in one.__slots__},
            }
            for place, one in enumerate(plant.maintenance)
        ],
    )
