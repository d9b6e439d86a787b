"""What an OctoPrint needs on disk to start without a wizard: settings, one user with a key, jobs.

OctoPrint reads YAML; JSON is YAML, so the files are written as JSON and need no YAML library.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from fablab.embedded.gcode import sample_jobs

USER = "fablab"
# Bundled plugins that call out to the network, ask questions in the browser, or only cost start-up time.
UNWANTED_PLUGINS = (
    "achievements", "announcements", "backup", "corewizard", "customcontrolmanager", "discovery",
    "errortracking", "gcodeviewer", "health_check", "pluginmanager", "softwareupdate", "tracking",
)  # fmt: skip
_PBKDF2_ROUNDS = 29_000


def write_files(basedir: Path, port: int, api_key: str, password: str, name: str) -> None:
    """Write settings and user, once per set of values, and add missing jobs.

    What OctoPrint or a person changed later is kept until port, key, password or name change.
    """
    uploads = basedir / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    basedir.chmod(0o700)
    for job, text in sample_jobs().items():
        if not (uploads / job).exists():
            (uploads / job).write_text(text)
    values = json.dumps([2, port, api_key, password, name])
    stamp = basedir / ".written-for"
    digest = hashlib.sha256(values.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and (basedir / "config.yaml").exists():
        return
    _write_private(basedir / "config.yaml", settings(port, name))
    _write_private(basedir / "users.yaml", users(api_key, password))
    stamp.write_text(digest)


def settings(port: int, name: str) -> dict[str, Any]:
    """config.yaml: loopback, no wizard, virtual printer connected at start, nothing asks the network."""
    return {
        "accessControl": {"salt": secrets.token_hex(16), "autologinLocal": False},
        "appearance": {"name": name},
        "server": {
            "host": "127.0.0.1",
            "port": port,
            "firstRun": False,
            "secretKey": secrets.token_hex(16),
            "onlineCheck": {"enabled": False},
            "pluginBlacklist": {"enabled": False},
            "seenWizards": {"backup": 99, "classicwebcam": 99, "corewizard": 99, "tracking": 99},
            # After kill -9 it would otherwise come back in safe mode, without the virtual printer.
            "ignoreIncompleteStartup": True,
        },
        # A fixed speed: detecting it takes many seconds.
        "serial": {"port": "VIRTUAL", "baudrate": 115200, "autoconnect": True, "log": False},
        "feature": {"modelSizeDetection": False, "pollWatched": False},
        "gcodeAnalysis": {"runAt": "never"},
        "webcam": {"timelapse": {"type": "off"}},
        "devel": {"cache": {"enabled": True, "preemptive": False}},
        "plugins": {
            "_disabled": list(UNWANTED_PLUGINS),
            # The defaults plant four transmission errors in every print and double its length.
            "virtual_printer": {"enabled": True, "simulated_errors": [], "sendBusy": False},
        },
    }


def users(api_key: str, password: str) -> dict[str, Any]:
    """users.yaml: one administrator whose API key is `api_key`."""
    return {
        "_version": 2,
        USER: {
            "active": True,
            "apikey": api_key,
            "groups": ["admins", "users"],
            "password": password_hash(password),
            "permissions": [],
            "roles": ["user", "admin"],
            "settings": {},
        },
    }


def password_hash(password: str) -> str:
    """A hash OctoPrint accepts: passlib's form of PBKDF2-SHA256 (base64 with `.` for `+`, without `=`)."""
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _PBKDF2_ROUNDS)
    parts = [base64.b64encode(part, b"./").decode().rstrip("=") for part in (salt, digest)]
    return "$".join(["", "pbkdf2-sha256", str(_PBKDF2_ROUNDS), *parts])


def _write_private(path: Path, content: dict[str, Any]) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=2)
