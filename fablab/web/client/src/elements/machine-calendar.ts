import { createCalendar, destroyCalendar, Interaction, List, TimeGrid, type Calendar } from '@event-calendar/core'
import '@event-calendar/core/index.css'
import { closedSpans, type OpenDay } from '../opening-hours'
import { daysAround, wallOf } from '../wall-time'

interface Entry {
  kind: string
  state: string | null
  starts_at: string
  ends_at: string
  mine: boolean
  booking: number | null
}

const names: Record<string, string> = { booking: 'Booked', hold: 'Held', outage: 'Out of service', closure: 'Closed' }

/** `<machine-calendar src hours>`: the machine's week, a day at a time on a phone. */
class MachineCalendar extends HTMLElement {
  #calendar: Calendar | undefined
  #chosen: { start: string; end: string } | undefined

  connectedCallback() {
    const phone = matchMedia('(max-width: 767.98px)').matches
    const today = new Date(`${this.dataset.today}T00:00Z`)
    this.replaceChildren()
    this.#calendar = createCalendar(this, [TimeGrid, List, Interaction], {
      view: phone ? 'timeGridDay' : 'timeGridWeek',
      headerToolbar: phone ? { start: 'prev,next', center: 'title', end: 'timeGridDay,listWeek' } : { start: 'title', center: '', end: 'today prev,next' },
      buttonText: { today: 'From today', timeGridDay: 'Day', listWeek: 'Week', prev: 'Earlier', next: 'Later' },
      titleFormat: phone ? { weekday: 'short', day: 'numeric', month: 'short' } : { day: 'numeric', month: 'long', year: 'numeric' },
      dayHeaderFormat: { weekday: 'short', day: 'numeric' },
      slotLabelFormat: { hour: '2-digit', minute: '2-digit' },
      eventTimeFormat: { hour: '2-digit', minute: '2-digit' },
      locale: 'en-GB',
      // The coming seven days, not the calendar's week: on a Sunday nobody wants to see six days that are over.
      firstDay: today.getUTCDay() as 0 | 1 | 2 | 3 | 4 | 5 | 6,
      allDaySlot: false,
      height: phone ? '26rem' : '34rem',
      slotHeight: 22,
      scrollTime: '08:00:00',
      date: this.dataset.day || (this.dataset.today ?? ''),
      nowIndicator: this.dataset.offset === String(-new Date().getTimezoneOffset()),
      editable: false,
      noEventsContent: 'Nothing is booked in these days.',
      eventSources: [{ events: (span: { startStr: string; endStr: string }) => this.#entries(span.startStr, span.endStr) }],
      dateClick: ({ dateStr }) => document.dispatchEvent(new CustomEvent('fablab:pick', { detail: dateStr })),
      eventClick: ({ event }) => {
        const booking = event.extendedProps.booking as number | null
        if (booking) location.assign(`/bookings/${booking}`)
      },
    })
    document.addEventListener('fablab:booking', this.#changed)
    document.addEventListener('fablab:span', this.#choose)
    document.dispatchEvent(new CustomEvent('fablab:calendar'))
  }

  disconnectedCallback() {
    document.removeEventListener('fablab:booking', this.#changed)
    document.removeEventListener('fablab:span', this.#choose)
    if (this.#calendar) void destroyCalendar(this.#calendar)
  }

  #changed = () => this.#calendar?.refetchEvents()

  #choose = (event: Event) => {
    this.#chosen = (event as CustomEvent<{ start: string; end: string }>).detail
    const calendar = this.#calendar
    if (!calendar) return
    const { activeStart, activeEnd } = calendar.getView()
    const shown = { from: activeStart.toISOString(), to: activeEnd.toISOString() }
    if (this.#chosen.start < shown.from || this.#chosen.start >= shown.to) calendar.gotoDate(this.#chosen.start.slice(0, 10))
    calendar.removeEventById('chosen')
    calendar.addEvent(this.#choice(this.#chosen))
  }

  #choice(span: { start: string; end: string }): Calendar.EventInput {
    return { id: 'chosen', ...span, title: 'Your choice', classNames: ['entry-chosen'] }
  }

  async #entries(from: string, to: string): Promise<Calendar.EventInput[]> {
    const query = new URLSearchParams({ from: daysAround(from, -1), to: daysAround(to, 1) })
    const [answer, hours] = await Promise.all(
      ['src', 'hours'].map((name) => fetch(`${this.getAttribute(name)}?${query}`, { headers: { accept: 'application/json' } })),
    )
    if (!answer?.ok) return []
    const days = hours?.ok ? ((await hours.json()) as { items: OpenDay[] }).items : undefined
    const closed = closedSpans(days, from, to).map((span) => ({
      ...span,
      display: 'background' as const,
      classNames: ['entry-closed'],
    }))
    const { items } = (await answer.json()) as { items: Entry[] }
    const taken = items.map((entry) => ({
      start: wallOf(entry.starts_at),
      end: wallOf(entry.ends_at),
      title: entry.mine ? 'Your booking' : (names[entry.kind] ?? 'Taken'),
      classNames: [entry.mine ? 'entry-mine' : `entry-${entry.kind}`],
      extendedProps: { booking: entry.booking },
    }))
    return [...closed, ...taken, ...(this.#chosen ? [this.#choice(this.#chosen)] : [])]
  }
}

customElements.define('machine-calendar', MachineCalendar)
