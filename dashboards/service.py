"""One number's live page and the status of the whole plant, put together from their parts."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from dashboards import store
from dashboards.model import (
    ErpFacts,
    KpiFigures,
    Lookup,
    Lot,
    LotChoice,
    NumberUnknown,
    Order,
    Piece,
    Promise,
    Reason,
    SiteFacts,
    Status,
    by_order,
)
from dashboards.store.number import Found
from mes.inventory import service as inventory
from mes.inventory.model import LotName
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.settings import Settings
from mes.performance import service as performance
from mes.supervisor import control


async def site(tx: Tx, settings: Settings, *, demo: bool) -> SiteFacts:
    """Return zone, currency and terminals of the site."""
    return SiteFacts(
        enterprise=settings.enterprise,
        site=settings.site,
        site_tz=settings.site_tz,
        currency=settings.currency,
        demo=demo,
        version=version("lineside"),
        erp=ErpFacts(await store.status.erp_name(tx, settings.erp.adapter)),
        terminals=await store.status.units(tx),
    )


async def processes(settings: Settings) -> dict[str, Any]:
    """Return what the supervisor says of its processes, nothing where none runs."""
    try:
        return await control.ask(settings.home, "status")
    except (control.NotRunning, control.ControlRefused, OSError):
        return {}


async def status(tx: Tx, settings: Settings, tree: Mapping[str, Any], *, with_money: bool) -> Status:
    """Return how the plant stands.

    Args:
        tree: What `processes` returned: ask it before the database, it may keep one waiting.
        with_money: Whether the reader may see costs.
    """
    figures = await performance.shift_figures(tx, utc_now())
    return Status(
        ready=bool(tree["ready"]) if "ready" in tree else await _links_are_up(tx),
        url=str(tree.get("url", settings.http.url)),
        processes=list(tree.get("processes", [])),
        edge=await store.status.edge_figures(tx),
        orders=await store.status.order_figures(tx),
        recent_orders=await store.status.recent_orders(tx),
        plan=await store.status.plan_figures(tx),
        kpi=[
            KpiFigures(
                equipment=unit,
                oee=kpi.oee,
                availability=kpi.availability,
                effectiveness=kpi.effectiveness,
                quality=kpi.quality,
                reason=None if kpi.reason is None else kpi.reason.value,
            )
            for unit, kpi in figures.items()
        ],
        erp=await store.status.erp_figures(tx, settings.erp.adapter, with_money=with_money),
    )


async def _links_are_up(tx: Tx) -> bool:
    """Look where no supervisor can be asked: what every link did last tells whether it is at work.

    A plant whose ERP is away goes on.
    """
    return all(link.state != "down" for link in await performance.links(tx) if link.name != "erp")


async def lookup(tx: Tx, number: str, *, currency: str, with_costs: bool) -> Lookup:
    """Return the page of a customer order, production, work order, job, lot or serial number.

    Raises:
        NumberUnknown: Nothing in the plant has it.
    """
    wanted = number.strip()
    found, lots = await _found(tx, wanted) if wanted.isprintable() else (None, [])
    if found is None:
        raise NumberUnknown(number=number)
    return Lookup(
        number=found.number,
        kind=found.kind,
        customer_order=await store.orders.customer_order(tx, found),
        orders=await _orders(tx, found.work_orders, currency, with_costs=with_costs),
        lot=await _lot(tx, lots[0]) if len(lots) == 1 else None,
        lots=[await _choice(tx, one) for one in lots] if len(lots) > 1 else [],
    )


async def _found(tx: Tx, wanted: str) -> tuple[Found | None, list[LotName]]:
    """Return what a number is, and the lots that it may mean; what has that very number goes before."""
    found = await store.number.find(tx, wanted)
    if found is not None and found.number == wanted:
        return found, []
    lots = await inventory.called(tx, wanted)
    exact = any(wanted in {one.id, one.number, one.clear} for one in lots)
    if not exact:
        found = found or await store.number.find_folded(tx, wanted)
    if lots and (exact or found is None):
        return Found("lot", lots[0].id if len(lots) == 1 else wanted, []), lots
    return found, []


async def _lot(tx: Tx, name: LotName) -> Lot:
    row = await store.genealogy.lot(tx, name.id)
    return Lot(**asdict(row), used_in=await store.genealogy.uses(tx, name.id))


async def _choice(tx: Tx, name: LotName) -> LotChoice:
    row = await store.genealogy.lot(tx, name.id)
    return LotChoice(name.clear, row.material, row.material_name, row.status, row.quantity, row.uom)


async def _pieces(tx: Tx, numbers: list[str]) -> dict[str, list[Piece]]:
    inside: dict[str, list[store.genealogy.PartRow]] = {}
    for part in await store.genealogy.parts(tx, numbers):
        inside.setdefault(part.serial, []).append(part)
    pieces: dict[str, list[Piece]] = {}
    for row in await store.genealogy.serials(tx, numbers):
        piece = Piece(row.serial, row.at, inside.get(row.serial, []))
        pieces.setdefault(row.work_order, []).append(piece)
    return pieces


async def _orders(tx: Tx, numbers: list[str], currency: str, *, with_costs: bool) -> list[Order]:
    promises = {row.work_order: row for row in await store.orders.promises(tx, numbers)}
    operations = by_order(await store.orders.operations(tx, numbers))
    materials = by_order(await store.orders.materials(tx, numbers))
    labour = by_order(await store.orders.labour(tx, numbers))
    scraps = by_order(await store.orders.scraps(tx, numbers))
    costs = by_order(await store.orders.costs(tx, numbers)) if with_costs else {}
    entries = {row.work_order: row.entries for row in await store.orders.entry_counts(tx, numbers)}
    documents = by_order(await store.orders.documents(tx, numbers))
    pieces = await _pieces(tx, numbers)
    return [
        Order(
            **asdict(row),
            promise=_promise(promises.get(row.work_order)),
            operations=operations.get(row.work_order, []),
            materials=materials.get(row.work_order, []),
            labour=labour.get(row.work_order, []),
            scraps=scraps.get(row.work_order, []),
            costs=costs.get(row.work_order, []) if with_costs else None,
            cost_entries=entries.get(row.work_order, 0),
            currency=currency,
            documents=documents.get(row.work_order, []),
            serials=pieces.get(row.work_order, []),
        )
        for row in await store.orders.orders(tx, numbers)
    ]


def _promise(row: store.orders.PromiseRow | None) -> Promise | None:
    if row is None:
        return None
    return Promise(row.promised_at, row.previous, Reason(row.reason), row.at)
