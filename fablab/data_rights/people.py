"""The catalogue's part about accounts: who somebody is, how they sign in, what they are written to."""

from __future__ import annotations

from fablab.data_rights.declarations import (
    Change,
    Declaration,
    Delete,
    Hidden,
    Limit,
    Personal,
    Shown,
    Unowned,
    mentions,
)

OWN = "t.member_id = :member"
SECRET = Hidden("a secret: whoever reads it could pretend to be the member")
NUMBER = Hidden("our own number of the row")
SELF = Hidden("always the member's own number")
# By fablab.signin.tasks.
UNTIL_OVER = "a day after it is over, at the latest"
ACCOUNT = "as long as the account"
ONLY_DIGEST = Hidden("a fingerprint of a secret; nothing can be read from it")

MEMBER = Personal(
    "member",
    sheet="account",
    rows="t.id = :member",
    columns={
        "id": Shown("Number"),
        "email": Shown("E-mail"),
        "name": Shown("Name"),
        "password_hash": SECRET,
        "active": Shown("Active"),
        "created_at": Shown("Since"),
        "language": Shown("Language"),
        "birth_on": Shown("Born on"),
        "category": Shown("Category"),
        "email_verified_at": Shown("Address verified at"),
        "erased_at": Hidden("empty for as long as there is somebody to ask"),
        "sought": Hidden("the name and the address again, as they are searched for"),
        "words": Hidden("the name and the address again, as they are searched for"),
    },
    erasure=(
        Change(
            "t.id = :member",
            {
                "name": ":name",
                "email": ":address",
                "password_hash": "NULL",
                "active": "false",
                "language": "'fr'",
                "birth_on": "NULL",
                "category": "''",
                "email_verified_at": "NULL",
                "erased_at": ":now",
                "sought": "''",
            },
        ),
    ),
    lasts=ACCOUNT,
)

ROLE = Personal(
    "role",
    sheet="roles",
    rows=OWN,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "role": Shown("Role"),
        "lab_id": Shown("Lab", "(SELECT slug FROM lab WHERE id = t.lab_id)", "lab"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=ACCOUNT,
)

TOKEN = Personal(
    "token",
    sheet="tokens",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "member_id": SELF,
        "name": Shown("Name"),
        "digest": ONLY_DIGEST,
        "scope": Shown("May"),
        "created_at": Shown("Made at"),
        "expires_at": Shown("Ends at"),
        "last_used_at": Shown("Last used at"),
        "revoked_at": Shown("Ended at"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    limits=(Limit("tokens_days", "least(t.revoked_at, t.expires_at) < :before"),),
)

GUARDIAN_CONSENT = Personal(
    "guardian_consent",
    sheet="consents",
    rows=OWN,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "guardian_name": Shown("Guardian"),
        "guardian_email": Hidden("the guardian's own address"),
        "words": Shown("Agreed to"),
        "given_on": Shown("Given on"),
        "recorded_at": Shown("Recorded at"),
        "recorded_by_id": Hidden("the member of staff who wrote it down"),
        "withdrawn_at": Shown("Withdrawn at"),
    },
    erasure=(Delete(OWN),),
    links={
        "member_id": "goes with the row",
        "recorded_by_id": "says that staff wrote it down; the row it leads to names nobody any more",
    },
    limits=(
        Limit(
            "consents_days",
            "t.withdrawn_at < :before OR EXISTS (SELECT FROM member AS m WHERE m.id = t.member_id "
            "AND m.birth_on + interval '18 years' < :before)",
        ),
    ),
)

AUDIT = Personal(
    "audit",
    sheet="audit",
    rows="(t.actor_id = :member OR t.on_member_id = :member)",
    columns={
        "id": Shown("Number"),
        "at": Shown("At"),
        "actor_id": Shown(
            "By",
            "CASE WHEN t.actor_id = :member THEN 'yourself' WHEN t.actor_id IS NULL THEN 'the service' "
            "ELSE 'staff' END",
            "by",
        ),
        "on_member_id": Shown(
            "On",
            "CASE WHEN t.on_member_id = :member THEN 'yourself' WHEN t.on_member_id IS NULL THEN '' "
            "ELSE 'another member' END",
            "on",
        ),
        "lab_id": Shown("Lab", "(SELECT slug FROM lab WHERE id = t.lab_id)", "lab"),
        "action": Shown("Act"),
        # What staff did to others tells of others.
        "subject": Shown(
            "What", "CASE WHEN coalesce(t.on_member_id, :member) = :member THEN t.subject ELSE '' END"
        ),
        "detail": Shown(
            "More", "CASE WHEN coalesce(t.on_member_id, :member) = :member THEN t.detail ELSE '' END"
        ),
        "address": Shown(
            "From network address", "CASE WHEN t.actor_id = :member THEN t.address END", "address"
        ),
    },
    # All that the table's trigger lets anybody change.
    erasure=(Change("t.actor_id = :member AND t.address IS NOT NULL", {"address": "NULL"}),),
    kept={
        "action": "acts of rights must stay provable",
        "subject": "a number of a thing, such as booking 7; the verbs write no names there",
        "detail": "what was changed, in the service's own words; the verbs write no names there",
    },
    links={
        "actor_id": "leads to the erased member: that one person did these acts, not who",
        "on_member_id": "leads to the erased member",
    },
    limits=(Limit("audit_days", "t.at < :before"),),
)

MAIL = Personal(
    "mail",
    sheet="mails",
    rows="(t.member_id = :member OR lower(t.address) = ANY(CAST(:emails AS text[])))",
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "address": Shown("To"),
        "language": Shown("Language"),
        "template": Shown("About"),
        "filling": Hidden("holds links that open the account until the mail is sent, and is empty then"),
        "calendar": Hidden("the booking as a calendar has it, until the mail is sent; see bookings.csv"),
        "created_at": Shown("Written at"),
        "due_at": Hidden("when the service tries next"),
        "attempts": Hidden("how often the service tried"),
        "sent_at": Shown("Sent at"),
        "given_up_at": Shown("Given up at"),
        "trouble": Hidden("what the mail server said to ours"),
    },
    erasure=(
        Delete("t.member_id = :member OR lower(t.address) = ANY(CAST(:emails AS text[]))"),
        # Written to others in the member's name and never sent.
        Delete(f"t.given_up_at IS NOT NULL AND ({mentions('t.filling::text')} OR {mentions('t.calendar')})"),
    ),
    links={"member_id": "goes with the row"},
    limits=(Limit("mails_days", "coalesce(t.sent_at, t.given_up_at) < :before"),),
)

