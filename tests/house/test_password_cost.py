"""What a guess at a stolen password hash costs: the second recommended set of RFC 9106."""

import subprocess
import sys

SHOW = "from fablab.signin.hashing import hash_password; print(hash_password('a long enough word'))"


def test_a_password_is_hashed_with_argon2id_64_mib_and_three_passes() -> None:
    # In a process of its own: the tests' own process hashes with less (tests/conftest.py).
    shown = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
