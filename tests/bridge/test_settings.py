"""bridge.toml: every mistake is one line that names the key; the example is valid; secrets stay secret."""

from pathlib import Path

import pytest

from firmware_bridge.settings import BadSettings, OctoPrintMachine, load

EXAMPLE = Path(__file__).parents[2] / "config" / "bridge.example.toml"
KEY = "SECRETSECRETSECRET"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The shipped example with its key file beside it."""
    (tmp_path / "prusa-1.key").write_text(f"{KEY}\n")
    path = tmp_path / "bridge.toml"
    path.write_text(EXAMPLE.read_text())
    return path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('lab = "tanger"', "", "lab"),
        ('lab = "tanger"', "lab = 7", "lab"),
        ('lab = "tanger"', 'lab = "Tanger Lab"', "lab"),
        ('lab = "tanger"', 'lab = "server"', "lab"),
        ('name = "pi-1"', 'nam = "pi-1"', "nam"),
        ("mqtts://", "http://", "broker.url"),
        ("mqtts://bridge-tanger-pi-1:PASSWORD@mqtt.example.org:8883", "mqtt://", "broker.url"),
        (":8883", ":port", "broker.url"),
        ("# ca_file", "ca_file", "broker.ca_file: cannot be used: No such file"),
        ('# ca_file = "/etc/ssl/own-authority.pem"', f"ca_file = {str(EXAMPLE)!r}", "is no certificate"),
        ('driver = "octoprint"', "", "driver"),
        ('driver = "octoprint"', 'driver = "moonraker"', "known drivers"),
        ('url = "http://192', 'url = "192', "machine[0].url"),
        ('api_key_file = "prusa-1.key"', "", "api_key"),
        ('api_key_file = "prusa-1.key"', 'api_key = ""', "machine[0].api_key"),
        ('api_key_file = "prusa-1.key"', 'api_key = "a\\nb"', "machine[0].api_key"),
        ('api_key_file = "prusa-1.key"', 'api_key = "a"\napi_key_file = "prusa-1.key"', "exactly one"),
        ('api_key_file = "prusa-1.key"', 'api_key_file = "missing.key"', "machine[0].api_key_file"),
        ("tanger-laser-1", "tanger-prusa-1", "machine[1].slug"),
        ('kind = "laser-cutter"', 'kind = "toaster"', "machine[1].kind"),
        ("seed = 1", 'seed = "one"', "machine[1].seed"),
        ("job_s = [120, 1500]", "job_s = [1500, 120]", "job_s"),
        ("job_s = [120, 1500]", "job_s = [-1, 1]", "machine[1].job_s[0]"),
        ("lab =", "lab", "TOML"),
    ],
)
def test_a_mistake_is_one_line_naming_the_key(example: Path, old: str, new: str, named: str) -> None:
    text = example.read_text()
    assert old in text
    example.write_text(text.replace(old, new, 1))
    with pytest.raises(BadSettings) as refusal:
        load(example)
    message = str(refusal.value)
    assert named in message
    assert str(example) in message
    assert "\n" not in message


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_a_mistake_in_the_address_does_not_print_the_password(example: Path) -> None:
    example.write_text(example.read_text().replace("mqtts://", "mqqt://").replace("PASSWORD", "hunter2"))
    with pytest.raises(BadSettings) as refusal:
        load(example)
    assert "hunter2" not in str(refusal.value)


def test_the_example_is_valid(example: Path) -> None:
    settings = load(example)
    assert (settings.lab, settings.name) == ("tanger", "pi-1")
    assert (settings.broker.user, settings.broker.password) == ("bridge-tanger-pi-1", "PASSWORD")
    assert (settings.broker.tls, settings.broker.port) == (True, 8883)
    printer = settings.machine[0]
    assert isinstance(printer, OctoPrintMachine)
    assert printer.api_key == KEY
    assert settings.outbox_path.parent == example.parent


def test_neither_key_nor_password_is_in_the_representation(example: Path) -> None:
    words = repr(load(example))
    assert KEY not in words
    assert "PASSWORD" not in words


def test_escapes_in_the_password_are_undone(example: Path) -> None:
    example.write_text(example.read_text().replace("PASSWORD", "p%40ss%2Fword"))
    assert load(example).broker.password == "p@ss/word"


def test_the_outbox_may_live_elsewhere(example: Path, tmp_path: Path) -> None:
    example.write_text(f'data_dir = "{tmp_path}/data"\n' + example.read_text())
    assert load(example).outbox_path.parent == tmp_path / "data"
