"""What our mails say: one file for each in templates/, in three languages, and how its gaps are filled.

A text knows gaps like {link} and nothing else: no expressions, no attributes. Whatever fills them is shown as
it is and never read for gaps again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

HERE = Path(__file__).parent
LANGUAGES = ("fr", "ar", "en")
# Where the button leads. It is the only gap that may hold an address.
LINK = "link"
_GAP = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Words:
    """One mail in one language: paragraphs before and after the button (none where there is no link)."""

    subject: str
    text: tuple[str, ...]
    button: str
    after: tuple[str, ...]

    @property
    def gaps(self) -> frozenset[str]:
        """The names of what has to be filled in."""
        found = {name for each in (self.subject, *self.text, *self.after) for name in _GAP.findall(each)}
        return frozenset(found | ({LINK} if self.button else set()))


@dataclass(frozen=True)
class Template:
    """A mail in every language. After ``useful_h`` hours it is not worth sending any more (None: always).

    ``notice`` is the kind of notice it is (`fablab.mail.choices`), which its reader may not want; empty: it
    always goes. A paragraph with one of the ``optional`` gaps is left out where nothing fills it. A paragraph
    that is one of the ``lists`` becomes several lines.
    """

    name: str
    useful_h: int | None
    words: Mapping[str, Words]
    notice: str = ""
    optional: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()

    @property
    def gaps(self) -> frozenset[str]:
        return self.words[LANGUAGES[0]].gaps


@dataclass(frozen=True)
class Frame:
    """What stands around every mail in one language."""

    house: str
    greeting: str
    nameless: str
    closing: str
    team: str
    fallback: str
    foot: str


def names() -> list[str]:
    """Every mail we can send."""
    return sorted(path.stem for path in (HERE / "templates").glob("*.toml"))


@cache
def template(name: str) -> Template:
    """Raises LookupError for a mail that does not exist."""
    path = HERE / "templates" / f"{name}.toml"
    if not re.fullmatch(r"[a-z_]+", name) or not path.is_file():
        raise LookupError(f"there is no mail {name!r}; there are {', '.join(names())}")
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    return Template(
        name,
        read.get("useful_h"),
        {each: _words(read[each]) for each in LANGUAGES},
        read.get("notice", ""),
        frozenset(read.get("optional", ())),
        frozenset(read.get("lists", ())),
    )


@cache
def frame(language: str) -> Frame:
    read = tomllib.loads((HERE / "frame.toml").read_text(encoding="utf-8"))
    return Frame(**read[language])


def lines_of(text: str, filling: Mapping[str, Any]) -> list[str] | None:
    """The lines that a paragraph stands for which is a list; None for any other paragraph."""
    gap = _GAP.fullmatch(text)
    value = filling.get(gap[1]) if gap else None
    return value if isinstance(value, list) else None


def needed(text: str, filling: Mapping[str, Any], optional: frozenset[str]) -> bool:
    """Whether a paragraph says anything: one with an optional gap that is empty does not."""
    return all(filling[gap] for gap in _GAP.findall(text) if gap in optional)


def fill(text: str, filling: Mapping[str, str]) -> str:
    """The text with its gaps filled. Raises KeyError for a gap that nothing fills."""
    return _GAP.sub(lambda gap: filling[gap[1]], text)


def fill_html(text: str, filling: Mapping[str, str]) -> Markup:
    """As `fill`, for HTML: everything escaped, and each filling kept from turning the words around it."""
    parts = _GAP.split(text)
    done = [
        Markup("<bdi>{}</bdi>").format(filling[part]) if at % 2 else escape(part)
        for at, part in enumerate(parts)
    ]
    return Markup("").join(done)


def _words(read: Mapping[str, Any]) -> Words:
    return Words(read["subject"], tuple(read["text"]), read.get("button", ""), tuple(read.get("after", ())))
