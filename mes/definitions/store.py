"""SQL of materials, standard prices and work masters."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.definitions.model import (
    Material,
    MaterialDraft,
    StandardPrice,
    WorkMaster,
    WorkMasterComponent,
    WorkMasterDraft,
    WorkMasterOperation,
)
from mes.kernel.db import Tx
from mes.kernel.ids import MaterialId

_MATERIAL = """
    select m.id, m.name, m.kind, m.uom, m.tracking, f.family, m.erp_ref, m.digits
    from mes.material m
    left join mes.setup_family f on f.site = m.site and f.material = m.id
"""


async def find_material(tx: Tx, material: str) -> Material | None:
    """Return one material."""
    return await tx.fetch_one(Material, f"{_MATERIAL} where m.id = %(id)s", {"id": material})


async def all_materials(tx: Tx) -> list[Material]:
    """Return the site's materials."""
    return await tx.fetch_all(
        Material, f"{_MATERIAL} where m.site = %(site)s order by m.kind desc, m.id", {"site": tx.site}
    )


async def made_materials(tx: Tx) -> list[Material]:
    """Return the site's materials that have a work master."""
    return await tx.fetch_all(
        Material,
        f"""
        {_MATERIAL} where m.site = %(site)s
          and exists (select from mes.work_master w where w.site = m.site and w.material = m.id)
        order by m.id
        """,
        {"site": tx.site},
    )


async def save_material(tx: Tx, draft: MaterialDraft) -> bool:
    """Insert or change a material; return whether anything differed."""
    return bool(
        await tx.execute(
            """
            insert into mes.material as m (id, site, name, kind, uom, tracking, erp_ref, digits)
            values (%(id)s, %(site)s, %(name)s, %(kind)s, %(uom)s, %(tracking)s, %(erp_ref)s, %(digits)s)
            on conflict (id) do update set name = excluded.name, kind = excluded.kind,
                tracking = excluded.tracking, erp_ref = excluded.erp_ref, digits = excluded.digits
            where (m.name, m.kind, m.tracking, m.erp_ref, m.digits) is distinct from
                  (excluded.name, excluded.kind, excluded.tracking, excluded.erp_ref, excluded.digits)
            """,
            {
                "id": draft.id,
                "site": tx.site,
                "name": draft.name,
                "kind": draft.kind,
                "uom": draft.uom,
                "tracking": draft.tracking,
                "erp_ref": draft.erp_ref,
                "digits": draft.places,
            },
        )
    )


async def save_price(tx: Tx, draft: MaterialDraft) -> bool:
    """Add the standard price from `tx.now` on, unless the newest is the same."""
    return bool(
        await tx.execute(
            """
            insert into mes.standard_price (material, site, valid_from, price, currency)
            select %(material)s, %(site)s, %(at)s, %(price)s, %(currency)s
            where not exists (
                select 1 from (
                    select price, currency from mes.standard_price
                    where material = %(material)s order by valid_from desc limit 1) newest
                where newest.price = %(price)s and newest.currency = %(currency)s)
            """,
            {
                "material": draft.id,
                "site": tx.site,
                "at": tx.now,
                "price": draft.standard_price,
                "currency": draft.currency,
            },
        )
    )


async def standard_prices(
    tx: Tx, materials: Collection[str], at: datetime
) -> dict[MaterialId, StandardPrice]:
    """Return the prices valid at `at`; the first one holds for the time before it."""
    rows = await tx.fetch_all(
        StandardPrice,
        """
        select distinct on (p.material) p.material, m.uom, p.price, p.currency
        from mes.standard_price p join mes.material m on m.id = p.material
        where p.material = any(%(materials)s)
        order by p.material, (p.valid_from <= %(at)s) desc,
                 case when p.valid_from <= %(at)s then p.valid_from end desc nulls last, p.valid_from
        """,
        {"materials": list(materials), "at": at},
    )
    return {row.material: row for row in rows}


@dataclass(frozen=True, slots=True)
class _Head:
    id: str
    version: int
    material: MaterialId
    base_quantity: Decimal
    effective_from: datetime
    digest: str


