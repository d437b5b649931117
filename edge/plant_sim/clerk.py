"""The simulated clerk: enters customer orders and buys material in the ERP, at the ERP's own door.

Speaks Tryton's JSON-RPC (trytond 8.0, `trytond/protocols/dispatcher.py`); nothing of Lineside's
bridge is used, so an order really crosses from one system into the other.
"""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx2

from mes.kernel.clock import utc_now
from mes.kernel.log import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

CUSTOMERS = ("C-01", "C-02", "C-03", "C-04", "C-05", "C-06")
PRICES = {"PUMP-40": Decimal(1290), "PUMP-65": Decimal(1690), "PUMP-80": Decimal(1890)}
"""List prices in CNY per pump."""

FIRST_ORDERS = (2, 8, 10, 9)
"""Pumps of the orders that lie on the clerk's desk on the very first day: one that is soon made, and
work for the other machines."""
PUMPS = (8, 12)
"""Range of an order's quantity."""
RUSH_PUMPS = 4
LEAD_TIME_MIN = (35, 80)
"""Range of the wish date, in minutes from now: an order is made in about twenty."""
RUSH_MIN = 15
"""A rush order is wanted so many minutes from now: in time when it goes before others."""

DELIVERY_S = 1200.0
"""A purchase is received so long after it was placed."""
LATE_S = 900.0
"""A truck that is late comes so much later."""
LEVEL = 900
"""Pumps' worth of each component that a purchase fills the stock up to."""
AT_LEAST = 10
PER_PUMP = {"BOLT": Decimal(8), "GREASE": Decimal("0.05")}
"""Units of a component that a pump takes, where it is not one."""
STEPS_OF_A_SALE = {"draft": ("quote", "confirm"), "quotation": ("confirm",)}
"""What is still to be done with a sale, by its state."""
STEPS_OF_A_DELIVERY = {"draft": ("receive", "do"), "received": ("do",)}
FIRST_LOT = 1000
"""Lots of a purchase are numbered from here on; the opening stock has the numbers below."""


class ErpRefused(RuntimeError):
    """The ERP answered the clerk with an error; its own words are in the message."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer wants.

    Args:
        quantity: Pumps, 1 to 99.
        due_at: Aware UTC.
    """

    customer: str
    item: str
    quantity: int
    due_at: datetime
    rush: bool = False
    reference: str = field(default_factory=lambda: f"PO-{uuid4().hex[:12]}")
    """The customer's own number; one of them is entered once, however often it is tried."""


def decimal(value: Decimal) -> dict[str, str]:
    """Tryton's JSON form of a decimal."""
    return {"__class__": "Decimal", "decimal": str(value)}


