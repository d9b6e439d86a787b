/**
 * Wall times of a lab as `YYYY-MM-DDTHH:MM`. They are counted as if they were UTC: only their differences matter, and
 * the browser's own zone has no part in it.
 */
export const wallOf = (instant: string) => instant.slice(0, 16)

export function addMinutes(wall: string, minutes: number): string {
  return new Date(Date.parse(`${wall}Z`) + minutes * 60_000).toISOString().slice(0, 16)
}

export function minutesBetween(starts: string, ends: string): number {
  return Math.round((Date.parse(`${ends}Z`) - Date.parse(`${starts}Z`)) / 60_000)
}

/** The same instant some days away, to ask around a local day whatever its offset is. */
export function daysAround(date: string, days: number): string {
  return new Date(Date.parse(`${date.slice(0, 10)}T00:00Z`) + days * 86_400_000).toISOString()
}
