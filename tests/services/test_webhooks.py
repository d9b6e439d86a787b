"""Webhooks: who may have one, what it is told, and what becomes of receivers that do not answer."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.letters import tell, tell_outage
from fablab.bookings.models_claims import Outage
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.outbound import OutboundError, ask
from fablab.settings import Settings
from fablab.webhooks.models import Delivery, Webhook
from fablab.webhooks.queries import deliveries, webhooks
from fablab.webhooks.rules import ATTEMPTS, EVENTS, is_genuine
from fablab.webhooks.service import (
    add_webhook,
    announce,
    announce_all,
    enable_webhook,
    remove_webhook,
    try_webhook,
)
from fablab.webhooks.tasks import send_webhooks
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.support.letters import book, move, told
from tests.support.receiver import Receiver, dripping, receiver

URL = "https://example.org/hook"


@pytest.fixture
def mine(settings: Settings) -> Settings:
    """As a network sets it that tells programs beside it."""
    own = dataclasses.replace(settings.webhooks, private=True, timeout_s=2)
    return dataclasses.replace(settings, webhooks=own)


@pytest.fixture
def screen() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


Hook = Callable[..., int]


@pytest.fixture
def hook(sessions: sessionmaker[Session], cast: Cast) -> Hook:
    """`hook(url)`: Salma's webhook for all events of Tanger; its id."""

    def make(url: str, lab: str | None = "tanger", name: str = "salma", events: object = EVENTS) -> int:
        with transaction(sessions) as session:
            made, _ = add_webhook(
                session,
                cast.actors[name],
                lab,
                url,
                list(events),  # type: ignore[call-overload]
                utc_now(),
                private=True,
            )
            return made.id

    return make


class Sender:
    """Announces events, lets the clock send at a given time, and looks at what became of them."""

    def __init__(self, sessions: sessionmaker[Session], cast: Cast, settings: Settings) -> None:
        self.sessions, self.cast, self.settings = sessions, cast, settings

    def announce(self, *numbers: int, lab: str = "tanger") -> None:
        with transaction(self.sessions) as session:
            for number in numbers:
                announce(session, "outage.began", self.cast.labs[lab], {"n": number}, utc_now())

    def send(self, now: datetime | None = None) -> int:
        with transaction(self.sessions) as session:
            return send_webhooks(session, now or utc_now(), self.settings)

    def rows(self) -> list[Delivery]:
        with self.sessions() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))


@pytest.fixture
def sender(sessions: sessionmaker[Session], cast: Cast, mine: Settings) -> Sender:
    return Sender(sessions, cast, mine)


def numbers(screen: Receiver) -> list[int]:
    return [json.loads(body)["n"] for _, body in screen.got]


@pytest.mark.parametrize(
    ("who", "lab"), [("amina", "tanger"), ("karim", "tanger"), ("salma", None), ("nadia", None)]
)
def test_webhooks_are_made_by_who_answers_for_the_lab(
    session: Session, cast: Cast, who: str, lab: str | None
) -> None:
    with pytest.raises(DomainError) as refused:
        add_webhook(session, cast.actors[who], lab, URL, ["outage.began"], utc_now())
    assert refused.value.code is Code.NOT_ALLOWED
    with pytest.raises(DomainError) as unknown:
        add_webhook(session, cast.actors["admin"], "atlantis", URL, ["outage.began"], utc_now())
    assert unknown.value.code is Code.NOT_FOUND


def test_another_labs_webhook_does_not_exist(session: Session, cast: Cast, hook: Hook) -> None:
    made = hook("http://127.0.0.1:1/")
    karim = cast.actors["karim"]
    assert webhooks(session, karim) == []
    for act in (remove_webhook, enable_webhook, try_webhook):
        with pytest.raises(DomainError) as refused:
            act(session, karim, made, utc_now())
        assert refused.value.code is Code.NOT_FOUND
    assert [each.id for each in webhooks(session, cast.actors["admin"])] == [made]


