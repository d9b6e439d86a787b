"""The network's own words: read once, checked with one clear line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fablab.mail.texts import LANGUAGES
from fablab.organisations.catalogue import catalogue
from fablab.organisations.models import KINDS
from fablab.organisations.rules import slug_of
from fablab.settings import ROOT, SettingsError

ENTRY = 'slug = "design"\nfr = "Design"\nar = "التصميم"\nen = "Design"\n'
ALL_KINDS = f"kinds = {list(KINDS)}\n".replace("'", '"')
GOOD = f"[[filiere]]\n{ENTRY}\n[[programme]]\n{ENTRY}\n[[tariff_category]]\n{ENTRY}{ALL_KINDS}"


def test_ours_has_the_thirteen_creative_industries_in_three_languages() -> None:
    words = catalogue()
    assert list(words.filieres) == [
        "advertising",
        "architecture",
        "art-and-antiques",
        "crafts",
        "design",
        "fashion",
        "film-and-video",
        "video-games",
        "music",
        "performing-arts",
        "publishing",
        "software",
        "television-and-radio",
    ]
    for entries in (words.filieres, words.programmes, words.tariff_categories):
        for each in entries.values():
            assert set(each.names) == set(LANGUAGES)
            assert any("\u0600" <= letter <= "\u06ff" for letter in each.names["ar"]), each.slug
    assert {kind: words.category_for(kind) for kind in KINDS} == {
        "school_club": "school",
        "startup": "startup",
        "company": "company",
        "university": "university",
        "association": "association",
        "individual": "individual",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs at least one [[filiere]]"),
        ("filiere = 3", "needs at least one [[filiere]]"),
        ("[[filiere\n", "is not valid TOML"),
        (GOOD + "[[colour]]\n", "there is no section colour"),
        (GOOD.replace('fr = "Design"\n', "", 1), "[[filiere]] number 1 (design): fr must be a name"),
        (GOOD.replace('fr = "Design"', "fr = 3", 1), "fr must be a name of 1 to 120"),
        (GOOD.replace('"design"', '"De sign"', 1), "[[filiere]] number 1: slug must be small letters"),
        (GOOD.replace("slug", 'colour = "red"\nslug', 1), "(design): there is no 'colour'"),
        (f"[[filiere]]\n{ENTRY}{GOOD}", "[[filiere]] design stands there twice"),
        (GOOD.replace('"startup", ', ""), "the kind startup must stand in the kinds of exactly one"),
        (GOOD + f"[[tariff_category]]\n{ENTRY}{ALL_KINDS}".replace('"design"', '"two"'), "not in 2"),
        (GOOD.replace('"startup"', '"king"'), "kinds may hold school_club"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "network.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        catalogue(str(path))
    assert str(path) in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_another_file_may_be_named_and_a_missing_one_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert list(catalogue(str(path)).filieres) == ["design"]
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "db", "upgrade"],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "FABLAB_SECRET_KEY": "0" * 40,
            "FABLAB_NETWORK__CATALOGUE": "/nowhere/network.toml",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: /nowhere/network.toml: cannot be read: No such file or directory"


def test_a_slug_that_is_gone_stands_for_itself() -> None:
    words = catalogue()
    assert words.name(words.filieres, "crafts", "ar") == "الصناعة التقليدية"
    assert words.name(words.filieres, "gone", "ar") == "gone"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Été à Fès!", "ete-a-fes"),
        ("  --A  b-- ", "a-b"),
        ("نادي", "organisation"),
        ("New", "organisation"),
        ("new!", "organisation"),
        ("x" * 120, "x" * 50),
        (f"{'x' * 49} y", "x" * 49),
    ],
)
def test_a_slug_is_made_of_latin_letters_and_digits(name: str, slug: str) -> None:
    assert slug_of(name) == slug
