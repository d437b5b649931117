"""Structured logs: one line of JSON per event on standard error, readable on a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mes.kernel.settings import Log


@contextmanager
def _plain() -> Iterator[None]:
    """Keep rich away from what is imported: structlog would load it for tracebacks that we do not print.

    It is a third of the time in which each process and each command starts, and 8 MB in each.
    """
    known = sys.modules.get("rich")
    sys.modules["rich"] = None  # type: ignore[assignment] # Python's way to say that it cannot be imported
    try:
        yield
    finally:
        del sys.modules["rich"]
        if known is not None:
            sys.modules["rich"] = known


with _plain():
    import structlog


def configure(service: str, log: Log | None = None, output: TextIO | None = None) -> None:
    """Set up logging of this process; every line carries `service`.

    Args:
        service: Name of the process.
        log: Level and format.
        output: Where the lines go; none: standard error.
    """
    log = log or Log()
    output = output or sys.stderr
    console = log.format == "console" or (log.format == "auto" and output.isatty())
    level = logging.getLevelNamesMapping()[log.level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    _install(_formatter(shared, console=console), level, output)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it as `log.info("driver.back", gap_s=4.2)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def _formatter(
    shared: list[structlog.typing.Processor], *, console: bool
) -> structlog.stdlib.ProcessorFormatter:
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _install(formatter: logging.Formatter, level: int, output: TextIO) -> None:
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("alembic", "asyncua", "httpcore2", "httpx2", "paho", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
