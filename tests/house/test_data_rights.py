"""Every table says what of it is personal. A red test here names what nobody has decided yet."""

from __future__ import annotations

from dataclasses import fields

import pytest
from sqlalchemy import JSON, Column, Date, LargeBinary, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

import fablab.models  # noqa: F401  (every table must be known)
from fablab.data_rights.catalogue import CATALOGUE, SHEETS
from fablab.data_rights.declarations import Change, Delete, Nothing, Personal, Unowned
from fablab.data_rights.export import columns
from fablab.data_rights.words import FILES
from fablab.db import Base
from fablab.settings import Retention
from fablab.web.pages.my_data import KEPT

WHERE = "say so in fablab/data_rights (catalogue.py names the files)"
DECLARED = {each.table: each for each in CATALOGUE}
HOLDS_WORDS = (String, Text, JSON, JSONB, LargeBinary, Date, TSVECTOR)


def undecided(tables: dict[str, Table]) -> list[str]:
    """Everything in these tables that the catalogue does not decide, as sentences."""
    found = []
    for name, table in tables.items():
        declared = DECLARED.get(name)
        if declared is None:
            found.append(f"{name}: is anything in this table about a person? Whatever the answer, {WHERE}")
            continue
        links = {column.name for column in table.columns if leads_to_a_member(column)}
        if isinstance(declared, Nothing):
            found += [
                f"{name}.{link} leads to a member, so the table is not impersonal: {WHERE}" for link in links
            ]
            continue
        found += [
            f"{name}.{link}: what does this key mean once the member is erased? {WHERE}, links"
            for link in links - set(declared.links)
            if table.name != "member"
        ]
        if isinstance(declared, Personal):
            found += [
                f"{name}.{column.name}: does the member get it in an export? If not, why? {WHERE}"
                for column in table.columns
                if column.name not in declared.columns
            ]
        found += [
            f"{name}.{column.name}: what does an erasure do to it? {WHERE}, erasure or kept"
            for column in table.columns
            if isinstance(column.type, HOLDS_WORDS) and not goes(declared, column)
        ]
    return sorted(found)


def leads_to_a_member(column: Column[object]) -> bool:
    return any(key.target_fullname == "member.id" for key in column.foreign_keys)


def goes(declared: Personal | Unowned, column: Column[object]) -> bool:
    """Whether an erasure deletes, changes, or with a reason keeps a column; a computed one follows others."""
    whole = any(isinstance(step, Delete) for step in declared.erasure) and isinstance(declared, Personal)
    whole |= declared.table in ("idempotency", "link_request")
    changed = any(isinstance(step, Change) and column.name in step.values for step in declared.erasure)
    return whole or changed or column.name in declared.kept or column.computed is not None


def test_every_table_and_column_is_decided() -> None:
    assert not undecided(dict(Base.metadata.tables))


def test_the_check_finds_what_is_new() -> None:
    """A table, a key to a member and a text column nobody thought of are each asked about."""
    from sqlalchemy import BigInteger, ForeignKey, MetaData

    meta = MetaData()
    Table("member", meta, Column("id", BigInteger, primary_key=True))
    diary = Table("diary", meta, Column("entry", String))
    lab = Table("lab", meta, Column("founder_id", ForeignKey("member.id")))
    job = Table("job", meta, Column("note", String), Column("watcher_id", ForeignKey("member.id")))
    said = "\n".join(undecided({each.name: each for each in (diary, lab, job)}))
    assert "diary: is anything in this table about a person?" in said
    assert "lab.founder_id leads to a member" in said
    assert "job.watcher_id: what does this key mean once the member is erased?" in said
    assert "job.note: does the member get it in an export" in said
    assert "job.note: what does an erasure do to it?" in said


def test_nothing_is_declared_that_is_not_there() -> None:
    tables = Base.metadata.tables
    assert set(DECLARED) <= set(tables)
    assert len(DECLARED) == len(CATALOGUE), "a table is declared twice"
    for declared in CATALOGUE:
        if isinstance(declared, Nothing):
            continue
        known = set(tables[declared.table].columns.keys())
        named = set(declared.kept) | set(declared.links)
        named |= set(declared.columns) if isinstance(declared, Personal) else set()
        for step in (*declared.erasure, *declared.limits):
            named |= set(getattr(step, "values", {}))
        assert named <= known, f"{declared.table} has no {sorted(named - known)}"


def test_every_decision_has_a_reason_and_an_end() -> None:
    for declared in CATALOGUE:
        if isinstance(declared, Nothing):
            assert len(declared.why) > 15, declared.table
            continue
        assert declared.limits or declared.lasts, f"{declared.table}: how long is it kept?"
        for sentence in (*declared.kept.values(), *declared.links.values()):
            assert len(sentence) > 10, f"{declared.table}: {sentence!r} is no reason"


def test_every_setting_of_retention_is_used() -> None:
    used = {limit.setting for each in CATALOGUE if not isinstance(each, Nothing) for limit in each.limits}
    used.add("readings_days")
    assert used == {field.name for field in fields(Retention)}


def test_the_page_names_every_setting_of_retention_once() -> None:
    named = [setting for _, setting, _ in KEPT]
    assert sorted(named) == sorted(field.name for field in fields(Retention))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.sheet)
def test_every_file_of_an_export_is_explained_and_holds_no_secret(sheet: Personal) -> None:
    assert set(FILES[sheet.sheet]) == {"en", "fr", "ar"}
    shown = {key for key, _ in columns(sheet)}
    assert not shown & {"digest", "password_hash", "secret", "public_key", "credential_id", "pending", "key"}
