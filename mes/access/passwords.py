"""Hashing of passwords and PINs, and making of tokens."""

import asyncio
import hashlib
import hmac
import secrets
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)
"""argon2id, 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet, first choice)."""


@lru_cache(maxsize=1)
def _unknown_hash() -> str:
    """Return what is compared with when there is no such account: both answers take as long."""
    return HASHER.hash(secrets.token_hex(16))


async def hash_secret(secret: str) -> str:
    """Return the argon2id hash of a password or PIN, made in a thread."""
    return await asyncio.to_thread(HASHER.hash, secret)


async def secret_matches(stored: str | None, secret: str) -> bool:
    """Say whether `secret` belongs to the hash `stored`; as slow without one as with one."""
    return await asyncio.to_thread(_matches, stored, secret)


def _matches(stored: str | None, secret: str) -> bool:
    try:
        HASHER.verify(stored or _unknown_hash(), secret)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def make_token() -> str:
    """Return 256 random bits as text that fits an address or a cookie."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a random token; only this is stored."""
    return hashlib.sha256(token.encode()).digest()


def same_hash(left: bytes, right: bytes) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(left, right)
