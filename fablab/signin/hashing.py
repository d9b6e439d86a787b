"""Password hashing with argon2id, beside a gevent worker's other requests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

# Second recommended set of RFC 9106 (64 MiB, three passes): fits a small server.
_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
# Each hash takes 64 MiB and up to four processors: more at a time would only wait for one another.
AT_A_TIME = 2
T = TypeVar("T")


def hash_password(password: str) -> str:
    """The argon2id hash in its usual text form, with salt and parameters."""
    return aside(_hasher.hash, password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Takes as long for an account that is not there or has no password."""
    return aside(_verify, password_hash or _nobody(), password) and password_hash is not None


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def aside(work: Callable[..., T], *args: Any) -> T:
    """Run what computes for long in a real thread where gevent shares one among all requests; else here."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work(*args)
    import gevent

    hub = gevent.get_hub()
    pool = getattr(hub, "fablab_aside", None)
    if pool is None:
        from gevent.threadpool import ThreadPool

        pool = hub.fablab_aside = ThreadPool(AT_A_TIME, hub=hub)
    result: T = pool.apply(work, args)
    return result


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    """A hash that no password is compared with in earnest."""
    return _hasher.hash("nobody has this password")
