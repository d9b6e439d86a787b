"""Schemathesis reads the OpenAPI document, asks what it promises as everybody, and judges the answers.

Examples are few and the same in every run; each request is undone. Checks that are left out, and why:

- positive_data_acceptance: what is well formed may still be refused, by rules that no schema knows;
- unsupported_method, missing_required_header, ignored_auth: the permission matrix tells them for every route;
- use_after_free, ensure_resource_availability: need requests that build on one another; ours leave no trace.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode

from tests.web.permissions import PEOPLE, Row, all_rows
from tests.web.permissions.world import USUAL, Asking, filled, undone

# Examples of each operation as the document has them, and as many as it forbids.
EXAMPLES = 4
JUDGES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
OF_WRONG_DATA = ("negative_data_rejection",)


@pytest.fixture(scope="module")
def operations(matrix: Asking) -> list[tuple[Any, Row]]:
    """Every operation of the document, as the application gives it, with its row of the matrix.

    An event stream never ends: it has tests of its own.
    """
    rows = {_operation_of(route): row for route, row in all_rows().items()}
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", matrix.app)
    found = [each.ok() for each in document.get_all_operations() if not each.ok().path.endswith("/stream")]
    assert len(found) > 60
    return [(each, rows[each.method.upper(), each.path]) for each in found]


def _operation_of(route: str) -> tuple[str, str]:
    method, _, rule = route.partition(" ")
    return method, re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule)


def _plain(value: Any) -> int | str:
    return value if isinstance(value, int) else str(value)


@pytest.mark.parametrize("person", PEOPLE)
def test_every_answer_of_the_matrix_is_as_the_document_says(
    matrix: Asking, operations: list[tuple[Any, Row]], person: str
) -> None:
    rules = {_operation_of(route): route for route in all_rows()}
    wrong: list[str] = []
    for operation, row in operations:
        answer = matrix.rest(rules[operation.method.upper(), operation.path], row, person)
        wrong += judged(operation.Case(), Response.from_any(answer), JUDGES)
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def questions(matrix: Asking, operations: list[tuple[Any, Row]]) -> list[tuple[schemathesis.Case, Any]]:
    """Cases that the document allows, some of them of things that exist, and cases that it forbids."""
    found: list[tuple[schemathesis.Case, Any]] = []
    for operation, row in operations:
        there = {name: _plain(value) for name, value in filled({**USUAL, **row.at}, matrix.things).items()}
        for case in examples(operation, GenerationMode.POSITIVE):
            found.append((case, dict(case.path_parameters)))
            if case.path_parameters:
                found.append((case, {name: there[name] for name in case.path_parameters}))
        if operation.body or operation.query:
            found += [(case, case.path_parameters) for case in examples(operation, GenerationMode.NEGATIVE)]
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("person", [None, *PEOPLE])
def test_whatever_is_asked_the_answer_is_as_the_document_says(
    matrix: Asking, questions: list[tuple[schemathesis.Case, Any]], person: str | None
) -> None:
    wrong: list[str] = []
    for case, path_parameters in questions:
        case.path_parameters = path_parameters
        wrong += asked(case, matrix, person)
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def examples(operation: Any, mode: GenerationMode) -> list[schemathesis.Case]:
    """A few cases that the document allows, or forbids; the same ones each time."""
    found: list[schemathesis.Case] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: schemathesis.Case) -> None:
        found.append(case)

    collect()
    return found


def asked(case: schemathesis.Case, matrix: Asking, person: str | None) -> list[str]:
    with undone(matrix.app):
        answer = case.call(headers=matrix.credentials(person))
    wrong_data = case.meta is not None and case.meta.generation.mode is GenerationMode.NEGATIVE
    return judged(case, answer, (*JUDGES, *OF_WRONG_DATA) if wrong_data else JUDGES)


def judged(case: schemathesis.Case, answer: Response, judges: tuple[str, ...]) -> list[str]:
    """What is wrong with an answer, in words."""
    load_all_checks()
    try:
        case.validate_response(answer, checks=[CHECKS.get_one(name) for name in judges])
    except FailureGroup as group:
        failures = [each for each in group.exceptions if isinstance(each, Failure)]
        request = answer.request
        return [
            f"{case.operation.label} {answer.status_code}: {each.title}: {each.message}\n"
            f"    {request.url} {request.body!r:.300}\n    {answer.text:.200}"
            for each in failures
        ]
    return []
