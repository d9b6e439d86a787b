"""Answering a program that subscribes to a calendar: REST's feeds."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode, urlsplit

from flask import Response, request

from fablab.bookings.feeds import USE_GRAIN, KeyView, Opened, feed_of, note_use, open_feed
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.signin import limits
from fablab.signin.rules import address_key
from fablab.web.database import db, writing
from fablab.web.settings import base_url

# Seconds for which a program need not ask again.
FRESH_S = 300


def feed_url(key: KeyView, plain: str) -> str:
    """The address to subscribe to. Whoever has it reads the calendar."""
    of = {"me": "/me", "machine": f"/machines/{key.machine}", "lab": f"/labs/{key.lab}"}[key.kind]
    return f"{base_url().rstrip('/')}/api/v1{of}/calendar.ics?{urlencode({'key': plain})}"


def answer_feed(plain: str, *, machine_id: int | None = None, lab_id: int | None = None) -> Response:
    """The feed that this key opens, if it is this thing's; 304 where the program has it already.

    A wrong key, and one of something else, are counted as wrong tokens are, and get the same 404.
    """
    now = utc_now()
    opened = open_feed(db.session(), plain)
    if opened is None or (opened.machine_id, opened.lab_id) != (machine_id, lab_id):
        db.session.rollback()
        with writing() as session:
            limits.attempt(session, [address_key(request.remote_addr, "token")], now)
        raise not_found("calendar")
    _remember(opened)
    address = base_url().rstrip("/")
    text = feed_of(db.session(), opened, now, address, urlsplit(address).hostname or "localhost")
    content = text.encode()
    answer = Response(content, content_type="text/calendar; charset=utf-8")
    answer.set_etag(hashlib.sha256(content).hexdigest()[:32])
    answer.headers["Cache-Control"] = f"private, max-age={FRESH_S}"
    answer.headers["Content-Disposition"] = 'inline; filename="calendar.ics"'
    # The address holds the key: no page that an entry leads to is told where the reader came from.
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.make_conditional(request)
    return answer


def _remember(opened: Opened) -> None:
    now = utc_now()
    if opened.used_at is None or opened.used_at < now - USE_GRAIN:
        note_use(db.session(), opened.key_id, now)
        db.session.commit()
