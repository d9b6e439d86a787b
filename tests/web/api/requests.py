"""Every endpoint of the API, read from the running application, with what each needs to be called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.fixtures_cast import tomorrow

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Route:
    """One method on one address pattern."""

    method: str
    rule: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"


def routes(app: Flask) -> list[Route]:
    """Everything below /api/v1 except the document itself."""
    found = [
        Route(method, str(rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if str(rule).startswith(PREFIX) and not str(rule).endswith("openapi.json")
    ]
    return sorted(found, key=str)


def booking_body(**more: Any) -> dict[str, Any]:
    """A booking of tanger-prusa-1 that nothing speaks against."""
    starts = tomorrow(10)
    return {
        "machine": "tanger-prusa-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
        **more,
    }


def names_field(answer: TestResponse, field: str) -> bool:
    """Whether this is a clear refusal of that field."""
    return (
        400 <= answer.status_code < 500
        and answer.content_type == "application/problem+json"
        and any(each["field"].split(".")[0] == field and each["message"] for each in answer.json["refusals"])
    )
