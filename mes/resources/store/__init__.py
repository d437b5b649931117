"""SQL of this activity, one file for each kind of fact."""

from mes.resources.store import attendance, calendars, lists, outs, people, places, plant, rates, rules, steps

__all__ = ["attendance", "calendars", "lists", "outs", "people", "places", "plant", "rates", "rules", "steps"]