def day(value: date) -> dict[str, Any]:
    """Tryton's JSON form of a date."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


@dataclass(frozen=True, slots=True)
class Purchase:
    """A confirmed purchase that is on its way."""

    id: int
    number: str
    supplier: int


class Clerk:
    """One clerk for sales and purchasing, signed on to the ERP.

    Args:
        url: Address of the ERP's RPC, such as `http://127.0.0.1:8000/lineside/rpc/`.
        site_tz: The plant's time zone; wish dates are days there.
    """

    def __init__(self, url: str, password: str, site_tz: str) -> None:
        self._url = url
        self._password = password
        self._zone = ZoneInfo(site_tz)
        self._client = httpx2.AsyncClient(timeout=httpx2.Timeout(30.0))
        self._context: dict[str, Any] | None = None

    async def close(self) -> None:
        """Sign off."""
        await self._client.aclose()

    async def enter(self, wish: Wish) -> str:
        """Enter and confirm a customer order; return its number in the ERP.

        An order that is there already, because an answer got lost, is only carried on with.

        Raises:
            ErpRefused: The ERP did not accept it.
            httpx2.TransportError: The ERP is away.
        """
        context = await self._sign_on()
        found: list[dict[str, Any]] = await self._call(
            "sale.sale.search_read", [["reference", "=", wish.reference]], 0, 1, None, ["state"], context
        )
        state = found[0]["state"] if found else "draft"
        ids = [row["id"] for row in found] or await self._draft(wish, context)
        for step in STEPS_OF_A_SALE.get(state, ()):
            await self._call(f"sale.sale.{step}", ids, context)
        (sale,) = await self._call("sale.sale.read", ids, ["number"], context)
        logger.info(
            "sales.order_entered",
            sale=sale["number"],
            item=wish.item,
            quantity=wish.quantity,
            rush=wish.rush,
        )
        return str(sale["number"])

    async def _draft(self, wish: Wish, context: dict[str, Any]) -> list[int]:
        (party,) = await self._call(
            "party.party.search_read", [["code", "=", wish.customer]], 0, 1, None, ["addresses"], context
        )
        (product,) = await self._call(
            "product.product.search_read", [["code", "=", wish.item]], 0, 1, None, ["default_uom"], context
        )
        address = party["addresses"][0]
        due = wish.due_at.astimezone(self._zone)
        line = {
            "type": "line",
            "product": product["id"],
            "quantity": float(wish.quantity),
            "unit": product["default_uom"],
            "unit_price": decimal(PRICES[wish.item].quantize(Decimal("0.0001"))),
        }
        sale = {
            "party": party["id"],
            "invoice_address": address,
            "shipment_address": address,
            "invoice_method": "fulfillment",
            "shipment_method": "order",
            "reference": wish.reference,
            "shipping_date": day(due.date()),
            "description": ("rush; " if wish.rush else "")
            + f"deliver by {due.isoformat(timespec='minutes')}",
            "lines": [["create", [line]]],
        }
        ids: list[int] = await self._call("sale.sale.create", [sale], context)
        return ids

    async def has_sold_nothing(self) -> bool:
        """Say whether this is the very first day: the ERP has no sale at all."""
        sales: int = await self._call("sale.sale.search_count", [], await self._sign_on())
        return sales == 0

    async def buy(self) -> Purchase:
        """Order every component up to its level; return the confirmed purchase."""
        context = await self._sign_on()
        (supplier,) = await self._call(
            "party.party.search_read", [["code", "=", "V-01"]], 0, 1, None, ["addresses"], context
        )
        stocked = {**context, "locations": [(await self._warehouse())["storage_location"]]}
        products = await self._call(
            "product.product.search_read",
            [["purchasable", "=", True]],
            0,
            None,
            None,
            ["code", "purchase_uom", "cost_price", "quantity"],
            stocked,
        )
        values = {
            "party": supplier["id"],
            "invoice_address": supplier["addresses"][0],
            "invoice_method": "fulfillment",
            "delivery_date": day(utc_now().astimezone(self._zone).date()),
            "lines": [["create", [_purchase_line(product) for product in products]]],
        }
        ids: list[int] = await self._call("purchase.purchase.create", [values], context)
        await self._call("purchase.purchase.quote", ids, context)
        await self._call("purchase.purchase.confirm", ids, context)
        (purchase,) = await self._call("purchase.purchase.read", ids, ["number"], context)
        logger.info("purchase.placed", purchase=purchase["number"])
        return Purchase(ids[0], purchase["number"], supplier["id"])

    async def receive(self, purchase: Purchase) -> None:
        """Receive a purchase: a delivery note, a lot for each component, put away.

        A delivery that is there already, because an answer got lost, is only carried on with.
        """
        context = await self._sign_on()
        note = f"DN-{purchase.number}"
        found: list[dict[str, Any]] = await self._call(
            "stock.shipment.in.search_read", [["reference", "=", note]], 0, 1, None, ["state"], context
        )
        state = found[0]["state"] if found else "draft"
        ids = [row["id"] for row in found] or await self._deliver(purchase, note)
        for step in STEPS_OF_A_DELIVERY.get(state, ()):
            await self._call(f"stock.shipment.in.{step}", ids, context)
        logger.info("purchase.received", purchase=purchase.number)

    async def _deliver(self, purchase: Purchase, note: str) -> list[int]:
        context = await self._sign_on()
        moves = await self._moves_of(purchase)
        lots = await self._lots_for(purchase, moves)
        changes = [part for move in moves for part in ([move["id"]], {"lot": lots[move["product"]]})]
        await self._call("stock.move.write", *changes, context)
        warehouse = await self._warehouse()
        shipment = {
            "supplier": purchase.supplier,
            "warehouse": warehouse["id"],
            "warehouse_input": warehouse["input_location"],
            "warehouse_storage": warehouse["storage_location"],
            "reference": note,
            "incoming_moves": [["add", [move["id"] for move in moves]]],
        }
        ids: list[int] = await self._call("stock.shipment.in.create", [shipment], context)
        return ids

    async def _lots_for(self, purchase: Purchase, moves: list[dict[str, Any]]) -> dict[int, int]:
        """Return the lot of each product in a purchase, made where it is missing."""
        context = await self._sign_on()
        wanted = {
            move["product"]: f"LOT-{move['product.']['code']}-{FIRST_LOT + purchase.id}" for move in moves
        }
        rows = await self._call(
            "stock.lot.search_read",
            [["number", "in", list(wanted.values())]],
            0,
            None,
            None,
            ["product"],
            context,
        )
        found = {row["product"]: row["id"] for row in rows}
        missing = [product for product in wanted if product not in found]
        lots = [{"number": wanted[product], "product": product} for product in missing]
        made = await self._call("stock.lot.create", lots, context) if lots else []
        return {**found, **dict(zip(missing, made, strict=True))}

    async def delay(self, purchase: Purchase) -> None:
        """Note the supplier's message that a purchase comes tomorrow."""
        context = await self._sign_on()
        tomorrow = utc_now().astimezone(self._zone).date() + timedelta(days=1)
        ids = [move["id"] for move in await self._moves_of(purchase)]
        if ids:
            await self._call("stock.move.write", ids, {"planned_date": day(tomorrow)}, context)

    async def _moves_of(self, purchase: Purchase) -> list[dict[str, Any]]:
        moves: list[dict[str, Any]] = await self._call(
            "stock.move.search_read",
            [
                ["from_location.type", "=", "supplier"],
                ["state", "=", "draft"],
                ["purchase.number", "=", purchase.number],
            ],
            0,
            None,
            None,
            ["product", "product.code"],
            await self._sign_on(),
        )
        return moves

    async def _warehouse(self) -> dict[str, Any]:
        fields = ["input_location", "storage_location"]
        (warehouse,) = await self._call(
            "stock.location.search_read",
            [["type", "=", "warehouse"]],
            0,
            1,
            None,
            fields,
            await self._sign_on(),
        )
        found: dict[str, Any] = warehouse
        return found

    async def _sign_on(self) -> dict[str, Any]:
        if self._context is None:
            self._forget()
            uid, token, *_ = await self._post(
                "common.db.login", ["clerk", {"password": self._password}, "en"]
            )
            ticket = base64.b64encode(f"clerk:{uid}:{token}".encode()).decode()
            self._client.headers["Authorization"] = f"Session {ticket}"
            self._context = await self._post("model.res.user.get_preferences", [True, {}])
        return self._context

    async def _call(self, method: str, *params: Any) -> Any:
        return await self._post(f"model.{method}", list(params))

    async def _post(self, method: str, params: list[Any]) -> Any:
        request = {"id": 1, "method": method, "params": params}
        reply = await self._client.post(self._url, json=request)
        if reply.status_code == 401 and self._context is not None:
            self._forget()
            await self._sign_on()
            reply = await self._client.post(self._url, json=request)
        if not reply.is_success:
            raise ErpRefused(f"{method}: HTTP {reply.status_code}")
        answer = reply.json()
        if isinstance(answer, dict) and answer.get("error"):
            raise ErpRefused(f"{method}: {answer['error']}")
        return answer["result"] if isinstance(answer, dict) and "result" in answer else answer

    def _forget(self) -> None:
        self._context = None
        self._client.headers.pop("Authorization", None)


