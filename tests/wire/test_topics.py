"""Topic names: foreign ones are refused, ours survive a round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.wire.topics import (
    RETAINED,
    SERVER_PRESENCE,
    ForeignTopic,
    Kind,
    Topic,
    bridge_filters,
    bridge_write_filters,
    parse,
    server_filters,
)

slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
labs = slugs.filter(lambda slug: slug != "server")
kinds = st.sampled_from([kind for kind in Kind if kind is not Kind.SERVER_PRESENCE])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "fablab/1/tanger/tanger-prusa-1",
        "fablab/1/tanger/tanger-prusa-1/status/more",
        "fablab/2/tanger/tanger-prusa-1/status",
        "other/1/tanger/tanger-prusa-1/status",
        "/fablab/1/tanger/status",
        "fablab/1/tanger/tanger-prusa-1/unheard-of",
        "fablab/1/tanger/tanger-prusa-1/server_presence",
        "fablab/1/server/tanger-prusa-1/status",
        "fablab/1/Tanger/tanger-prusa-1/status",
        "fablab/1/tanger/-prusa/status",
        "fablab/1/tanger//status",
        "fablab/1/tanger/+/status",
        "fablab/1/tanger/prusa\x00/status",
        "fablab/1/tanger/prusa\n/status",
        "fablab/1/tanger/" + "x" * 64 + "/status",
        "fablab/1/tanger/" + "x" * 100_000 + "/status",
    ],
)
def test_a_foreign_topic_is_refused(name: str) -> None:
    with pytest.raises(ForeignTopic):
        parse(name)


@pytest.mark.parametrize(("lab", "subject"), [("", "x"), ("tanger", "a/b"), ("tanger", "#"), ("server", "x")])
def test_a_topic_of_no_slugs_cannot_be_written(lab: str, subject: str) -> None:
    with pytest.raises(ForeignTopic):
        str(Topic(Kind.STATUS, lab, subject))


@given(kinds, labs, slugs)
def test_a_topic_survives_the_round_trip(kind: Kind, lab: str, subject: str) -> None:
    topic = Topic(kind, lab, subject)
    assert parse(str(topic)) == topic


def test_the_servers_presence_has_its_own_topic() -> None:
    assert parse(SERVER_PRESENCE) == Topic(Kind.SERVER_PRESENCE)
    assert str(Topic(Kind.SERVER_PRESENCE)) == SERVER_PRESENCE


def test_commands_and_events_are_never_retained() -> None:
    assert {Kind.PRESENCE, Kind.COMMITTED, Kind.STATUS, Kind.SERVER_PRESENCE} == RETAINED


def test_a_bridge_writes_its_own_presence_and_what_its_labs_machines_say() -> None:
    assert bridge_write_filters("tanger", "pi-1") == (
        "fablab/1/tanger/pi-1/presence",
        "fablab/1/tanger/+/status",
        "fablab/1/tanger/+/event",
        "fablab/1/tanger/+/reading",
        "fablab/1/tanger/+/ack",
    )


def test_a_bridge_hears_its_confirmations_its_labs_commands_and_the_server() -> None:
    assert bridge_filters("tanger", "pi-1") == (
        "fablab/1/tanger/pi-1/committed",
        "fablab/1/tanger/+/command",
        "fablab/1/server/presence",
    )


def test_the_server_hears_everything_and_presences_first() -> None:
    assert server_filters() == ("fablab/1/+/+/presence", "fablab/1/#")
