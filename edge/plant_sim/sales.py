"""The simulated sales clerk: enters customer orders in the ERP, as a clerk at its own client would.

Speaks Tryton's JSON-RPC (trytond 8.0, `trytond/protocols/dispatcher.py`); nothing of Lineside's
bridge is used, so an order really crosses from one system into the other.
"""

import asyncio
import base64
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from mes.kernel.clock import utc_now
from mes.kernel.log import get_logger

logger = get_logger(__name__)

CUSTOMERS = ("C-01", "C-02", "C-03", "C-04", "C-05", "C-06")
PRICES = {"PUMP-40": Decimal(1290), "PUMP-65": Decimal(1690), "PUMP-80": Decimal(1890)}
"""List prices in CNY per pump."""

FIRST_ORDERS = 3
"""Orders entered at once when the plant has none to work on."""

LEAD_TIME_MIN = (25, 60)
"""Range of the wish date, in minutes from now: an order is made in about ten."""


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


def decimal(value: Decimal) -> dict[str, str]:
    """Tryton's JSON form of a decimal."""
    return {"__class__": "Decimal", "decimal": str(value)}


def day(value: date) -> dict[str, Any]:
    """Tryton's JSON form of a date."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


class SalesClerk:
    """One clerk, signed on to the ERP.

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

    async def enter(self, wish: Wish) -> int:
        """Enter and confirm a customer order; return its id in the ERP.

        Raises:
            ErpRefused: The ERP did not accept it.
            httpx2.TransportError: The ERP is away.
        """
        context = await self._sign_on()
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
            "shipping_date": day(due.date()),
            "description": ("rush; " if wish.rush else "")
            + f"deliver by {due.isoformat(timespec='minutes')}",
            "lines": [["create", [line]]],
        }
        ids: list[int] = await self._call("sale.sale.create", [sale], context)
        await self._call("sale.sale.quote", ids, context)
        await self._call("sale.sale.confirm", ids, context)
        logger.info(
            "sales.order_entered", sale=ids[0], item=wish.item, quantity=wish.quantity, rush=wish.rush
        )
        return ids[0]

    async def _sign_on(self) -> dict[str, Any]:
        if self._context is None:
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
        reply = await self._client.post(self._url, json={"id": 1, "method": method, "params": params})
        if reply.status_code == 401:
            self._forget()
        if not reply.is_success:
            raise ErpRefused(f"{method}: HTTP {reply.status_code}")
        answer = reply.json()
        if isinstance(answer, dict) and answer.get("error"):
            self._forget()
            raise ErpRefused(f"{method}: {answer['error']}")
        return answer["result"] if isinstance(answer, dict) and "result" in answer else answer

    def _forget(self) -> None:
        self._context = None
        self._client.headers.pop("Authorization", None)


def wish_for(rng: random.Random, quantity: int, *, rush: bool = False) -> Wish:
    """Return what the next customer wants; a rush order is due in 12 minutes."""
    minutes = 12 if rush else rng.randint(*LEAD_TIME_MIN)
    return Wish(
        customer=rng.choice(CUSTOMERS),
        item=rng.choice(tuple(PRICES)),
        quantity=quantity,
        due_at=utc_now() + timedelta(minutes=minutes),
        rush=rush,
    )


async def sell(clerk: SalesClerk, rng: random.Random, every_s: float) -> None:
    """Enter a few small orders at once, then one after `every_s` on average, for ever."""
    for _ in range(FIRST_ORDERS):
        await enter_until_accepted(clerk, wish_for(rng, quantity=2))
    while True:
        await enter_until_accepted(clerk, wish_for(rng, quantity=rng.randint(5, 8)))
        await asyncio.sleep(rng.uniform(0.7, 1.3) * every_s)


async def enter_until_accepted(clerk: SalesClerk, wish: Wish) -> int:
    """Enter `wish`, trying again while the ERP is away."""
    while True:
        try:
            return await clerk.enter(wish)
        except (httpx2.TransportError, ErpRefused) as error:
            logger.info("sales.waiting", reason=str(error)[:200] or type(error).__name__)
        await asyncio.sleep(5.0)
