import { refresh } from '../page-swaps'
import type { BookingEvent, Status } from '../status'
import { MachineTile } from './machine-tile'

const PATIENCE_MS = 4000
const POLL_MS = 10_000

/**
 * `<live-lab lab="tanger">`: holds the event stream of one lab and hands every event to its tile.
 * `data-line` says how the line is: `open`, or `lost` after a moment without it; while lost, the part of the
 * page with the tiles is fetched again every ten seconds, and once more when the stream is back.
 */
class LiveLab extends HTMLElement {
  #stream: EventSource | undefined
  #worry = 0
  #poll = 0

  connectedCallback() {
    this.#connect()
    addEventListener('pagehide', this.#leave)
    addEventListener('pageshow', this.#comeBack)
  }

  disconnectedCallback() {
    this.#leave()
    removeEventListener('pagehide', this.#leave)
    removeEventListener('pageshow', this.#comeBack)
  }

  #leave = () => {
    this.#stream?.close()
    clearTimeout(this.#worry)
    clearInterval(this.#poll)
  }

  // A page taken out of the browser's memory is as old as it was when it was left.
  #comeBack = (event: PageTransitionEvent) => {
    if (!event.persisted) return
    this.dataset.line = 'lost'
    this.#connect()
  }

  #connect() {
    const stream = new EventSource(`/api/v1/stream?lab=${encodeURIComponent(this.getAttribute('lab') ?? '')}`)
    stream.onopen = () => this.#opened()
    stream.onerror = () => this.#failed(stream)
    stream.addEventListener('status', (event) => this.#status(JSON.parse(event.data) as Status))
    stream.addEventListener('booking', (event) => this.#booking(JSON.parse(event.data) as BookingEvent))
    this.#stream = stream
  }

  #opened() {
    clearTimeout(this.#worry)
    clearInterval(this.#poll)
    this.#worry = 0
    if (this.dataset.line === 'lost') void this.#refetch()
    this.dataset.line = 'open'
  }

  #failed(stream: EventSource) {
    this.#worry ||= window.setTimeout(() => {
      this.dataset.line = 'lost'
      this.#poll = window.setInterval(() => void this.#refetch(), POLL_MS)
    }, PATIENCE_MS)
    // The browser tries again by itself, except when the server answered with an error.
    if (stream.readyState === EventSource.CLOSED) window.setTimeout(() => this.isConnected && this.#connect(), POLL_MS / 2)
  }

  #status(status: Status) {
    for (const tile of this.#tiles(status.machine)) tile.take(status)
  }

  #booking(event: BookingEvent) {
    for (const tile of this.#tiles(event.machine)) void tile.refetch()
    document.dispatchEvent(new CustomEvent('fablab:booking', { detail: event }))
  }

  #tiles(machine: string) {
    return this.querySelectorAll<MachineTile>(`machine-tile[data-machine="${CSS.escape(machine)}"]`)
  }

  async #refetch() {
    for (const part of this.querySelectorAll('[data-refetch]')) await refresh(part, location.href, `#${part.id}`)
  }
}

customElements.define('live-lab', LiveLab)
