"""Deciding about signing in: how long guessing waits, how long sessions last, what a browser is called."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

# Every code the domain's verbs can refuse with, and what it means.
REFUSAL_CODES = {
    "active": "The account is open already.",
    "address_taken": "Somebody has an account with this address already.",
    "already_set_up": "There is an authenticator app already.",
    "closed_account": "The account is closed.",
    "email_unconfirmed_here": "The account with that address has not confirmed it here.",
    "email_unverified": "The provider has not verified the address.",
    "known": "The passkey is in use already.",
    "last_way_in": "Without it nobody could sign in to the account.",
    "link_over": "The link was used, has run out, or a newer one was sent.",
    "linked_elsewhere": "The provider's account opens somebody else's account here.",
    "no_account": "There is no account with that address, and the labs make new ones.",
    "not_active": "The account is shut already.",
    "not_begun": "There is no new authenticator app to confirm.",
    "not_set_up": "There is no authenticator app.",
    "spent": "The passkey's answer was used already.",
    "too_many": "The account has as many passkeys as one may have.",
    "too_many_tokens": "The member has as many tokens as one may have.",
    "unfit": "The passkey's answer does not belong to this page.",
    "unreadable_answer": "The provider does not say who it is.",
    "unreadable_authenticator": "The authenticator app must be set up anew.",
}
# Somebody who signed in this lately is taken to be the member, and not to have found an open browser.
RECENT = timedelta(minutes=10)


@dataclass(frozen=True)
class Limit:
    """How often something may be tried: ``free`` times at once, then after a delay that doubles each time.

    After ``forget_s`` without a try it begins anew. A success forgets everything (``clears``), or only the
    one try it was: whoever guesses others' passwords must not buy tries with a password of their own.
    """

    free: int
    first_s: int
    longest_s: int
    forget_s: int
    clears: bool = False


DAY_S = 86400
# By the part of a key before the colon. Whole classes share one address, so addresses get more.
LIMITS = {
    "account": Limit(free=5, first_s=2, longest_s=900, forget_s=DAY_S, clears=True),
    "known": Limit(free=5, first_s=2, longest_s=900, forget_s=DAY_S, clears=True),
    "factor": Limit(free=5, first_s=5, longest_s=900, forget_s=DAY_S, clears=True),
    "address": Limit(free=50, first_s=1, longest_s=900, forget_s=6 * 3600),
    "token": Limit(free=20, first_s=1, longest_s=900, forget_s=3600),
    "mail": Limit(free=3, first_s=300, longest_s=6 * 3600, forget_s=DAY_S),
    "invitation": Limit(free=3, first_s=300, longest_s=6 * 3600, forget_s=DAY_S),
    "mails-from": Limit(free=20, first_s=60, longest_s=3600, forget_s=6 * 3600),
}
LONGEST_DOUBLING = 30


def account_key(email: str) -> str:
    """Guesses at one account, whether it exists or not."""
    return f"account:{same_email(email)}"


def known_key(browser: str) -> str:
    """Guesses at one account in a browser that was signed in to it before."""
    return f"known:{browser}"


def factor_key(member_id: int) -> str:
    """Guesses at one member's second factor."""
    return f"factor:{member_id}"


def address_key(address: str | None, kind: str = "address") -> str:
    """Tries from one place: an IPv4 address, or the /64 of an IPv6 one, which is what a household gets.

    ``kind`` is "address" for passwords and codes, "token" for tokens, "mails-from" for asking for mails.
    """
    return f"{kind}:{place(address)}"


def mail_key(email: str) -> str:
    """Links that strangers can make us mail to one address."""
    return f"mail:{same_email(email)}"


def invitation_key(email: str) -> str:
    """Invitations to one address. Counted apart: they must not keep anybody from a new password."""
    return f"invitation:{same_email(email)}"


def same_email(email: str) -> str:
    """The address as one account is looked up by it: without blanks around it, in lower case."""
    return email.strip().lower()


def place(address: str | None) -> str:
    """Where a client sits, as far as it cannot choose among many addresses."""
    text = (address or "").partition("%")[0]
    try:
        found = IPv6Address(text)
    except AddressValueError:
        try:
            return str(IPv4Address(text))
        except AddressValueError:
            return "unknown"
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Network((found, 64), strict=False))


def digest(text: str) -> bytes:
    """SHA-256: what is kept of secrets with 256 random bits, and of keys, which hold people's addresses."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def wait_s(limit: Limit, failures: int, last_at: datetime, now: datetime) -> int:
    """Whole seconds until the next try is due, 0 when it is due now."""
    if failures < limit.free or forgotten(limit, last_at, now):
        return 0
    doubled = limit.first_s * 2 ** min(failures - limit.free, LONGEST_DOUBLING)
    due_at = last_at + timedelta(seconds=min(doubled, limit.longest_s))
    # Who waited for a lock comes with an instant that is older than the try before.
    return max(0, math.ceil((due_at - max(now, last_at)).total_seconds()))


def forgotten(limit: Limit, last_at: datetime, now: datetime) -> bool:
    """Whether the quiet since the last try was long enough to begin anew."""
    return now - last_at >= timedelta(seconds=limit.forget_s)


@dataclass(frozen=True)
class Lengths:
    """How long sessions last, in seconds: altogether, and without being seen; remembered ones longer."""

    session_s: int
    idle_s: int
    remembered_s: int
    remembered_idle_s: int

    def of(self, remember: bool) -> tuple[timedelta, timedelta]:
        """(altogether, unseen) for a session."""
        if remember:
            return timedelta(seconds=self.remembered_s), timedelta(seconds=self.remembered_idle_s)
        return timedelta(seconds=self.session_s), timedelta(seconds=self.idle_s)


# The first that is found wins: Edge and Opera also say Chrome, and Chrome says Safari.
_PROGRAMS: Sequence[tuple[str, str]] = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def is_recent(proven_at: datetime | None, now: datetime) -> bool:
    """Whether a sign-in, or a proof given since, is recent enough to stand in for a password."""
    return proven_at is not None and now - RECENT <= proven_at <= now


def browser_name(user_agent: str) -> str:
    """A short name people recognise: "Firefox on Android". Nothing else of the header is kept."""
    program = next((name for sign, name in _PROGRAMS if sign.lower() in user_agent.lower()), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    if program and system:
        return f"{program} on {system}"
    return program or (f"A browser on {system}" if system else "An unknown browser")
