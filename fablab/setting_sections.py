"""What can be set, section by section, and what each value must be."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# What stands where a secret should have been put.
PLACEHOLDERS = ("change", "default", "example", "password", "placeholder", "replace", "secret", "your-")


AUDIT_DAYS_LEAST = 366


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one line for the person who starts the service."""


def _at_least_one(section: Any, *names: str) -> None:
    """Refuse zero where nothing would work with it; less than zero no setting takes."""
    for name in names:
        if getattr(section, name) < 1:
            raise SettingsError(f"{type(section).__name__.lower()}.{name}: must be at least 1")


@dataclass(frozen=True)
class Data:
    dir: str


@dataclass(frozen=True)
class Database:
    url: str
    pool_size: int
    max_overflow: int

    def __post_init__(self) -> None:
        # For SQLAlchemy a pool of zero is one without limit.
        _at_least_one(self, "pool_size")


@dataclass(frozen=True)
class Web:
    base_url: str
    secret_key: str
    max_body_bytes: int
    stream_heartbeat_s: int
    proxies: int

    def __post_init__(self) -> None:
        _at_least_one(self, "max_body_bytes", "stream_heartbeat_s")

    @property
    def over_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def only_here(self) -> bool:
        """Whether the address is one of this machine alone."""
        host = urlsplit(self.base_url).hostname or ""
        return host == "localhost" or host == "::1" or host.startswith("127.")

    def check_secret(self) -> None:
        """Whoever serves needs one: what is signed with a secret that others can guess can be forged."""
        if trouble := self.trouble_with_secret():
            raise SettingsError(f"FABLAB_SECRET_KEY: {trouble}")

    def trouble_with_secret(self) -> str:
        """Why the secret key will not do; empty when it will."""
        if len(self.secret_key) < 32:
            return "must be at least 32 random characters"
        if len(set(self.secret_key)) < 8 or any(each in self.secret_key.lower() for each in PLACEHOLDERS):
            return "is one that others can guess; `openssl rand -hex 32` gives a random one"
        return ""


@dataclass(frozen=True)
class Signin:
    registration: bool
    session_s: int
    idle_s: int
    remembered_s: int
    remembered_idle_s: int
    tokens: int
    token_days: int
    staff_second_factor: str

    def __post_init__(self) -> None:
        if self.staff_second_factor not in {"optional", "required"}:
            raise SettingsError(
                f"signin.staff_second_factor: must be optional or required, not {self.staff_second_factor!r}"
            )
        _at_least_one(self, "session_s", "idle_s", "remembered_s", "remembered_idle_s", "token_days")


@dataclass(frozen=True)
class Mqtt:
    url: str
    ca_file: str
    client_id: str
    batch_messages: int
    batch_wait_ms: int
    queue_messages: int

    def __post_init__(self) -> None:
        _at_least_one(self, "batch_messages", "queue_messages")

    def authority(self) -> str:
        """The certificate (PEM) of the broker's own authority; empty where the system knows it."""
        if not self.ca_file:
            return ""
        try:
            return Path(self.ca_file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"mqtt.ca_file: {self.ca_file} cannot be read: {error}") from None


@dataclass(frozen=True)
class Mail:
    url: str = field(repr=False)
    sender: str
    folder: str
    timeout_s: int
    batch: int
    run_s: int
    give_up_after_h: int

    def __post_init__(self) -> None:
        _at_least_one(self, "timeout_s", "batch", "run_s", "give_up_after_h")
        if self.url and not self.url.startswith(("smtp://", "smtps://")):
            raise SettingsError("FABLAB_MAIL_URL: must be smtp://user:password@host:port or smtps://...")
        _, address = parseaddr(self.sender)
        if "@" not in address.strip("@") or any(not each.isprintable() for each in self.sender):
            raise SettingsError("mail.sender: must be an address, or a name and <address>")

    @property
    def go_out(self) -> bool:
        """Whether a mail that is queued is ever sent."""
        return bool(self.url or self.folder)


@dataclass(frozen=True)
class Bookings:
    min_s: int
    max_s: int
    grid_s: int
    min_notice_s: int
    horizon_days: int
    max_ahead: int
    quota_day_s: int
    quota_week_s: int
    quota_month_s: int
    quota_evening_week_s: int
    quota_weekend_month_s: int
    one_of_kind: bool
    certification_level: int
    supervised_only: bool
    approvals: int
    decide_within_s: int
    cancel_before_s: int
    check_in_before_s: int
    no_show_after_s: int
    strikes: int
    strike_window_days: int
    suspension_days: int
    hold_minutes: int
    remind_before_s: int
    late_start_s: int
    alternatives: int

    def __post_init__(self) -> None:
        _at_least_one(self, "min_s", "horizon_days", "strike_window_days", "suspension_days", "hold_minutes")
        if self.min_s > self.max_s:
            raise SettingsError(f"bookings.min_s: must not be more than bookings.max_s ({self.max_s})")
        if self.grid_s and (self.grid_s < 60 or 86400 % self.grid_s):
            raise SettingsError("bookings.grid_s: must divide a day evenly (300, 900, 1800, 3600), or be 0")
        if self.certification_level > 3:
            raise SettingsError("bookings.certification_level: must be 0, 1, 2 or 3")