def test_there_is_an_end_to_them(session: Session, cast: Cast) -> None:
    for n in range(20):
        add_webhook(session, cast.actors["salma"], "tanger", f"{URL}/{n}", ["outage.began"], utc_now())
    with pytest.raises(DomainError) as refused:
        add_webhook(session, cast.actors["salma"], "tanger", URL, ["outage.began"], utc_now())
    assert [each.code for each in refused.value.refusals] == ["too_many_webhooks"]
    add_webhook(session, cast.actors["karim"], "rabat", URL, ["outage.began"], utc_now())


def test_an_event_goes_to_whoever_asked_for_it_in_one_statement(
    session: Session, cast: Cast, hook: Hook
) -> None:
    at = "http://127.0.0.1:1/"
    mine, everything = hook(at, events=["outage.began"]), hook(at, None, "admin")
    hook(at, events=["outage.ended"])
    hook(at, "rabat", "karim")
    off = hook(at)
    session.get_one(Webhook, off).disabled_at = utc_now()
    session.flush()
    statements: list[str] = []
    note = lambda *given: statements.append(given[2])  # noqa: E731
    event.listen(session.get_bind(), "before_cursor_execute", note)
    told_of = [("outage.began", cast.labs["tanger"], {"n": n}) for n in range(30)]
    announce_all(session, told_of, utc_now())
    event.remove(session.get_bind(), "before_cursor_execute", note)
    assert len(statements) == 1
    rows = session.execute(select(Delivery.webhook_id, Delivery.payload).order_by(Delivery.id)).all()
    assert [(row.webhook_id, row.payload["n"]) for row in rows] == [
        (each, n) for n in range(30) for each in (mine, everything)
    ]


def test_it_arrives_signed_and_once(sender: Sender, session: Session, cast: Cast, screen: Receiver) -> None:
    with transaction(sender.sessions) as writing:
        made, secret = add_webhook(
            writing, cast.actors["salma"], "tanger", screen.url, ["outage.began"], utc_now(), private=True
        )
    sender.announce(1, 2)
    assert sender.send() == 2
    assert sender.send() == 0
    assert numbers(screen) == [1, 2]
    for row, (headers, body) in zip(sender.rows(), screen.got, strict=True):
        assert is_genuine(secret, body, headers["Fablab-Signature"], utc_now())
        assert not is_genuine("whsec_guess", body, headers["Fablab-Signature"], utc_now())
        assert (headers["Fablab-Event"], headers["Content-Type"]) == ("outage.began", "application/json")
        assert json.loads(body)["id"] == row.id == int(headers["Fablab-Delivery"])
        assert (row.status, row.attempts, row.trouble) == (200, 1, "")
        assert row.delivered_at is not None
    assert [each.state for each in deliveries(session, made.id, limit=9)] == ["delivered", "delivered"]
    [shown] = webhooks(session, cast.actors["salma"])
    assert (shown.status, shown.waiting, shown.trouble) == (200, 0, "")
    assert secret not in repr(shown)


def test_who_is_away_is_left_alone_and_then_gets_all_in_order(
    sender: Sender, hook: Hook, screen: Receiver
) -> None:
    hook(screen.url)
    screen.answer = lambda headers: 503
    sender.announce(1, 2, 3)
    now = utc_now()
    assert sender.send(now) == 0
    assert numbers(screen) == [1], "the others were not even tried"
    sender.announce(4)
    assert sender.send(now + timedelta(seconds=20)) == 0
    assert numbers(screen) == [1]
    screen.answer = lambda headers: 200
    assert sender.send(now + timedelta(seconds=31)) == 4
    assert numbers(screen) == [1, 1, 2, 3, 4]
    assert [row.attempts for row in sender.rows()] == [2, 1, 1, 1]


