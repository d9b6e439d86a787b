"""Refusals in the network's three languages: each sentence in all of them, with the same gaps, filled in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fablab.bookings.wording import (
    CASE,
    Days,
    gaps,
    in_words,
    length,
    local,
    refusal,
    said,
    sentences,
    span,
)
from fablab.errors import Refusal
from fablab.mail.texts import LANGUAGES
from tests.support.database import PROJECT

HERE = Path(PROJECT, "fablab", "bookings")
ARABIC = {chr(code) for code in range(0x621, 0x64B)}
OPENS, CLOSES = datetime(2026, 2, 6, 9, tzinfo=UTC), datetime(2026, 2, 7, 1, 30, tzinfo=UTC)
# Between a number and what it counts French puts a blank at which no line breaks.
NBSP = "\xa0"


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(HERE.glob("*.py")):
        yield path.name, ast.parse(path.read_text(encoding="utf-8"))


def declared() -> dict[str, str]:
    """Every code a booking can be refused with, and where it is declared."""
    return {
        code: name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "REFUSAL_CODES"
        for code in ast.literal_eval(node.value)
    }


def made() -> Iterator[tuple[str, str, set[str], str | None]]:
    """Every refusal that is made: where, its code, the values given, and its case (None: one of several)."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if name == "wording.py" or not isinstance(node, ast.Call) or ast.unparse(node.func) != "refusal":
                continue
            given = {keyword.arg for keyword in node.keywords if keyword.arg}
            many = any(keyword.arg is None for keyword in node.keywords)
            case = next((keyword.value for keyword in node.keywords if keyword.arg == CASE), None)
            if isinstance(node.args[0], ast.Constant) and not many:
                known = case.value if isinstance(case, ast.Constant) else None if case else ""
                yield f"{name}:{node.lineno}", node.args[0].value, given, known


def test_every_code_has_its_sentences() -> None:
    spoken = {key.partition(".")[0] for key in sentences()}
    silent = {code: where for code, where in declared().items() if code not in spoken}
    assert not silent, f"say in fablab/bookings/words/*.toml what these mean to people: {silent}"


@pytest.mark.parametrize("key", sentences())
def test_a_sentence_stands_in_three_languages_with_the_same_gaps(key: str) -> None:
    words = sentences()[key]
    assert set(words) == set(LANGUAGES)
    assert gaps(words["fr"]) == gaps(words["ar"]) == gaps(words["en"]), key
    assert ARABIC & set(words["ar"]), key
    assert not ARABIC & set(words["fr"] + words["en"]), key
    assert all(each.strip() == each and each.endswith((".", "؟", "?", "!")) for each in words.values()), key


def test_every_refusal_fills_its_gaps() -> None:
    found = sentences()
    for where, code, given, case in made():
        if case is None:
            cases = [key for key in found if key.startswith(f"{code}.")]
            assert any(gaps(found[key]["en"]) <= given for key in cases), f"{where}: {code}"
            continue
        key = f"{code}.{case}" if case else code
        assert key in found, f"{where}: {key} has no sentence"
        assert gaps(found[key]["en"]) <= given, f"{where}: {key} wants {gaps(found[key]['en']) - given}"


def test_a_refusal_is_english_in_code_and_the_callers_language_at_the_edge() -> None:
    no = refusal("too_short", "ends_at", least=timedelta(minutes=90))
    assert no.message == "A booking takes at least 1 hour 30 minutes."
    assert in_words(no, "en") == no.message
    assert in_words(no, "fr") == f"Une réservation dure au moins 1{NBSP}heure 30 minutes."
    assert in_words(no, "ar") == "مدة الحجز ساعة و30 دقيقة على الأقل."


def test_what_the_catalogue_does_not_know_stays_as_it_is() -> None:
    assert in_words(Refusal("invalid", "name", "Must be text."), "fr") == "Must be text."
    assert in_words(Refusal("too_short", "ends_at", "No value was given."), "fr") == "No value was given."


def test_values_are_never_read_for_gaps() -> None:
    no = refusal("unknown_machine", "machine", machine="{machine}")
    assert in_words(no, "fr") == "La machine {machine} n'existe pas."


@pytest.mark.parametrize(
    ("value", "fr", "ar", "en"),
    [
        ("x", "x", "x", "x"),
        (7, "7", "7", "7"),
        (Days(60), "60 jours", "60 يومًا", "60 days"),
        (Days(1), "1 jour", "يوم", "1 day"),
        (Days(2), "2 jours", "يومان", "2 days"),
        (Days(5), "5 jours", "5 أيام", "5 days"),
        (timedelta(hours=2), "2 heures", "ساعتان", "2 hours"),
        (timedelta(hours=11), "11 heures", "11 ساعة", "11 hours"),
        (timedelta(0), "0 minute", "0 دقيقة", "0 minutes"),
        (timedelta(seconds=90), "1 minute 30 secondes", "دقيقة و30 ثانية", "1 minute 30 seconds"),
        (date(2027, 2, 6), "6 février 2027", "6 فبراير 2027", "6 February 2027"),
        (["a", "b"], "a, b", "a، b", "a, b"),
        ({"fr": "un", "ar": "واحد", "en": "one"}, "un", "واحد", "one"),
    ],
)
def test_values_are_said_by_their_type(value: object, fr: str, ar: str, en: str) -> None:
    assert [said(value, language).replace(NBSP, " ") for language in LANGUAGES] == [fr, ar, en]


@pytest.mark.parametrize("value", [True, None, 3.5, object()])
def test_what_has_no_words_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        said(value, "fr")


def test_spans_are_those_of_the_clock_they_carry() -> None:
    night = local(OPENS, CLOSES, "Africa/Casablanca")
    assert night[0].tzinfo == ZoneInfo("Africa/Casablanca")
    assert span(*night, "en") == "2026-02-06 10:00 to 2026-02-07 02:30"
    assert span(*night, "fr") == "du 6 février 2026 à 10:00 au 7 février 2026 à 02:30"
    assert span(OPENS, OPENS + timedelta(hours=1), "fr") == "le 6 février 2026 de 09:00 à 10:00"
    assert said((OPENS, CLOSES), "ar") == "من 6 فبراير 2026 على 09:00 إلى 7 فبراير 2026 على 01:30"
    assert said(OPENS, "fr") == "6 février 2026 à 09:00"


def test_a_length_says_all_there_is() -> None:
    assert length(timedelta(hours=26, minutes=3, seconds=4)) == "26 hours 3 minutes 4 seconds"
