"""Mosquitto's files: settings, passwords, rights and papers for the server and every registered bridge."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fablab.files import write_private
from fablab.telemetry.broker_accounts import hash_password
from fablab.telemetry.broker_tls import Papers
from fablab.telemetry.registry import BrokerAccount
from firmware_bridge.wire.topics import PREFIX, bridge_filters, bridge_write_filters

_SETTINGS = """\
# Written by `fablab broker config`; run it again after a change of bridges, then reload the broker (SIGHUP).
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
max_queued_bytes 67108864
persistent_client_expiration 14d
check_retain_source true
# The largest message of the contract is far smaller.
message_size_limit 262144

listener {port}{address}
# A client is its user, whatever it calls itself: nobody can take the place of another, or its queue.
use_username_as_clientid true
{tls}"""
# Whom Mosquitto becomes when root starts it; the files must be theirs.
_SERVICE_USER = "mosquitto"


@dataclass(frozen=True)
class Listener:
    """Where the broker listens: with a certificate everywhere, without one on loopback.

    The certificate (chain) and key are files of the operator's, or papers of our own authority.
    """

    port: int
    certificate: Path | None = None
    key: Path | None = None
    papers: Papers | None = None


def write_config(
    out: Path, listener: Listener, data: str, server: str, password: str, bridges: Sequence[BrokerAccount]
) -> list[Path]:
    """Write mosquitto.conf, passwords, rights and papers below ``out``, readable by their owner only.

    Started by root, the owner is the system's user mosquitto, where there is one: so a reload still reads
    them. ``server`` and ``password`` are the account of our own services. Returns the files written.
    """
    out = out.resolve()
    texts = {}
    certificate, key = listener.certificate, listener.key
    if listener.papers is not None:
        certificate, key = out / "tls" / "broker.pem", out / "tls" / "broker.key"
        texts["tls/ca.pem"] = listener.papers.authority
        texts["tls/ca.key"] = listener.papers.authority_key
        texts["tls/broker.pem"] = listener.papers.certificate
        texts["tls/broker.key"] = listener.papers.key
    tls = ""
    if certificate is not None and key is not None:
        tls = f"certfile {certificate.resolve()}\nkeyfile {key.resolve()}\ntls_version tlsv1.2\n"
    texts["mosquitto.conf"] = _SETTINGS.format(
        out=out,
        data=data if data.endswith("/") else f"{data}/",
        port=listener.port,
        address="" if tls else " 127.0.0.1",
        tls=tls,
    )
    passwords = [f"{server}:{hash_password(password)}"]
    passwords += [f"{bridge.user}:{bridge.password_hash}" for bridge in bridges]
    texts["passwords"] = "\n".join(passwords) + "\n"
    rights = [f"user {server}\ntopic readwrite {PREFIX}/#\n"]
    texts["rights"] = "\n".join(rights + [_rights(bridge) for bridge in bridges])
    for name, text in texts.items():
        write_private(out / name, text)
    _give_to_service(out, [out / name for name in texts if name != "tls/ca.key"])
    return [out / name for name in texts]


def _rights(bridge: BrokerAccount) -> str:
    """A bridge writes what its lab's machines say and its own presence, and reads what is meant for it."""
    lines = [f"user {bridge.user}"]
    lines += [f"topic write {topic}" for topic in bridge_write_filters(bridge.lab, bridge.name)]
    lines += [f"topic read {topic}" for topic in bridge_filters(bridge.lab, bridge.name)]
    return "\n".join(lines) + "\n"


def _give_to_service(out: Path, files: Sequence[Path]) -> None:
    if os.geteuid() != 0:
        return
    try:
        owner = pwd.getpwnam(_SERVICE_USER)
    except KeyError:
        return
    for path in (*files, *{path.parent for path in files}, out):
        os.chown(path, owner.pw_uid, owner.pw_gid)