def test_one_that_is_refused_keeps_nobody_waiting(sender: Sender, hook: Hook, screen: Receiver) -> None:
    hook(screen.url)
    ids = []

    def refuse_first(headers: dict[str, str]) -> int:
        ids.append(headers["Fablab-Delivery"])
        return 422 if headers["Fablab-Delivery"] == ids[0] else 204

    screen.answer = refuse_first
    sender.announce(1, 2)
    assert sender.send() == 1
    assert [(row.status, row.delivered_at is not None) for row in sender.rows()] == [
        (422, False),
        (204, True),
    ]
    # Ten times it says no to this one; it is not turned off, as it takes others.
    for days in range(1, ATTEMPTS):
        sender.send(utc_now() + timedelta(days=days))
    assert [row.given_up_at is not None for row in sender.rows()] == [True, False]
    with sender.sessions() as session:
        assert session.scalars(select(Webhook.disabled_at)).one() is None


def test_redirects_lead_nowhere(sender: Sender, hook: Hook, screen: Receiver) -> None:
    with receiver() as other:
        screen.answer = lambda headers: 307
        screen.headers = {"Location": other.url}
        hook(screen.url)
        sender.announce(1)
        assert sender.send() == 0
        assert other.got == []
    [row] = sender.rows()
    assert row.status == 307
    assert "elsewhere" in row.trouble


