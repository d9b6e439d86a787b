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


def test_a_key_is_promised_where_it_is_kept_and_nowhere_else(app: Flask) -> None:
    """An erased account's token is no longer valid, so nobody could send that once more.

    A file may be sent again as it is: what it brought before is there and stays as it is.
    """
    document = app.test_client().get("/api/v1/openapi.json").json
    promised = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if isinstance(operation, dict)
        and {"$ref": "#/components/parameters/IdempotencyKey"} in operation.get("parameters", ())
    }
    assert {"/api/v1/bookings", "/api/v1/organisations/{organisation}/invitations"} <= promised
    assert "/api/v1/me/erasure" not in promised
    posts = {path for path, operations in document["paths"].items() if "post" in operations}
    assert posts - promised == {"/api/v1/me/erasure", "/api/v1/imports/{what}"}


def test_a_person_has_one_shape(app: Flask) -> None:
    """Whoever is named in an answer is {"id", "name"}; so no answer has a number beside a name."""
    shapes = app.test_client().get("/api/v1/openapi.json").json["components"]["schemas"]
    assert set(shapes["PersonOut"]["properties"]) == {"id", "name"}
    who = {"member", "trainer", "by", "created_by", "invited_by", "recorded_by", "actor"}
    answers = {name: shape["properties"] for name, shape in shapes.items() if name.endswith("Out")}
    for name, fields in answers.items():
        assert "member_id" not in fields, name
        for field in who & fields.keys():
            assert set(references(fields[field])) == {"#/components/schemas/PersonOut"}, (name, field)


def test_taking_away_answers_with_nothing(app: Flask) -> None:
    paths = app.test_client().get("/api/v1/openapi.json").json["paths"]
    taking = {path: operations["delete"] for path, operations in paths.items() if "delete" in operations}
    assert len(taking) > 10
    for path, operation in taking.items():
        assert [status for status in operation["responses"] if status < "300"] == ["204"], path
