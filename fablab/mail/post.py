"""How mails leave: what every way out has in common, and the folder of whoever tries the product."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from email.message import EmailMessage


class ServerAwayError(Exception):
    """No mail goes at present: the server cannot be reached, or wants none from us."""


class LaterError(Exception):
    """This mail was put off: it may go another time."""


class NeverError(Exception):
    """This mail was refused for good."""


class Post(Protocol):
    """A way out that is open. Raises one of the three errors above."""

    def send(self, message: EmailMessage) -> None: ...


class Folder:
    """Keeps mails as files a mail program opens. Only we may read them: their links open accounts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: EmailMessage) -> None:
        """Write the mail under its Message-ID: written again, it takes its own place."""
        name = "".join(
            each if each.isalnum() or each in ".-" else "_" for each in message["Message-ID"].strip("<>")
        )
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path)
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(message))
            Path(temporary).replace(self._path / f"{name}.eml")
        except OSError as error:
            raise ServerAwayError(f"{self._path}: {error.strerror}") from error
