"""Live updates as Server-Sent Events."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, current_app, request
from marshmallow import fields
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fablab.bookings.queries import BookingView, bookings, changes_since
from fablab.bookings.rules_people import may_see_whose
from fablab.clock import utc_now
from fablab.logs import logger
from fablab.machines.queries import machines
from fablab.members.rules import Actor
from fablab.telemetry.queries import StatusView, statuses
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.auth import current_actor, still_the_same
from fablab.web.database import db
from fablab.web.live import Event, Hub, Viewer, number_at
from fablab.web.schemas.base import Slug, Strict
from fablab.web.schemas.status import StatusOut, status_values
from fablab.web.settings import settings

blueprint = Blueprint("stream", "Live updates")

log = logger("live")

# A stream ends after this long; browsers connect again.
LONGEST_S = 1800
# Changes are stamped before they are committed: what is resumed overlaps by this much.
OVERLAP = timedelta(seconds=10)
OLDEST_RESUMED = timedelta(hours=1)
MOST_RESUMED = 200
_dump = StatusOut().dump


class StreamQuery(Strict):
    lab = Slug()
    last_event_id = fields.String(data_key="last-event-id")


@blueprint.get("/stream")
@blueprint.arguments(StreamQuery, location="query")
@blueprint.response(200, {"type": "string"}, content_type="text/event-stream")
def get_stream(query: dict[str, Any]) -> Response:
    """Server-Sent Events: `status` (a machine's status with its slug), `booking` (id, machine, state).

    Begins with the status of every machine; with Last-Event-ID also with the bookings that changed since.
    A comment every few seconds keeps the line open. It ends when the session or token does, and when the
    member's rights change.
    """
    actor = current_actor()
    lab_id = the_lab(query["lab"]).id if "lab" in query else None
    hub: Hub = current_app.extensions["fablab.live"]
    # Join first and read then: what changes in between is told twice rather than never.
    viewer = hub.join(actor.member_id, lab_id)
    try:
        last = _number(request.headers.get("Last-Event-ID") or query.get("last_event_id"))
        first = [*_present(query.get("lab")), *_missed(last, lab_id)]
    except BaseException:
        hub.leave(viewer)
        raise
    db.session.remove()
    engine, same = db.engine, still_the_same(actor)

    def may_stay() -> bool:
        try:
            with Session(engine) as own:
                return same(own)
        except SQLAlchemyError as error:
            # Without the database there is nothing to tell either; the next heartbeat asks again.
            log.warning("viewer_not_checked", trouble=str(error).splitlines()[0])
            return True

    heartbeat_s = settings().web.stream_heartbeat_s
    answer = Response(_stream(hub, viewer, actor, first, heartbeat_s, may_stay), mimetype="text/event-stream")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"  # a proxy must not collect events before passing them on
    answer.call_on_close(lambda: hub.leave(viewer))
    return answer


def _stream(
    hub: Hub,
    viewer: Viewer,
    actor: Actor,
    first: Iterable[Event],
    heartbeat_s: float,
    may_stay: Callable[[], bool],
) -> Iterator[str]:
    """Events as they come, and at each heartbeat a look whether the viewer may still watch."""
    ends_at = time.monotonic() + LONGEST_S
    try:
        yield "retry: 2000\n\n"
        for event in first:
            yield _text(event, actor)
        due_at = time.monotonic() + heartbeat_s
        while not viewer.lost and time.monotonic() < ends_at:
            try:
                found = viewer.events.get(timeout=max(0.0, due_at - time.monotonic()))
            except queue.Empty:
                yield ": still here\n\n"
            else:
                yield _text(found, actor)
            if time.monotonic() >= due_at:
                if not may_stay():
                    return
                due_at = time.monotonic() + heartbeat_s
    finally:
        hub.leave(viewer)


def _present(lab: str | None) -> list[Event]:
    """The status of every machine that has one. Two statements."""
    zones = {machine.id: machine.zone for machine in machines(session(), lab=lab)}
    now = utc_now()
    found = statuses(session(), sorted(zones), now, settings())
    return [Event(number_at(now), "status", view.lab_id, zones[view.machine_id], view) for view in found]


def _missed(last: int | None, lab_id: int | None) -> list[Event]:
    """Bookings that changed after the event with this number, in their present state. Two statements."""
    if last is None:
        return []
    now = utc_now()
    # Numbers before instants: callers may send one that no calendar holds.
    number = min(max(last, number_at(now - OLDEST_RESUMED)), number_at(now))
    since = datetime.fromtimestamp(number / 1000, UTC) - OVERLAP
    ids = {change.booking_id for change in changes_since(session(), since, MOST_RESUMED)}
    found = bookings(session(), ids=ids, lab_id=lab_id) if ids else []
    return [Event(number_at(now), "booking", each.lab_id, each.zone, each) for each in found]


def _text(event: Event, actor: Actor) -> str:
    """One event as it goes over the line, with what this viewer may know."""
    body = (
        _status(event.view, event.zone, actor)
        if isinstance(event.view, StatusView)
        else _booking(event.view, actor)
    )
    return f"id: {event.number}\nevent: {event.kind}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"


def _status(view: StatusView, zone: str, actor: Actor) -> dict[str, Any]:
    values = status_values(view, zone, full=may_see_whose(actor, view.booking_member_id, view.lab_id))
    return {"machine": view.machine_slug, "lab": view.lab_slug, **_dump(values)}


def _booking(view: BookingView, actor: Actor) -> dict[str, Any]:
    known = may_see_whose(actor, view.member_id, view.lab_id)
    return {
        "id": view.id if known else None,
        "machine": view.machine_slug,
        "lab": view.lab_slug,
        "state": view.state,
        "starts_at": view.starts_at.isoformat(),
        "ends_at": view.ends_at.isoformat(),
        "mine": view.member_id == actor.member_id,
    }


def _number(text: str | None) -> int | None:
    """The number in a Last-Event-ID; whatever is no number of ours is no reason to refuse the stream."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 15 else None
