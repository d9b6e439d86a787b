"""A person at the pages without any script: gets, and posts forms with the token that stood in them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.fixtures_cast import PASSWORD

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Reader:
    """One browser with its cookies."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self._token = ""

    def get(self, address: str, **more: object) -> TestResponse:
        answer = self.client.get(address, **more)  # type: ignore[arg-type]
        if found := _TOKEN.search(answer.text):
            self._token = found[1]
        return answer

    def post(self, address: str, **fields: str) -> TestResponse:
        """Send a form as the page just read would."""
        return self.client.post(address, data={"csrf_token": self._token, **fields})

    def rest(self, method: str, path: str, json: object = None, **headers: str) -> TestResponse:
        """Ask REST as a page's script would: with the session and the page's token."""
        headers = {"X-CSRFToken": self._token, **headers}
        return self.client.open(f"/api/v1{path}", method=method, json=json, headers=headers)

    def sign_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        self.get("/sign-in")
        return self.post("/sign-in", email=f"{name}@example.org", password=password)


Visit = Callable[[str], Reader]


@pytest.fixture
def visit(app: Flask) -> Visit:
    """`visit("amina")`: a browser in which Amina has signed in."""

    def signed_in(name: str) -> Reader:
        reader = Reader(app)
        assert reader.sign_in(name).status_code == 303
        return reader

    return signed_in


def words(answer: TestResponse) -> str:
    """What a page says, without its tags; blanks are single."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
