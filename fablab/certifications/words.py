"""What levels are called in the network's languages, on certificates and in mails."""

from __future__ import annotations

LEVEL_NAMES = {
    1: {"fr": "Niveau 1, bases", "ar": "المستوى 1، الأساسيات", "en": "Level 1, basics"},
    2: {"fr": "Niveau 2, en autonomie", "ar": "المستوى 2، باستقلالية", "en": "Level 2, on one’s own"},
    3: {"fr": "Niveau 3, peut former", "ar": "المستوى 3، مؤهل للتدريب", "en": "Level 3, may teach"},
}


def least_name(name: str) -> str:
    """Enough of a name for whoever stands before the person: "Amina B." of "Amina Benali"."""
    parts = name.split()
    return name.strip() if len(parts) < 2 else f"{parts[0]} {parts[-1][0]}."
