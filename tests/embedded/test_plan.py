"""What `fablab run` makes of its environment, and the files it writes for itself and the bridges."""

import json
import socket
import tomllib
from pathlib import Path

import pytest

from fablab.embedded.bridge_files import RealPrinter, write_bridge_files
from fablab.embedded.data_dir import LARGEST_LOG, log_file
from fablab.embedded.plan import BadRequest, read_plan
from fablab.embedded.ports import NoPort, next_free
from fablab.embedded.secrets import Secrets
from fablab.files import write_private
from fablab.sample.network import LABS, MACHINES
from firmware_bridge.settings import OctoPrintMachine, SimulatedMachine, load

URLS = {lab.slug: f"mqtt://bridge-{lab.slug}-pi-1:p%2Fw@127.0.0.1:18830" for lab in LABS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "8000.5"),
        ("PORT", "٨٠٠٠"),
        ("OCTOPRINT", "many"),
        ("OCTOPRINT", "99"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_clear_line(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=f"^{name}: must be a whole number from") as caught:
        read_plan({name: value})
    assert "\n" not in str(caught.value)


def test_without_a_word_it_is_port_8000_and_the_folder_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = read_plan({"PORT": "", "OCTOPRINT": ""})
    assert (plan.port, plan.printers, plan.data_dir) == (8000, 0, tmp_path / "data")


def test_the_first_printers_of_tanger_are_the_real_ones() -> None:
    assert read_plan({"OCTOPRINT": "2"}).printer_slugs == ["tanger-prusa-1", "tanger-prusa-2"]


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert next_free(taken) > taken
    with pytest.raises(NoPort):
        next_free(taken, taken={taken}, tries=1)


def test_secrets_are_private_kept_and_different(tmp_path: Path) -> None:
    first = Secrets(tmp_path)
    made = [first.secret_key, first.broker_password, first.bridge_password("tanger", "pi-1")]
    made += [first.bridge_password("rabat", "pi-1"), first.octoprint_key("tanger-prusa-1")]
    assert len(set(made)) == len(made)
    assert all(len(secret) >= 32 for secret in made)
    assert first.path.stat().st_mode & 0o777 == 0o600
    again = Secrets(tmp_path)
    assert again.secret_key == first.secret_key
    assert again.bridge_password("rabat", "pi-1") == first.bridge_password("rabat", "pi-1")


def test_two_holders_of_the_secrets_do_not_undo_one_another(tmp_path: Path) -> None:
    one, other = Secrets(tmp_path), Secrets(tmp_path)
    made = one.bridge_password("tanger", "pi-1")
    assert other.broker_password
    assert (
        other.bridge_password("tanger", "pi-1") == made == Secrets(tmp_path).bridge_password("tanger", "pi-1")
    )


def test_damaged_secrets_are_not_replaced_in_silence(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"secret_key": ')
    with pytest.raises(RuntimeError, match=r"secrets\.json is damaged"):
        Secrets(tmp_path)


def test_a_private_file_replaces_a_public_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    log = log_file(tmp_path, "web")
    log.write_bytes(b"x" * (LARGEST_LOG + 1))
    assert not log_file(tmp_path, "web").exists()
    assert log.with_name("web.log.old").exists()


def test_a_bridge_reads_its_file_real_printers_beside_simulated_ones(tmp_path: Path) -> None:
    real = {"tanger-prusa-1": RealPrinter("http://127.0.0.1:5001", "K" * 32)}
    files = write_bridge_files(tmp_path, [m.slug for m in MACHINES], real, URLS)
    assert [file.stem for file in files] == [lab.slug for lab in LABS]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    settings = load(files[0])
    assert (settings.lab, settings.name) == ("tanger", "pi-1")
    assert (settings.broker.user, settings.broker.password) == ("bridge-tanger-pi-1", "p/w")
    kinds = {machine.slug: type(machine) for machine in settings.machine}
    assert kinds.pop("tanger-prusa-1") is OctoPrintMachine
    assert set(kinds.values()) == {SimulatedMachine}
    assert sum(len(load(file).machine) for file in files) == len(MACHINES)


def test_machines_that_are_not_in_the_database_get_no_bridge(tmp_path: Path) -> None:
    (only,) = write_bridge_files(tmp_path, ["rabat-laser-1", "somebody-elses"], {}, URLS)
    content = tomllib.loads(only.read_text())
    assert [machine["slug"] for machine in content["machine"]] == ["rabat-laser-1"]
    assert json.dumps(content).count("api_key") == 0
