"""Webhooks: which addresses are taken, how long is tried, how a receiver knows us."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.outbound import url_trouble
from fablab.webhooks.rules import (
    ATTEMPTS,
    EVENTS,
    body_of,
    is_away,
    is_genuine,
    signature,
    wait,
    webhook_refusals,
)

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.org", "ftp://example.org/", "http://example.org/", "https://", "https:///path"),
        *("https://user:secret@example.org/", "https://example.org/#part", "https://example.org:0/"),
        *("https://example.org:99999/", "https://exa mple.org/", "https://[::1", "https://été.example/"),
        *("https://127.0.0.1/", "https://10.1.2.3/", "https://192.168.1.1/", "https://172.16.0.1/"),
        *("https://169.254.169.254/latest", "https://[::1]/", "https://[fe80::1]/", "https://[fc00::1]/"),
        *("https://0.0.0.0/", "https://100.64.0.1/", "https://224.0.0.1/", "https://[::ffff:10.0.0.1]/"),
        *("https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://255.255.255.255/"),
        "https://example.org/" + "a" * 500,
        "https://example.org/\n",
    ],
)
def test_an_address_that_is_not_taken(url: str) -> None:
    trouble = url_trouble(url)
    assert trouble.endswith(".")
    assert [each.code for each in webhook_refusals(url_trouble(url), ["outage.began"])] == ["bad_address"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org:8443/a?b=c",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
    ],
)
def test_an_address_on_the_internet_is(url: str) -> None:
    assert url_trouble(url) == ""


def test_labs_may_be_allowed_their_own_network() -> None:
    for url in ("http://127.0.0.1:8080/x", "http://screen.local/", "https://10.0.0.7/"):
        assert url_trouble(url, private=True) == ""
    assert url_trouble("file:///etc/passwd", private=True) != ""


def test_events_are_those_there_are() -> None:
    assert [each.code for each in webhook_refusals("", [])] == ["unknown_event"]
    [no] = webhook_refusals("", ["booking.confirmed", "booking.vanished"])
    assert (no.field, "booking.vanished" in no.message) == ("events", True)
    assert webhook_refusals("", EVENTS) == []


def test_it_is_tried_ten_times_within_a_day_and_ever_more_slowly() -> None:
    waits = [wait(n) for n in range(1, ATTEMPTS + 1)]
    assert ATTEMPTS == 10
    assert waits[-1] is None
    pauses = [each for each in waits if each is not None]
    assert pauses == sorted(pauses)
    assert timedelta(hours=12) < sum(pauses, timedelta()) < timedelta(hours=24)


@pytest.mark.parametrize(
    ("status", "away"),
    [(None, True), (500, True), (503, True), (429, True), (408, True), (404, False), (410, False)],
)
def test_who_is_away_is_left_alone_and_who_refuses_one_may_take_another(
    status: int | None, away: bool
) -> None:
    assert is_away(status) is away


def test_the_signature_is_what_the_document_says() -> None:
    body = body_of(7, "outage.began", NOW, {"lab": "tanger", "outage": {"machine": "é"}})
    header = signature("whsec_x", body, NOW)
    stamp, mark = (part.partition("=")[2] for part in header.split(","))
    assert int(stamp) == NOW.timestamp()
    assert mark == hmac.new(b"whsec_x", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert is_genuine("whsec_x", body, header, NOW)
    assert not is_genuine("whsec_y", body, header, NOW)
    assert not is_genuine("whsec_x", body + b" ", header, NOW)
    assert not is_genuine("whsec_x", body, header, NOW + timedelta(minutes=6))
    assert not is_genuine("whsec_x", body, header.replace(stamp, str(int(stamp) + 1)), NOW)


@given(st.text(max_size=80))
def test_no_header_passes_by_accident(header: str) -> None:
    assert not is_genuine("whsec_x", b"{}", header, NOW)


@given(st.text(max_size=80))
def test_whatever_is_typed_is_taken_or_refused_in_a_sentence(url: str) -> None:
    for typed in (url, f"https://{url}", f"https://example.org{url}"):
        trouble = url_trouble(typed)
        assert trouble == "" or trouble.endswith(".")
