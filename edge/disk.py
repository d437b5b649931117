"""The spool of an edge and the one thread that may touch it, so that no reading waits for a disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from edge.spool import Spool, SpoolFull, set_aside
from edge.tags import EdgeConfig
from mes.kernel.log import get_logger

log = get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

RETRY_S = 1.0
"""Between two looks whether a full disk has room again."""


class Disk:
    """A spool in a thread of its own.

    Args:
        config: Where it is and how large it may become.
        hook: Called at named points of the path; tests end the process there.
    """

    spool: Spool

    def __init__(self, config: EdgeConfig, hook: Callable[[str], None]) -> None:
        self._folder = config.spool
        self._make = partial(
            Spool,
            config.spool,
            limit_bytes=config.spool_mb * 1024 * 1024,
            keep_s=config.keep_h * 3600,
            hook=hook,
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    async def open(self) -> bool:
        """Open the spool; one that is broken is set aside, so that reading goes on.

        Returns:
            Whether it could be read; if not, what it held is lost.
        """
        try:
            self.spool = await self.insist(self._make)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            aside = await self.run(set_aside, self._folder)
            log.error("spool.broken", reason=str(error), aside=str(aside))
            self.spool = await self.insist(self._make)
            return False
        return True

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns in the spool's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))

    async def insist(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns as soon as the disk has room for it."""
        told = False
        while True:
            try:
                return await self.run(work, *args, **kwargs)
            except SpoolFull as error:
                if not told:
                    log.error("spool.full", reason=str(error))
                told = True
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Close the spool and end its thread."""
        await self.run(self.spool.close)
        self._thread.shutdown(wait=False)
