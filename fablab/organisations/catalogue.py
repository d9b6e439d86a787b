"""The network's own words, from config/network.toml: creative fields, programmes, tariff categories."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fablab.mail.texts import LANGUAGES
from fablab.organisations.models import KINDS
from fablab.settings import ROOT, SettingsError

DEFAULT = ROOT / "config" / "network.toml"
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SECTIONS = ("filiere", "programme", "tariff_category")


@dataclass(frozen=True)
class Entry:
    """A slug with its name in each language. ``kinds`` of organisation begin in this tariff category."""

    slug: str
    names: Mapping[str, str]
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Everything in the file, by slug, in the file's order."""

    filieres: Mapping[str, Entry]
    programmes: Mapping[str, Entry]
    tariff_categories: Mapping[str, Entry]

    def category_for(self, kind: str) -> str:
        """The tariff category in which organisations of this kind begin."""
        return next(each.slug for each in self.tariff_categories.values() if kind in each.kinds)

    @staticmethod
    def name(entries: Mapping[str, Entry], slug: str, language: str) -> str:
        """What people read. A slug that is gone from the file stands for itself."""
        found = entries.get(slug)
        return slug if found is None else found.names[language]


@lru_cache(maxsize=8)
def catalogue(path: str = "") -> Catalogue:
    """The catalogue in this file (empty: config/network.toml), read once in a process.

    Raises SettingsError with one line that names the file and the entry.
    """
    place = Path(path) if path else DEFAULT
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{place}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{place}: is not valid TOML: {error}") from error
    for name in content:
        if name not in _SECTIONS:
            raise SettingsError(f"{place}: there is no section {name}; it knows {', '.join(_SECTIONS)}")
    found = Catalogue(*(_entries(place, section, content.get(section)) for section in _SECTIONS))
    for kind in KINDS:
        begins = [each.slug for each in found.tariff_categories.values() if kind in each.kinds]
        if len(begins) != 1:
            raise SettingsError(
                f"{place}: the kind {kind} must stand in the kinds of exactly one tariff_category,"
                f" not in {len(begins)}"
            )
    return found


def _entries(place: Path, section: str, listed: Any) -> dict[str, Entry]:
    if not isinstance(listed, list) or not listed or not all(isinstance(each, dict) for each in listed):
        raise SettingsError(f"{place}: needs at least one [[{section}]]")
    entries: dict[str, Entry] = {}
    for number, each in enumerate(listed, start=1):
        entry = _entry(f"{place}: [[{section}]] number {number}", section, each)
        if entry.slug in entries:
            raise SettingsError(f"{place}: [[{section}]] {entry.slug} stands there twice")
        entries[entry.slug] = entry
    return entries


def _entry(where: str, section: str, raw: dict[str, Any]) -> Entry:
    slug = raw.get("slug")
    if not isinstance(slug, str) or len(slug) > 60 or not _SLUG.fullmatch(slug):
        raise SettingsError(f"{where}: slug must be small letters, digits and dashes, at most 60")
    known = {"slug", *LANGUAGES} | ({"kinds"} if section == "tariff_category" else set())
    for key in raw:
        if key not in known:
            raise SettingsError(f"{where} ({slug}): there is no {key!r}; it takes {', '.join(sorted(known))}")
    for language in LANGUAGES:
        name = raw.get(language)
        if not isinstance(name, str) or not 1 <= len(name.strip()) <= 120:
            raise SettingsError(f"{where} ({slug}): {language} must be a name of 1 to 120 characters")
    kinds = raw.get("kinds", [])
    if not isinstance(kinds, list) or any(kind not in KINDS for kind in kinds):
        raise SettingsError(f"{where} ({slug}): kinds may hold {', '.join(KINDS)}")
    return Entry(slug, {language: raw[language].strip() for language in LANGUAGES}, tuple(kinds))