SIGN_IN_SESSION = Personal(
    "sign_in_session",
    sheet="sign-ins",
    rows=OWN,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "digest": ONLY_DIGEST,
        "method": Shown("How"),
        "second_factor": Shown("With second factor"),
        "created_at": Shown("Signed in at"),
        "seen_at": Shown("Last seen at"),
        "expires_at": Shown("Ends at"),
        "idle_s": Hidden("after how many seconds without use it ends"),
        "address": Shown("From network address"),
        "browser": Shown("Browser"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=UNTIL_OVER,
)

ADDRESSED = "(t.member_id = :member OR lower(t.email) = ANY(CAST(:emails AS text[])))"
MAIL_LINK = Personal(
    "mail_link",
    sheet="mail-links",
    rows=ADDRESSED,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "purpose": Shown("For"),
        "digest": ONLY_DIGEST,
        "email": Shown("To"),
        "pending": Hidden("an account that was asked for with this address, and its password's hash"),
        "created_at": Shown("Made at"),
        "expires_at": Shown("Ends at"),
        "used_at": Shown("Used at"),
    },
    erasure=(Delete(ADDRESSED),),
    links={"member_id": "goes with the row"},
    lasts=UNTIL_OVER,
)

PROVIDER_IDENTITY = Personal(
    "provider_identity",
    sheet="other-accounts",
    rows=OWN,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "provider": Shown("Provider"),
        "subject": Shown("Number there"),
        "created_at": Shown("Linked at"),
        "last_used_at": Shown("Last used at"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=ACCOUNT,
)

AUTHENTICATOR = Personal(
    "authenticator",
    sheet="authenticator",
    rows=OWN,
    columns={
        "member_id": SELF,
        "secret": SECRET,
        "created_at": Shown("Added at"),
        "confirmed_at": Shown("Confirmed at"),
        "last_step": Hidden("so that no code works twice"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    order="t.member_id",
    lasts=ACCOUNT,
)

RECOVERY_CODE = Personal(
    "recovery_code",
    sheet="recovery-codes",
    rows=OWN,
    columns={"id": NUMBER, "member_id": SELF, "digest": ONLY_DIGEST, "used_at": Shown("Used at")},
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=ACCOUNT,
)

PASSKEY = Personal(
    "passkey",
    sheet="passkeys",
    rows=OWN,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "name": Shown("Name"),
        "credential_id": Hidden("what the member's own device knows the passkey by"),
        "public_key": Hidden("the half of the key that is of use to this service only"),
        "sign_count": Hidden("so that a copied key is noticed"),
        "created_at": Shown("Added at"),
        "last_used_at": Shown("Last used at"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=ACCOUNT,
)

IDEMPOTENCY = Unowned(
    "idempotency",
    "Answers to the member's own requests, kept so that sending one again does no harm; what they say stands "
    "in the other files.",
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    limits=(Limit("answers_days", "t.created_at < :before"),),
)

LINK_REQUEST = Unowned(
    "link_request",
    "Somebody asked for a mail a moment ago; the clock sends it and the row goes.",
    erasure=(Delete(ADDRESSED),),
    links={"member_id": "goes with the row"},
    lasts=UNTIL_OVER,
)

GUESS = Unowned(
    "guess",
    "Wrong guesses are counted under fingerprints of accounts and network addresses; nobody can be read from "
    "one.",
    kept={"key": "a fingerprint; it goes by itself after some days"},
    lasts=UNTIL_OVER,
)

PEOPLE: tuple[Declaration, ...] = (
    MEMBER,
    ROLE,
    GUARDIAN_CONSENT,
    SIGN_IN_SESSION,
    AUTHENTICATOR,
    RECOVERY_CODE,
    PASSKEY,
    PROVIDER_IDENTITY,
    TOKEN,
    MAIL,
    MAIL_LINK,
    LINK_REQUEST,
    AUDIT,
    IDEMPOTENCY,
    GUESS,
)
