"""The catalogue's part about belonging and learning: organisations, projects, certifications, trainings."""

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
)
from fablab.data_rights.people import ACCOUNT, NUMBER, ONLY_DIGEST, OWN, SELF

MACHINE = Shown("Machine", "(SELECT slug FROM machine WHERE id = t.machine_id)", "machine")
LAB = Shown("Lab", "(SELECT slug FROM lab WHERE id = t.lab_id)", "lab")
KIND = Shown("Kind", "(SELECT slug FROM kind WHERE id = t.kind_id)", "kind")
ORGANISATION = Shown(
    "Organisation", "(SELECT name FROM organisation WHERE id = t.organisation_id)", "organisation"
)
STATISTICS = "counts in the network's figures, which must not change"
NOBODY_ELSE = (
    "NOT EXISTS (SELECT FROM membership AS other WHERE other.organisation_id = t.id "
    "AND other.member_id <> :member)"
)
NOBODY_LEFT = (
    "t.organisation_id IN (SELECT o.id FROM organisation AS o WHERE o.closed_at IS NOT NULL "
    "AND NOT EXISTS (SELECT FROM membership AS m WHERE m.organisation_id = o.id))"
)

ORGANISATIONS = Unowned(
    "organisation",
    "An organisation's name and kind are its own; that the member belongs to it stands in organisations.csv.",
    # Closing it is `fablab.organisations.forgetting`'s.
    erasure=(
        Change(
            "EXISTS (SELECT FROM membership AS m WHERE m.organisation_id = t.id AND m.member_id = :member) "
            f"AND {NOBODY_ELSE}",
            {
                "name": "'Closed organisation ' || t.id",
                # Nobody can found one whose slug would be this.
                "slug": "'closed-organisation-' || t.id || '-' || left(md5(gen_random_uuid()::text), 12)",
            },
        ),
    ),
    kept={
        "slug": "belongs to the others in the organisation; one that nobody else is in loses it",
        "name": "belongs to the others in the organisation; one that nobody else is in loses it",
        "kind": "says nothing about a person",
        "tariff_category": "says nothing about a person",
    },
    lasts="as long as the network's figures need it",
)

