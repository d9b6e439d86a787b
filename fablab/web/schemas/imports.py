"""What is asked of an import, and what became of it, as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from fablab.imports.rules import WHATS
from fablab.imports.service import Report
from fablab.web.schemas.base import Strict


class ImportQuery(Strict):
    dry_run = fields.Boolean(
        load_default=False, metadata={"description": "Store nothing; list every problem by line"}
    )
    per_line = fields.Boolean(
        load_default=False, metadata={"description": "Store the good lines; otherwise all or none"}
    )
    override = fields.Boolean(
        load_default=False,
        metadata={"description": "Bookings: go over the rules, as the lab's managers may; it is recorded"},
    )


class ProblemOut(Strict):
    line = fields.Integer(metadata={"description": "Line of the file, the header being 1"})
    column = fields.String(metadata={"description": "Empty for the line as a whole"})
    code = fields.String()
    message = fields.String(metadata={"description": "What is wrong and what to do"})


class ImportOut(Strict):
    what = fields.String(validate=validate.OneOf(WHATS))
    dry_run = fields.Boolean()
    stored = fields.Boolean(metadata={"description": "Whether the added lines are stored now"})
    encoding = fields.String(metadata={"description": "UTF-8 or Windows-1252, as found"})
    separator = fields.String()
    lines = fields.Integer()
    added = fields.Integer(metadata={"description": "Lines that are, or would be, new"})
    there = fields.Integer(metadata={"description": "Lines whose thing was there already and stays as it is"})
    problem_count = fields.Integer()
    problems = fields.List(fields.Nested(ProblemOut), metadata={"description": "The first 1000"})


def report_json(report: Report) -> dict[str, Any]:
    return {name: getattr(report, name) for name in ImportOut().fields}
