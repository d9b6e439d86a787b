"""Where one goes after signing in: a page of ours, whatever somebody wrote into the link."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import url_for

LONGEST = 2000


def destination(wanted: str) -> str:
    """The address asked for when it is a path of ours. Anything that could lead elsewhere leads home."""
    return wanted if is_path_of_ours(wanted) else url_for("pages.home")


def is_path_of_ours(wanted: str) -> bool:
    """Whether every browser takes this for a path on this host.

    Browsers read a backslash as a slash, and drop tabs and line ends wherever they stand.
    """
    if not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > LONGEST:
        return False
    if "\\" in wanted or not wanted.isascii() or not wanted.isprintable():
        return False
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc
