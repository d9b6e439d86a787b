"""Messages: what breaks the contract is refused with a reason, everything else survives the round trip."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.wire.codec import MAX_PAYLOAD, Unreadable, decode, encode, kind_of
from firmware_bridge.wire.messages import (
    Ack,
    Command,
    Committed,
    Event,
    EventKind,
    JobEvent,
    JobStatus,
    MachineState,
    Message,
    MessageId,
    Outcome,
    Presence,
    Reading,
    ServerPresence,
    Status,
    Temperature,
)
from firmware_bridge.wire.topics import Kind

STATUS: dict[str, Any] = {
    "id": {"outbox": "0f8fad5b-d9cb-469f-a165-70867728950e", "seq": 7},
    "at": "2026-03-01T09:30:00.250Z",
    "historical": False,
    "state": "running",
    "since": "2026-03-01T09:29:00.000Z",
    "job": {
        "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "file": "vase.gcode",
        "progress": 0.25,
        "print_time_s": 60.5,
        "remaining_s": None,
        "estimated_s": 240,
    },
    "temperatures": {"tool0": {"actual_c": 209.8, "target_c": 210.0}},
}
ENDED: dict[str, Any] = {
    "id": {"outbox": "0f8fad5b-d9cb-469f-a165-70867728950e", "seq": 8},
    "at": "2026-03-01T09:40:00.000Z",
    "historical": False,
    "event": "job_ended",
    "job": {
        "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "file": "vase.gcode",
        "started_at": "2026-03-01T09:29:00.000Z",
        "ended_at": "2026-03-01T09:40:00.000Z",
        "outcome": "finished",
    },
}


def changed(message: dict[str, Any], path: str, value: Any) -> bytes:
    """The message as JSON with one value set, or removed when the value is `...`."""
    copy = json.loads(json.dumps(message))
    *way, last = path.split(".")
    place = copy
    for key in way:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(copy).encode()


@pytest.mark.parametrize(
    "field", ["id", "at", "historical", "state", "since", "job", "id.seq", "job.progress"]
)
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(Unreadable, match=field.rpartition(".")[2]):
        decode(Kind.STATUS, changed(STATUS, field, ...))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "7"),
        ("id.outbox", "not-a-uuid"),
        ("id.seq", 0),
        ("id.seq", -1),
        ("id.seq", 1.5),
        ("id.seq", "7"),
        ("id.seq", 2**63),
        ("at", "2026-03-01T09:30:00.250"),
        ("at", "yesterday"),
        ("at", 1772357400),
        ("at", "0001-01-01T00:00:00Z"),
        ("at", "9999-12-31T23:59:59-01:00"),
        ("historical", 0),
        ("historical", "false"),
        ("state", "melting"),
        ("since", None),
        ("job", []),
        ("job", {}),
        ("job.id", 5),
        ("job.file", "x" * 501),
        ("job.file", "a\x00b"),
        ("job.progress", 1.01),
        ("job.progress", -0.01),
        ("job.progress", "0.5"),
        ("job.print_time_s", -1),
        ("job.print_time_s", 1e30),
        ("detail", "x" * 1001),
        ("temperatures", []),
        ("temperatures", {"tool0": 209.8}),
        ("temperatures", {"tool0": {"actual_c": 10_000}}),
        ("temperatures", {str(number): {"actual_c": 20} for number in range(33)}),
        ("temperatures", {"": {"actual_c": 20}}),
        ("temperatures", {"a\x00": {"actual_c": 20}}),
        ("power_w", 1e9),
        ("energy_wh", -1),
    ],
)
def test_a_wrong_value_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Unreadable) as refusal:
        decode(Kind.STATUS, changed(STATUS, field, value))
    assert refusal.value.reason


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job", ...),
        ("job", None),
        ("job.ended_at", ...),
        ("job.outcome", ...),
        ("job.outcome", "exploded"),
        ("job.started_at", "2026-03-01T09:41:00Z"),
        ("job.started_at", "2026-03-01T09:29:00"),
        ("event", "job_vanished"),
    ],
)
def test_an_end_without_its_facts_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Unreadable):
        decode(Kind.EVENT, changed(ENDED, field, value))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b'{"online": NaN}',
        b"{}" + b"x",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"online":"\\ud800"}',
        b"{}",
    ],
)
def test_what_is_no_message_is_refused(kind: Kind, payload: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(kind, payload)


def test_a_huge_payload_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(Unreadable, match="bytes"):
        decode(Kind.STATUS, changed(STATUS, "unknown", "x" * MAX_PAYLOAD))


def test_a_huge_message_cannot_be_written() -> None:
    machines = ["x" * 63 + str(number) for number in range(2000)]
    with pytest.raises(Unreadable, match="bytes"):
        encode(Presence(online=True, boot=uuid4(), machines=machines))


def test_a_naive_instant_cannot_be_written() -> None:
    message_id = MessageId(outbox=uuid4(), seq=1)
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="offset"):
        encode(Reading(id=message_id, at=naive, historical=False))


def test_unknown_fields_are_ignored() -> None:
    assert decode(Kind.STATUS, changed(STATUS, "colour", {"of": "money"})) == decode(
        Kind.STATUS, json.dumps(STATUS).encode()
    )


def test_instants_go_out_in_utc_with_milliseconds() -> None:
    at = datetime(2026, 3, 1, 10, 30, 0, 123456, timezone(timedelta(hours=1)))
    payload = encode(Reading(id=MessageId(outbox=uuid4(), seq=1), at=at, historical=False))
    assert json.loads(payload)["at"] == "2026-03-01T09:30:00.123Z"


def test_a_status_without_a_job_says_null() -> None:
    payload = json.loads(encode(decode(Kind.STATUS, changed(STATUS, "job", None))))
    assert payload["job"] is None


def test_an_unknown_action_can_be_read_so_that_it_can_be_refused() -> None:
    command = {"id": str(uuid4()), "action": "self-destruct", "expires_at": "2026-03-01T09:30:00Z"}
    message = decode(Kind.COMMAND, json.dumps(command).encode())
    assert isinstance(message, Command)
    assert message.action == "self-destruct"


# --- round trips

words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=50)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
seconds = st.floats(0, 4e8)
maybe_seconds = st.none() | seconds
ids = st.builds(MessageId, outbox=st.uuids(), seq=st.integers(1, 2**62))
temperatures = st.none() | st.dictionaries(
    words.filter(bool),
    st.builds(
        Temperature, actual_c=st.none() | st.floats(-300, 3000), target_c=st.none() | st.floats(-300, 3000)
    ),
    max_size=5,
)
common: dict[str, Any] = {"id": ids, "at": instants, "historical": st.booleans()}
watts = st.none() | st.floats(-1e6, 1e6)
watt_hours = st.none() | st.floats(0, 1e12)
progress = st.none() | st.floats(0, 1)


@st.composite
def events(draw: st.DrawFn) -> Event:
    start, end = sorted(draw(st.tuples(instants, instants)))
    job = JobEvent(
        id=draw(st.uuids()),
        file=draw(st.none() | words),
        started_at=start,
        ended_at=end,
        outcome=draw(st.sampled_from(Outcome)),
        reason=draw(st.none() | words),
        print_time_s=draw(maybe_seconds),
        elapsed_s=draw(maybe_seconds),
        filament_mm=draw(st.none() | st.floats(0, 1e9)),
        estimated_s=draw(maybe_seconds),
        owner=draw(st.none() | words),
    )
    kind = draw(st.sampled_from(EventKind))
    return Event(id=draw(ids), at=end, historical=draw(st.booleans()), event=kind, job=job)


messages: st.SearchStrategy[Message] = st.one_of(
    events(),
    st.builds(
        Status,
        **common,
        state=st.sampled_from(MachineState),
        since=instants,
        detail=st.none() | words,
        job=st.none()
        | st.builds(
            JobStatus,
            id=st.uuids(),
            file=st.none() | words,
            progress=progress,
            print_time_s=maybe_seconds,
            remaining_s=maybe_seconds,
            estimated_s=maybe_seconds,
            owner=st.none() | words,
        ),
        temperatures=temperatures,
        power_w=watts,
        energy_wh=watt_hours,
        clock_skew_s=st.none() | st.floats(-1e6, 1e6),
    ),
    st.builds(
        Reading,
        **common,
        progress=progress,
        temperatures=temperatures,
        power_w=watts,
        energy_wh=watt_hours,
        energy_epoch=st.none() | words.filter(bool),
    ),
    st.builds(Ack, **common, command=st.uuids(), ok=st.booleans(), detail=st.none() | words),
    st.builds(
        Presence,
        online=st.booleans(),
        boot=st.uuids(),
        version=st.none() | words,
        machines=st.none() | st.lists(st.just("tanger-prusa-1"), max_size=3),
        outbox=st.none() | st.uuids(),
        at=st.none() | instants,
    ),
    st.builds(Committed, outbox=st.uuids(), seq=st.integers(0, 2**62)),
    st.builds(
        Command,
        id=st.uuids(),
        action=words.filter(bool),
        expires_at=instants,
        for_job=st.none() | st.uuids(),
    ),
    st.builds(ServerPresence, online=st.booleans()),
)


@given(messages)
def test_every_message_survives_the_round_trip(message: Message) -> None:
    assert decode(kind_of(message), encode(message)) == message


@given(st.sampled_from(list(Kind)), st.binary(max_size=300))
def test_no_bytes_raise_anything_but_unreadable(kind: Kind, payload: bytes) -> None:
    with contextlib.suppress(Unreadable):
        decode(kind, payload)


@given(
    st.sampled_from(list(Kind)),
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.text(max_size=5)
        | st.just(str(UUID(int=1))),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "at", "state", "job", "online", "seq", "outbox", "event"]), inner
            )
        ),
    ),
)
def test_no_json_raises_anything_but_unreadable(kind: Kind, value: Any) -> None:
    with contextlib.suppress(Unreadable):
        decode(kind, msgspec.json.encode(value))
