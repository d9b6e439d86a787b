"""The catalogue's part about arrangements around bookings: what members ask for, and what staff lay down."""

from __future__ import annotations

from fablab.data_rights.belonging import KIND, LAB, MACHINE, STATISTICS
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
from fablab.data_rights.doings import OWN_BOOKING
from fablab.data_rights.people import ACCOUNT, NUMBER, ONLY_DIGEST, OWN, SELF

EITHER = (
    "(t.from_member_id = :member OR t.to_member_id = :member "
    "OR lower(t.to_email) = ANY(CAST(:emails AS text[])))"
)
ABOUT_MEMBER = (
    "jsonb_path_exists(t.payload, '$.**.member ? (@ == $id || @.id == $id)', "
    "jsonb_build_object('id', CAST(:member AS bigint)))"
)

NOTICE = Unowned(
    "booking_notice",
    "What people are told of bookings within seconds, and goes then; the bookings stand in bookings.csv.",
    erasure=(Change("t.member_id = :member OR t.actor_id = :member", {"reason": "''"}),),
    kept={
        "what": "one of a few words of ours",
        "reason": "about others' bookings; it goes within seconds",
        "offers": "free times of machines",
    },
    lasts="some seconds",
)

APPROVAL = Personal(
    "approval",
    sheet="approvals",
    rows=f"({OWN} OR {OWN_BOOKING})",
    columns={
        "booking_id": Shown("Your booking", f"CASE WHEN {OWN_BOOKING} THEN t.booking_id END", "booking"),
        "member_id": Shown("By", "CASE WHEN t.member_id = :member THEN 'yourself' ELSE 'staff' END", "by"),
        "at": Shown("At"),
    },
    links={"member_id": "leads to the erased member: that somebody said yes, not who"},
    order="t.at, t.booking_id",
    lasts="as long as the booking",
)

SERIES = Personal(
    "series",
    sheet="series",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "machine_id": MACHINE,
        "member_id": SELF,
        "created_by_id": Shown(
            "Booked by", "CASE WHEN t.created_by_id = :member THEN 'yourself' ELSE 'staff' END", "booked_by"
        ),
        "rrule": Shown("Comes again"),
        "zone": Shown("Time zone"),
        "local_starts": Shown("First starts at, on the lab's clock"),
        "local_ends": Shown("First ends at, on the lab's clock"),
        "purpose": Shown("Purpose"),
        "created_at": Shown("Booked at"),
    },
    erasure=(Change(OWN + " AND t.purpose <> ''", {"purpose": "''"}),),
    kept={"rrule": "when a machine was booked, without whose booking it was", "zone": STATISTICS},
    links={"member_id": "leads to the erased member", "created_by_id": "leads to the erased member"},
    limits=(
        Limit(
            "booking_texts_days",
            "t.purpose <> '' AND t.created_at < :before AND NOT EXISTS (SELECT FROM booking AS b "
            "WHERE b.series_id = t.id AND b.ends_at >= :before)",
            {"purpose": "''"},
        ),
    ),
)

SERIES_SKIP = Personal(
    "series_skip",
    sheet="series-skipped",
    rows="t.series_id IN (SELECT id FROM series WHERE member_id = :member)",
    columns={
        "series_id": Shown("Series"),
        "series_at": Shown("Would have started at, on the lab's clock"),
        "reason": Shown("Why not"),
    },
    kept={"reason": "codes of rules, such as machine_booked"},
    order="t.series_id, t.series_at",
    lasts="as long as the series",
)

