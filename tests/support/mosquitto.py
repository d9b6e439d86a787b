"""A real Mosquitto with passwords and rights, to be killed, robbed of its memory and started again."""

import getpass
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fablab.embedded.process import birth_options
from tests.support.ports import free_port, wait_listening

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")


class Mosquitto:
    """One broker on a free port below `directory`.

    `users` maps names to passwords. Without `acl` the rights are those of the contract: `server`
    may do everything below fablab/1, `bridge-LAB-NAME` what a bridge may.
    """

    def __init__(
        self, directory: Path, users: Mapping[str, str], acl: str | None = None, extra: str = ""
    ) -> None:
        self.directory = directory
        self.users = dict(users)
        self.port = free_port()
        self.persistence = directory / "mosquitto.db"
        self.log = directory / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        passwords = directory / "passwords"
        passwords.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        passwords.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
        rights = directory / "rights"
        rights.write_text(acl if acl is not None else "".join(contract_rights(name) for name in users))
        rights.chmod(0o600)
        (directory / "mosquitto.conf").write_text(
            f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {passwords}\nacl_file {rights}\n"
            f"persistence true\npersistence_location {directory}/\npersistence_file {self.persistence.name}\n"
            "autosave_on_changes true\nautosave_interval 100\n"
            "max_inflight_messages 1000\nmax_queued_messages 100000\n"
            f"log_dest stderr\nconnection_messages true\n{extra}\n"
        )

    def url(self, user: str = "server") -> str:
        return f"mqtt://{user}:{self.users[user]}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        assert PROGRAM is not None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self.directory / "mosquitto.conf")],
                stdout=log,
                stderr=log,
                **birth_options(),
            )
        wait_listening(self.port)

    def kill(self) -> None:
        """End it as a crash would: no last save, no good-bye to clients."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def forget(self) -> None:
        """Delete what a killed broker had saved: sessions, queues, retained messages."""
        assert self._process is None, "only while it is down"
        for file in self.directory.glob(self.persistence.name + "*"):
            file.unlink()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            # Mosquitto notes a signal and goes on waiting for traffic when it came a moment too early to wake
            # it; the next one does.
            for _ in range(10):
                self._process.send_signal(how)
                try:
                    self._process.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    continue
            self._process.wait(1)
            self._process = None


def contract_rights(user: str) -> str:
    """The rights of one user as an ACL file of Mosquitto spells them."""
    if not user.startswith("bridge-"):
        return f"user {user}\ntopic readwrite fablab/1/#\n\n"
    lab, name = _lab_and_name(user)
    return (
        f"user {user}\n"
        f"topic write fablab/1/{lab}/+/presence\n"
        f"topic write fablab/1/{lab}/+/status\n"
        f"topic write fablab/1/{lab}/+/event\n"
        f"topic write fablab/1/{lab}/+/reading\n"
        f"topic write fablab/1/{lab}/+/ack\n"
        f"topic read fablab/1/{lab}/+/command\n"
        f"topic read fablab/1/{lab}/{name}/committed\n"
        "topic read fablab/1/server/presence\n\n"
    )


def _lab_and_name(user: str) -> tuple[str, str]:
    """Labs may contain dashes, so the cut is ambiguous; the sample's labs decide."""
    rest = user.removeprefix("bridge-")
    for lab in ("al-hoceima",):
        if rest.startswith(lab + "-"):
            return lab, rest.removeprefix(lab + "-")
    lab, _, name = rest.partition("-")
    return lab, name
