"""The second step of signing in, and the pages on which one sets it up, renews and removes it."""

from __future__ import annotations

import segno
from flask import abort, flash, redirect, render_template, request, url_for
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.members.queries import member_by_id
from fablab.members.rules import Actor, is_staff
from fablab.signin import authenticator, passkeys, providers, recovery, second_factor
from fablab.web import auth, half_way, proof
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.destination import destination
from fablab.web.pages.forms import Errors
from fablab.web.providers import providers as providers_in_use
from fablab.web.settings import base_url, settings

WRONG_CODE = "That code is not right, or was used already. Wait for the next one and try again."
WRONG_RECOVERY_CODE = "That is not one of your recovery codes, or it was used already."


@blueprint.get("/sign-in/second-step", endpoint="second_factor")
@auth.public
def second_factor_step() -> Response | str:
    """The form for a code; back to the door when nobody has come through its first half."""
    if half_way.current() is None:
        return redirect(url_for("pages.sign_in"))
    return _step_page({})


@blueprint.post("/sign-in/second-step")
@auth.public
def second_factor_given() -> Response | tuple[str, int]:
    """Check the code; each works once, and guessing is limited by account and by address."""
    half = half_way.current()
    if half is None:
        flash("That took more than ten minutes. Please sign in again.", "info")
        return redirect(url_for("pages.sign_in"), 303)
    if not proof.code_is_right(half.member_id, request.form.get("code", "")):
        wrong = WRONG_RECOVERY_CODE if "recovery" in request.args else WRONG_CODE
        return _step_page({"code": [wrong]}), 422
    auth.sign_in(half.member_id, half.method, second_factor=True, remember=half.remember)
    return redirect(destination(half.destination), 303)


@blueprint.get("/account/security/authenticator", endpoint="authenticator")
def authenticator_page() -> str:
    """Set up an authenticator app: why, then the picture to scan, then what one has."""
    return _authenticator_page({})


@blueprint.post("/account/security/authenticator")
def authenticator_begun() -> Response:
    """A new secret, to be put into an app and confirmed by its first code."""
    if question := proof.first(url_for("pages.authenticator")):
        return question
    actor = auth.current_actor()
    with writing() as session:
        authenticator.begin(session, actor, proof.key(), utc_now())
    return redirect(url_for("pages.authenticator"), 303)


@blueprint.post("/account/security/authenticator/confirmation")
def authenticator_confirmed() -> Response | str | tuple[str, int]:
    """Take the first code; the answer shows the recovery codes, this once."""
    if question := proof.first(url_for("pages.authenticator")):
        return question
    actor, present = auth.current_actor(), auth.current_session()
    with writing() as session:
        again = authenticator.confirmed(session, actor.member_id)
    if again:
        return _shown_already("Your app is on. ")
    with writing() as session:
        codes = second_factor.confirm(
            session,
            actor,
            proof.key(),
            request.form.get("code", ""),
            utc_now(),
            session_id=present.session_id if present else None,
        )
    if codes is None:
        return _authenticator_page({"code": ["That code is not right. Type the one the app shows now."]}), 422
    return render_template("recovery_codes.html", codes=codes, fresh=True, errors={}, left=len(codes))


@blueprint.get("/account/security/authenticator/removal")
def authenticator_removal() -> str:
    return _removal_page({})


@blueprint.post("/account/security/authenticator/removal")
def authenticator_removed() -> Response | tuple[str, int]:
    """Take the app away, for whoever proves to be its owner."""
    actor = auth.current_actor()
    if not proof.is_really(actor, request.form.get("proof", "")):
        return _removal_page({"proof": [proof.WRONG]}), 422
    with writing() as session:
        second_factor.remove_own(session, actor, utc_now())
    flash("Your authenticator app is no longer asked for.", "good")
    return redirect(url_for("pages.security"), 303)


