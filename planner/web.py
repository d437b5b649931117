"""What the planner's routes share."""

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Request
from pydantic import BaseModel

from mes.access.guard import idempotency_key

JSON = "application/json"


def answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Say what a route answers that hands on JSON as the database wrote it."""
    return {200: {"model": model, "description": "Successful Response"}}


def again_id(request: Request) -> UUID:
    """Return the id of the plan that a command brings back: the same for each retry of it."""
    return uuid5(NAMESPACE_URL, f"planner:{idempotency_key(request)}")
