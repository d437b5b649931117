"""SQL of this activity, one file for each kind of fact."""

from mes.resources.store import attendance, calendars, lists, people, places, plant, rates

__all__ = ["attendance", "calendars", "lists", "people", "places", "plant", "rates"]
