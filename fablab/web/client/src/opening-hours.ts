/** A local day as `/hours` gives it: what is open, with the lab's own offset. */
export interface OpenDay {
  open: { starts_at: string; ends_at: string }[]
}

const MINUTES = 16

/**
 * The spans of [from, to) in which the machine cannot be used, as wall times `YYYY-MM-DDTHH:MM`: what lies
 * between the open ones. Where the hours are not known nothing is said to be closed.
 */
export function closedSpans(days: OpenDay[] | undefined, from: string, to: string): { start: string; end: string }[] {
  if (!days) return []
  const spans: { start: string; end: string }[] = []
  let closedSince = `${from.slice(0, 10)}T00:00`
  const last = `${to.slice(0, 10)}T00:00`
  const open = days.flatMap((day) => day.open.map((span) => [span.starts_at.slice(0, MINUTES), span.ends_at.slice(0, MINUTES)] as const)).sort()
  for (const [opens, closes] of open) {
    if (closedSince < opens && closedSince < last) spans.push({ start: closedSince, end: opens < last ? opens : last })
    if (closedSince < closes) closedSince = closes
  }
  if (closedSince < last) spans.push({ start: closedSince, end: last })
  return spans
}
