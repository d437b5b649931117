"""Folders of one installation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mes.kernel.home import sockets

EDGE_CONFIG = "edge/CONFIG.toml"


@dataclass(frozen=True)
class Paths:
    """Where things are under `LINESIDE_HOME`."""

    home: Path

    @property
    def run(self) -> Path:
        """What only lives while the plant runs."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def pids(self) -> Path:
        return self.run / "pids"

    @property
    def lock(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def endpoints(self) -> Path:
        return self.run / "endpoints.toml"

    @property
    def ports(self) -> Path:
        return self.home / "ports.json"

    @property
    def profile(self) -> Path:
        """The profile that it was started with last."""
        return self.home / "profile"

    @property
    def edge_config(self) -> Path:
        """CONFIG.toml of the edge that runs here: a person's in production, the simulator's in a demo."""
        return self.home / EDGE_CONFIG

    @property
    def control(self) -> Path:
        """Socket of the supervisor."""
        return self.sockets / "control.sock"

    @property
    def notify(self) -> Path:
        """Socket where children say that they are ready."""
        return self.sockets / "notify.sock"

    @property
    def sockets(self) -> Path:
        """A folder with a short path: `run`, else one in the system's folder for sockets."""
        return sockets(self.home)

    @property
    def digest(self) -> str:
        """Short name of this installation, the same for the same home."""
        return hashlib.sha256(str(self.home.absolute()).encode()).hexdigest()[:12]

    def make(self) -> None:
        """Create the folders that every start needs, closed to other accounts."""
        for folder in (self.home, self.run, self.logs, self.pids, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.chmod(0o700)
