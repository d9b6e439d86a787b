"""What `fablab run` needs done once before its services start, in a process that ends again.

It imports the whole product, which the supervisor must not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from fablab import db
from fablab.app import create_app
from fablab.clock import utc_now
from fablab.embedded.accounts import refresh_accounts
from fablab.embedded.network_file import write_network_file
from fablab.embedded.secrets import Secrets
from fablab.machines.models import Lab, Machine
from fablab.sample.load import load
from fablab.sample.network import BRIDGE, LABS, MACHINES
from fablab.settings import SettingsError, load_settings
from fablab.telemetry.registry import newest_is, replace_password


def prepare(data_dir: Path) -> None:
    """Bring the database and the broker's accounts to where the services can start.

    1. migrate;
    2. load the sample network into a database without any lab;
    3. give the sample's bridges passwords kept in `data_dir`, and write the broker's accounts;
    4. leave word of the sample's machines that our simulated bridges may speak for.
    """
    settings = load_settings()
    with create_app(settings).app_context():
        upgrade()
    sessions = db.connect(settings.database)
    with db.transaction(sessions) as session:
        if not session.scalar(select(func.count()).select_from(Lab)):
            print("loading the sample network (once, about a quarter of a minute) ...", flush=True)
            load(session, utc_now(), lambda line: print(f"  {line.strip()}", flush=True))
    with db.transaction(sessions) as session:
        ours = _own_bridges(session, Secrets(data_dir))
        refresh_accounts(session, data_dir)
        machines = _sample_machines(session, ours)
    write_network_file(data_dir, settings.database.url, machines)


def _own_bridges(session: Session, secrets: Secrets) -> set[str]:
    """Labs whose sample bridge is ours: it has the password we keep, or gets it now.

    A bridge that was given another password since is somebody's real one, and is left alone.
    """
    ours = set()
    for lab in LABS:
        kept = secrets.knows_bridge(lab.slug, BRIDGE)
        password = secrets.bridge_password(lab.slug, BRIDGE)
        if not kept:
            replace_password(session, lab.slug, BRIDGE, password)
        if newest_is(session, lab.slug, BRIDGE, password):
            ours.add(lab.slug)
    return ours


def _sample_machines(session: Session, labs: set[str]) -> list[str]:
    rows = session.execute(select(Machine.slug, Lab.slug).join(Lab, Lab.id == Machine.lab_id))
    there = {(machine, lab) for machine, lab in rows}
    return [m.slug for m in MACHINES if (m.slug, m.lab) in there and m.lab in labs]


def main() -> None:
    try:
        prepare(Path(sys.argv[1]))
    except SettingsError as error:
        sys.exit(str(error))
    except OperationalError as error:
        sys.exit(f"the database does not answer: {str(error.orig).strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
