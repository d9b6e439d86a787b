"""What REST and pages share about one's own data: the archive as an answer, and links' beginning."""

from __future__ import annotations

from tempfile import TemporaryFile

from flask import Response, request, send_file
from flask_wtf.csrf import CSRFError, validate_csrf
from wtforms import ValidationError

from fablab.clock import utc_now
from fablab.data_rights.service import begin_export, export
from fablab.errors import not_allowed
from fablab.members.rules import Actor
from fablab.web.auth import current_session
from fablab.web.database import db, writing


def archive(actor: Actor) -> Response:
    """Everything held about the actor, as a ZIP to keep. Raises TOO_MANY after a few a day."""
    now = utc_now()
    with writing() as session:
        whom = begin_export(session, actor, actor.member_id, now)
    # On disk: a long history does not have to fit into memory, and nobody waits on a lock meanwhile.
    out = TemporaryFile()  # noqa: SIM115  (it is read while it is sent, and closed by whoever sends it)
    try:
        export(db.session(), whom, now, out)
    except BaseException:
        out.close()
        raise
    finally:
        db.session.rollback()
    size = out.tell()
    out.seek(0)
    name = f"fablab-{whom.id}-{now:%Y-%m-%d}.zip"
    answer = send_file(out, mimetype="application/zip", as_attachment=True, download_name=name)
    answer.content_length = size
    answer.headers["Cache-Control"] = "no-store"
    return answer


def check_taking(actor: Actor) -> None:
    """Before a GET gives the archive: everything in one piece is more than a reading token is for, and a page
    elsewhere that makes a browser ask must not use up the day's exports.

    Raises NOT_ALLOWED, and CSRFError for a browser's request without the page's token in its header.
    """
    if actor.read_only:
        raise not_allowed("A token that may only read cannot take everything along.")
    if current_session() is not None:
        try:
            validate_csrf(request.headers.get("X-CSRFToken"))
        except ValidationError as error:
            raise CSRFError(error.args[0]) from error
