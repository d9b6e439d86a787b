"""The catalogue's part about what people do with machines: bookings, jobs, and what machines say of them."""

from __future__ import annotations

from fablab.data_rights.belonging import LAB, MACHINE, ORGANISATION, STATISTICS
from fablab.data_rights.declarations import (
    Change,
    Declaration,
    Delete,
    Hidden,
    Limit,
    Personal,
    Shown,
    Unowned,
    escaped,
    in_bytes,
    mentions,
    mentions_in_bytes,
    word_in,
)
from fablab.data_rights.people import NUMBER, OWN, SELF

OWN_BOOKING = "t.booking_id IN (SELECT id FROM booking WHERE member_id = :member)"
SAID_DURING_OWN_JOB = (
    "SELECT c.id FROM job AS j JOIN status_change AS c ON c.machine_id = j.machine_id "
    "AND c.at BETWEEN j.started_at - interval '1 hour' "
    "AND coalesce(j.ended_at, :now) + interval '1 hour' WHERE j.member_id = :member"
)
OWN_JOB = "SELECT id FROM job WHERE member_id = :member"
# A message about a job may come this long after it. By its number anywhere; by the names of its file and
# account only from its machine, because others' files may be called the same.
ABOUT_OWN_JOB = (
    f"EXISTS (SELECT FROM (SELECT {escaped('t.payload')} AS said OFFSET 0) AS bytes, "
    "job AS j JOIN machine AS m ON m.id = j.machine_id "
    "WHERE j.member_id = :member AND j.started_at < t.received_at "
    "AND j.started_at > t.received_at - interval '90 days' "
    "AND (position(CAST(j.id AS text) IN bytes.said) > 0 "
    "OR (position('/' || m.slug || '/' IN t.topic) > 0 "
    f"AND ({word_in(in_bytes('j.file'), 'bytes.said')} OR {word_in(in_bytes('j.owner'), 'bytes.said')}))))"
)
LONG_OVER = "EXISTS (SELECT FROM booking AS b WHERE b.id = t.booking_id AND b.ends_at < :before)"

BOOKING = Personal(
    "booking",
    sheet="bookings",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "machine_id": MACHINE,
        "lab_id": LAB,
        "member_id": SELF,
        "created_by_id": Shown(
            "Booked by", "CASE WHEN t.created_by_id = :member THEN 'yourself' ELSE 'staff' END", "booked_by"
        ),
        "starts_at": Shown("Starts at"),
        "ends_at": Shown("Ends at"),
        "zone": Shown("Time zone"),
        "local_starts": Shown("Starts at, on the lab's clock"),
        "local_ends": Shown("Ends at, on the lab's clock"),
        "state": Shown("State"),
        "purpose": Shown("Purpose"),
        "created_at": Shown("Booked at"),
        "organisation_id": ORGANISATION,
        "project_id": Shown("Project", "(SELECT name FROM project WHERE id = t.project_id)", "project"),
        "head_count": Shown("People"),
        "version": Hidden("how often the row changed, so that two changes at once do not undo one another"),
        "bundle_id": Shown("Booked together, as"),
        "series_id": Shown("Series"),
        "series_at": Shown("Its time in the series, on the lab's clock"),
        "decide_by": Shown("To be decided by"),
        "checked_in_at": Shown("Checked in at"),
        "checked_out_at": Shown("Checked out at"),
        "reminded_at": Shown("Reminded at"),
        "forgiven": Shown("Missed, but not counted"),
    },
    erasure=(Change(OWN + " AND t.purpose <> ''", {"purpose": "''"}),),
    kept={"zone": STATISTICS, "state": STATISTICS},
    links={
        "member_id": "leads to the erased member",
        "created_by_id": "leads to the erased member",
    },
    limits=(Limit("booking_texts_days", "t.ends_at < :before AND t.purpose <> ''", {"purpose": "''"}),),
)

