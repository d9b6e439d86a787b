"""Which of several rules counts, and where people are told it comes from."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.facts import Place, Who
from fablab.bookings.record import Own
from fablab.bookings.rule_names import NAMES, RULES
from fablab.bookings.rule_words import rule_in_words
from fablab.bookings.rulebook import WEIGHTS, Label, Origin, Row, Rulebook
from fablab.mail.texts import LANGUAGES
from tests.fixtures_cast import tomorrow
from tests.support.rules import POLICY

TANGER, RABAT = (Label(n, s, dict.fromkeys(LANGUAGES, s.title())) for n, s in ((1, "tanger"), (2, "rabat")))
LASER, PRINTER = (
    Label(n, s, {"fr": f"{s} (fr)", "ar": f"{s} (ar)", "en": s.title()})
    for n, s in ((3, "laser"), (4, "printer"))
)
ONE, TWO = (Label(n, s, dict.fromkeys(LANGUAGES, s)) for n, s in ((5, "laser-1"), (6, "laser-2")))
CLUB = Label(7, "club", dict.fromkeys(LANGUAGES, "Atlas Club"))
HERE = Place(ONE.id, TANGER.id, LASER.id, setup_s=60)
PUPIL = Who("school", CLUB.id)

places: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda lab, kind: {"lab": lab, "kind": kind},
        st.sampled_from([None, TANGER, RABAT]),
        st.sampled_from([None, LASER, PRINTER]),
    ),
    st.builds(lambda machine: {"machine": machine}, st.sampled_from([ONE, TWO])),
)
scopes = st.builds(
    lambda place, category, organisation: {**place, "category": category, "organisation": organisation},
    places,
    st.sampled_from([None, "school", "company"]),
    st.sampled_from([None, CLUB]),
)


def distinct(found: list[dict[str, Any]]) -> list[Row]:
    """One row for each scope, as the database holds them, each with a value of its own."""
    seen = {tuple(sorted((key, str(value)) for key, value in scope.items())): scope for scope in found}
    return [Row(n, "min_s", 60 * n, **scope) for n, scope in enumerate(seen.values(), start=1)]


rows = st.lists(scopes, max_size=12).map(distinct)
whom = st.sampled_from([Who(), Who("school"), PUPIL, Who("", CLUB.id), Who("company")])
where = st.sampled_from([HERE, Place(TWO.id, TANGER.id, LASER.id), Place(9, RABAT.id, PRINTER.id)])


@given(rows, st.randoms(), where, whom)
def test_the_order_of_rows_makes_no_difference(found: list[Row], random: Any, place: Place, who: Who) -> None:
    mixed = found[:]
    random.shuffle(mixed)
    assert Rulebook(found).ruling(place, who, POLICY) == Rulebook(mixed).ruling(place, who, POLICY)


@given(rows, where, whom)
def test_the_most_specific_row_that_fits_counts_and_is_the_origin(
    found: list[Row], place: Place, who: Who
) -> None:
    ruling = Rulebook(found).ruling(place, who, POLICY)
    fitting = [row for row in found if row.fits(place, who)]
    best = max(fitting, key=lambda row: row.specificity, default=None)
    assert ruling.origin("min_s").row == best
    assert ruling.min_s == (POLICY.min_s if best is None else best.value)


@given(rows, where, whom)
def test_no_two_rows_that_fit_weigh_the_same(found: list[Row], place: Place, who: Who) -> None:
    weights = [row.specificity for row in found if row.fits(place, who)]
    assert len(weights) == len(set(weights))


@given(rows, st.lists(st.tuples(where, whom), min_size=1, max_size=5))
def test_what_is_remembered_is_what_would_be_found_anew(
    found: list[Row], asked: list[tuple[Place, Who]]
) -> None:
    book = Rulebook(found)
    for place, who in [*asked, *asked]:
        assert book.ruling(place, who, POLICY) == Rulebook(found).ruling(place, who, POLICY)


@given(rows, where, whom)
def test_rows_that_name_something_else_make_no_difference(found: list[Row], place: Place, who: Who) -> None:
    near = [row for row in found if row.fits(place, who)]
    assert Rulebook(near).ruling(place, who, POLICY) == Rulebook(found).ruling(place, who, POLICY)


def test_each_narrowing_outweighs_all_that_are_lighter() -> None:
    for lighter, heavier in itertools.pairwise(sorted(WEIGHTS.values())):
        assert sum(weight for weight in WEIGHTS.values() if weight <= lighter) < heavier


def test_a_rule_set_to_zero_or_false_beats_a_general_one() -> None:
    rows = [Row(1, "max_ahead", 3), Row(2, "max_ahead", 0, category="school")]
    assert Rulebook(rows).ruling(HERE, PUPIL, POLICY).max_ahead == 0
    assert Rulebook(rows).ruling(HERE, Who(), POLICY).max_ahead == 3


def test_set_up_is_the_machines_own_unless_a_rule_says_otherwise() -> None:
    ruling = Rulebook().ruling(HERE, PUPIL, POLICY)
    assert (ruling.setup_s, str(ruling.origin("setup_s"))) == (60, "the machine itself")
    ruling = Rulebook([Row(1, "setup_s", 900, kind=LASER)]).ruling(HERE, PUPIL, POLICY)
    assert (ruling.setup_s, str(ruling.origin("setup_s"))) == (900, "Laser everywhere")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, "settings"),
        (Row(1, "min_s", 60), "the whole network"),
        (Row(1, "min_s", 60, lab=TANGER), "lab Tanger"),
        (Row(1, "min_s", 60, lab=TANGER, kind=LASER), "Laser in Tanger"),
        (Row(1, "min_s", 60, machine=ONE), "machine laser-1"),
        (Row(1, "min_s", 60, category="school"), "the whole network, category school"),
        (
            Row(1, "min_s", 60, lab=TANGER, organisation=CLUB),
            "lab Tanger, in the name of Atlas Club",
        ),
    ],
)
def test_people_read_where_a_value_comes_from(row: Row | None, words: str) -> None:
    assert str(Origin(row)) == words
    assert Origin(row).in_words("ar") != words


def test_a_rule_counts_where_it_holds() -> None:
    here = Own(ONE.id, "laser-1", TANGER.id, LASER.id, tomorrow(9), tomorrow(10), organisation_id=CLUB.id)
    assert Origin().covers(here)
    assert Origin(Row(1, "max_ahead", 1, lab=TANGER, category="school")).covers(here)
    assert Origin(Row(1, "max_ahead", 1, organisation=CLUB)).covers(here)
    assert not Origin(Row(1, "max_ahead", 1, lab=RABAT)).covers(here)
    assert not Origin(Row(1, "max_ahead", 1, machine=TWO)).covers(here)


def test_machines_that_a_row_names_are_known() -> None:
    book = Rulebook([Row(1, "min_s", 60, machine=ONE), Row(2, "min_s", 60, lab=TANGER)])
    assert book.machines_with_own == {ONE.id}
    assert book.in_force("min_s", POLICY)
    assert not book.in_force("strikes", POLICY)


def test_every_rule_has_a_default_that_it_would_take() -> None:
    for rule in RULES:
        assert rule.of_machine or rule.fits(getattr(POLICY, rule.name)), rule.name


@pytest.mark.parametrize("value", [None, "3", 3.0, [], {}, -1, 10**30, float("nan")])
@pytest.mark.parametrize("name", NAMES)
def test_a_value_of_another_kind_fits_no_rule(name: str, value: Any) -> None:
    assert not NAMES[name].fits(value)


def test_numbers_are_no_flags_and_flags_no_numbers() -> None:
    assert not NAMES["one_of_kind"].fits(1)
    assert not NAMES["max_ahead"].fits(True)
    assert NAMES["one_of_kind"].fits(False)
    assert NAMES["max_ahead"].fits(0)
    assert not NAMES["min_s"].fits(0)


@pytest.mark.parametrize(
    ("grid_s", "fits"), [(900, True), (0, True), (7200, True), (5400, True), (4200, False), (59, False)]
)
def test_a_grid_divides_the_day(grid_s: int, fits: bool) -> None:
    assert NAMES["grid_s"].fits(grid_s) is fits


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_said_in_every_language(rule: Any, language: str) -> None:
    values = (True, False) if rule.unit == "flag" else (rule.most, rule.least, 0)
    said = [rule_in_words(rule.name, value, language) for value in values]
    assert all(each and "{" not in each for each in said)
    assert rule.title[0].isupper()
    assert rule.about.endswith(".")
