"""SQL of tools, and of what the plant knows of the steps of its products."""

from typing import Any

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from mes.kernel.db import Tx
from mes.kernel.outbox import to_json
from mes.resources.model import PlantDefinition, Step, Tool

_STEPS = TypeAdapter(list[Step])


async def tools(tx: Tx) -> list[Tool]:
    """Return the site's tools in the plant's order."""
    return await tx.fetch_all(
        Tool,
        "select id, name, count from mes.tool where site = %(site)s order by position, id",
        {"site": tx.site},
    )


async def lock_tool(tx: Tx, tool: str) -> Tool | None:
    """Return a tool; nobody else takes it out or puts it back until the transaction ends."""
    return await tx.fetch_one(
        Tool,
        "select id, name, count from mes.tool where site = %(site)s and id = %(tool)s for no key update",
        {"site": tx.site, "tool": tool},
    )


async def steps(tx: Tx) -> list[Step]:
    """Return what the plant knows of steps, by product and number."""
    found: Any = await tx.value(
        """
        select jsonb_agg(jsonb_build_object(
            'material', material, 'operation', operation, 'tools', tools, 'lag_min', lag_min,
            'most_min', most_min, 'transfer', transfer::text, 'resumable', resumable)
            order by material, operation)
        from mes.step where site = %(site)s
        """,
        {"site": tx.site},
    )
    return _STEPS.validate_python(found or [])


async def save_steps(tx: Tx, plant: PlantDefinition) -> None:
    """Let the site have the tools and steps of a plant, and no others."""
    await tx.execute("delete from mes.step where site = %(site)s", {"site": tx.site})
    await tx.execute(
        "delete from mes.tool where site = %(site)s and id <> all(%(kept)s::text[])",
        {"site": tx.site, "kept": [tool.id for tool in plant.tools]},
    )
    await tx.execute_many(
        """
        insert into mes.tool (site, id, name, count, position)
        values (%(site)s, %(id)s, %(name)s, %(count)s, %(position)s)
        on conflict (site, id) do update
        set name = excluded.name, count = excluded.count, position = excluded.position
        """,
        [
            {"site": tx.site, "id": one.id, "name": one.name, "count": one.count, "position": place}
            for place, one in enumerate(plant.tools)
        ],
    )
    await tx.execute_many(
        """
        insert into mes.step (site, material, operation, tools, lag_min, most_min, transfer, resumable)
        values (%(site)s, %(material)s, %(operation)s, %(tools)s, %(lag_min)s, %(most_min)s,
                %(transfer)s, %(resumable)s)
        """,
        [
            {
                "site": tx.site,
                "material": one.material,
                "operation": one.operation,
                "tools": Jsonb(to_json(list(one.tools))),
                "lag_min": one.lag_min,
                "most_min": one.most_min,
                "transfer": one.transfer,
                "resumable": one.resumable,
            }
            for one in plant.steps
        ],
    )
