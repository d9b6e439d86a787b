const words = new Intl.RelativeTimeFormat(document.documentElement.lang || 'en', { numeric: 'always' })
const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [3600, 'minute'],
  [86400, 'hour'],
  [Infinity, 'day'],
]
const sizes = { second: 1, minute: 60, hour: 3600, day: 86400 } as const

export function ago(then: Date, now = new Date()): string {
  const seconds = Math.max(0, Math.round((now.getTime() - then.getTime()) / 1000))
  if (seconds < 5) return 'just now'
  const unit = steps.find(([limit]) => seconds < limit)![1] as keyof typeof sizes
  return words.format(-Math.floor(seconds / sizes[unit]), unit)
}

/** `<time-ago datetime="...">`: an age in words that grows while you look at it. */
class TimeAgo extends HTMLElement {
  static observedAttributes = ['datetime']
  #timer = 0

  connectedCallback() {
    this.#show()
    this.#timer = window.setInterval(() => this.#show(), 5000)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
  }

  attributeChangedCallback() {
    this.#show()
  }

  #show() {
    const then = new Date(this.getAttribute('datetime') ?? '')
    if (!Number.isNaN(then.getTime())) this.textContent = ago(then)
  }
}

customElements.define('time-ago', TimeAgo)
