"""SQL of the site's policy, and of the plant file that was applied last."""

from dataclasses import dataclass
from decimal import Decimal

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from mes.kernel.db import Tx
from mes.resources.model import PlantDefinition, Policy

_PLANT = TypeAdapter(PlantDefinition)


async def applied_plant(tx: Tx) -> PlantDefinition | None:
    """Return the plant file that a start has applied last."""
    kept = await tx.value(
        "select definition from mes.plant_file where site = %(site)s for update", {"site": tx.site}
    )
    return None if kept is None else _PLANT.validate_python(kept)


async def remember_plant(tx: Tx, plant: PlantDefinition) -> None:
    """Keep a plant file as the one that was applied last."""
    await tx.execute(
        """
        insert into mes.plant_file (site, definition, applied_at, applied_by)
        values (%(site)s, %(definition)s, %(at)s, %(by)s)
        on conflict (site) do update set definition = excluded.definition,
            applied_at = excluded.applied_at, applied_by = excluded.applied_by
        """,
        {
            "site": tx.site,
            "definition": Jsonb(_PLANT.dump_python(plant, mode="json")),
            "at": tx.now,
            "by": tx.cause.actor,
        },
    )


async def other_site(tx: Tx) -> str | None:
    """Return another site whose plant this database holds."""
    found: str | None = await tx.value(
        "select site from mes.policy where site <> %(site)s order by site limit 1", {"site": tx.site}
    )
    return found


@dataclass(frozen=True, slots=True)
class _PolicyRow:
    timezone: str
    auto_release: bool
    dispatch_horizon_min: int
    close_after_min: int
    serial_prefix: str
    over_percent: Decimal


async def find_policy(tx: Tx) -> tuple[Policy, str] | None:
    """Return the site's policy and time zone."""
    row = await tx.fetch_one(
        _PolicyRow,
        """
        select timezone, auto_release, dispatch_horizon_min, close_after_min, serial_prefix, over_percent
        from mes.policy where site = %(site)s
        """,
        {"site": tx.site},
    )
    if row is None:
        return None
    policy = Policy(
        auto_release=row.auto_release,
        dispatch_horizon_min=row.dispatch_horizon_min,
        close_after_min=row.close_after_min,
        serial_prefix=row.serial_prefix,
        over_percent=row.over_percent,
    )
    return policy, row.timezone


async def save_policy(tx: Tx, policy: Policy, timezone: str) -> None:
    """Insert or change the site's policy."""
    await tx.execute(
        """
        insert into mes.policy (site, timezone, auto_release, dispatch_horizon_min,
                                close_after_min, serial_prefix, over_percent)
        values (%(site)s, %(timezone)s, %(auto_release)s, %(dispatch_horizon_min)s,
                %(close_after_min)s, %(serial_prefix)s, %(over_percent)s)
        on conflict (site) do update set timezone = excluded.timezone,
            auto_release = excluded.auto_release,
            dispatch_horizon_min = excluded.dispatch_horizon_min,
            close_after_min = excluded.close_after_min, serial_prefix = excluded.serial_prefix,
            over_percent = excluded.over_percent
        """,
        {
            "site": tx.site,
            "timezone": timezone,
            "auto_release": policy.auto_release,
            "dispatch_horizon_min": policy.dispatch_horizon_min,
            "close_after_min": policy.close_after_min,
            "serial_prefix": policy.serial_prefix,
            "over_percent": policy.over_percent,
        },
    )
