"""What the planner's routes share."""

from typing import Any

from pydantic import BaseModel

JSON = "application/json"


def answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Say what a route answers that hands on JSON as the database wrote it."""
    return {200: {"model": model, "description": "Successful Response"}}
