"""What every page has at hand: who looks, the database session, the settings, and the words."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.members.rules import Actor, may_book_somewhere, may_read_utilisation_somewhere
from fablab.web import auth
from fablab.web.database import db
from fablab.web.pages import menu, words
from fablab.web.pages.blueprint import blueprint


def reading() -> tuple[Session, Actor]:
    """The request's session and who asks. Raises DomainError (not signed in), which leads to the door."""
    return db.session(), auth.current_actor()


@blueprint.app_context_processor
def _for_templates() -> dict[str, Any]:
    actor = _viewer()
    return {
        "viewer": actor,
        "viewer_books": actor is not None and may_book_somewhere(actor),
        "viewer_roles": "" if actor is None else _roles(actor),
        "viewer_sees_figures": actor is not None and may_read_utilisation_somewhere(actor),
        "account_places": menu.places(menu.ACCOUNT, actor),
        "staff_places": menu.places(menu.STAFF, actor),
        "words": words,
        "utc_now": utc_now,
    }


def _viewer() -> Actor | None:
    """Who looks; nobody when that cannot be found out, because an error page must come even then."""
    try:
        return auth.actor_or_none()
    except SQLAlchemyError:
        return None


def _roles(actor: Actor) -> str:
    held = {
        "Administrator": actor.admin,
        "Network operator": actor.operator,
        "Lab manager": bool(actor.managed_labs),
        "Trainer": bool(actor.trained_labs),
    }
    return ", ".join(name for name, has in held.items() if has) or "Maker"
