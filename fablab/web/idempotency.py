"""The transaction around a writing view, and the same answer for the same Idempotency-Key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Response, make_response, request
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.errors import Code, DomainError, Refusal, refused
from fablab.web.auth import current_actor
from fablab.web.database import writing
from fablab.web.models import Idempotency

HEADER = "Idempotency-Key"
P = ParamSpec("P")


def writes(view: Callable[P, object]) -> Callable[P, Response]:
    """Run a view in one transaction, committed when it answers and undone when it raises.

    A POST with an Idempotency-Key leaves its answer in the same transaction: sent again it gives that answer
    once more and changes nothing; with another body it is refused with 409. Of two at once the second waits
    for the first. A refused request leaves nothing and may be tried again with the same key.
    """
    return _in_transaction(view, keep_answer=True)


def writes_secret(view: Callable[P, object]) -> Callable[P, Response]:
    """As `writes`, for answers that hold a secret: sent again, the key is refused and nothing was kept."""
    return _in_transaction(view, keep_answer=False)


def takes_key(view: object) -> bool:
    """Whether a POST of this view may carry an Idempotency-Key."""
    return getattr(view, "takes_key", False)


def _in_transaction(view: Callable[P, object], *, keep_answer: bool) -> Callable[P, Response]:
    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Response:
        key = request.headers.get(HEADER) if request.method == "POST" else None
        with writing() as session:
            if key is None:
                return make_response(view(*args, **kwargs))
            member_id = current_actor().member_id
            if earlier := _claim(session, member_id, key):
                return earlier
            answer = make_response(view(*args, **kwargs))
            body = answer.get_data(as_text=True) if keep_answer else None
            session.execute(
                update(Idempotency)
                .where(Idempotency.member_id == member_id, Idempotency.key == key)
                .values(status=answer.status_code, body=body)
            )
            return answer

    wrapped.takes_key = True  # type: ignore[attr-defined]
    return wrapped


def _claim(session: Session, member_id: int, key: str) -> Response | None:
    """Take the key for this request, or give the answer it had before."""
    if not (0 < len(key) <= 120 and key.isascii() and key.isprintable()):
        text = "The key needs 1 to 120 printable ASCII characters."
        raise refused(Refusal("invalid", HEADER, text))
    digest = hashlib.sha256(
        b"\0".join((request.method.encode(), request.full_path.encode(), request.get_data(cache=True)))
    ).hexdigest()
    taken = session.scalar(
        insert(Idempotency)
        .values(member_id=member_id, key=key, digest=digest, created_at=utc_now())
        .on_conflict_do_nothing()
        .returning(Idempotency.key)
    )
    if taken is not None:
        return None
    before = session.execute(
        select(Idempotency.digest, Idempotency.status, Idempotency.body).where(
            Idempotency.member_id == member_id, Idempotency.key == key
        )
    ).one()
    if before.digest != digest:
        raise _reused("This key was used for another request.")
    if before.body is None:
        raise _reused("This was done before; its answer held a secret and was not kept.")
    answer = Response(before.body, status=before.status, content_type="application/json")
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _reused(text: str) -> DomainError:
    return DomainError(Code.STALE, text, [Refusal("idempotency_key_reused", HEADER, text)])
