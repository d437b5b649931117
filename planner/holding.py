"""Dates that customers accept: their places are kept until the order comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from mes.definitions import service as definitions
from mes.dispatching import service as dispatching
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import MaterialId, uuid7
from planner import store
from planner.foresight import MissingCode
from planner.store import Hold, Plan
from planner.view import version_in_force


class QuantityNotPossible(PlantError):
    """The quantity must be more than nothing."""

    http_status = 422
    remedy = "Enter a quantity of 1 or more."


class DateGone(PlantError):
    """This date cannot be had any more: somebody else has taken the places."""

    http_status = 409
    remedy = "Tell the customer the new date, or look at the other ways to a date."


class OfferGone(PlantError):
    """This way to a date cannot be had any more as it was told; nothing is kept."""

    http_status = 409
    remedy = "Look at what can be had now, and choose again."


class DateNotForeseeable(PlantError):
    """Nobody can say when: all the working time that is known is taken."""

    http_status = 409
    remedy = "Ask for less, or give the units and people more working time."


class MaterialNotForeseen(DateNotForeseeable):
    """Nobody can say when: too little of a material is there and on order."""

    remedy = "Put the material on order, or ask for less."


class WorkingTimeNotForeseen(DateNotForeseeable):
    """Nobody can say when: no calendar of the units that are needed has working time any more."""

    remedy = "Enter working time in the calendar of one of the units, then ask again."


class UnitNotForeseen(DateNotForeseeable):
    """Nobody can say when: no unit that is needed is in service."""

    remedy = "Put a unit of the work centre into service again, then ask again."


class WindowNotForeseen(DateNotForeseeable):
    """Nobody can say when: no shift of the units is as long as a step that no break may interrupt."""

    remedy = (
        "Split the step, give the unit a longer shift, or let a break interrupt the step, then ask again."
    )


class SkillNotForeseen(DateNotForeseeable):
    """Nobody can say when: nobody is expected who has the skill that is needed."""

    remedy = "Give somebody the skill, or put somebody who has it in a crew, then ask again."


NOT_FORESEEN: Mapping[MissingCode, type[DateNotForeseeable]] = {
    "material": MaterialNotForeseen,
    "calendar": WorkingTimeNotForeseen,
    "unit": UnitNotForeseen,
    "window": WindowNotForeseen,
    "people": SkillNotForeseen,
    "time": DateNotForeseeable,
}


class DateOutdated(PlantError):
    """Another plan came in force, or somebody accepted another date, while this one was answered."""

    http_status = 409
    retryable = True
    remedy = "Ask again: the date may be another one now."


class PromiseNotHeld(PlantError):
    """No places are kept for this promise."""

    http_status = 409
    remedy = "Nothing to do: its order has come, or it was given back before."


async def hold(tx: Tx, wish: Hold, said: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the places of a date that a customer has accepted, until his order comes.

    Args:
        wish: As it was asked for; date and places are those that the planner's process said.
        said: Its answer.

    Raises:
        DateGone: It would be later than the customer accepts by now.
        OfferGone: The other way to a date that he chose is not to be had any more as it was told.
        DateNotForeseeable: Nobody can say when.
        DateOutdated: The answer does not know the plan, or a date, that is in force by now.
    """
    check_answer(said)
    await store.lock_plans(tx)
    knows = said["knows"]
    if knows["version"] != await version_in_force(tx) or await unknown_promises(
        tx, tx.now, knows["promises"]
    ):
        raise DateOutdated
    if said["parts"] is None:
        gone = DateGone if wish.option is None else OfferGone
        now = {name: said[name] for name in ("date", "alternatives")}
        raise gone(state=now, date=said["date"])
    rows = [_part_of(wish, part, said.get("option")) for part in said["parts"]]
    ids = [wish.id, *(uuid7() for _ in rows[1:])]
    for row, own in zip(rows, ids, strict=True):
        await store.insert_hold(tx, replace(row, id=own, whole=wish.id))
    return {"promise": str(wish.id), "name": rows[0].name, "date": said["date"]}


def _part_of(wish: Hold, part: Mapping[str, Any], option: dict[str, Any] | None) -> Hold:
    return replace(
        wish,
        name=part["name"],
        quantity=Decimal(part["quantity"]),
        promised_at=datetime.fromisoformat(part["date"]),
        safe_at=None if part["latest"] is None else datetime.fromisoformat(part["latest"]),
        places=part["places"],
        begins_at=min(datetime.fromisoformat(place["start"]) for place in part["places"].values()),
        option=option,
    )


async def unknown_promises(tx: Tx, at: datetime, known: Iterable[str]) -> list[str]:
    """The names of the dates whose places are kept at a moment, and that are not among the known ones."""
    return sorted({hold.name for hold in await store.holds(tx, at)}.difference(known))


async def release_hold(tx: Tx, promise: UUID) -> dict[str, Any]:
    """Give the places of an accepted date back.

    Raises:
        PromiseNotHeld: No places are kept for it.
    """
    if not await store.release_hold(tx, promise):
        raise PromiseNotHeld(promise=str(promise))
    return {"promise": str(promise), "status": "released"}


async def move_holds(tx: Tx, plan: Plan) -> None:
    """Accepted dates keep the places that the plan has for them."""
    planned = {row["job_order"]: row for row in plan.body["jobs"]}
    for hold in await store.holds(tx, tx.now):
        places = {job: _place(planned[job]) for job in hold.places if job in planned}
        if places.keys() == hold.places.keys() and places != hold.places:
            await store.move_hold(tx, hold.id, places)


def _place(row: Mapping[str, Any]) -> dict[str, str]:
    """A job of a plan as a place of a promise; a plan of before may not say when its run begins."""
    return {"equipment": row["equipment"], "start": row.get("run", row["start"]), "end": row["end"]}


def check_answer(said: Mapping[str, Any]) -> None:
    """Refuse a date that is none.

    Args:
        said: The planner's answer.

    Raises:
        DateNotForeseeable: Nobody can say when; its subclass says what is missing.
    """
    if "beyond" in said:
        lacking = said["missing"]
        raise NOT_FORESEEN[lacking["code"]](until=said["beyond"], **lacking["params"])


async def check_quote(tx: Tx, material: MaterialId, quantity: Decimal, at: datetime) -> None:
    """Refuse a question for a date that nobody can answer.

    Raises:
        QuantityNotPossible: Nothing is asked for.
        QuantityNotWhole, QuantityTooFine: It has more decimals than the product's unit.
        PlantError: The material is unknown or not made here.
    """
    if quantity <= 0:
        raise QuantityNotPossible(quantity=str(quantity))
    (await definitions.get_material(tx, material)).check(quantity)
    await dispatching.planning_master(tx, material, at)
