"""The one statement that counts machine hours.

How it works, for any number of machines and hours at once:

1. ``span`` lists everything that takes a machine's time - open hours, outages, bookings, and usage sessions
   cut into the parts inside, outside and without a booking - each clipped to the hours asked for.
2. ``step`` turns every span into +1 at its start and -1 at its end, and adds a zero at every full hour.
3. ``stretch`` runs the sums along each machine's time, so that between two steps the numbers of open,
   out-of-order, booked and used units are constant and lie within one hour.
4. ``level`` caps those numbers by the machine's units: two claims that overlap on the one unit of a machine
   count once. A session inside its booking wins over an overrun, and that over use without a booking.
5. ``seconds`` multiplies by the length and sums up by hour. Sums are exact decimals, so that the order of
   rows changes nothing and the same facts give the same row.

Energy of a session is spread evenly over its span. Bookings count where they start, jobs where they end.
"""

# Arguments: machines (array, or null for all in service; what is only claimed along with another machine,
# such as an extractor, offers no time of its own), since and until (full hours), states (bookings that
# count), which hours each machine keeps (two arrays of equal length), and the open spans of those hours
# (three). An open session counts up to the last word heard of it: what a silent machine does,
# nobody knows.
ROLL_UP = """
WITH target AS (
  SELECT m.id, m.lab_id, (SELECT count(*) FROM unit u WHERE u.machine_id = m.id) AS units
  FROM machine m
  WHERE CASE WHEN CAST(:machines AS integer[]) IS NULL THEN m.active AND m.bookable
        ELSE m.id = ANY(CAST(:machines AS integer[])) END
), grid AS (
  SELECT generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz), interval '1 hour') AS at
), used AS (
  SELECT s.machine_id, s.started_at, s.energy_wh, b.starts_at, b.ends_at,
         coalesce(s.ended_at, s.counted_at) AS ended_at
  FROM usage_session s
  JOIN target t ON t.id = s.machine_id
  LEFT JOIN booking b ON b.id = s.booking_id AND b.state = ANY(CAST(:states AS text[]))
  WHERE tstzrange(s.started_at, s.ended_at, '[]') && tstzrange(:since, :until)
), raw (machine_id, starts_at, ends_at, opened, outage, booked, inside, outside, unbooked) AS (
  SELECT t.id, o.starts_at, o.ends_at, 1, 0, 0, 0, 0, 0
  FROM unnest(CAST(:open_hours AS integer[]), CAST(:open_starts AS timestamptz[]),
              CAST(:open_ends AS timestamptz[])) AS o (hours, starts_at, ends_at)
  JOIN unnest(CAST(:kept_by AS integer[]), CAST(:kept_hours AS integer[])) AS k (machine_id, hours)
       USING (hours)
  JOIN target t ON t.id = k.machine_id
  UNION ALL
  SELECT t.id, c.starts_at, c.ends_at, 0, 1, 0, 0, 0, 0
  FROM occupancy c JOIN unit u ON u.id = c.unit_id JOIN target t ON t.id = u.machine_id
  WHERE c.kind = 'outage' AND c.starts_at < :until AND c.ends_at > :since
  UNION ALL
  SELECT b.machine_id, b.starts_at, b.ends_at, 0, 0, 1, 0, 0, 0
  FROM booking b JOIN target t ON t.id = b.machine_id
  WHERE b.state = ANY(CAST(:states AS text[]))
        AND tstzrange(b.starts_at, b.ends_at) && tstzrange(:since, :until)
  UNION ALL
  SELECT u.machine_id, p.starts_at, p.ends_at, 0, 0, 0, p.inside, p.outside, p.unbooked
  FROM used u CROSS JOIN LATERAL (VALUES
    (CASE WHEN u.starts_at IS NULL THEN u.started_at END, u.ended_at, 0, 0, 1),
    (CASE WHEN u.starts_at IS NOT NULL THEN greatest(u.started_at, u.starts_at) END,
     least(u.ended_at, u.ends_at), 1, 0, 0),
    (CASE WHEN u.starts_at IS NOT NULL THEN u.started_at END, least(u.ended_at, u.starts_at), 0, 1, 0),
    (CASE WHEN u.starts_at IS NOT NULL THEN greatest(u.started_at, u.ends_at) END, u.ended_at, 0, 1, 0)
  ) AS p (starts_at, ends_at, inside, outside, unbooked)
  WHERE p.starts_at IS NOT NULL
), span AS (
  SELECT machine_id, greatest(starts_at, :since) AS starts_at, least(ends_at, :until) AS ends_at,
         opened, outage, booked, inside, outside, unbooked
  FROM raw WHERE greatest(starts_at, :since) < least(ends_at, :until)
), step AS (
  SELECT machine_id, at, sum(opened) AS opened, sum(outage) AS outage, sum(booked) AS booked,
         sum(inside) AS inside, sum(outside) AS outside, sum(unbooked) AS unbooked
  FROM (
    SELECT machine_id, starts_at AS at, opened, outage, booked, inside, outside, unbooked FROM span
    UNION ALL
    SELECT machine_id, ends_at, -opened, -outage, -booked, -inside, -outside, -unbooked FROM span
    UNION ALL
    SELECT t.id, g.at, 0, 0, 0, 0, 0, 0 FROM target t CROSS JOIN grid g
  ) AS change
  GROUP BY machine_id, at
), stretch AS (
  SELECT machine_id, at, lead(at) OVER along AS until_at,
         sum(opened) OVER along AS opened, sum(outage) OVER along AS outage,
         sum(booked) OVER along AS booked, sum(inside) OVER along AS inside,
         sum(outside) OVER along AS outside, sum(unbooked) OVER along AS unbooked
  FROM step WINDOW along AS (PARTITION BY machine_id ORDER BY at)
), level AS (
  SELECT x.machine_id, date_trunc('hour', x.at, 'UTC') AS hour,
         extract(epoch FROM x.until_at - x.at) AS length,
         CASE WHEN x.opened > 0 THEN t.units ELSE 0 END AS opened,
         CASE WHEN x.opened > 0 THEN least(x.outage, t.units) ELSE 0 END AS outage,
         least(x.booked, t.units) AS booked,
         least(x.inside, x.booked, t.units) AS inside,
         least(x.inside + x.outside, t.units) AS attributed,
         least(x.inside + x.outside + x.unbooked, t.units) AS used
  FROM stretch x JOIN target t ON t.id = x.machine_id
  WHERE x.at < :until
), seconds AS (
  SELECT machine_id, hour, round(sum(length * opened)) AS open_s, round(sum(length * outage)) AS outage_s,
         sum(length * booked) AS booked_s, sum(length * used) AS used_s,
         sum(length * inside) AS used_booked_s, sum(length * (used - attributed)) AS used_unbooked_s,
         sum(length * (attributed - inside)) AS overrun_s
  FROM level GROUP BY machine_id, hour
), begun AS (
  SELECT b.machine_id, date_trunc('hour', b.starts_at, 'UTC') AS hour, count(*) AS bookings,
         count(*) FILTER (WHERE b.state = 'missed') AS missed
  FROM booking b JOIN target t ON t.id = b.machine_id
  WHERE b.state = ANY(CAST(:states AS text[])) AND b.starts_at >= :since AND b.starts_at < :until
  GROUP BY 1, 2
), ended AS (
  SELECT j.machine_id, date_trunc('hour', j.ended_at, 'UTC') AS hour,
         count(*) FILTER (WHERE j.outcome = 'finished') AS finished,
         count(*) FILTER (WHERE j.outcome = 'failed') AS failed,
         count(*) FILTER (WHERE j.outcome = 'cancelled') AS cancelled,
         count(*) FILTER (WHERE j.outcome = 'interrupted') AS interrupted
  FROM job j JOIN target t ON t.id = j.machine_id
  WHERE j.ended_at >= :since AND j.ended_at < :until
  GROUP BY 1, 2
), energy AS (
  SELECT u.machine_id, g.at AS hour, sum(CAST(u.energy_wh AS numeric) * CASE
           WHEN u.ended_at = u.started_at THEN 1
           ELSE extract(epoch FROM least(u.ended_at, g.at + interval '1 hour') - greatest(u.started_at, g.at))
                / extract(epoch FROM u.ended_at - u.started_at) END) AS energy_wh
  FROM used u JOIN grid g ON g.at < :until AND u.started_at < g.at + interval '1 hour'
       AND (u.ended_at > g.at OR (u.ended_at = u.started_at AND u.started_at = g.at))
  WHERE u.energy_wh IS NOT NULL
  GROUP BY 1, 2
)
INSERT INTO machine_hour AS kept (
  machine_id, hour, lab_id, open_s, outage_s, booked_s, used_s, used_booked_s, used_unbooked_s, overrun_s,
  bookings, missed, jobs_finished, jobs_failed, jobs_cancelled, jobs_interrupted, energy_wh)
SELECT s.machine_id, s.hour, t.lab_id, s.open_s, s.outage_s, s.booked_s, s.used_s, s.used_booked_s,
       s.used_unbooked_s, s.overrun_s, coalesce(b.bookings, 0), coalesce(b.missed, 0),
       coalesce(j.finished, 0), coalesce(j.failed, 0), coalesce(j.cancelled, 0),
       coalesce(j.interrupted, 0), coalesce(e.energy_wh, 0)
FROM seconds s
JOIN target t ON t.id = s.machine_id
LEFT JOIN begun b USING (machine_id, hour)
LEFT JOIN ended j USING (machine_id, hour)
LEFT JOIN energy e USING (machine_id, hour)
ORDER BY s.machine_id, s.hour
ON CONFLICT (machine_id, hour) DO UPDATE SET
  lab_id = excluded.lab_id, open_s = excluded.open_s, outage_s = excluded.outage_s,
  booked_s = excluded.booked_s, used_s = excluded.used_s, used_booked_s = excluded.used_booked_s,
  used_unbooked_s = excluded.used_unbooked_s, overrun_s = excluded.overrun_s,
  bookings = excluded.bookings, missed = excluded.missed, jobs_finished = excluded.jobs_finished,
  jobs_failed = excluded.jobs_failed, jobs_cancelled = excluded.jobs_cancelled,
  jobs_interrupted = excluded.jobs_interrupted, energy_wh = excluded.energy_wh
WHERE kept IS DISTINCT FROM excluded
"""
