"""The OpenAPI document keeps its own promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask


def references(part: Any) -> Iterator[str]:
    """Every $ref in the document."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_whatever_it_refers_to_is_in_it(app: Flask) -> None:
    document = app.test_client().get("/api/v1/openapi.json").json
    named = set(references(document))
    assert "#/components/schemas/Problem" in named
    for reference in named:
        part = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in part, f"{reference} is nowhere"
            part = part[step]
