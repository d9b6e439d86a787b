"""The network's own words: creative fields, funding programmes, tariff categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fablab.organisations.catalogue import Entry
from fablab.web.api.base import Blueprint
from fablab.web.catalogue import network_words
from fablab.web.schemas.base import page_of
from fablab.web.schemas.organisations import CategoryOut, EntryOut

blueprint = Blueprint("catalogue", "What the network calls things")
EntryPage = page_of(EntryOut, "EntryPage")


@blueprint.get("/filieres")
@blueprint.response(200, EntryPage)
def list_filieres() -> dict[str, Any]:
    """The creative-industry fields a project may belong to."""
    return _page(network_words().filieres)


@blueprint.get("/programmes")
@blueprint.response(200, EntryPage)
def list_programmes() -> dict[str, Any]:
    """The programmes that may fund a project."""
    return _page(network_words().programmes)


@blueprint.get("/tariff-categories")
@blueprint.response(200, page_of(CategoryOut, "CategoryPage"))
def list_tariff_categories() -> dict[str, Any]:
    """What organisations are charged as, and which kinds of organisation begin in which."""
    return _page(network_words().tariff_categories)


def _page(entries: Mapping[str, Entry]) -> dict[str, Any]:
    return {"items": list(entries.values()), "next": None}
