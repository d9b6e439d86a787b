"""How long guessing waits, whose tries count together, what is an address, and what a path of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fablab.members.addresses import email_trouble
from fablab.signin.rules import (
    LIMITS,
    Lengths,
    Limit,
    account_key,
    address_key,
    browser_name,
    invitation_key,
    mail_key,
    place,
    wait_s,
)
from fablab.web.pages.destination import is_path_of_ours

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMIT = Limit(free=3, first_s=2, longest_s=60, forget_s=600)


@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 0), (2, 0), (3, 2), (4, 4), (5, 8), (7, 32), (8, 60), (9, 60), (4000, 60)]
)
def test_the_wait_doubles_up_to_a_bound(failures: int, wait: int) -> None:
    assert wait_s(LIMIT, failures, NOW, NOW) == wait


def test_the_wait_passes_and_after_long_quiet_all_is_forgotten() -> None:
    assert wait_s(LIMIT, 8, NOW, NOW + timedelta(seconds=59, milliseconds=1)) == 1
    assert wait_s(LIMIT, 8, NOW, NOW + timedelta(seconds=60)) == 0
    assert wait_s(LIMIT, 3, NOW, NOW - timedelta(seconds=9)) == 2
    long = Limit(free=3, first_s=2, longest_s=9000, forget_s=600)
    assert wait_s(long, 30, NOW, NOW + timedelta(seconds=599)) > 0
    assert wait_s(long, 30, NOW, NOW + timedelta(seconds=600)) == 0


def test_every_limit_gives_some_tries_and_forgets_later_than_it_waits() -> None:
    for kind, limit in LIMITS.items():
        assert limit.free >= 3, kind
        assert 0 < limit.first_s <= limit.longest_s < limit.forget_s, kind


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_household_has_one_count(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


def test_keys_are_of_their_kind() -> None:
    assert account_key(" Amina@Example.org ") == account_key("amina@example.org")
    assert address_key("192.0.2.7", "token") != address_key("192.0.2.7")
    assert invitation_key("Amina@Example.org ") == invitation_key("amina@example.org")
    assert invitation_key("amina@example.org") != mail_key("amina@example.org")
    assert place(None) == place("nonsense") == "unknown"


def test_a_remembered_session_lasts_longer() -> None:
    lengths = Lengths(10, 5, 1000, 500)
    assert lengths.of(False) == (timedelta(seconds=10), timedelta(seconds=5))
    assert lengths.of(True) == (timedelta(seconds=1000), timedelta(seconds=500))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "Firefox on Android"),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
            "Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
            "Edge on Windows",
        ),
        ("curl/8.5.0", "curl"),
        ("", "An unknown browser"),
        ("<script>alert(1)</script>", "An unknown browser"),
    ],
)
def test_a_browser_has_a_short_name(header: str, name: str) -> None:
    assert browser_name(header) == name


@pytest.mark.parametrize("email", ["a@example.org", "a.b+c@sub.example.org", "fatima-zahra@école.ma"])
def test_addresses(email: str) -> None:
    assert email_trouble(email) is None


@pytest.mark.parametrize(
    "email",
    [
        "",
        "amina",
        "amina@",
        "@example.org",
        "amina@localhost",
        "a b@example.org",
        "a@b@example.org",
        "a@example.org\nBcc: b@example.org",
        "a\0@example.org",
        "a\ud800@example.org",
        "x" * 250 + "@example.org",
        "<a@example.org>",
        "a..b@example.org",
        '"a b"@example.org',
        "a@[192.0.2.7]",
        f"{'x' * 65}@example.org",
    ],
)
def test_no_addresses(email: str) -> None:
    assert email_trouble(email)


@pytest.mark.parametrize("ours", ["/", "/bookings", "/labs/tanger?day=2027-01-31#now", "/a/../b"])
def test_paths_of_ours(ours: str) -> None:
    assert is_path_of_ours(ours)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "",
        "bookings",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\u2028/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "//[evil",
        "/" + "x" * 3000,
        "https:/evil.example",
        "http:evil.example",
        "/\x00/evil",
    ],
)
def test_whatever_a_browser_might_take_for_another_host_is_none_of_ours(elsewhere: str) -> None:
    assert not is_path_of_ours(elsewhere)
