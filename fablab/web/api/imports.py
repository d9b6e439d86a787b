"""Importing CSV files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import request

from fablab.clock import utc_now
from fablab.errors import Refusal, refused
from fablab.imports.reading import Limits
from fablab.imports.rules import WHATS
from fablab.imports.service import Setup, Wish, check_may_import, import_file
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import imports as shape
from fablab.web.settings import base_url, booking_policy, settings

blueprint = Blueprint("imports", "Import from CSV files", body="multipart/form-data")

_FILE = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
                "additionalProperties": False,
            }
        }
    },
}


@blueprint.post(f"/imports/<any({', '.join(WHATS)}):what>")
@writes
@blueprint.arguments(shape.ImportQuery, location="query")
@blueprint.response(200, shape.ImportOut)
@blueprint.doc(requestBody=_FILE)
def post_import(query: dict[str, Any], what: str) -> dict[str, Any]:
    """Import bookings, machines or members from a CSV file, sent as the part `file` of a form.

    UTF-8 or Windows-1252, with commas, semicolons or tabs; the first line names the columns. With `dry_run`
    nothing is stored and every problem listed by line; without, one problem stops the whole file (422, a
    refusal each), unless `per_line` stores the good lines. What is there already stays as it is, so that a
    file may be sent again. Managers import for their lab, administrators everything.
    """
    actor = current_actor()
    check_may_import(actor, what)
    report = import_file(
        session(),
        actor,
        Wish(what, **query),
        _sent(),
        utc_now(),
        Setup(
            booking_policy(),
            base_url(),
            Limits(settings().web.max_body_bytes, settings().imports.lines_by_web),
        ),
    )
    if report.problem_count and not report.dry_run and not report.stored:
        raise refused(
            *(
                replace(each.refusal, field=f"lines.{each.line}.{each.column}".rstrip("."))
                for each in report.problems
            )
        )
    return shape.report_json(report)


def _sent() -> Any:
    found = request.files.get("file")
    if found is None or set(request.form) - {"csrf_token"} or set(request.files) != {"file"}:
        raise refused(
            Refusal("invalid", "file", "Send the file as the part `file` of a form, and nothing else.")
        )
    return found.stream
