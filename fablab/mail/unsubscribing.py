"""The address in a mail that ends mails of its kind with one click, without signing in (RFC 8058)."""

from __future__ import annotations

import hashlib
import hmac
import re

_TOKEN = re.compile(r"([1-9][0-9]{0,17})-([a-z]{1,40})-([0-9a-f]{40})", re.ASCII)


def unsubscribing(secret: str, member_id: int, notice: str) -> str:
    """A token that can do no more than end one kind of mail for one member. ``secret`` is the service's."""
    return f"{member_id}-{notice}-{_mark(secret, member_id, notice)}"


def unsubscribes(secret: str, token: str) -> tuple[int, str] | None:
    """The member and the kind of notice a token of ours is about; None for any other text."""
    read = _TOKEN.fullmatch(token)
    if read is None:
        return None
    member_id, notice = int(read[1]), read[2]
    genuine = hmac.compare_digest(read[3], _mark(secret, member_id, notice))
    return (member_id, notice) if genuine else None


def _mark(secret: str, member_id: int, notice: str) -> str:
    words = f"unsubscribe {member_id} {notice}".encode()
    return hmac.new(secret.encode(), words, hashlib.sha256).hexdigest()[:40]
