/** One open span of a weekday (Monday is 0) in wall time; closing at 00:00 means midnight. */
export type Opening = [weekday: number, opens: string, closes: string]

const DAY_MS = 86_400_000

/**
 * The spans of [from, to) in which the lab is closed, as wall times `YYYY-MM-DDTHH:MM`. No openings at all means
 * that hours do not matter for this machine, so nothing is closed.
 */
export function closedSpans(openings: Opening[], from: string, to: string): { start: string; end: string }[] {
  if (openings.length === 0) return []
  const spans: { start: string; end: string }[] = []
  const last = Date.parse(`${to.slice(0, 10)}T00:00Z`)
  for (let day = Date.parse(`${from.slice(0, 10)}T00:00Z`); day < last; day += DAY_MS) {
    const date = new Date(day).toISOString().slice(0, 10)
    const tomorrow = new Date(day + DAY_MS).toISOString().slice(0, 10)
    const weekday = (new Date(day).getUTCDay() + 6) % 7
    let closedSince = `${date}T00:00`
    for (const [, opens, closes] of openings.filter((opening) => opening[0] === weekday)) {
      if (closedSince < `${date}T${opens}`) spans.push({ start: closedSince, end: `${date}T${opens}` })
      closedSince = closes === '00:00' ? `${tomorrow}T00:00` : `${date}T${closes}`
    }
    if (closedSince < `${tomorrow}T00:00`) spans.push({ start: closedSince, end: `${tomorrow}T00:00` })
  }
  return spans
}
