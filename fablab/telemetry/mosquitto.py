"""Mosquitto's files: settings, passwords and rights for the server and every registered bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fablab.embedded.broker_rights import hash_password
from fablab.embedded.data_dir import write_private
from fablab.telemetry.registry import BrokerAccount
from firmware_bridge.wire.topics import PREFIX, bridge_filters, bridge_write_filters

_SETTINGS = """\
# Written by `fablab broker config`; run it again after adding a bridge, then reload the broker (SIGHUP).
per_listener_settings false
allow_anonymous false
password_file {out}/passwords
acl_file {out}/rights

# A crash may lose what is not saved yet; the bridges send it again, because the server has not confirmed it.
persistence true
persistence_location {data}
autosave_interval 30

# As shipped, 20 messages in flight halve the throughput, and a queue of 1000 drops the rest in silence.
max_inflight_messages 1000
max_queued_messages 100000
persistent_client_expiration 14d
check_retain_source true

listener {port}{address}
{tls}"""


@dataclass(frozen=True)
class Listener:
    """Where the broker listens: with a certificate (chain and key) everywhere, without one on loopback."""

    port: int
    certificate: Path | None = None
    key: Path | None = None


def write_config(
    out: Path, listener: Listener, data: str, server: str, password: str, bridges: Sequence[BrokerAccount]
) -> list[Path]:
    """Write mosquitto.conf, passwords and rights below ``out``, readable by their owner only.

    ``server`` and ``password`` are the account of our own services. Returns the files written.
    """
    out = out.resolve()
    tls = ""
    if listener.certificate is not None and listener.key is not None:
        tls = f"certfile {listener.certificate.resolve()}\nkeyfile {listener.key.resolve()}\n"
    settings = _SETTINGS.format(
        out=out,
        data=data if data.endswith("/") else f"{data}/",
        port=listener.port,
        address="" if tls else " 127.0.0.1",
        tls=tls,
    )
    passwords = [f"{server}:{hash_password(password)}"]
    passwords += [f"{bridge.user}:{bridge.password_hash}" for bridge in bridges]
    rights = [f"user {server}\ntopic readwrite {PREFIX}/#\n"]
    rights += [_rights(bridge) for bridge in bridges]
    texts = {
        "mosquitto.conf": settings,
        "passwords": "\n".join(passwords) + "\n",
        "rights": "\n".join(rights),
    }
    for name, text in texts.items():
        write_private(out / name, text)
    return [out / name for name in texts]


def _rights(bridge: BrokerAccount) -> str:
    """A bridge writes what its lab's machines say and its own presence, and reads what is meant for it."""
    lines = [f"user {bridge.user}"]
    lines += [f"topic write {topic}" for topic in bridge_write_filters(bridge.lab, bridge.name)]
    lines += [f"topic read {topic}" for topic in bridge_filters(bridge.lab, bridge.name)]
    return "\n".join(lines) + "\n"
