"""ETag and If-Match: who changes something says which version of it they saw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import request

HEADER = "If-Match"
# More digits than any version has.
_LONGEST = 18
View = TypeVar("View", bound=Callable[..., Any])


def versioned(view: View) -> View:
    """Mark a view that heeds If-Match; the document says so."""
    view.takes_version = True  # type: ignore[attr-defined]
    return view


def takes_version(view: object) -> bool:
    """Whether a request of this view may say which version it means."""
    return getattr(view, "takes_version", False)


def seen_versions() -> frozenset[int] | None:
    """The versions that If-Match names; None where any will do. What is no version of ours matches none."""
    tags = request.if_match
    if HEADER not in request.headers or tags.star_tag:
        return None
    plain = (tag for tag in tags.as_set() if len(tag) <= _LONGEST and tag.isascii() and tag.isdigit())
    return frozenset(int(tag) for tag in plain)


def etag(version: int) -> dict[str, str]:
    """The header that tells the version of what is shown."""
    return {"ETag": f'"{version}"'}
