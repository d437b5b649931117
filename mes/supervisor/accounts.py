"""The unprivileged account under which root starts programs that refuse root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess

from mes.supervisor.children import Account

NAME = "lineside"


class NoAccount(RuntimeError):
    """No unprivileged account exists and none could be made."""


def unprivileged() -> Account | None:
    """Return the account to use, made when it is missing; None for an ordinary user.

    Raises:
        NoAccount: The system has neither `useradd` nor `adduser`.
    """
    if os.geteuid() != 0:
        return None
    if not _exists(NAME):
        _make(NAME)
    entry = pwd.getpwnam(NAME)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reachable(account: Account, path: str) -> bool:
    """Return whether `account` can enter the folder `path` and all above it."""
    shown = subprocess.run(  # noqa: S603 - fixed program, path is an argument
        [shutil.which("test") or "/usr/bin/test", "-x", path],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        check=False,
    )
    return shown.returncode == 0


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _make(name: str) -> None:
    commands = {
        "useradd": ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
        "adduser": ["-S", "-D", "-H", "-s", "/sbin/nologin", name],
    }
    for program, arguments in commands.items():
        found = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
        if found:
            subprocess.run([found, *arguments], check=True, capture_output=True)  # noqa: S603 - fixed arguments
            return
    raise NoAccount(f"make an account named {name}: PostgreSQL refuses to run as root")