def test_a_dead_receiver_delays_no_other_and_the_clock_not_for_long(
    sender: Sender, hook: Hook, screen: Receiver
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        dripping(b"HTTP/1.1 200 OK\r\nX: ", 0.3) as slow,
    ):
        hook(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        hook(slow)
        hook(screen.url)
        sender.announce(*range(20))
        began = time.monotonic()
        assert sender.send() == 20
        # Two seconds for each of the two, side by side; a letter every 0.3 s does not make it longer.
        assert time.monotonic() - began < 6
    assert numbers(screen) == list(range(20))
    troubles = {row.trouble for row in sender.rows() if row.attempts and not row.delivered_at}
    assert troubles == {"away: It did not answer within 2 seconds."}


def test_who_takes_nothing_for_a_day_is_turned_off_and_its_maker_told(
    sender: Sender, hook: Hook, screen: Receiver, session: Session, cast: Cast
) -> None:
    made = hook(screen.url)
    screen.answer = lambda headers: 500
    sender.announce(1, 2)
    now = utc_now()
    for _ in range(ATTEMPTS):
        assert sender.send(now) == 0
        now += timedelta(hours=10)
    assert len(screen.got) == ATTEMPTS
    assert all(row.given_up_at is not None for row in sender.rows())
    [mail] = session.scalars(select(Mail))
    assert (mail.template, mail.address) == ("webhook_off", "salma@example.org")
    assert mail.filling["trouble"] == "It answers 500."
    sender.announce(3)
    assert len(sender.rows()) == 2, "it is told nothing more"
    screen.answer = lambda headers: 200
    with transaction(sender.sessions) as writing:
        with pytest.raises(DomainError) as off:
            try_webhook(writing, cast.actors["salma"], made, utc_now())
        assert [each.code for each in off.value.refusals] == ["webhook_off"]
        assert enable_webhook(writing, cast.actors["salma"], made, utc_now()).disabled_at is None
        try_webhook(writing, cast.actors["salma"], made, utc_now())
    assert sender.send() == 1
    assert json.loads(screen.got[-1][1])["event"] == "webhook.test"


def test_two_clocks_at_once_send_nothing_twice(sender: Sender, hook: Hook, screen: Receiver) -> None:
    hook(screen.url)
    sender.announce(*range(10))
    with sender.sessions() as one, sender.sessions() as two:
        assert send_webhooks(one, utc_now(), sender.settings) == 10
        assert send_webhooks(two, utc_now(), sender.settings) == 0
        one.commit()
    assert sorted(numbers(screen)) == list(range(10))


def test_nothing_is_sent_into_our_own_network(screen: Receiver) -> None:
    """Also not by a name, which is judged by the address it is connected to."""
    port = screen.url.split(":")[2].split("/")[0]
    for host in ("127.0.0.1", "localhost", "[::1]"):
        with pytest.raises(OutboundError) as refused:
            ask("POST", f"https://{host}:{port}/", body=b"{}", timeout_s=2)
        assert "private network" in str(refused.value)
    assert screen.got == []


def test_of_an_answer_no_more_is_read_than_was_asked_for(screen: Receiver) -> None:
    screen.body = b"x" * 5000
    assert ask("GET", screen.url, headers={"Content-Length": "0"}, timeout_s=2, private=True).body == b""
    answer = ask(
        "GET", screen.url, headers={"Content-Length": "0"}, timeout_s=2, most_bytes=5000, private=True
    )
    assert answer.body == screen.body
    with pytest.raises(OutboundError, match="larger than"):
        ask("GET", screen.url, headers={"Content-Length": "0"}, timeout_s=2, most_bytes=4999, private=True)


def test_bookings_and_outages_are_told_without_names(
    session: Session, cast: Cast, settings: Settings, hook: Hook
) -> None:
    hook("http://127.0.0.1:1/")
    booking = book(session, cast, purpose="secret", starts_at=tomorrow(10))
    tell(session, [booking.id], "confirmed", utc_now(), actor=cast.actors["amina"], reason="hidden")
    now = utc_now()
    move(session, booking, timedelta(hours=1), now)
    tell(session, [booking.id], "moved", now)
    tell(session, [booking.id], "started", utc_now())
    tell(session, [booking.id], "reminder", utc_now())
    told(session, settings)
    outage = Outage(
        machine_id=booking.machine_id,
        lab_id=booking.lab_id,
        starts_at=utc_now(),
        ends_at=None,
        category="fault",
        note="Salma says",
        created_at=utc_now(),
    )
    session.add(outage)
    session.flush()
    tell_outage(session, outage.id, "began", utc_now())
    tell_outage(session, outage.id, "ended", utc_now())
    rows = session.execute(select(Delivery.event, Delivery.payload).order_by(Delivery.id)).all()
    assert [row.event for row in rows] == [
        *("booking.confirmed", "booking.moved", "booking.started"),
        *("outage.began", "outage.ended"),
    ]
    said = json.dumps([row.payload for row in rows])
    for hidden in ("Amina", "amina@", "secret", "hidden", "Salma"):
        assert hidden not in said
    confirmed, moved = rows[0].payload["booking"], rows[1].payload["booking"]
    assert (confirmed["machine"], confirmed["lab"], confirmed["version"]) == ("tanger-prusa-1", "tanger", 1)
    assert (moved["from"]["starts_at"], moved["version"]) == (confirmed["starts_at"], 2)
    assert datetime.fromisoformat(confirmed["starts_at"]) == tomorrow(10)


def test_rest_shows_the_secret_once_and_what_became_of_each(api: Apis, cast: Cast) -> None:
    salma = api("salma")
    no = salma.post("/webhooks", {"lab": "tanger", "url": "https://10.0.0.1/", "events": ["nothing"]})
    assert no.status_code == 422
    assert [each["code"] for each in no.json["refusals"]] == ["bad_address", "unknown_event"]
    body = {"lab": "tanger", "url": URL, "events": ["booking.confirmed"]}
    made = salma.post("/webhooks", body, headers={"Idempotency-Key": "a"})
    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    assert salma.post("/webhooks", body, headers={"Idempotency-Key": "a"}).status_code == 409
    [listed] = salma.get("/webhooks").json["items"]
    assert "secret" not in listed
    assert (listed["lab"], listed["last"], listed["created_by"]["name"]) == ("tanger", None, "Salma")
    path = f"/webhooks/{made.json['id']}"
    for _ in range(3):
        assert salma.post(f"{path}/test").json["state"] == "waiting"
    first = salma.get(f"{path}/deliveries?limit=2").json
    rest = salma.get(f"{path}/deliveries", query_string={"limit": 2, "cursor": first["next"]}).json
    ids = [each["id"] for each in first["items"] + rest["items"]]
    assert (len(ids), ids, rest["next"]) == (3, sorted(ids, reverse=True), None)
    assert api("karim").get(f"{path}/deliveries").status_code == 404
    assert salma.delete(path).status_code == 204
    assert salma.get("/webhooks").json["items"] == []
