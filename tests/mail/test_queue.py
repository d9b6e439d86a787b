"""Mails are queued in the transaction of the act they tell of, many as cheaply as one."""

from __future__ import annotations

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.mail.models import Mail
from fablab.mail.service import Recipient, queue

AMINA = Recipient("amina@example.org", "Amina", "fr")


@pytest.mark.parametrize(
    ("template", "filling"),
    [
        ("reset_password", {}),
        ("welcome", {"link": "https://fablab.example.org"}),
        ("reset_password", {"link": "javascript:alert(1)"}),
    ],
)
def test_what_does_not_fit_its_template_is_not_queued(
    session: Session, template: str, filling: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=template):
        queue(session, template, AMINA, filling, utc_now())
    assert session.scalar(select(func.count()).select_from(Mail)) == 0


def test_many_mails_are_one_statement(session: Session) -> None:
    statements: list[str] = []
    note = lambda *given: statements.append(given[2])  # noqa: E731
    event.listen(session.get_bind(), "before_cursor_execute", note)
    for _ in range(200):
        queue(session, "welcome", AMINA, {}, utc_now())
    session.flush()
    event.remove(session.get_bind(), "before_cursor_execute", note)
    assert len(statements) == 1
    assert session.scalar(select(func.count()).select_from(Mail)) == 200
