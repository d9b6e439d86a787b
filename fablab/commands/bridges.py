"""`fablab bridge` and `fablab broker`: accounts of bridges, and the broker that knows them."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import click

from fablab.clock import utc_now
from fablab.commands.door import sessions, transaction
from fablab.errors import not_found
from fablab.settings import Settings, load_settings

if TYPE_CHECKING:
    from fablab.machines.queries import MachineView


@click.group()
def bridge() -> None:
    """Look after bridges."""


@bridge.command("add")
@click.argument("lab")
@click.argument("name")
@click.option("--renew", is_flag=True, help="Give a bridge that exists a new password.")
@click.option("--broker", default="", help="The broker's address as the bridge sees it, mqtts://host:8883.")
def add_bridge(lab: str, name: str, renew: bool, broker: str) -> None:
    """Register a bridge and print its settings file. The password is shown this once only."""
    from fablab import db
    from fablab.embedded.accounts import accounts_file, refresh_accounts
    from fablab.embedded.broker_rights import bridge_user, hash_password
    from fablab.machines.queries import lab_by_slug, machines
    from fablab.telemetry.registry import register_bridge

    settings = load_settings()
    try:
        user = bridge_user(lab, name)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    password = secrets.token_urlsafe(24)
    with sessions() as make:
        with db.transaction(make) as session:
            found = lab_by_slug(session, lab)
            if found is None:
                raise not_found(f"lab {lab}")
            register_bridge(session, found.id, name, user, hash_password(password), utc_now(), renew=renew)
            there = machines(session, lab=lab)
        data_dir = Path(settings.data.dir)
        if embedded := accounts_file(data_dir).exists():
            with db.transaction(make) as session:
                refresh_accounts(session, data_dir)
    click.echo(f"# Broker user {user}\n# Password    {password}\n")
    click.echo(bridge_toml(lab, name, _address(broker or _known_broker(settings), user, password), there))
    if not embedded:
        click.echo("Now write the broker's files again: fablab broker config --out DIR", err=True)


def bridge_toml(lab: str, name: str, url: str, machines: list[MachineView]) -> str:
    """A settings file for a lab's bridge: printers with an OctoPrint to fill in, the rest to choose from."""
    lines = [f'lab = "{lab}"', f'name = "{name}"', "", "[broker]", f'url = "{url}"']
    for machine in machines:
        mark = "" if machine.kind_slug == "3d-printer" else "# "
        lines += [
            "",
            f"# {machine.name}",
            f"{mark}[[machine]]",
            f'{mark}slug = "{machine.slug}"',
            f'{mark}driver = "octoprint"',
            f'{mark}url = "http://{machine.slug}.local"',
            f'{mark}api_key = "PUT-ITS-API-KEY-HERE"',
        ]
    return "\n".join(lines)


@click.group()
def broker() -> None:
    """Look after the message broker."""


@broker.command("config")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on  [default: 8883, plain 1883]")
@click.option("--certificate", type=click.Path(path_type=Path), help="Certificate chain (PEM) for TLS.")
@click.option("--key", type=click.Path(path_type=Path), help="Its private key (PEM).")
@click.option(
    "--data", default="/var/lib/mosquitto/", show_default=True, help="Where the broker keeps its state."
)
def broker_config(out: Path, port: int | None, certificate: Path | None, key: Path | None, data: str) -> None:
    """Write Mosquitto's settings, passwords and rights for the server and all registered bridges.

    Without a certificate the broker listens on this machine only.
    """
    from fablab.mqtt.client import address
    from fablab.telemetry.mosquitto import Listener, write_config
    from fablab.telemetry.registry import broker_accounts

    if (certificate is None) != (key is None):
        raise click.ClickException("--certificate and --key go together")
    settings = load_settings()
    known = address(settings.mqtt.url) if settings.mqtt.url else None
    password = (known.password if known else None) or secrets.token_urlsafe(24)
    user = (known.user if known else None) or "server"
    with transaction() as session:
        accounts = broker_accounts(session)
    listener = Listener(port or (8883 if certificate else 1883), certificate, key)
    for path in write_config(out, listener, data, user, password, accounts):
        click.echo(str(path))
    if known is None or not known.password:
        scheme = "mqtts" if certificate else "mqtt"
        click.echo(f"FABLAB_MQTT_URL={scheme}://{quote(user)}:{password}@HOST:{listener.port}", err=True)


def _known_broker(settings: Settings) -> str:
    """The broker's address as far as it is known here: configured, or that of a running `fablab run`."""
    if settings.mqtt.url:
        return settings.mqtt.url
    try:
        run = json.loads((Path(settings.data.dir) / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return str(run["mqtt_url"])


def _address(url: str, user: str, password: str) -> str:
    """The broker's address with the bridge's own account in it."""
    parts = urlsplit(url or "mqtts://broker.example.org:8883")
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}:{password}@{parts.hostname}{port}"
