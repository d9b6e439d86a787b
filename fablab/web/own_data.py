"""What REST and pages share about one's own data: making sure who asks, and the archive as an answer."""

from __future__ import annotations

from tempfile import TemporaryFile

from flask import Response, current_app, request, send_file
from sqlalchemy import select

from fablab.clock import utc_now
from fablab.data_rights.rules import is_fresh
from fablab.data_rights.service import begin_export, export
from fablab.errors import Code, DomainError, Refusal
from fablab.members.queries import member_by_id
from fablab.members.rules import Actor
from fablab.settings import Settings
from fablab.signin import limits
from fablab.signin.models import SignInSession
from fablab.signin.passwords import right
from fablab.signin.queries import Credentials
from fablab.signin.rules import address_key, factor_key
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


def signed_in_lately() -> bool:
    """Whether this browser's sign-in is so fresh that it needs no password again."""
    here = current_session()
    if here is None:
        return False
    since = db.session().scalar(select(SignInSession.created_at).where(SignInSession.id == here.session_id))
    return is_fresh(since, utc_now())


def make_sure(actor: Actor, password: str | None) -> None:
    """Go on only if it is the member: by password, or by having signed in just now.

    A wrong password counts as a guess, in a transaction of its own. Raises REFUSED and TOO_MANY.
    """
    if not password:
        if signed_in_lately():
            return
        raise _not_sure("Give your password, or sign in again and come back within ten minutes.")
    keys = [factor_key(actor.member_id), address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, utc_now())
        member = member_by_id(session, actor.member_id)
    # Outside of any transaction: a password's hash takes its time.
    if member is None or not right(Credentials(member.id, member.password_hash, member.active), password):
        raise _not_sure("That is not your password.")
    with writing() as session:
        limits.succeeded(session, keys)


def base_url() -> str:
    settings: Settings = current_app.extensions["fablab.settings"]
    return settings.web.base_url


def _not_sure(text: str) -> DomainError:
    return DomainError(Code.REFUSED, text, [Refusal("wrong_password", "password", text)])
