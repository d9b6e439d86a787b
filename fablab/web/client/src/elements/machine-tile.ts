import { refresh } from '../page-swaps'
import type { Status } from '../status'

/**
 * `<machine-tile data-machine data-state data-job data-seen data-age data-silent-after src>`: one machine.
 * Small changes (progress, temperatures) are written in place; when the state or the job changes, the server
 * is asked for the tile again. A tile that hears nothing for long enough asks too: silence must show.
 */
export class MachineTile extends HTMLElement {
  #watch = 0
  // When its last word came, by this page's own clock: the visitor's wall clock may be wrong.
  #heard = 0

  connectedCallback() {
    this.#heard = performance.now() - Number(this.dataset.age) * 1000
    this.#watch = window.setInterval(() => this.#doubt(), 5000)
  }

  disconnectedCallback() {
    clearInterval(this.#watch)
  }

  take(status: Status) {
    const state = status.fresh ? status.state : 'unreachable'
    if (state !== this.dataset.state || (status.job?.id ?? '') !== this.dataset.job) return void this.refetch()
    if (status.seen_at) {
      this.#heard += Date.parse(status.seen_at) - Date.parse(this.dataset.seen || status.seen_at)
      this.dataset.seen = status.seen_at
    }
    const progress = status.job?.progress
    if (progress !== null && progress !== undefined) this.#progress(progress, status.job?.eta_at ?? null)
    for (const [place, value] of Object.entries(status.temperatures ?? {})) this.#temperature(place, value)
    if (status.power_w !== null) this.#write('power', `${Math.round(status.power_w)} W`)
    return undefined
  }

  async refetch() {
    await refresh(this, this.getAttribute('src') ?? '')
  }

  #doubt() {
    const silentAfter = Number(this.dataset.silentAfter) * 1000
    const age = performance.now() - this.#heard
    if (this.dataset.state !== 'unreachable' && age > silentAfter) void this.refetch()
  }

  #progress(share: number, eta: string | null) {
    const bar = this.querySelector('progress')
    if (bar) bar.value = share
    this.#write('share', `${Math.floor(share * 100)} %`)
    // The server writes instants in the lab's wall time; the browser's own idea of the zone may be out of date.
    if (eta) this.#write('eta', eta.slice(11, 16))
  }

  #temperature(place: string, value: { actual_c: number | null; target_c: number | null }) {
    if (value.actual_c === null) return
    const target = value.target_c ? ` / ${Math.round(value.target_c)}` : ''
    this.#write(`temperature-${place}`, `${Math.round(value.actual_c)}${target} °C`)
  }

  #write(part: string, text: string) {
    const place = this.querySelector(`[data-live="${part}"]`)
    if (place && place.textContent !== text) place.textContent = text
  }
}

customElements.define('machine-tile', MachineTile)
