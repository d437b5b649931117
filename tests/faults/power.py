"""A disk with a switch: a file system in a file that can lose its power or its room."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EXT4_IOC_SHUTDOWN = 0x8004587D
"""`_IOR('X', 125, __u32)`. Source: Linux, fs/ext4/ext4.h."""
NO_LOG_FLUSH = 2
"""Stop at once; what was not synced stays unwritten. Source: Linux, EXT4_GOING_FLAGS_NOLOGFLUSH."""
BALLAST = "ballast"
GONE_S = 30.0


def command(*argv: str | Path) -> None:
    """Run a system command that needs root."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"`{' '.join(map(str, argv))}` is not permitted here, and the fault tests need it: {done.stderr}"
    )


@dataclass
class Disk:
    """An ext4 file system of a few megabytes at `folder`.

    Args:
        image: The file that it is in.
    """

    image: Path
    folder: Path

    def plug_in(self) -> None:
        """Mount it; its journal is replayed as after any power cut."""
        command("mount", "-o", "loop", self.image, self.folder)

    def unplug(self) -> None:
        """Unmount it, as soon as nobody uses it any more."""
        deadline = time.monotonic() + GONE_S
        argv = ["umount", str(self.folder)]
        while subprocess.run(argv, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, f"{self.folder} is still in use"
            time.sleep(0.05)

    def cut_power(self) -> None:
        """Stop all writing at once: what was not synced is gone for good."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(handle)

    def sync(self) -> None:
        """Write everything out, as a machine does that has been on for a while."""
        command("sync", "-f", self.folder)

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / BALLAST).open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while ballast.write(b"\0" * size):
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        """Take away what `fill` brought."""
        (self.folder / BALLAST).unlink()


@contextmanager
def disk(folder: Path, megabytes: int, name: str = "disk") -> Iterator[Disk]:
    """Make a disk and plug it in at `name` below `folder`."""
    image = folder / f"{name}.ext4"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    command("mkfs.ext4", "-q", "-m", "0", image)
    made = Disk(image, folder / name)
    made.folder.mkdir()
    made.plug_in()
    try:
        yield made
    finally:
        made.unplug()