BOOKING_CHANGE = Personal(
    "booking_change",
    sheet="booking-changes",
    rows=OWN_BOOKING,
    columns={
        "id": NUMBER,
        "booking_id": Shown("Booking"),
        "at": Shown("At"),
        "made_by": Shown("By"),
        "member_id": Shown(
            "Member",
            "CASE WHEN t.member_id = :member THEN 'yourself' WHEN t.member_id IS NULL THEN '' "
            "ELSE 'staff' END",
            "member",
        ),
        "from_state": Shown("From"),
        "to_state": Shown("To"),
        "reason": Shown("Reason"),
        "from_starts_at": Shown("Start before"),
        "from_ends_at": Shown("End before"),
        "from_machine_id": Shown(
            "Machine before", "(SELECT slug FROM machine WHERE id = t.from_machine_id)", "from_machine"
        ),
        "to_starts_at": Shown("New start"),
        "to_ends_at": Shown("New end"),
        "to_machine_id": Shown(
            "New machine", "(SELECT slug FROM machine WHERE id = t.to_machine_id)", "to_machine"
        ),
        "from_holder_id": Shown(
            "Whose before",
            "CASE WHEN t.from_holder_id = :member THEN 'yours' WHEN t.from_holder_id IS NULL THEN '' "
            "ELSE 'another member''s' END",
            "from_holder",
        ),
        "to_holder_id": Shown(
            "Whose then",
            "CASE WHEN t.to_holder_id = :member THEN 'yours' WHEN t.to_holder_id IS NULL THEN '' "
            "ELSE 'another member''s' END",
            "to_holder",
        ),
        "broke": Shown("Rules that staff went over", "array_to_string(t.broke, ', ')"),
    },
    # What the clock and the machines give as reasons are sentences of ours.
    erasure=(Change(OWN_BOOKING + " AND t.made_by = 'member' AND t.reason <> ''", {"reason": "''"}),),
    kept={
        "made_by": "'member', 'machine' or 'clock'",
        "from_state": STATISTICS,
        "to_state": STATISTICS,
        "reason": "what staff wrote about another's booking is that member's history",
    },
    links={
        "member_id": "leads to the erased member",
        "from_holder_id": "leads to the erased member",
        "to_holder_id": "leads to the erased member",
    },
    limits=(
        Limit(
            "booking_texts_days",
            "t.at < :before AND t.made_by = 'member' AND t.reason <> ''",
            {"reason": "''"},
        ),
    ),
    within=("bookings", "booking_id"),
)

PARTICIPANT = Personal(
    "participant",
    sheet="came-along",
    rows=OWN,
    columns={
        "id": NUMBER,
        "booking_id": Shown(
            "Booking",
            "(SELECT m.slug || ', ' || b.local_starts FROM booking AS b JOIN machine AS m "
            "ON m.id = b.machine_id WHERE b.id = t.booking_id)",
            "booking",
        ),
        "member_id": SELF,
        "name": Shown("Written as"),
    },
    erasure=(
        Delete(f"{OWN} OR lower(t.name) = ANY(CAST(:emails AS text[]))"),
        # Names the member wrote down of people without an account.
        Delete(OWN_BOOKING + " AND t.member_id IS NULL"),
    ),
    kept={
        "name": "other members who came along; a mere name in somebody else's list is not known to be the "
        "member's, and goes with that list's time"
    },
    links={"member_id": "goes with the row; how many came stays with the booking"},
    limits=(
        Limit("booking_texts_days", f"t.member_id IS NULL AND {LONG_OVER}"),
        Limit("booking_texts_days", f"t.name <> '' AND {LONG_OVER}", {"name": "''"}),
    ),
)

JOB = Personal(
    "job",
    sheet="jobs",
    rows=OWN,
    columns={
        "id": Shown("Number"),
        "machine_id": MACHINE,
        "lab_id": LAB,
        "file": Shown("File"),
        "started_at": Shown("Started at"),
        "ended_at": Shown("Ended at"),
        "outcome": Shown("Outcome"),
        "reason": Shown("Reason"),
        "print_time_s": Shown("Seconds at work"),
        "elapsed_s": Shown("Seconds from start to end"),
        "estimated_s": Shown("Seconds estimated"),
        "filament_mm": Shown("Filament in mm"),
        "owner": Shown("Account at the machine"),
        "booking_id": Shown("Booking"),
        "member_id": SELF,
        "historical": Hidden("whether the news came late"),
    },
    erasure=(Change(OWN, {"file": "NULL", "reason": "NULL", "owner": "NULL"}),),
    kept={"outcome": STATISTICS},
    links={"member_id": "leads to the erased member"},
    limits=(
        Limit(
            "job_files_days",
            "t.ended_at < :before AND num_nonnulls(t.file, t.reason, t.owner) > 0",
            {"file": "NULL", "reason": "NULL", "owner": "NULL"},
        ),
    ),
    order="t.started_at, t.id",
)