@dataclass(frozen=True)
class Hours:
    holidays: str
    holidays_language: str
    ramadan: bool
    calendars_every_s: int
    private_calendars: bool

    def __post_init__(self) -> None:
        if self.holidays and not re.fullmatch("[A-Z]{2}", self.holidays):
            raise SettingsError(
                f"hours.holidays: must be a country as two capital letters, such as MA, not {self.holidays!r}"
            )
        if self.calendars_every_s < 60:
            raise SettingsError("hours.calendars_every_s: must be at least 60")


@dataclass(frozen=True)
class Webhooks:
    private: bool
    timeout_s: int
    run_s: int
    threads: int

    def __post_init__(self) -> None:
        _at_least_one(self, "timeout_s", "run_s", "threads")


@dataclass(frozen=True)
class Telemetry:
    heartbeat_s: int
    missed_heartbeats: int
    gap_accept_s: int
    oldest_message_days: int
    newest_message_s: int
    partitions_ahead: int

    def __post_init__(self) -> None:
        _at_least_one(self, "heartbeat_s", "missed_heartbeats", "oldest_message_days")

    @property
    def silent_after_s(self) -> int:
        """Seconds without a word after which a machine counts as silent."""
        return self.heartbeat_s * self.missed_heartbeats


@dataclass(frozen=True)
class Certifications:
    valid_months: int
    unused_months: int
    remind_days: int

    def __post_init__(self) -> None:
        _at_least_one(self, "valid_months")
        if max(self.valid_months, self.unused_months) > 120:
            raise SettingsError("certifications: valid_months and unused_months must be 120 at most")
        if self.remind_days > 366:
            raise SettingsError("certifications.remind_days: must be 366 at most")


@dataclass(frozen=True)
class Usage:
    early_start_s: int


@dataclass(frozen=True)
class Oidc:
    """A provider people may sign in with; one section [oidc.NAME] each."""

    name: str
    title: str = ""
    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_secret_file: str = ""
    scopes: str = "openid email profile"

    def __post_init__(self) -> None:
        place = f"oidc.{self.name}"
        if not re.fullmatch("[a-z][a-z0-9]{0,39}", self.name):
            raise SettingsError(
                f"{place}: a provider's name is at most 40 small letters and digits, a letter first"
            )
        for name in ("issuer", "client_id"):
            if not getattr(self, name):
                raise SettingsError(f"{place}.{name}: must be set")
        if not trusted_address(self.issuer):
            raise SettingsError(f"{place}.issuer: must be an https:// address, not {self.issuer!r}")
        if "openid" not in self.scopes.split():
            raise SettingsError(f"{place}.scopes: must name openid")
        if self.client_secret and self.client_secret_file:
            raise SettingsError(f"{place}.client_secret_file: give it or client_secret, not both")

    @property
    def secret(self) -> str:
        """The client's secret, read from its file where one is named; empty for a public client."""
        if not self.client_secret_file:
            return self.client_secret
        try:
            return Path(self.client_secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            file = f"oidc.{self.name}.client_secret_file: {self.client_secret_file}"
            raise SettingsError(f"{file}: cannot be read: {error}") from None


def trusted_address(address: str) -> bool:
    """Whether what is sent there can be read by nobody else: https, or this very machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.username or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    )


@dataclass(frozen=True)
class Network:
    catalogue: str


@dataclass(frozen=True)
class Imports:
    """How much one imported file may hold."""

    bytes: int
    lines: int
    lines_by_web: int

    def __post_init__(self) -> None:
        _at_least_one(self, "bytes", "lines", "lines_by_web")


@dataclass(frozen=True)
class Retention:
    """Days for which things are kept; 0 is for ever."""

    readings_days: int
    status_changes_days: int
    dead_letters_days: int
    job_files_days: int
    booking_texts_days: int
    invitations_days: int
    consents_days: int
    tokens_days: int
    mails_days: int
    deliveries_days: int
    waits_days: int
    answers_days: int
    audit_days: int

    def __post_init__(self) -> None:
        # The table itself lets nobody delete what is younger.
        if 0 < self.audit_days < AUDIT_DAYS_LEAST:
            raise SettingsError(f"retention.audit_days: must be at least {AUDIT_DAYS_LEAST}, or 0 for ever")
