"""A certificate as a PDF for its holder, and the public page that says what it is worth today."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from flask import Response, make_response, render_template, request

from fablab.certifications.queries import certification, certification_by_code
from fablab.certifications.rules import may_see_certifications
from fablab.certifications.words import least_name
from fablab.clock import utc_now
from fablab.errors import Code, DomainError, not_found
from fablab.members.directory import member_details
from fablab.web.auth import public
from fablab.web.certificate_pdf import WORDS, Certificate, certificate_pdf
from fablab.web.database import db
from fablab.web.pages.assets import asset_files
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.settings import base_url

_CODE = re.compile(r"[a-z2-7]{20,32}", re.ASCII)


@blueprint.get("/certifications/<id:certification_id>/certificate.pdf")
def certificate_file(certification_id: int) -> Response:
    """The sheet to keep or to pin up, in ?lang= or the holder's language; only of what is valid today."""
    session, actor = reading()
    now = utc_now()
    held = certification(session, certification_id)
    if held is None or not may_see_certifications(actor, held.member_id):
        raise not_found("certification")
    if held.state(now) != "valid":
        raise DomainError(Code.REFUSED, "This certification is not valid today, so there is no certificate.")
    holder = member_details(session, held.member_id)
    assert holder is not None, "a certification has a holder"
    language = request.args.get("lang", "")
    language = language if language in WORDS else holder.language
    sheet = certificate_pdf(
        Certificate(
            name=held.member_name,
            what=held.thing.names[language],
            level=held.level,
            lab=held.lab_names[language],
            granted_on=held.granted_at.astimezone(ZoneInfo(held.zone)).date(),
            expires_on=held.expires_on,
            address=f"{base_url()}/certificates/{held.code}",
            language=language,
        ),
        asset_files("certificate"),
    )
    answer = Response(sheet, content_type="application/pdf")
    name = f"certificate-{held.thing.slug}-{language}.pdf"
    answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/certificates/<code>")
@public
def certificate(code: str) -> Response:
    """What a certificate is worth today, for whoever holds it in hand.

    It shows the given name and an initial: whoever asks has the whole name before them on the sheet.
    """
    found = certification_by_code(db.session(), code) if _CODE.fullmatch(code) else None
    if found is None:
        raise not_found("certificate")
    now = utc_now()
    answer = make_response(
        render_template(
            "certificate.html",
            held=found,
            state=found.state(now),
            name=least_name(found.member_name),
            now=now,
            granted_on=found.granted_at.astimezone(ZoneInfo(found.zone)).date(),
            today=now.astimezone(ZoneInfo(found.zone)).date(),
        )
    )
    # The address is a secret between the holder and whoever is shown the sheet.
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
