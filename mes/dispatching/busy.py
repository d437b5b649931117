"""How long units were busy with job orders: the hours that are booked, and those that a pace is learned from.

A job stays at its unit when people go home, so its hours are not the time from its begin to its end. They are
the time in the unit's shifts, stops and waits in it included, less the planned breaks that lie wholly in it:
the actual unit busy time of ISO 22400-2 (AUBT), which knows no time outside the planned operation time. In no
shift (a night, a day off) they are the time in which work was seen: somebody was on the job (overtime), or
the unit itself told that it ran (lights out). A unit without a calendar is open throughout.
"""

from collections.abc import Sequence
from datetime import timedelta

from mes.dispatching import store
from mes.dispatching.model import Stay
from mes.kernel.db import Tx
from mes.resources import service as resources


async def worked(tx: Tx, stays: Sequence[Stay]) -> list[timedelta]:
    """Return how long units were at work on job orders, stretch by stretch."""
    calendars = await resources.site_calendars(tx)
    reaching = [one for one in stays if calendars.closed(one.calendar, one.started_at, one.ended_at)]
    seen = await store.seen(tx, reaching) if reaching else {}
    return [calendars.worked(one.calendar, one.started_at, one.ended_at, seen.get(one, ())) for one in stays]