MEMBERSHIP = Personal(
    "membership",
    sheet="organisations",
    rows=OWN,
    columns={
        "organisation_id": ORGANISATION,
        "member_id": SELF,
        "owner": Shown("Owner"),
        "since": Shown("Since"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    order="t.organisation_id",
    lasts=ACCOUNT,
)

INVITATION = Personal(
    "invitation",
    sheet="invitations",
    rows="lower(t.email) = ANY(CAST(:emails AS text[]))",
    columns={
        "id": NUMBER,
        "organisation_id": ORGANISATION,
        "email": Shown("To"),
        "owner": Shown("As owner"),
        "digest": ONLY_DIGEST,
        "invited_by_id": Hidden("another member"),
        "created_at": Shown("Sent at"),
        "expires_at": Shown("Ends at"),
        "accepted_at": Shown("Accepted at"),
        "withdrawn_at": Shown("Withdrawn at"),
    },
    erasure=(Delete("lower(t.email) = ANY(CAST(:emails AS text[]))"),),
    links={"invited_by_id": "the invitation is the organisation's; leads to the erased member"},
    limits=(Limit("invitations_days", "coalesce(t.accepted_at, t.withdrawn_at, t.expires_at) < :before"),),
)

PROJECT = Personal(
    "project",
    sheet="projects",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "organisation_id": ORGANISATION,
        "member_id": SELF,
        "name": Shown("Name"),
        "filiere": Shown("Field"),
        "programme": Shown("Programme"),
        "created_at": Shown("Made at"),
        "closed_at": Shown("Closed at"),
    },
    erasure=(
        Change(
            OWN + " AND t.organisation_id IS NULL",
            {"name": "'Project ' || t.id", "closed_at": "coalesce(t.closed_at, :now)"},
        ),
        # Nobody is left whose it could be.
        Change(
            f"{OWN} AND {NOBODY_LEFT}",
            {"name": "'Project ' || t.id", "closed_at": "coalesce(t.closed_at, :now)"},
        ),
    ),
    kept={
        "name": "an organisation's project is the organisation's; one's own loses its name",
        "filiere": STATISTICS,
        "programme": STATISTICS,
    },
    links={"member_id": "leads to the erased member"},
    lasts=ACCOUNT,
)

CERTIFICATION = Personal(
    "certification",
    sheet="certifications",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "member_id": SELF,
        "kind_id": KIND,
        "machine_id": MACHINE,
        "lab_id": LAB,
        "level": Shown("Level"),
        "granted_at": Shown("Granted at"),
        "renewed_at": Shown("Renewed at"),
        "expires_on": Shown("Ends on"),
        "reminded_for": Hidden("the end of which a mail told"),
        "last_used_at": Shown("Last used at"),
        "suspended_at": Shown("Suspended at"),
        "revoked_at": Shown("Revoked at"),
        "code": Shown("Code of the certificate"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=ACCOUNT,
)

CERTIFICATION_CHANGE = Personal(
    "certification_change",
    sheet="certification-changes",
    rows="t.certification_id IN (SELECT id FROM certification WHERE member_id = :member)",
    columns={
        "id": NUMBER,
        "certification_id": Shown("Certification"),
        "at": Shown("At"),
        "member_id": Shown(
            "By",
            "CASE WHEN t.member_id = :member THEN 'yourself' WHEN t.member_id IS NULL THEN 'the service' "
            "ELSE 'staff' END",
            "by",
        ),
        "change": Shown("Change"),
        "level": Shown("Level"),
        "training_id": Shown("Training"),
        "reason": Shown("Reason"),
    },
    erasure=(Delete("t.certification_id IN (SELECT id FROM certification WHERE member_id = :member)"),),
    kept={"reason": "what a trainer wrote about another member is that member's history"},
    links={"member_id": "who granted it; the row it leads to names nobody any more"},
    within=("certifications", "certification_id"),
    lasts=ACCOUNT,
)

TRAINING = Personal(
    "training",
    sheet="trainings-led",
    rows="t.trainer_id = :member",
    columns={
        "id": Shown("Number"),
        "lab_id": LAB,
        "kind_id": KIND,
        "machine_id": MACHINE,
        "level": Shown("Level"),
        "title": Shown("Title"),
        "notes": Shown("Notes"),
        "starts_at": Shown("Starts at"),
        "ends_at": Shown("Ends at"),
        "places": Shown("Places"),
        "trainer_id": SELF,
        "created_at": Shown("Made at"),
        "cancelled_at": Shown("Cancelled at"),
        "closed_at": Shown("Closed at"),
    },
    kept={"title": "the lab's announcement", "notes": "the lab's announcement"},
    links={"trainer_id": "leads to the erased member"},
    lasts="as long as the lab's figures need it",
)

ENROLMENT = Personal(
    "enrolment",
    sheet="trainings",
    rows=OWN,
    columns={
        "training_id": Shown("Training", "(SELECT title FROM training WHERE id = t.training_id)", "training"),
        "member_id": SELF,
        "state": Shown("State"),
        "enrolled_at": Shown("Enrolled at"),
        "changed_at": Shown("Changed at"),
    },
    kept={"state": "how many came to a training is the lab's figure"},
    links={"member_id": "leads to the erased member"},
    order="t.training_id",
    lasts="as long as the lab's figures need it",
)

# In the order of an erasure: what is found by way of another table comes before that one changes.
LEARNING: tuple[Declaration, ...] = (
    ORGANISATIONS,
    CERTIFICATION_CHANGE,
    CERTIFICATION,
    ENROLMENT,
    TRAINING,
)
# After the verbs that take the member out of organisations.
BELONGING: tuple[Declaration, ...] = (PROJECT, MEMBERSHIP, INVITATION)
