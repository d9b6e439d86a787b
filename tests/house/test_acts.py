"""The audit's words: each act has a sentence, stands under a subject, and is done somewhere."""

import ast
from pathlib import Path

from fablab.members.acts import ACTS, SUBJECTS
from tests.support.database import PROJECT


def spoken() -> set[str]:
    """Every text of the code that has the form of an act."""
    found: set[str] = set()
    for path in Path(PROJECT, "fablab").rglob("*.py"):
        if path.name == "acts.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_act_stands_under_one_subject() -> None:
    things = [thing for _, subject in SUBJECTS.values() for thing in subject]
    assert len(things) == len(set(things))
    assert {act.partition(".")[0] for act in ACTS} == set(things)


def test_no_act_is_only_a_word() -> None:
    texts = spoken()
    for act in ACTS:
        verb = act.partition(".")[2]
        assert act in texts or verb in texts, f"nothing does {act}: take it out of fablab/members/acts.py"
