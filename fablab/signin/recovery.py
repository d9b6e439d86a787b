"""Recovery codes: they stand in for a lost authenticator app, each once.

A code carries 78 random bits, so its SHA-256 cannot be turned back, and it goes on working when the service's
secret key has to be changed.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from fablab.signin.models import RecoveryCode

CODES = 10
# No 0, 1, i, l, o or u: what is written down must be read again.
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_LENGTH, _GROUP = 16, 4


def renew(session: Session, member_id: int) -> list[str]:
    """Ten new codes in place of all earlier ones; they are kept nowhere and cannot be shown again."""
    forget(session, member_id)
    codes = [_new_code() for _ in range(CODES)]
    rows = [{"member_id": member_id, "digest": _digest(code)} for code in codes]
    session.execute(insert(RecoveryCode), rows)
    return codes


def take(session: Session, member_id: int, code: str, now: datetime) -> bool:
    """Use up one of the member's codes; False when there is none like it left. Blanks and dashes are free."""
    used = session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.member_id == member_id,
            RecoveryCode.digest == _digest(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    )
    return used is not None


def left(session: Session, member_id: int) -> int:
    """How many codes the member has not used yet."""
    unused = select(func.count()).where(RecoveryCode.member_id == member_id, RecoveryCode.used_at.is_(None))
    return session.scalar(unused) or 0


def edition(session: Session, member_id: int) -> int:
    """A number that is another one once the codes are renewed; 0 when there are none."""
    newest = select(func.max(RecoveryCode.id)).where(RecoveryCode.member_id == member_id)
    return session.scalar(newest) or 0


def forget(session: Session, member_id: int) -> None:
    """Delete all codes of the member."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.member_id == member_id))


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return "-".join(letters[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))


def _digest(code: str) -> bytes:
    """SHA-256 of the bare letters and digits, so that a code may be typed with or without its dashes."""
    bare = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(bare.encode("utf-8", "replace")).digest()
