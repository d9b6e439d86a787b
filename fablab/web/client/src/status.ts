/** The newest word of a machine, as `GET /api/v1/machines/{machine}/status` and the stream give it. */
export interface Status {
  machine: string
  state: string
  fresh: boolean
  seen_at: string | null
  job: { id: string; progress: number | null; eta_at: string | null } | null
  temperatures: Record<string, { actual_c: number | null; target_c: number | null }> | null
  power_w: number | null
}

/** What the stream says when a booking came, moved or went. */
export interface BookingEvent {
  machine: string
}