@blueprint.get("/account/security/recovery-codes")
def recovery_codes() -> str:
    """How many are left, and the way to new ones."""
    return _codes_page({})


@blueprint.post("/account/security/recovery-codes")
def recovery_codes_renewed() -> Response | str | tuple[str, int]:
    """Ten new codes, shown this once, for whoever proves to be the owner."""
    session, actor = reading()
    edition = recovery.edition(session, actor.member_id)
    if request.form.get("edition", str(edition)) != str(edition):
        return _shown_already()
    if not proof.is_really(actor, request.form.get("proof", "")):
        return _codes_page({"proof": [proof.WRONG]}), 422
    with writing() as session:
        codes = second_factor.renew_codes(session, actor, utc_now())
    return render_template("recovery_codes.html", codes=codes, fresh=False, errors={}, left=len(codes))


def for_security_page(session: Session, actor: Actor) -> dict[str, object]:
    """What parts/security_factors.html shows: app, recovery codes, passkeys, accounts elsewhere."""
    in_use = providers_in_use()
    identities = providers.identities_of(session, actor.member_id)
    linked = {each.provider for each in identities}
    return {
        "factors": {
            "authenticator": authenticator.authenticator_of(session, actor.member_id),
            "codes_left": recovery.left(session, actor.member_id),
            "passkeys": passkeys.passkeys_of(session, actor.member_id),
            "passkeys_offered": passkeys.place_of(base_url()) is not None,
            "identities": [
                (each, in_use[each.provider].title if each.provider in in_use else each.provider)
                for each in identities
            ],
            "linkable": [each for each in in_use.values() if each.name not in linked],
            "nudge": is_staff(actor),
        }
    }


def _step_page(errors: Errors) -> str:
    return render_template("second_factor.html", errors=errors, by_recovery="recovery" in request.args)


def _authenticator_page(errors: Errors) -> str:
    session, actor = reading()
    found = authenticator.authenticator_of(session, actor.member_id)
    secret = authenticator.pending_secret(session, actor, proof.key())
    member = member_by_id(session, actor.member_id)
    picture = None
    if secret is not None and member is not None:
        address = authenticator.address_of(secret, member.email, passkeys.SERVICE_NAME)
        drawing = segno.make(address, error="m").svg_inline(
            omitsize=True, border=3, light="#fff", svgclass="qr", lineclass=None
        )
        picture = Markup(drawing)  # noqa: S704  (drawn here, from bits)
    present = auth.current_session()
    return render_template(
        "authenticator.html",
        found=found,
        secret=secret and " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        picture=picture,
        due=second_factor.enrolment_due(
            actor, settings().signin.staff_second_factor, present is None or present.second_factor
        ),
        codes_left=recovery.left(session, actor.member_id),
        errors=errors,
    )


def _removal_page(errors: Errors) -> str:
    session, actor = reading()
    if not second_factor.required(session, actor.member_id):
        abort(404)
    return render_template(
        "sure.html",
        title="Remove the authenticator app?",
        quiet="From then on your password alone signs you in. Your recovery codes stop working too.",
        proof="Your password, or a code from the app",
        action=url_for("pages.authenticator_removed"),
        button="Remove it",
        picture="trash",
        back=url_for("pages.authenticator"),
        keep="Keep it",
        errors=errors,
    )


def _codes_page(errors: Errors) -> str:
    session, actor = reading()
    if not second_factor.required(session, actor.member_id):
        abort(404)
    return render_template(
        "recovery_codes.html",
        codes=None,
        errors=errors,
        left=recovery.left(session, actor.member_id),
        edition=recovery.edition(session, actor.member_id),
    )


def _shown_already(first: str = "") -> Response:
    """The page with new codes was loaded anew, which sends its form again: they stay, and stay hidden."""
    flash(f"{first}The codes were shown already; if you do not have them, make new ones.", "info")
    return redirect(url_for("pages.recovery_codes"), 303)
