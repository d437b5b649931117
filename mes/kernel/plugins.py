"""What other packages plug in by entry points: services, routers, migrations, commands, adapters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from mes.kernel.settings import Settings

T = TypeVar("T")

SERVICES = "mes.services"
ROUTERS = "mes.routers"
MIGRATIONS = "mes.migrations"
COMMANDS = "mes.commands"
LINKS = "mes.links"


class UnknownPlugin(LookupError):
    """Nothing is installed under this name."""


@dataclass(frozen=True)
class Program:
    """A foreign program that the supervisor starts as it is, such as the ERP."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's environment."""
    cwd: Path | None = None


@dataclass(frozen=True)
class Service:
    """One process of the plant.

    The module that declares it is imported by the supervisor: keep it light, import the
    heavy parts inside the functions.
    """

    name: str
    """Also the name in `lineside status` and of its log file."""
    command: str
    """What follows `lineside` to run it by hand, such as `edge run`."""
    needs: tuple[str, ...] = ()
    """Services that must be ready before this one starts."""
    run: Callable[[Settings], Awaitable[None]] | None = None
    """Work until cancelled. Either this or `program`."""
    ready: Callable[[Settings], Awaitable[bool]] | None = None
    """Asked until it is true: in the service's own process, or the supervisor's for a program."""
    prepare: Callable[[Settings], Awaitable[None]] | None = None
    """Slow work before each start, in a process of its own; it must be quick when done before.
    Services that nobody needs it for start meanwhile."""
    program: Callable[[Settings], Program] | None = None
    """Says what to run, for a program that is not ours."""
    demo: bool = False
    """Only in the demo profile."""
    task: bool = False
    """`run` returns when its work is done, and is not started again."""

    def __post_init__(self) -> None:
        if (self.run is None) == (self.program is None):
            raise ValueError(f"service {self.name} has either run or program")


def services() -> dict[str, Service]:
    """Return every installed service by its name."""
    found = (load(entry, Service) for entry in entries(SERVICES).values())
    return {service.name: service for service in found}


def service(name: str) -> Service:
    """Return one service without importing the others.

    Raises:
        UnknownPlugin: No installed package offers it.
    """
    return load(entry(SERVICES, name), Service)


def entries(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of `group` by name, in the order of their names."""
    return {found.name: found for found in sorted(entry_points(group=group), key=_name)}


def entry(group: str, name: str) -> EntryPoint:
    """Return one entry point.

    Raises:
        UnknownPlugin: `group` has no such name.
    """
    found = entries(group)
    if name not in found:
        offered = ", ".join(found) or "none"
        raise UnknownPlugin(f"{group} has no {name!r}; installed: {offered}")
    return found[name]


def load(found: EntryPoint, kind: type[T]) -> T:
    """Import what `found` points to and check that it is a `kind`.

    Raises:
        TypeError: It is something else.
    """
    loaded: Any = found.load()
    if not isinstance(loaded, kind):
        raise TypeError(f"{found.group}: {found.name} is no {kind.__name__}")
    return loaded


def _name(found: EntryPoint) -> str:
    return found.name
