"""A network that can be cut: a namespace of its own, with a gate for each who comes in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.power import command

MOST = 16
"""Networks of one process that may lie about at the same time."""
_COUNT = itertools.count()


@dataclass(frozen=True)
class Network:
    """A machine room with gates; a closed gate swallows what comes and what goes.

    Args:
        name: The namespace's.
        gates: Its addresses.
    """

    name: str
    gates: tuple[str, str]

    @property
    def enter(self) -> tuple[str, ...]:
        """What starts a program inside."""
        return ("ip", "netns", "exec", self.name)

    def close(self, gate: str) -> None:
        """Let nothing through, and answer nobody."""
        self._rule("-A", gate)

    def open(self, gate: str) -> None:
        """Undo `close`."""
        self._rule("-D", gate)

    def _rule(self, verb: str, gate: str) -> None:
        drop = ("-j", "DROP")
        command(*self.enter, "iptables", "-w", verb, "INPUT", "-d", gate, *drop)
        command(*self.enter, "iptables", "-w", verb, "OUTPUT", "-s", gate, *drop)


@contextmanager
def network() -> Iterator[Network]:
    """Make a namespace, reached by two addresses."""
    # The kernel takes an interface away some time after its namespace: no name comes twice.
    number = (os.getpid() * MOST + next(_COUNT) % MOST) % 12_500
    name, near, far = f"ls{number}", f"lsn{number}", f"lsf{number}"
    prefix = f"10.{200 + number // 250 % 50}.{number % 250}"
    command("ip", "netns", "add", name)
    try:
        command("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        command("ip", "address", "add", f"{prefix}.1/24", "dev", near)
        command("ip", "link", "set", near, "up")
        inside = ("ip", "-n", name)
        for last in (2, 3):
            command(*inside, "address", "add", f"{prefix}.{last}/24", "dev", far)
        command(*inside, "link", "set", far, "up")
        command(*inside, "link", "set", "lo", "up")
        yield Network(name, (f"{prefix}.2", f"{prefix}.3"))
    finally:
        command("ip", "netns", "delete", name)
