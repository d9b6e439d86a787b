"""What may fill a mail's gaps, and when a mail that did not go is tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

FILLING_MAX = 300
# Lines of a list in a mail; whoever fills one says that there are more.
LINES_MAX = 80
LINK_MAX = 2000
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=2)
# How long a server that was away is left alone, at least and at most.
SHORTEST_REST, LONGEST_REST = timedelta(seconds=15), timedelta(minutes=5)
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
# A page of ours, which gets the service's own address before it when the mail is sent.
_PATH = re.compile(r"/(?!/)[^\s<>\"'\\]*")
# Mail programs make links of these by themselves, wherever they stand: "http://1.2.3.4", "example.org".
_SCHEME = re.compile(r"://+")
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")


@dataclass(frozen=True)
class Patience:
    """How long a mail is tried: until ``give_up_after``, or ``useful`` if it is worth less."""

    give_up_after: timedelta
    useful: timedelta | None

    @property
    def lasts(self) -> timedelta:
        """The age at which it is too late to send it, or to try again."""
        return self.give_up_after if self.useful is None else min(self.give_up_after, self.useful)


def wait(attempts: int) -> timedelta:
    """How long a mail waits after that many attempts: a minute, then twice as long each time."""
    return min(FIRST_WAIT * int(2 ** min(max(attempts - 1, 0), 20)), LONGEST_WAIT)


def rest(waited: timedelta) -> timedelta:
    """How long to leave a server alone for which a mail has waited that long: the longer, the longer."""
    return min(max(waited / 2, SHORTEST_REST), LONGEST_REST)


def plain(value: str) -> str:
    """A filling as it may stand in a mail: one line without control characters, bounded, and no link.

    Names are what strangers typed. A mail of ours must not carry their links to others.
    """
    line = " ".join("".join(each if each.isprintable() else " " for each in value).split())[:FILLING_MAX]
    return _DOT.sub(". ", _SCHEME.sub(": ", line))


def is_link(value: str) -> bool:
    """Whether a button may lead there: an address, or the path of one of our pages."""
    return len(value) <= LINK_MAX and bool(_ADDRESS.fullmatch(value) or _PATH.fullmatch(value))


def absolute(link: str, base_url: str) -> str:
    """The address a link leads to."""
    return base_url.rstrip("/") + link if link.startswith("/") else link


def greetable(name: str) -> str:
    """The name to greet with; empty for what is no name."""
    name = plain(name)
    ordinary = all(each.isalpha() or each in " .'’-" or not each.isascii() for each in name)
    return name if ordinary and len(name) <= 60 else ""
