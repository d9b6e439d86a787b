"""How the pages speak of organisations, and what several of their views need."""

from __future__ import annotations

from collections.abc import Mapping

from fablab.organisations.catalogue import Entry
from fablab.web.catalogue import network_words
from fablab.web.pages.blueprint import blueprint

LANGUAGE = "en"
KINDS = {
    "school_club": "School or club",
    "university": "University",
    "association": "Association",
    "startup": "Start-up",
    "company": "Company",
    "individual": "One person",
}


@blueprint.app_template_filter("organisation_kind")
def organisation_kind(kind: str) -> str:
    return KINDS.get(kind, kind)


@blueprint.app_template_filter("filiere")
def filiere(slug: str) -> str:
    """A creative field as the network calls it; a slug that is gone from its list stands for itself."""
    found = network_words()
    return found.name(found.filieres, slug, LANGUAGE)


@blueprint.app_template_filter("programme")
def programme(slug: str) -> str:
    found = network_words()
    return found.name(found.programmes, slug, LANGUAGE)


@blueprint.app_template_filter("tariff_category")
def tariff_category(slug: str) -> str:
    found = network_words()
    return found.name(found.tariff_categories, slug, LANGUAGE)


def choices(entries: Mapping[str, Entry], chosen: str = "") -> list[tuple[str, str]]:
    """Slugs and names for a select; what is chosen stays choosable, though gone from the list."""
    found = [(each.slug, each.names[LANGUAGE]) for each in entries.values()]
    return found if not chosen or chosen in entries else [*found, (chosen, chosen)]
