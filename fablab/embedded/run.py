"""`fablab run`: everything in one process tree, wired here."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from subprocess import Popen
from urllib.parse import quote

from fablab.embedded import octoprint_install, probe
from fablab.embedded.bridge_files import RealPrinter, write_bridge_files
from fablab.embedded.broker_rights import write_credentials
from fablab.embedded.data_dir import log_file, only_one
from fablab.embedded.network_file import present_machines, was_prepared
from fablab.embedded.octoprint import OctoPrintServer
from fablab.embedded.plan import ROOT, BadRequest, Plan, read_plan
from fablab.embedded.ports import LOOPBACK, answers, next_free, wait_free
from fablab.embedded.postgres import STOP_SIGNAL, EmbeddedPostgres
from fablab.embedded.secrets import Secrets
from fablab.embedded.supervisor import Service, StartFailed, Supervisor, command
from fablab.embedded.welcome import welcome
from fablab.files import write_private_json
from fablab.sample.network import BRIDGE, LABS
from fablab.sample.people import PASSWORD
from fablab.telemetry.broker_accounts import hash_password

# Who needs whom: a higher tier is stopped before a lower one.
DATABASE, BROKER, WORKERS, WEB, PRINTERS, BRIDGES = range(6)
FIRST_BROKER_PORT, FIRST_OCTOPRINT_PORT = 18830, 5001


def run() -> int:
    """Start everything, keep it alive until Ctrl-C or SIGTERM, stop everything; returns the exit code."""
    try:
        plan = read_plan(os.environ)
        with only_one(plan.data_dir):
            system = System(plan)
            with system.supervisor.signals():
                system.start()
                system.supervisor.run()
            system.run_file.unlink(missing_ok=True)
            say("stopped; the data stays in " + str(plan.data_dir))
    except (BadRequest, RuntimeError, OSError) as error:
        print(f"fablab run: {error}", file=sys.stderr)
        return 1
    return 0


def say(line: str) -> None:
    print(line, flush=True)


class System:
    """The running whole: addresses, environment of the children, and the steps of the start."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.data_dir = plan.data_dir
        self.run_file = plan.data_dir / "run.json"
        self.secrets = Secrets(plan.data_dir)
        self.supervisor = Supervisor(say, changed=self.write_run_file)
        self.printers: dict[str, OctoPrintServer] = {}
        self.complete = False
        if self.run_file.exists():
            # The last run was killed; its children may need a moment more than it did.
            wait_free(plan.port, 3)
        # Ports are chosen when their server starts: long before, somebody else may take them.
        self.port = self.broker_port = 0
        self.database_url = plan.database_url
        self.mqtt_url = plan.mqtt_url

    def start(self) -> None:
        """Database, broker, tables and sample, pages, workers, printers, bridges.

        Where an earlier start has left the tables as they must be, the pages start beside the check.
        """
        self.run_file.unlink(missing_ok=True)
        begun = time.monotonic()
        self._install_octoprint()
        if not self.database_url:
            self._start_database()
        if not self.mqtt_url:
            self._start_broker()
        if was_prepared(self.data_dir, self.database_url):
            web = self._start_web()
            self._prepare()
        else:
            self._prepare()
            web = self._start_web()
        self.supervisor.await_ready(web)
        say(f"pages ready ({time.monotonic() - begun:.1f} s)")
        self._start_workers()
        self._start_printers()
        self._start_bridges()
        self.complete = True
        self.write_run_file()
        mails = None if os.environ.get("FABLAB_MAIL_URL") else self.mails
        say(welcome(self.base_url, self.printers, self.data_dir / "logs", mails))

    @property
    def base_url(self) -> str:
        """Where people reach the pages."""
        return self.plan.base_url or f"http://{LOOPBACK}:{self.port}"

    def write_run_file(self) -> None:
        """Tell scripts and tests where the parts are; only once everything has been started."""
        if not self.complete:
            return
        pids = {s.name: s.process.pid for s in self.supervisor.services if s.process is not None}
        write_private_json(
            self.run_file,
            {
                "base_url": self.base_url,
                "mqtt_url": self.mqtt_url,
                "database_url": self.database_url,
                "octoprint": [
                    {"machine": slug, "url": server.url, "api_key": server.api_key}
                    for slug, server in self.printers.items()
                ],
                "pids": {"supervisor": os.getpid(), **pids},
            },
        )

    @property
    def mails(self) -> Path:
        """Where mails are kept as files, unless a mail server is set."""
        return Path(os.environ.get("FABLAB_MAIL__FOLDER") or self.data_dir / "mails")

    def environment(self) -> dict[str, str]:
        """What our own services get; secrets travel here because a command line is visible to everybody."""
        return {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "FABLAB_MQTT_URL": self.mqtt_url,
            "FABLAB_SECRET_KEY": self.plan.secret_key or self.secrets.secret_key,
            "FABLAB_BASE_URL": self.base_url,
            "FABLAB_DATA_DIR": str(self.data_dir),
            "FABLAB_MAIL__FOLDER": str(self.mails),
            "PYTHONUNBUFFERED": "1",
            # glibc otherwise keeps a heap per thread, tens of megabytes in all.
            "MALLOC_ARENA_MAX": "2",
        }

    def _install_octoprint(self) -> None:
        if not self.plan.printers or octoprint_install.is_current(self.plan.octoprint_venv):
            return
        python = [sys.executable, "-m", octoprint_install.__name__, str(self.plan.octoprint_venv)]
        if self.supervisor.complete(python, dict(os.environ), ROOT) != 0:
            say("going on without OctoPrint: its machines are simulated")

    def _start_database(self) -> None:
        server = EmbeddedPostgres(self.data_dir, say=say)
        self.database_url = server.url

        def spawn() -> Popen[bytes]:
            server.prepare()
            return server.spawn()

        say("starting the database")
        service = Service("postgres", spawn, DATABASE, server.ready, 60, STOP_SIGNAL, server.log)
        self.supervisor.start(service)

    def _prepare(self) -> None:
        python = [sys.executable, "-m", "fablab.embedded.prepare", str(self.data_dir)]
        if self.supervisor.complete(python, self.environment(), ROOT) != 0:
            raise StartFailed("the database could not be prepared, see above")

    def _start_broker(self) -> None:
        """It starts with the accounts of the last start, and reads them again when they are prepared."""
        self.broker_port = next_free(FIRST_BROKER_PORT, {self.plan.port})
        self.mqtt_url = self._broker_url("server", self.secrets.broker_password)
        config = self.data_dir / "broker" / "broker.json"
        accounts = self.data_dir / "broker" / "accounts.json"
        if not accounts.exists():
            write_credentials(accounts, hash_password(self.secrets.broker_password), [])
        write_private_json(config, {"port": self.broker_port, "credentials": str(accounts)})
        argv = [sys.executable, "-m", "fablab.embedded.broker", "--config", str(config)]
        broker = self._service("broker", argv, BROKER, self._plain_environment())
        broker.ready = lambda: answers(self.broker_port)
        self.supervisor.start(broker)

    def _start_web(self) -> Service:
        self.port = next_free(self.plan.port, {self.broker_port})
        if self.port != self.plan.port:
            say(f"port {self.plan.port} is taken, using {self.port}")
        gunicorn = [
            sys.executable, "-m", "gunicorn", "-c", str(ROOT / "config" / "gunicorn.py"),
            "--bind", f"{LOOPBACK}:{self.port}", "--no-control-socket",
            # A page that follows live never ends its request by itself, and the person waits.
            "--graceful-timeout", "1", "wsgi:app",
        ]  # fmt: skip
        service = self._service("web", gunicorn, WEB, self.environment())
        service.ready, service.ready_within_s = self._web_answers, 60
        self.supervisor.start(service, wait=False)
        return service

    def _start_workers(self) -> None:
        for name in ("ingest", "scheduler"):
            argv = [sys.executable, "-m", "fablab", name]
            self.supervisor.start(self._service(name, argv, WORKERS, self.environment()))

    def _start_printers(self) -> None:
        if not octoprint_install.is_installed(self.plan.octoprint_venv):
            return
        taken = {self.port, self.broker_port}
        for slug in self.plan.printer_slugs:
            port = next_free(FIRST_OCTOPRINT_PORT, taken)
            taken.add(port)
            folder, key = self.data_dir / "octoprint" / slug, self.secrets.octoprint_key(slug)
            server = OctoPrintServer(
                self.plan.octoprint_venv, folder, port, key, password=PASSWORD, name=slug
            )
            self.printers[slug] = server
            log = folder / "console.log"
            self.supervisor.start(Service(f"octoprint-{slug}", server.start, PRINTERS, log=log), wait=False)
        if self.printers:
            say(f"starting {len(self.printers)} OctoPrint servers")
            self.supervisor.wait_until(
                lambda: all(server.state() == "Operational" for server in self.printers.values()), 60
            )

    def _start_bridges(self) -> None:
        present = present_machines(self.data_dir)
        printers = {slug: RealPrinter(server.url, server.api_key) for slug, server in self.printers.items()}
        files = write_bridge_files(self.data_dir / "bridges", present, printers, self._bridge_urls())
        if files:
            argv = [sys.executable, "-m", "firmware_bridge"]
            for file in files:
                argv += ["--config", str(file)]
            self.supervisor.start(self._service("bridge", argv, BRIDGES, self._plain_environment()))

    def _bridge_urls(self) -> dict[str, str]:
        """On a broker that is not ours we know one account only: the one we were given."""
        if self.plan.mqtt_url:
            return {lab.slug: self.plan.mqtt_url for lab in LABS}
        return {
            lab.slug: self._broker_url(
                f"bridge-{lab.slug}-{BRIDGE}", self.secrets.bridge_password(lab.slug, BRIDGE)
            )
            for lab in LABS
        }

    def _service(self, name: str, argv: list[str], tier: int, environment: dict[str, str]) -> Service:
        log = log_file(self.data_dir, name)
        return Service(name, command(argv, log, environment, ROOT), tier, log=log)

    def _plain_environment(self) -> dict[str, str]:
        """For children that need no secret of the server."""
        hidden = ("DATABASE_URL", "FABLAB_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        return {**kept, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}

    def _broker_url(self, user: str, password: str) -> str:
        return f"mqtt://{user}:{quote(password, safe='')}@{LOOPBACK}:{self.broker_port}"

    def _web_answers(self) -> bool:
        answer = probe.get(self.port, "/healthz", timeout=5)
        return answer is not None and answer[0] == 200
