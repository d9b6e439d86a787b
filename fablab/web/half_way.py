"""Half signed in: a right password or provider, and the second factor still to come. Ten minutes at most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import flask
from flask import url_for

from fablab.clock import utc_now

TTL = timedelta(minutes=10)
_KEY = "half"


@dataclass(frozen=True)
class Half:
    """Who is half in, by what, and where they were going."""

    member_id: int
    method: str
    remember: bool
    destination: str


def begin(member_id: int, method: str, *, remember: bool, destination: str) -> str:
    """Remember the first half in this browser's signed cookie; returns the address of the second."""
    flask.session[_KEY] = {
        "member": member_id,
        "method": method,
        "remember": remember,
        "next": destination,
        "at": utc_now().isoformat(),
    }
    return url_for("pages.second_factor")


def current() -> Half | None:
    """The half in progress; None when there is none, or it took too long."""
    kept = flask.session.get(_KEY)
    if kept is None or utc_now() - datetime.fromisoformat(kept["at"]) > TTL:
        return None
    return Half(kept["member"], kept["method"], bool(kept["remember"]), kept.get("next", ""))


def forget() -> None:
    flask.session.pop(_KEY, None)
