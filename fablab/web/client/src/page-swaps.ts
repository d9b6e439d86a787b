import htmx from 'htmx.org'

// What htmx would do with inline styles and evaluated strings, our content policy forbids.
htmx.config.includeIndicatorStyles = false
htmx.config.allowEval = false
htmx.config.selfRequestsOnly = true
htmx.config.historyCacheSize = 0

/** Puts the server's newest version of a part of the page in its place. Resolves also when the line is down. */
export async function refresh(part: Element, address: string, select?: string): Promise<void> {
  await htmx.ajax('get', address, { target: part as HTMLElement, swap: 'outerHTML', ...(select ? { select } : {}) })
}
