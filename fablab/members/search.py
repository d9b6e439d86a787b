"""Finding members by the beginnings of their names and addresses.

What is searched for and what is searched in go through the same ``words``: "Zoë", "zoe" and "ZOE" are one,
and so are the ways an alef is written. Each word of a query matches the beginning of any word of a member.
"""

from __future__ import annotations

import re
import unicodedata

# As long as Member.sought.
LONGEST = 400
MOST_WORDS = 8
# Letters that differ in writing, not in name: alef wasla, the final yeh without dots, the final heh with
# dots; and the dotless i and the strokes that Unicode does not take apart.
_SAME = str.maketrans(
    {
        "\u0671": "\u0627",
        "\u0649": "\u064a",
        "\u0629": "\u0647",
        "\u0640": None,
        "ı": "i",
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
    }
)
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text as they are compared: small letters and digits only, marks taken off."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in apart if not unicodedata.combining(each)).casefold()
    return _WORD.findall(plain.translate(_SAME))


def sought(name: str, email: str) -> str:
    """What a member is found by: the words of name and address, each once, parted by single blanks."""
    found = dict.fromkeys([*words(name), *words(email)])
    text = " ".join(found)
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST + 1].rpartition(" ")[0] or text[:LONGEST]


def query(text: str) -> str:
    """The tsquery for a text: every word of it, or the beginning of one. Empty when it has no word.

    Words hold letters and digits only, so nothing a person types is an operator.
    """
    return " & ".join(f"'{word[:LONGEST]}':*" for word in words(text[:LONGEST])[:MOST_WORDS])