USAGE_SESSION = Personal(
    "usage_session",
    sheet="machine-use",
    rows=OWN,
    columns={
        "id": NUMBER,
        "machine_id": MACHINE,
        "lab_id": LAB,
        "job_id": Shown("Job"),
        "booking_id": Shown("Booking"),
        "member_id": SELF,
        "started_at": Shown("Started at"),
        "ended_at": Shown("Ended at"),
        "busy_s": Shown("Seconds at work"),
        "idle_s": Shown("Seconds idle"),
        "busy": Hidden("whether the machine is at work now"),
        "counted_at": Hidden("how far the seconds are counted"),
        "energy_wh": Shown("Energy in Wh"),
        "meter_wh": Hidden("where the machine's meter stood"),
        "meter_epoch": Hidden("since when the machine's meter counts"),
        "stop_reason": Shown("Why it ended"),
    },
    kept={"meter_epoch": "the machine's meter", "stop_reason": "one of a few words of ours"},
    links={"member_id": "leads to the erased member"},
    lasts="as long as the network's figures need it",
)

# Read before the jobs lose their files.
MACHINE_STATUS = Unowned(
    "machine_status",
    "How a machine is now; while it works for a member, that stands in jobs.csv.",
    erasure=(
        Change(
            f"CAST(t.job ->> 'id' AS uuid) IN ({OWN_JOB})",
            {"job": "jsonb_set(t.job - 'owner', '{file}', 'null')", "detail": "NULL"},
        ),
    ),
    kept={
        "state": "the machine's state",
        "detail": "the machine's words; those during the member's own work go",
        "job": "others' work; the member's own loses file and account",
        "temperatures": "measured at the machine",
    },
    lasts="until the machine's next word",
)

STATUS_CHANGE = Unowned(
    "status_change",
    "States of machines.",
    erasure=(
        Change(
            f"t.id IN ({SAID_DURING_OWN_JOB} AND c.detail IS NOT NULL "
            f"AND ({word_in('j.file', 'lower(c.detail)')} OR {mentions('c.detail')}))",
            {"detail": "NULL"},
        ),
    ),
    kept={
        "from_state": "the machine's state",
        "to_state": "the machine's state",
        "detail": "the machine's words; those that name the member or the member's file go",
    },
    limits=(
        Limit(
            "status_changes_days",
            "t.at < :before",
            # By machine, because that is how the table is indexed, and it is long.
            source="machine AS m CROSS JOIN LATERAL (SELECT c.ctid, c.* FROM status_change AS c "
            "WHERE c.machine_id = m.id AND c.at < :before LIMIT :most) AS t",
        ),
    ),
)

DEAD_LETTER = Unowned(
    "dead_letter",
    "Messages of machines nobody could read; they are looked into by hand and go soon.",
    erasure=(
        Change(
            f"{mentions_in_bytes('t.payload')} OR {mentions('t.topic')} OR {mentions('t.reason')} "
            f"OR {ABOUT_OWN_JOB}",
            {"payload": "''", "topic": "''", "reason": "'erased with a member'"},
        ),
    ),
    kept={
        "topic": "the machine that sent it; one that mentions the member goes",
        "payload": "others' messages; one that mentions the member goes",
        "reason": "why it could not be read",
    },
    limits=(Limit("dead_letters_days", "t.received_at < :before"),),
)

READING = Unowned(
    "reading",
    "Measurements of machines: temperatures, power, progress in per cent. They name nobody.",
    kept={"temperatures": "measured at the machine", "energy_epoch": "since when the machine's meter counts"},
    lasts="readings_days, by whole months: fablab.data_rights.tasks.forget_readings",
)

# In the order of an erasure: what is found by way of another table comes before that one changes.
DOINGS: tuple[Declaration, ...] = (
    PARTICIPANT,
    BOOKING_CHANGE,
    BOOKING,
    MACHINE_STATUS,
    STATUS_CHANGE,
    DEAD_LETTER,
    JOB,
    USAGE_SESSION,
    READING,
)
