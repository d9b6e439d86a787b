"""The codes of refusals: each is declared beside its domain's rules with a sentence, and given somewhere."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fablab.errors import REFUSAL_CODES as ANYBODYS
from fablab.web.api.docs import REASONS
from tests.support.database import PROJECT

HERE = Path(PROJECT, "fablab")
# What only commands are refused with: a program that asks over REST never meets it.
OF_COMMANDS = {"telemetry", "sample"}
# Makes refusals of codes that others say.
MAKER = "bookings/wording.py"


def trees() -> Iterator[tuple[str, str, ast.AST]]:
    """Every file of a package of ours: the package, the file's place, and what is in it."""
    for path in HERE.rglob("*.py"):
        package, *inside = path.relative_to(HERE).parts
        if inside and "node_modules" not in inside:
            yield package, f"{package}/{'/'.join(inside)}", ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def declared() -> dict[str, dict[str, str]]:
    """By package, the codes in every REFUSAL_CODES of it and their sentences."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for package, place, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "REFUSAL_CODES":
                codes = ast.literal_eval(node.value)
                twice = codes.keys() & found[package].keys()
                assert not twice, f"{place} declares codes that fablab/{package} has already: {twice}"
                found[package] |= codes
    return dict(found)


def given() -> dict[str, dict[str, str]]:
    """By package, the codes that its refusals are made with, and a file where."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for package, place, tree in trees():
        for node in ast.walk(tree):
            if place == MAKER:
                continue
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1].lower() == "refusal":
                codes = texts(node.args[0])
                assert codes, f"{place}:{node.lineno}: say the code of the refusal right there"
                found[package] |= dict.fromkeys(codes, place)
    return found


def test_every_code_that_is_given_is_declared() -> None:
    known = declared()
    for package, codes in given().items():
        for code, place in codes.items():
            assert code in known.get(package, {}) or code in ANYBODYS, (
                f"{place} refuses with {code}: say in REFUSAL_CODES of fablab/{package} what it means"
            )


def test_every_code_that_is_declared_is_given() -> None:
    used = given()
    for package, codes in declared().items():
        for code in codes:
            assert code in used[package], f"nothing refuses with {code}: take it out of fablab/{package}"
    assert set(ANYBODYS) <= {code for codes in used.values() for code in codes}


def test_every_code_has_a_sentence_in_the_document() -> None:
    for package, codes in declared().items():
        if package not in OF_COMMANDS:
            shown = any(codes.items() <= reasons.items() for reasons in REASONS.values())
            assert shown, f"the document leaves out codes of fablab/{package}: see REASONS"
        assert all(said[0].isupper() and said.endswith(".") for said in codes.values())
