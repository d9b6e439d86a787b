"""Guessing: counted before it is answered, by account and by place, over all web workers together."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import accumulate, count, takewhile
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.signin import limits
from fablab.signin.models import Guess
from fablab.signin.rules import LIMITS, account_key, address_key, digest
from tests.fixtures_cast import PASSWORD, Apis, Cast
from tests.support.clients import at_once
from tests.support.web import serving

ACCOUNT, PLACE = account_key("amina@example.org"), address_key("192.0.2.7")
FREE = LIMITS["account"].free
MANY = 24
PROBLEM = "application/problem+json"


def refused_s(work: Callable[[], None]) -> int:
    """How many seconds one is told to wait."""
    with pytest.raises(DomainError) as refused:
        work()
    assert refused.value.code is Code.TOO_MANY
    assert refused.value.retry_after_s
    return refused.value.retry_after_s


def test_after_the_free_tries_one_waits_longer_and_longer(session: Session) -> None:
    now = utc_now()
    for _ in range(FREE):
        limits.attempt(session, [ACCOUNT], now)
    waits = []
    for _ in range(12):
        again = partial(limits.attempt, session, [ACCOUNT], now)
        waits.append(refused_s(again))
        # Being refused makes it no longer.
        assert refused_s(again) == waits[-1]
        now += timedelta(seconds=waits[-1])
        limits.attempt(session, [ACCOUNT], now)
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == LIMITS["account"].longest_s


def test_a_success_forgets_the_account_and_one_try_of_the_place(session: Session) -> None:
    now = utc_now()
    for _ in range(4):
        limits.attempt(session, [ACCOUNT, PLACE], now)
    limits.succeeded(session, [ACCOUNT, PLACE])
    session.expire_all()
    assert session.get(Guess, digest(ACCOUNT)) is None
    assert session.get_one(Guess, digest(PLACE)).failures == 3


def test_a_refused_place_counts_nothing_on_the_account(session: Session) -> None:
    now = utc_now()
    for _ in range(LIMITS["address"].free):
        limits.attempt(session, [PLACE], now)
    refused_s(lambda: limits.attempt(session, [ACCOUNT, PLACE], now))
    assert session.scalar(select(Guess.failures).where(Guess.key == digest(ACCOUNT))) == 0


def test_after_a_quiet_time_it_begins_anew(session: Session) -> None:
    now = utc_now()
    for _ in range(FREE):
        limits.attempt(session, [ACCOUNT], now)
    refused_s(lambda: limits.attempt(session, [ACCOUNT], now))
    limits.attempt(session, [ACCOUNT], now + timedelta(seconds=LIMITS["account"].forget_s))
    assert session.get_one(Guess, digest(ACCOUNT)).failures == 1
    assert limits.forget_old(session, now + timedelta(days=1)) == 0
    assert limits.forget_old(session, now + timedelta(days=3)) == 1


def test_no_address_of_anybody_is_kept(session: Session) -> None:
    limits.attempt(session, [ACCOUNT, PLACE], utc_now())
    kept = b"".join(session.scalars(select(Guess.key)))
    assert b"amina" not in kept
    assert b"192.0.2" not in kept


def test_of_many_at_once_no_more_get_through_than_may(sessions: sessionmaker[Session]) -> None:
    now = utc_now()

    def one() -> bool:
        try:
            with transaction(sessions) as session:
                limits.attempt(session, [ACCOUNT, PLACE], now)
        except DomainError:
            return False
        return True

    assert Counter(at_once([one] * 16)) == {True: FREE, False: 16 - FREE}


class Browser:
    """A browser of its own over a real connection, with the form's token."""

    def __init__(self, base_url: str) -> None:
        self._address = urlsplit(base_url)
        status, page, headers = self.ask("GET", "/sign-in", None)
        assert status == 200
        self._cookie = headers["Set-Cookie"].split(";")[0]
        self._token = page.split('name="csrf_token" value="')[1].split('"')[0]

    def ask(self, method: str, path: str, body: str | None, **headers: str):  # type: ignore[no-untyped-def]
        assert self._address.hostname is not None
        connection = http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), dict(answer.getheaders())
        connection.close()
        return found

    def sign_in(self, email: str, password: str):  # type: ignore[no-untyped-def]
        body = urlencode({"email": email, "password": password, "csrf_token": self._token})
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", "/sign-in", body, **{"Cookie": self._cookie, "Content-Type": kind})


def check(answers: list[tuple[int, str, dict[str, str]]], kind: str, wrong: int, took_s: float) -> int:
    """As many were looked at as the limit says for the time it took; all others were told to wait."""
    limit = LIMITS[kind]
    seen = Counter(status for status, _, _ in answers)
    waited = (limit.first_s * 2**n for n in count())
    more = sum(1 for _ in takewhile(lambda so_far: so_far <= took_s, accumulate(waited)))
    assert set(seen) == {wrong, 429}
    assert limit.free <= seen[wrong] <= limit.free + more, (seen, took_s)
    for status, body, headers in answers:
        if status == 429:
            assert 1 <= int(headers["Retry-After"]) <= limit.first_s * 2**more
            assert "tried too often" in body
            assert headers["Content-Type"].startswith("text/html" if kind == "account" else PROBLEM)
    return seen[wrong]


def test_two_web_workers_keep_one_count_of_passwords_and_of_tokens(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Two gunicorn workers, many guesses at the same moment: five are looked at, the others told to wait."""
    with serving(database_url, tmp_path, workers=2) as base_url:
        browsers = [Browser(base_url) for _ in range(MANY)]
        guesses = [
            partial(each.sign_in, "amina@example.org", f"guess {n}") for n, each in enumerate(browsers)
        ]
        began = time.monotonic()
        answers = at_once(guesses)
        looked_at = check(answers, "account", 422, time.monotonic() - began)
        # Another account does not wait.
        status, _, _ = browsers[0].sign_in("youssef@example.org", PASSWORD)
        assert status == 303
        with transaction(sessions) as session:
            failures = session.scalar(select(Guess.failures).where(Guess.key == digest(ACCOUNT)))
            assert failures == looked_at
            # As if the wait were over.
            session.execute(text("UPDATE guess SET last_at = last_at - interval '1 hour'"))
        assert browsers[1].sign_in("amina@example.org", PASSWORD)[0] == 303

        free = LIMITS["token"].free
        bad = [
            partial(browsers[0].ask, "GET", "/api/v1/me", None, Authorization=f"Bearer fab_{n}")
            for n in range(free + 10)
        ]
        began = time.monotonic()
        check(at_once(bad), "token", 401, time.monotonic() - began)
        # Beside the one who guesses sits a program with a good token.
        good = browsers[0].ask("GET", "/api/v1/me", None, Authorization=f"Bearer {api.token('amina')}")
        assert good[0] == 200
