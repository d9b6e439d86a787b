"""The sample's people: the cast everybody meets in the documentation, and makers who fill the history."""

from __future__ import annotations

from dataclasses import dataclass

# Written in the README for everyone to read: fablab.signin.passwords refuses it as anybody's new password.
PASSWORD = "fablab-demo"  # noqa: S105


@dataclass(frozen=True)
class SampleMember:
    """``home`` is the lab they mostly work in; ``lab`` the one their role is for.

    ``age`` is given under 18 only; ``guardian`` is who agreed.
    """

    email: str
    name: str
    role: str
    home: str
    lab: str | None = None
    age: int | None = None
    guardian: str | None = None


CAST = (
    SampleMember("amina@example.org", "Amina Benali", "maker", "tanger"),
    SampleMember("youssef@example.org", "Youssef El Idrissi", "maker", "tanger"),
    SampleMember("salma@example.org", "Salma Bakkali", "manager", "tanger", "tanger"),
    SampleMember("trainer@example.org", "Imane Rifai", "trainer", "tanger", "tanger"),
    SampleMember("karim@example.org", "Karim Tazi", "manager", "rabat", "rabat"),
    SampleMember("nadia@example.org", "Nadia Cherkaoui", "operator", "casablanca"),
    SampleMember("admin@example.org", "Administration", "admin", "rabat"),
)

_NAMES = {
    "tanger": (
        "Hamza Bouzidi", "Ikram Lahlou", "Othmane Raissouni", "Meryem Haddad", "Anas Temsamani",
        "Chaimae Akhrif", "Reda Bensouda", "Sara Zemmouri", "Ilyas Boukhari",
    ),
    "rabat": (
        "Oumaima Alaoui", "Yassine Sefrioui", "Hajar Benjelloun", "Mehdi Guessous", "Zineb Kabbaj",
        "Ayoub Lamrani", "Kenza Sebti", "Taha Mernissi",
    ),
    "casablanca": (
        "Nizar Filali", "Ghita Berrada", "Walid Chraibi", "Soukaina Naciri", "Amine Bennis",
        "Rim Skalli", "Badr Kettani", "Dounia Slaoui", "Ismail Benkirane", "Lina Fassi",
    ),
    "agadir": (
        "Brahim Ait Lahcen", "Fatima Zahra Oubella", "Hassan Amzil", "Khadija Bouhlal", "Said Ouhadi",
        "Nora Id Brahim",
    ),
    "al-hoceima": (
        "Jamal Azzouzi", "Wafae El Khattabi", "Soufiane Aarab", "Hanane Bouhaddou", "Mounir Chaouki",
        "Samira Ouriaghli", "Adil Boujibar",
    ),
}  # fmt: skip


def _makers() -> tuple[SampleMember, ...]:
    return tuple(
        SampleMember(f"{name.lower().replace(' ', '.')}@example.org", name, "maker", lab)
        for lab, names in _NAMES.items()
        for name in names
    )


MAKERS = _makers()
# Pupils of a club in Tanger: one may book, the other's parents have yet to sign.
MINORS = (
    SampleMember(
        "yasmine.amrani@example.org", "Yasmine Amrani", "maker", "tanger", age=15, guardian="Latifa Amrani"
    ),
    SampleMember("ilyas.benomar@example.org", "Ilyas Benomar", "maker", "tanger", age=14),
)
# Who can sign in: the cast, and one pupil.
LOGINS = (*CAST, MINORS[0])
