"""What `fablab run` needs done once before its services start, in a process that ends again.

It imports the whole product, which the supervisor must not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from fablab import cli, db
from fablab.embedded.accounts import give_password, refresh_accounts
from fablab.embedded.network_file import write_network_file
from fablab.embedded.secrets import Secrets
from fablab.machines.models import Lab, Machine
from fablab.sample.network import BRIDGE, LABS, MACHINES
from fablab.settings import SettingsError, load_settings


def prepare(data_dir: Path) -> None:
    """Bring the database and the broker's accounts to where the services can start.

    1. migrate;
    2. load the sample network into a database without any lab;
    3. give the sample's bridges the passwords kept in `data_dir`, and write the broker's accounts;
    4. leave in `network.json` which of the sample's machines exist, for the simulated bridges.
    """
    cli.main(["db", "upgrade"], standalone_mode=False)
    settings = load_settings()
    sessions = db.connect(settings.database)
    with db.transaction(sessions) as session:
        empty = not session.scalar(select(func.count()).select_from(Lab))
    if empty:
        print("loading the sample network ...", flush=True)
        cli.main(["sample", "load"], standalone_mode=False)
    with db.transaction(sessions) as session:
        secrets = Secrets(data_dir)
        for lab in LABS:
            give_password(session, lab.slug, BRIDGE, secrets.bridge_password(lab.slug, BRIDGE))
        session.flush()
        refresh_accounts(session, data_dir)
        machines = _sample_machines(session)
    write_network_file(data_dir, settings.database.url, machines)


def _sample_machines(session: Session) -> list[str]:
    rows = session.execute(select(Machine.slug, Lab.slug).join(Lab, Lab.id == Machine.lab_id))
    there = {(machine, lab) for machine, lab in rows}
    return [machine.slug for machine in MACHINES if (machine.slug, machine.lab) in there]


def main() -> None:
    try:
        prepare(Path(sys.argv[1]))
    except SettingsError as error:
        sys.exit(str(error))
    except OperationalError as error:
        sys.exit(f"the database does not answer: {str(error.orig).strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
