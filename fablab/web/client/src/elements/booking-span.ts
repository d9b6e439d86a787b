/**
 * `<booking-span>` around the booking form: says in words what day and time the choice makes, and tells the
 * calendar, so that both show the same. A tap in the calendar comes back as `fablab:pick`.
 */
class BookingSpan extends HTMLElement {
  connectedCallback() {
    this.addEventListener('input', this.#tell)
    document.addEventListener('fablab:pick', this.#pick)
    document.addEventListener('fablab:calendar', this.#tell)
    this.#tell()
  }

  disconnectedCallback() {
    this.removeEventListener('input', this.#tell)
    document.removeEventListener('fablab:pick', this.#pick)
    document.removeEventListener('fablab:calendar', this.#tell)
  }

  #field(name: string) {
    return this.querySelector<HTMLInputElement>(`[name="${name}"]`)!
  }

  #pick = (event: Event) => {
    const start: string = (event as CustomEvent<string>).detail
    this.#field('day').value = start.slice(0, 10)
    this.#field('time').value = start.slice(11, 16)
    this.#tell()
    this.#field('duration').focus({ preventScroll: true })
    this.scrollIntoView({ block: 'nearest', behavior: 'smooth' })
  }

  // Wall times of the lab are counted as if they were UTC: only their differences matter here.
  #tell = () => {
    const start = new Date(`${this.#field('day').value}T${this.#field('time').value}Z`)
    const end = new Date(start.getTime() + Number(this.#field('duration').value) * 60_000)
    const line = this.querySelector('[data-summary]')
    if (!line || Number.isNaN(end.getTime())) return
    const day = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' })
    const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })
    const sameDay = start.toISOString().slice(0, 10) === end.toISOString().slice(0, 10)
    line.textContent = `${day.format(start)}, ${time.format(start)} to ${sameDay ? '' : `${day.format(end)}, `}${time.format(end)}`
    const span = { start: start.toISOString().slice(0, 16), end: end.toISOString().slice(0, 16) }
    document.dispatchEvent(new CustomEvent('fablab:span', { detail: span }))
  }
}

customElements.define('booking-span', BookingSpan)
