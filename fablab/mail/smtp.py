"""The mail server: one connection for several mails, a deadline on every step, certificates verified."""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from fablab.mail.post import LaterError, NeverError, ServerAwayError
from fablab.settings import SettingsError

# "Service not available, closing transmission channel": of the server, whatever it answers.
_CLOSING = 421
_PERMANENT = 500


@dataclass(frozen=True)
class Server:
    """A mail server as its address says. ``secret`` never shows."""

    host: str
    port: int
    tls_at_once: bool
    user: str
    secret: str

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port})"

    @property
    def beside_us(self) -> bool:
        """Whether nothing leaves this computer on the way to it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def server_of(url: str) -> Server:
    """Read smtp://user:password@host:port or smtps://. Raises SettingsError.

    Without a port it is 465 for smtps, 587 for smtp with a user and 25 without one.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme not in {"smtp", "smtps"} or not host:
        raise SettingsError("FABLAB_MAIL_URL: must be smtp://user:password@host:port or smtps://...")
    user = unquote(parts.username or "")
    usual = 465 if parts.scheme == "smtps" else 587 if user else 25
    return Server(host, port or usual, parts.scheme == "smtps", user, unquote(parts.password or ""))


class Connection:
    """An open connection; `send` as Post has it."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def send(self, message: EmailMessage) -> None:
        try:
            self._smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            [(code, said)] = error.recipients.values()
            raise _refusal(code, said) from error
        except smtplib.SMTPSenderRefused as error:
            # The sender is ours in every mail: none would fare better.
            raise ServerAwayError(
                f"it refuses our sender: {_said(error.smtp_code, error.smtp_error)}"
            ) from error
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:
            raise NeverError(str(error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise ServerAwayError(f"the connection broke: {error}") from error


@contextmanager
def connection(server: Server, timeout_s: float) -> Iterator[Connection]:
    """Connect, encrypt, sign in. Raises ServerAwayError when that cannot be done, whatever the reason.

    What goes over a wire is encrypted wherever the server offers it, and a password never goes without. On
    our own computer there is no wire.
    """
    try:
        smtp = _open(server, timeout_s)
    except (smtplib.SMTPException, OSError) as error:
        raise ServerAwayError(f"{server.host}:{server.port}: {_words(error)}") from error
    try:
        yield Connection(smtp)
    finally:
        _close(smtp)


def _open(server: Server, timeout_s: float) -> smtplib.SMTP:
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.tls_at_once:
        smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=timeout_s, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=timeout_s)
    try:
        smtp.ehlo_or_helo_if_needed()
        wire = server.user or not server.beside_us
        if not server.tls_at_once and wire and smtp.has_extn("starttls"):
            smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
        elif not server.tls_at_once and server.user and not server.beside_us:
            raise smtplib.SMTPNotSupportedError("no STARTTLS, and a password goes nowhere in the clear")
        if server.user:
            smtp.login(server.user, server.secret)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _close(smtp: smtplib.SMTP) -> None:
    """Say goodbye; whether it is heard makes no difference to what was sent."""
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError):
        smtp.close()


def _refusal(code: int, said: bytes | str) -> Exception:
    if code == _CLOSING:
        return ServerAwayError(_said(code, said))
    return NeverError(_said(code, said)) if code >= _PERMANENT else LaterError(_said(code, said))


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__


def _said(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"