_HEAD = "select id, version, material, base_quantity, effective_from, digest from mes.work_master"


async def newest_version(tx: Tx, work_master: str) -> tuple[int, str]:
    """Return number and digest of the newest version; (0, "") when there is none.

    Two writers of one work master wait for each other.
    """
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", {"key": f"work_master:{work_master}"}
    )
    head = await tx.fetch_one(
        _Head, f"{_HEAD} where id = %(id)s order by version desc limit 1", {"id": work_master}
    )
    return (0, "") if head is None else (head.version, head.digest)


async def save_work_master(tx: Tx, draft: WorkMasterDraft, version: int, digest: str) -> None:
    """Add a version of a work master."""
    key = {"work_master": draft.id, "version": version}
    await tx.execute(
        """
        insert into mes.work_master (id, version, site, material, base_quantity, effective_from,
                                     digest, erp_ref)
        values (%(work_master)s, %(version)s, %(site)s, %(material)s, %(base)s, %(at)s, %(digest)s,
                %(erp_ref)s)
        """,
        {
            **key,
            "site": tx.site,
            "material": draft.material,
            "base": draft.base_quantity,
            "at": tx.now,
            "digest": digest,
            "erp_ref": draft.erp_ref,
        },
    )
    await tx.execute_many(
        """
        insert into mes.work_master_operation (work_master, version, operation, name, work_center,
            run_s, setup_s, skill, labour_class, instructions)
        values (%(work_master)s, %(version)s, %(operation)s, %(name)s, %(work_center)s, %(run_s)s,
            %(setup_s)s, %(skill)s, %(labour_class)s, %(instructions)s)
        """,
        [{**key, **{name: getattr(one, name) for name in one.__slots__}} for one in draft.operations],
    )
    await tx.execute_many(
        """
        insert into mes.work_master_component (work_master, version, operation, material, quantity, uom)
        values (%(work_master)s, %(version)s, %(operation)s, %(material)s, %(quantity)s, %(uom)s)
        """,
        [{**key, **{name: getattr(one, name) for name in one.__slots__}} for one in draft.components],
    )


async def find_work_master(tx: Tx, work_master: str, version: int) -> WorkMaster | None:
    """Return one version of a work master."""
    head = await tx.fetch_one(
        _Head,
        f"{_HEAD} where id = %(id)s and version = %(version)s",
        {"id": work_master, "version": version},
    )
    return None if head is None else await _whole(tx, head)


async def work_master_at(tx: Tx, material: str, work_master: str | None, at: datetime) -> WorkMaster | None:
    """Return the version of a product's work master in effect at `at`, else its first."""
    head = await tx.fetch_one(
        _Head,
        f"""
        {_HEAD} where material = %(material)s
          and (%(work_master)s::text is null or id = %(work_master)s)
        order by (effective_from <= %(at)s) desc,
                 case when effective_from <= %(at)s then effective_from end desc nulls last,
                 version, effective_from
        limit 1
        """,
        {"material": material, "work_master": work_master, "at": at},
    )
    return None if head is None else await _whole(tx, head)


async def _whole(tx: Tx, head: _Head) -> WorkMaster:
    key = {"id": head.id, "version": head.version}
    operations = await tx.fetch_all(
        WorkMasterOperation,
        """
        select operation, name, work_center, run_s, setup_s, skill, labour_class, instructions
        from mes.work_master_operation where work_master = %(id)s and version = %(version)s
        order by operation
        """,
        key,
    )
    return WorkMaster(
        id=head.id,
        version=head.version,
        material=head.material,
        effective_from=head.effective_from,
        operations=tuple(operations),
        components=tuple(await components(tx, head.id, head.version)),
        base_quantity=head.base_quantity,
    )


async def components(tx: Tx, work_master: str, version: int) -> list[WorkMasterComponent]:
    """Return the bill of one version, for its base quantity."""
    return await tx.fetch_all(
        WorkMasterComponent,
        """
        select operation, material, quantity, uom from mes.work_master_component
        where work_master = %(id)s and version = %(version)s order by operation, material
        """,
        {"id": work_master, "version": version},
    )
