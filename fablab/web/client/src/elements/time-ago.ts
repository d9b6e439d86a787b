const words = new Intl.RelativeTimeFormat(document.documentElement.lang || 'en', { numeric: 'always' })
const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** "just now", "2 minutes ago", from seconds. */
function ago(seconds: number): string {
  if (seconds < 5) return 'just now'
  const [unit, size] = units.find((each) => seconds >= each[1])!
  return words.format(-Math.floor(seconds / size), unit)
}

/**
 * `<time-ago age="SECONDS">`: an age in words that grows while you look at it. It is counted by the page's own
 * clock from what the server said, because the visitor's wall clock may be wrong.
 */
class TimeAgo extends HTMLElement {
  #timer = 0
  #since = 0

  connectedCallback() {
    this.#since = performance.now() - Number(this.getAttribute('age')) * 1000
    this.#show()
    this.#timer = window.setInterval(() => this.#show(), 5000)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
  }

  #show() {
    this.textContent = ago((performance.now() - this.#since) / 1000)
  }
}

customElements.define('time-ago', TimeAgo)
