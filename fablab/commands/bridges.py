"""`fablab bridge` and `fablab broker`: accounts of bridges, and the broker that knows them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import click

from fablab.clock import utc_now
from fablab.commands.door import sessions, transaction
from fablab.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from fablab.machines.queries import MachineView


@click.group()
def bridge() -> None:
    """Look after bridges."""


_BROKER = click.option(
    "--broker", default="", help="The broker's address as the bridge sees it, mqtts://host:8883."
)


@bridge.command("add")
@click.argument("lab")
@click.argument("name")
@_BROKER
def add_bridge(lab: str, name: str, broker: str) -> None:
    """Register a bridge and print its settings file. The password is shown this once only."""
    from fablab.telemetry.registry import register_bridge

    def register(session: Session, password: str) -> str:
        return register_bridge(session, lab, name, password, utc_now())

    _hand_out(lab, name, broker, register)


@bridge.command("rotate")
@click.argument("lab")
@click.argument("name")
@_BROKER
def rotate(lab: str, name: str, broker: str) -> None:
    """Give a bridge a second password and print its settings file; the first stays valid until revoked."""
    from fablab.telemetry.registry import rotate_credential

    _hand_out(
        lab,
        name,
        broker,
        lambda session, password: rotate_credential(session, lab, name, password, utc_now()),
    )


@bridge.command("revoke")
@click.argument("lab")
@click.argument("name")
@click.argument("user", required=False)
@click.option("--all", "whole", is_flag=True, help="End every one: the bridge is gone or stolen.")
def revoke(lab: str, name: str, user: str | None, whole: bool) -> None:
    """End one of a bridge's broker users, or all (`fablab bridge list` shows them)."""
    from fablab import db
    from fablab.telemetry.registry import accounts_of, revoke_credential

    settings = load_settings()
    with sessions() as make:
        with db.transaction(make) as session:
            valid = [each.user for each in accounts_of(session, lab, name)]
            if not whole and user is None:
                raise click.ClickException(f"say which: {', '.join(valid) or 'none is valid'}; or --all")
            for each in valid if user is None else [user]:
                revoke_credential(session, lab, name, each, utc_now())
        _tell_broker(make, settings)


@bridge.command("list")
def list_bridges() -> None:
    """Show every bridge's valid broker users."""
    from fablab.telemetry.registry import broker_accounts

    with transaction() as session:
        for each in broker_accounts(session):
            click.echo(f"{each.lab:14} {each.name:14} {each.user:40} since {each.created_at:%Y-%m-%d}")


def _hand_out(lab: str, name: str, broker: str, make_account: Callable[[Session, str], str]) -> None:
    """Make a broker account with a new password, and print the bridge's settings with it."""
    from fablab import db
    from fablab.machines.queries import machines

    settings = load_settings()
    password = secrets.token_urlsafe(24)
    with sessions() as make:
        with db.transaction(make) as session:
            try:
                user = make_account(session, password)
            except ValueError as error:
                raise click.ClickException(str(error)) from None
            there = machines(session, lab=lab)
        _tell_broker(make, settings)
    url = _address(broker or _known_broker(settings), user, password)
    click.echo(f"# Broker user {user}\n# Password    {password}\n")
    click.echo(bridge_toml(lab, name, url, settings.mqtt.authority(), there))


def _tell_broker(make: sessionmaker[Session], settings: Settings) -> None:
    """Give the embedded broker its accounts; say what to do where it is another."""
    from fablab import db
    from fablab.embedded.accounts import accounts_file, refresh_accounts

    data_dir = Path(settings.data.dir)
    if accounts_file(data_dir).exists():
        with db.transaction(make) as session:
            refresh_accounts(session, data_dir)
    else:
        click.echo("Now write the broker's files again: fablab broker config --out DIR", err=True)


def bridge_toml(lab: str, name: str, url: str, authority: str, machines: list[MachineView]) -> str:
    """A settings file for a lab's bridge: printers with an OctoPrint to fill in, the rest to choose from."""
    lines = [f'lab = "{lab}"', f'name = "{name}"', "", "[broker]", f'url = "{url}"']
    if authority and url.startswith("mqtts:"):
        lines += ["# The authority that signed the broker's certificate.", f"ca = '''\n{authority}'''"]
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
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="Name or address the bridges reach the broker at: makes a certificate for TLS, from an authority "
    "kept in DIR/tls. May be given several times.",
)
@click.option("--certificate", type=click.Path(path_type=Path), help="Certificate chain (PEM) of your own.")
@click.option("--key", type=click.Path(path_type=Path), help="Its private key (PEM).")
@click.option(
    "--data", default="/var/lib/mosquitto/", show_default=True, help="Where the broker keeps its state."
)
def broker_config(
    out: Path, port: int | None, hosts: tuple[str, ...], certificate: Path | None, key: Path | None, data: str
) -> None:
    """Write Mosquitto's settings, passwords and rights for the server and all registered bridges.

    Without --host or --certificate the broker listens on this machine only.
    """
    from fablab.mqtt.client import address
    from fablab.telemetry.broker_tls import papers
    from fablab.telemetry.mosquitto import Listener, write_config
    from fablab.telemetry.registry import broker_accounts

    if (certificate is None) != (key is None):
        raise click.ClickException("--certificate and --key go together")
    if hosts and certificate:
        raise click.ClickException("--host makes a certificate; it does not go with --certificate")
    try:
        own = papers(out / "tls", hosts, utc_now()) if hosts else None
    except ValueError as error:
        raise click.ClickException(f"{out}/tls: {error}") from None
    settings = load_settings()
    known = address(settings.mqtt.url) if settings.mqtt.url else None
    password = (known.password if known else None) or secrets.token_urlsafe(24)
    user = (known.user if known else None) or "server"
    with transaction() as session:
        accounts = broker_accounts(session)
    encrypted = bool(certificate or own)
    listener = Listener(port or (8883 if encrypted else 1883), certificate, key, own)
    for path in write_config(out, listener, data, user, password, accounts):
        click.echo(str(path))
    if known is None or not known.password:
        scheme = "mqtts" if encrypted else "mqtt"
        host = hosts[0] if hosts else "HOST"
        click.echo(f"FABLAB_MQTT_URL={scheme}://{quote(user)}:{password}@{host}:{listener.port}", err=True)
    if own and not settings.mqtt.ca_file:
        click.echo(f"FABLAB_MQTT__CA_FILE={(out / 'tls' / 'ca.pem').resolve()}", err=True)


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
