"""The audit: it refuses to be changed, tells who, whom and from where, and only admins read it."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members import audit
from tests.fixtures_cast import Apis, Cast
from tests.support.database import plain


@pytest.fixture
def line(session: Session, cast: Cast) -> None:
    """Salma gave Youssef a role in Tanger, from an address."""
    from dataclasses import replace

    salma = replace(cast.actors["salma"], address="192.0.2.7")
    audit.record(
        session,
        salma,
        "role.grant",
        f"member {cast.members['youssef']}",
        utc_now(),
        "role trainer",
        on_member_id=cast.members["youssef"],
        lab_id=cast.labs["tanger"],
    )
    session.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET detail = 'nothing happened'",
        "UPDATE audit SET actor_id = NULL",
        "UPDATE audit SET address = '192.0.2.8'",
        "UPDATE audit SET address = NULL, action = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "TRUNCATE member CASCADE",
    ],
)
def test_the_database_refuses_to_change_it(line: None, database_url: str, statement: str) -> None:
    with (
        psycopg.connect(plain(database_url)) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="only grows"),
    ):
        connection.execute(statement)


def test_a_member_in_it_cannot_be_deleted(line: None, session: Session, cast: Cast) -> None:
    with pytest.raises(IntegrityError):
        session.execute(text("DELETE FROM member WHERE id = :id"), {"id": cast.members["youssef"]})


def test_an_address_may_be_forgotten_and_what_is_old_may_go(line: None, session: Session) -> None:
    session.execute(text("UPDATE audit SET address = NULL"))
    assert session.scalar(text("SELECT count(*) FROM audit WHERE address IS NOT NULL")) == 0
    audit.record(session, None, "member.add", "member 1", utc_now() - timedelta(days=400))
    session.commit()
    session.execute(text("DELETE FROM audit WHERE at < now() - interval '380 days'"))
    assert session.scalar(text("SELECT count(*) FROM audit WHERE action = 'member.add'")) == 0


def test_an_act_that_has_no_sentence_is_refused(session: Session) -> None:
    with pytest.raises(ValueError, match=r"acts\.py"):
        audit.record(session, None, "role.granted", "member 1", utc_now())


def test_only_admins_read_it(line: None, session: Session, cast: Cast) -> None:
    for name in ("amina", "youssef", "salma", "karim", "nadia"):
        with pytest.raises(DomainError) as refused:
            audit.acts(session, cast.actors[name], limit=1)
        assert refused.value.code is Code.NOT_FOUND


def test_a_line_tells_who_whom_where_and_from_where(line: None, api: Apis, cast: Cast) -> None:
    found = api("admin").get("/audit?action=role.grant").json["items"]
    assert len(found) == 1
    assert found[0]["actor"] == {"id": cast.members["salma"], "name": "Salma"}
    assert found[0]["on"] == {"id": cast.members["youssef"], "name": "Youssef"}
    assert (found[0]["lab"], found[0]["address"]) == ("tanger", "192.0.2.7")
    assert (found[0]["action"], found[0]["detail"]) == ("role.grant", "role trainer")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("action=role", 1),
        ("action=rol", 0),
        ("action=role.grant", 1),
        ("action=%25", 0),
        ("lab=tanger", 1),
        ("lab=rabat", 0),
        ("action=role&from=2020-01-01T00:00:00Z", 1),
        ("action=role&to=2020-01-01T00:00:00Z", 0),
    ],
)
def test_it_is_filtered(line: None, api: Apis, query: str, count: int) -> None:
    assert len(api("admin").get(f"/audit?{query}").json["items"]) == count


def test_filters_that_cannot_be_are_refused(api: Apis) -> None:
    for query, field in (
        ("actor=x", "actor"),
        ("cursor=x", "cursor"),
        ("lab=%00", "lab"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
    ):
        answer = api("admin").get(f"/audit?{query}")
        assert (answer.status_code, answer.json["refusals"][0]["field"]) == (422, field), query


def test_it_is_read_page_by_page(session: Session, api: Apis, cast: Cast) -> None:
    for number in range(5):
        audit.record(session, cast.actors["admin"], "role.grant", f"member {number}", utc_now())
    session.commit()
    seen, cursor = [], ""
    while cursor is not None:
        found = api("admin").get(f"/audit?action=role&limit=2{cursor and f'&cursor={cursor}'}").json
        seen += [each["subject"] for each in found["items"]]
        cursor = found["next"]
    assert seen == [f"member {number}" for number in (4, 3, 2, 1, 0)]


def test_what_a_person_does_over_the_web_carries_the_address(api: Apis, cast: Cast) -> None:
    token = api("amina").get("/me/tokens").json["items"][0]["id"]
    assert api("amina").delete(f"/me/tokens/{token}").status_code == 204
    mine = f"/audit?action=token.revoke&on={cast.members['amina']}"
    line = api("admin").get(mine).json["items"][0]
    assert line["address"] == "127.0.0.1"
