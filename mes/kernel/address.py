"""Addresses that a person can type. Standard library only: the bootstrap needs them."""

from __future__ import annotations

ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared only


def page_address(host: str, port: int) -> str:
    """Return where the pages are, without a slash at its end; RFC 3986 3.2.2 for IPv6."""
    if host in ANY:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