WAITING = Personal(
    "waiting",
    sheet="waiting-list",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "member_id": SELF,
        "machine_id": MACHINE,
        "kind_id": KIND,
        "lab_id": LAB,
        "duration_s": Shown("Seconds wanted"),
        "after": Shown("Not before"),
        "before": Shown("Over by"),
        "state": Shown("State"),
        "created_at": Shown("In line since"),
        "booking_id": Shown("Booking"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    limits=(Limit("waits_days", "t.before < :before AND t.state NOT IN ('waiting', 'held')"),),
)

HANDOVER = Personal(
    "handover",
    sheet="handovers",
    rows=EITHER,
    columns={
        "id": NUMBER,
        "booking_id": Shown("Booking"),
        "for_booking_id": Shown("For booking"),
        "from_member_id": Shown(
            "From", "CASE WHEN t.from_member_id = :member THEN 'yourself' ELSE 'another member' END", "from"
        ),
        # Whether there is an account behind the address, nobody is told.
        "to_email": Shown("To, as written"),
        "to_member_id": Hidden("the account behind that address, if there is one"),
        "version": Hidden("which state of the booking was offered"),
        "for_version": Hidden("which state of the other booking was asked for"),
        "note": Shown("Note"),
        "state": Shown("State"),
        "created_at": Shown("Offered at"),
        "expires_at": Shown("Ends at"),
        "decided_at": Shown("Answered at"),
    },
    # Of the booking that changed hands its own history tells.
    erasure=(Delete(EITHER),),
    links={"from_member_id": "goes with the row", "to_member_id": "goes with the row"},
    limits=(Limit("waits_days", "t.expires_at < :before AND t.state <> 'offered'"),),
)

CALENDAR_KEY = Personal(
    "calendar_key",
    sheet="calendar-feeds",
    rows=OWN,
    columns={
        "id": NUMBER,
        "member_id": SELF,
        "machine_id": MACHINE,
        "lab_id": LAB,
        "key_hash": ONLY_DIGEST,
        "created_at": Shown("Made at"),
        "used_at": Shown("Last used at"),
    },
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    lasts=ACCOUNT,
)

NOTICE_CHOICE = Personal(
    "notice_choice",
    sheet="notices",
    rows=OWN,
    columns={"member_id": SELF, "notice": Shown("About"), "by_mail": Shown("By mail")},
    erasure=(Delete(OWN),),
    links={"member_id": "goes with the row"},
    order="t.notice",
    lasts=ACCOUNT,
)

OUTAGE = Unowned(
    "outage",
    "Times in which machines are out of service. Who of the staff said so stands in audit.csv.",
    erasure=(Change(mentions("t.note"), {"note": "''"}),),
    kept={
        "category": "one of a few words of ours",
        "note": "about the machine; one that names the member goes",
    },
    links={"created_by_id": "leads to the erased member"},
    lasts="as long as the network's figures need it",
)

RULE = Unowned(
    "rule",
    "What is asked of bookings, everybody's alike. Who of the staff changed it stands in audit.csv.",
    erasure=(Change(mentions("t.note"), {"note": "''"}),),
    kept={
        "name": "the rule's own name",
        "value": "a number, or yes or no",
        "category": "of members in general",
        "note": "why the rule is there; one that names the member goes",
    },
    links={"changed_by_id": "leads to the erased member"},
    lasts="until staff take it away",
)

CLOSURE = Unowned(
    "closure",
    "When labs are closed, in part as their own calendars elsewhere say.",
    erasure=(Change(mentions("t.label"), {"label": "''"}),),
    kept={
        "label": "why the lab is closed; one that names the member goes",
        "rrule": "when the lab is closed",
        "state": "whether staff confirmed it",
        "proposal": "the feast, or the calendar's own number, that it was read from",
    },
    lasts="until staff take it away",
)

WEBHOOK = Unowned(
    "webhook",
    "Programs of labs that are told what happens there. Who set one up stands in audit.csv.",
    kept={"url": "where a program of the lab listens", "secret": "what the lab knows our messages by"},
    links={"created_by_id": "leads to the erased member"},
    lasts="until staff take it away",
)

DELIVERY = Unowned(
    "webhook_delivery",
    "What programs of labs were told about bookings, which stand in bookings.csv.",
    erasure=(Delete(f"{ABOUT_MEMBER} OR {mentions('t.payload::text')} OR {mentions('t.trouble')}"),),
    kept={
        "event": "one of a few words of ours",
        "payload": "others' bookings; what tells of the member goes",
        "trouble": "what the program answered; what names the member goes",
    },
    limits=(Limit("deliveries_days", "t.created_at < :before"),),
)

# In the order of an erasure.
ARRANGEMENTS: tuple[Declaration, ...] = (
    NOTICE,
    SERIES_SKIP,
    SERIES,
    WAITING,
    HANDOVER,
    APPROVAL,
    CALENDAR_KEY,
    NOTICE_CHOICE,
    OUTAGE,
    RULE,
    CLOSURE,
    WEBHOOK,
    DELIVERY,
)
