"""Second factors, passkeys and providers: everybody's own, nobody else's.

The matrix runs at http://127.0.0.1, where passkeys are not to be had, and without providers: what begins
there is 404. tests/client/test_passkeys.py and tests/web/providers run where they are.
"""

from __future__ import annotations

from typing import Any

from fablab.signin.models import Passkey, ProviderIdentity
from tests.fixtures_cast import PASSWORD
from tests.web.permissions import Row
from tests.web.permissions.world import World

APP = "/account/security/authenticator"
CODES = "/account/security/recovery-codes"
PASSKEYS = "/account/security/passkeys"
PROVIDERS = "/account/security/providers"
PASSKEY = {"passkey_id": "$passkey"}
IDENTITY = {"identity_id": "$identity"}
NOWHERE = {"name": "nowhere"}


def things(world: World) -> dict[str, Any]:
    """Amina's passkey and her account at a provider that is in the settings no more."""
    owner = {"member_id": world.cast.members["amina"], "created_at": world.now}
    passkey = Passkey(**owner, name="Phone", credential_id=b"of amina", public_key=b"-")
    identity = ProviderIdentity(**owner, provider="nowhere", subject="1")
    world.session.add_all([passkey, identity])
    world.session.flush()
    return {"passkey": passkey.id, "identity": identity.id}


ROWS: dict[str, Row] = {
    "GET /sign-in/second-step": Row(302, anonymous=302),
    "POST /sign-in/second-step": Row(303, anonymous=303, form={"code": "000000"}),
    f"GET {APP}": Row(200),
    f"POST {APP}": Row(303),
    # Nobody here has begun to set up an app: nothing to confirm, to remove or to renew.
    f"POST {APP}/confirmation": Row(422, form={"code": "000000"}),
    f"GET {APP}/removal": Row(404),
    f"POST {APP}/removal": Row(404, form={"proof": PASSWORD}),
    f"GET {CODES}": Row(404),
    f"POST {CODES}": Row(422, form={"proof": PASSWORD}),
    "GET /account/security/sure": Row(200),
    "POST /account/security/sure": Row(303, form={"proof": PASSWORD}),
    f"GET {PASSKEYS}": Row(200),
    f"POST {PASSKEYS}/challenge": Row(404),
    f"POST {PASSKEYS}": Row(404, form={"name": "Phone", "credential": "{}"}),
    f"GET {PASSKEYS}/<id:passkey_id>/removal": Row(404, amina=200, at=PASSKEY),
    f"POST {PASSKEYS}/<id:passkey_id>/removal": Row(404, amina=303, at=PASSKEY),
    "POST /sign-in/passkey/challenge": Row(404, anonymous=404),
    "POST /sign-in/passkey": Row(404, anonymous=404, form={"credential": "{}"}),
    "GET /sign-in/with/<name>": Row(404, anonymous=404, at=NOWHERE),
    "GET /sign-in/with/<name>/back": Row(404, anonymous=404, at=NOWHERE),
    f"POST {PROVIDERS}/<name>": Row(404, at=NOWHERE),
    f"GET {PROVIDERS}/<id:identity_id>/removal": Row(404, amina=200, at=IDENTITY),
    f"POST {PROVIDERS}/<id:identity_id>/removal": Row(404, amina=303, at=IDENTITY),
}
