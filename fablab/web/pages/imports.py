"""Importing a file: choose it, see what it would do and what is wrong with it, and only then store it."""

from __future__ import annotations

import io
from typing import IO

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_found
from fablab.imports.reading import Limits
from fablab.imports.rules import WHATS, may_import, may_import_something
from fablab.imports.service import COLUMNS, KEYS, Report, Setup, Wish, import_file
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of
from fablab.web.settings import base_url, booking_policy, settings

TITLES = {"bookings": "Bookings", "machines": "Machines", "members": "Members"}
# The file comes back with the second form as one field, and no field is taken that is larger.
PAGE_BYTES = 400_000
SHOWN_MOST = 200


@blueprint.get("/imports")
def imports() -> str:
    """Choose what and which file."""
    _, actor = reading()
    return _page(_allowed(actor), "", {})


@blueprint.post("/imports")
def import_checked() -> str | tuple[str, int]:
    """What the file would do, line by line; nothing is stored."""
    _, actor = reading()
    allowed = _allowed(actor)
    what = request.form.get("what", "")
    if what not in allowed:
        return _page(allowed, "", {"what": ["Please choose one of the list."]}), 422
    wish = Wish(what, True, override="override" in request.form)
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return _page(allowed, what, {"file": ["Please choose a file."]}), 422
    try:
        report = _take(actor, wish, sent.stream)
    except DomainError as error:
        return _page(allowed, what, _errors(error)), 422
    sent.stream.seek(0)
    encoding = "utf-8-sig" if report.encoding == "UTF-8" else "windows-1252"
    content = sent.stream.read().decode(encoding)
    return _checked(report, wish, content, sent.filename[:120])


@blueprint.post("/imports/<any(bookings, machines, members):what>")
def import_stored(what: str) -> Response | str | tuple[str, int]:
    """Store what was checked: all lines, or with ``per_line`` the good ones."""
    _, actor = reading()
    if what not in _allowed(actor):
        raise not_found("page")
    content = request.form.get("content", "")
    wish = Wish(what, False, "per_line" in request.form, "override" in request.form)
    try:
        report = _take(actor, wish, io.BytesIO(content.encode("utf-8", "replace")))
    except DomainError as error:
        return _page(_allowed(actor), what, _errors(error)), 422
    if not report.stored:
        # Something changed since it was checked.
        return _checked(report, wish, content, ""), 422
    there = f" {report.there} were there already." if report.there else ""
    left = f" Problems left: {report.problem_count}." if report.problem_count else ""
    flash(f"Imported {report.added} of {report.lines} lines.{there}{left}", "good")
    return redirect(url_for("pages.imports"), 303)


def _allowed(actor: Actor) -> list[str]:
    if not may_import_something(actor):
        raise not_found("page")
    return [what for what in WHATS if may_import(actor, what)]


def _take(actor: Actor, wish: Wish, raw: IO[bytes]) -> Report:
    limits = Limits(PAGE_BYTES, settings().imports.lines_by_web)
    with writing() as session:
        return import_file(session, actor, wish, raw, utc_now(), Setup(booking_policy(), base_url(), limits))


def _errors(error: DomainError) -> Errors:
    """Whatever is wrong with the file as a whole stands at the file."""
    return {"file": [text for texts in errors_of(error).values() for text in texts]}


def _page(allowed: list[str], what: str, errors: Errors) -> str:
    return render_template(
        "imports.html",
        allowed=[(each, TITLES[each]) for each in allowed],
        what=what or allowed[0],
        errors=errors,
        columns={each: COLUMNS[each].values() for each in allowed},
        keys=KEYS,
        titles=TITLES,
        limits=settings().imports,
    )


def _checked(report: Report, wish: Wish, content: str, name: str) -> str:
    return render_template(
        "import_checked.html",
        report=report,
        wish=wish,
        content=content,
        name=name,
        title=TITLES[report.what],
        shown=report.problems[:SHOWN_MOST],
        lines_wrong=len({each.line for each in report.problems}),
    )