def _purchase_line(product: dict[str, Any]) -> dict[str, Any]:
    per_pump = PER_PUMP.get(product["code"], Decimal(1))
    missing = per_pump * LEVEL - Decimal(str(product["quantity"]))
    return {
        "type": "line",
        "product": product["id"],
        "quantity": float(max(missing, per_pump * AT_LEAST)),
        "unit": product["purchase_uom"],
        "unit_price": product["cost_price"],
    }


def wish_for(rng: random.Random, quantity: int, *, rush: bool = False) -> Wish:
    """Return what the next customer wants."""
    minutes = RUSH_MIN if rush else rng.randint(*LEAD_TIME_MIN)
    return Wish(
        customer=rng.choice(CUSTOMERS),
        item=rng.choice(tuple(PRICES)),
        quantity=quantity,
        due_at=utc_now() + timedelta(minutes=minutes),
        rush=rush,
    )


class Business:
    """What the clerk does all day: orders come, material is bought and received."""

    def __init__(self, clerk: Clerk, rng: random.Random) -> None:
        self._clerk = clerk
        self._rng = rng
        self._coming: Purchase | None = None
        self._late_s = 0.0

    async def sell(self, every_s: float) -> None:
        """Enter one order after `every_s` on average, for ever; the very first day begins with several."""
        if await patiently(self._clerk.has_sold_nothing):
            for quantity in FIRST_ORDERS:
                await patiently(partial(self._clerk.enter, wish_for(self._rng, quantity)))
            await asyncio.sleep(every_s)
        while True:
            wish = wish_for(self._rng, self._rng.randint(*PUMPS))
            await patiently(partial(self._clerk.enter, wish))
            await asyncio.sleep(self._rng.uniform(0.7, 1.3) * every_s)

    async def rush(self, key: str) -> str:
        """Enter a rush order, once for a key; return its number in the ERP."""
        wish = replace(wish_for(self._rng, RUSH_PUMPS, rush=True), reference=f"PO-{key}")
        return await patiently(partial(self._clerk.enter, wish))

    async def supply(self) -> None:
        """Buy, wait for the truck, receive; for ever."""
        while True:
            self._coming = await patiently(self._clerk.buy)
            await asyncio.sleep(DELIVERY_S)
            while self._late_s > 0:
                late_s, self._late_s = self._late_s, 0.0
                await asyncio.sleep(late_s)
            await patiently(partial(self._clerk.receive, self._coming))

    async def delay_truck(self) -> str:
        """Let the purchase that is on its way be late; return its number.

        Raises:
            LookupError: Nothing is on its way.
        """
        if self._coming is None:
            msg = "nothing is on its way"
            raise LookupError(msg)
        self._late_s = LATE_S
        await patiently(partial(self._clerk.delay, self._coming))
        return self._coming.number


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Do `act`, trying again while the ERP is away."""
    while True:
        try:
            return await act()
        except (httpx2.TransportError, ErpRefused) as error:
            logger.info("clerk.waiting", reason=str(error)[:200] or type(error).__name__)
        await asyncio.sleep(5.0)
