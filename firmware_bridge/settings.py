"""The bridge's settings: one TOML file per lab, checked whole before anything starts."""

import ssl
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from msgspec import Meta

from firmware_bridge.wire.messages import Slug

Positive = Annotated[float, Meta(gt=0, le=10_000_000)]


class BadSettings(ValueError):
    """A setting that cannot be; the message is one line naming file and key."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Misspelt keys are refused instead of ignored."""


class Broker(_Section, frozen=True, kw_only=True):
    """Where messages go: mqtt:// or mqtts://USER:PASSWORD@HOST[:PORT].

    For an authority of one's own `ca` is its certificate (PEM), or `ca_file` the file that holds it.
    """

    url: str
    ca: str | None = None
    ca_file: str | None = None
    window: Annotated[int, Meta(ge=1, le=10_000)] = 500
    """At most so many messages are on their way without the server's confirmation."""
    resend_after_s: Positive = 30.0
    """Without progress for so long, send again."""

    @property
    def address(self) -> SplitResult:
        """The parsed address."""
        return urlsplit(self.url)

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.address.scheme == "mqtts"

    @property
    def port(self) -> int:
        """The port, by default 1883 or 8883."""
        return self.address.port or (8883 if self.tls else 1883)

    @property
    def user(self) -> str | None:
        """The user name without its URL escapes."""
        return unquote(self.address.username) if self.address.username else None

    @property
    def password(self) -> str | None:
        """The password without its URL escapes."""
        return unquote(self.address.password) if self.address.password else None

    def __repr__(self) -> str:
        return f"Broker({self.address.hostname}:{self.port})"


class OctoPrintMachine(_Section, frozen=True, kw_only=True, tag_field="driver", tag="octoprint"):
    """A printer behind OctoPrint; exactly one of `api_key` and `api_key_file`."""

    slug: Slug
    url: str
    api_key: str | None = None
    api_key_file: str | None = None
    push: bool = True
    """Listen to OctoPrint's push socket; without it a machine is polled more often, ends are seen later."""

    def __repr__(self) -> str:
        return f"OctoPrintMachine({self.slug!r}, {self.url!r})"


class SimulatedMachine(_Section, frozen=True, kw_only=True, tag_field="driver", tag="simulated"):
    """A machine on no table, for trying things out. Its life follows from slug, seed and clock."""

    slug: Slug
    kind: str = "3d-printer"
    seed: int = 0
    job_s: tuple[Positive, Positive] = (120.0, 1500.0)
    """Shortest and longest job, seconds."""
    idle_s: tuple[Positive, Positive] = (60.0, 900.0)
    """Shortest and longest pause between jobs, seconds."""


Machine = OctoPrintMachine | SimulatedMachine


class Settings(_Section, frozen=True, kw_only=True):
    """One bridge."""

    lab: Slug
    name: Slug
    broker: Broker
    machine: Annotated[list[Machine], Meta(min_length=1, max_length=200)]
    data_dir: str | None = None
    """Where the outbox is kept; beside the settings file when not given."""
    lost_after_s: Positive = 1800.0
    """A job on a machine out of reach for so long is closed as interrupted."""
    source: str = ""

    @property
    def outbox_path(self) -> Path:
        """The outbox file of this bridge."""
        beside = Path(self.source).resolve().parent
        return beside / (self.data_dir or ".") / f"outbox-{self.lab}-{self.name}.sqlite"


def load(path: Path) -> Settings:
    """Read and check a settings file, key files included. Raises BadSettings."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: is not TOML: {error}") from None
    raw["source"] = str(path)
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{path}: {_plain(str(error))}") from None
    try:
        return _complete(settings, path.resolve().parent)
    except BadSettings as error:
        raise BadSettings(f"{path}: {error}") from None


def _plain(message: str) -> str:
    """msgspec's "fault - at `$.machine[0].url`" as "machine[0].url: fault"."""
    fault, found, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".") if found else ""
    fault = fault[:1].lower() + fault[1:]
    if "matching regex" in fault:
        fault = "expected a-z, 0-9 and inner hyphens, at most 63 characters"
    if key.endswith(".driver"):
        fault += " (known drivers: octoprint, simulated)"
    return f"{key}: {fault}" if key else fault


def _complete(settings: Settings, folder: Path) -> Settings:
    """Checks across fields; reads key files."""
    _check_url("broker.url", settings.broker.url, ("mqtt", "mqtts"))
    broker = _with_authority(settings.broker, folder)
    if settings.lab == "server":
        raise BadSettings("lab: 'server' is a reserved word")
    machines: list[Machine] = []
    slugs: set[str] = set()
    for number, machine in enumerate(settings.machine):
        key = f"machine[{number}]"
        if machine.slug in slugs:
            raise BadSettings(f"{key}.slug: {machine.slug!r} is there twice")
        slugs.add(machine.slug)
        if isinstance(machine, OctoPrintMachine):
            _check_url(f"{key}.url", machine.url, ("http", "https"))
            machine = _with_key(key, machine, folder)
        elif machine.kind not in ("3d-printer", "laser-cutter"):
            raise BadSettings(f"{key}.kind: {machine.kind!r} is neither 3d-printer nor laser-cutter")
        elif machine.job_s[0] > machine.job_s[1] or machine.idle_s[0] > machine.idle_s[1]:
            raise BadSettings(f"{key}: job_s and idle_s are [shortest, longest]")
        machines.append(machine)
    return msgspec.structs.replace(settings, broker=broker, machine=machines)


def _check_url(key: str, url: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # The address may hold a password: never repeat it.
        raise BadSettings(f"{key}: needs an address like {schemes[0]}://HOST:PORT")


def _with_authority(broker: Broker, folder: Path) -> Broker:
    """The authority's certificate read from its file, whose name is relative to the settings', and tried."""
    key, text = "broker.ca", broker.ca
    if broker.ca_file is not None:
        if broker.ca is not None:
            raise BadSettings("broker: give ca or ca_file, not both")
        key = "broker.ca_file"
        try:
            text = (folder / broker.ca_file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            fault = "is no certificate in PEM" if isinstance(error, UnicodeDecodeError) else _strerror(error)
            raise BadSettings(f"{key}: cannot be used: {fault}") from None
    if text is not None:
        try:
            ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError):
            raise BadSettings(f"{key}: cannot be used: is no certificate in PEM") from None
    return msgspec.structs.replace(broker, ca=text, ca_file=None)


def _with_key(key: str, machine: OctoPrintMachine, folder: Path) -> OctoPrintMachine:
    if (machine.api_key is None) == (machine.api_key_file is None):
        raise BadSettings(f"{key}: needs exactly one of api_key and api_key_file")
    secret = machine.api_key
    if machine.api_key_file is not None:
        try:
            secret = (folder / machine.api_key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(f"{key}.api_key_file: cannot be read: {_strerror(error)}") from None
    if not secret or not secret.isascii() or not secret.isprintable():
        raise BadSettings(f"{key}.api_key: is empty or has characters that no header can carry")
    return msgspec.structs.replace(machine, api_key=secret)


def _strerror(error: Any) -> str:
    return getattr(error, "strerror", None) or "not UTF-8"
