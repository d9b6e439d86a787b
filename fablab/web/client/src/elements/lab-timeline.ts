import { createCalendar, destroyCalendar, Interaction, ResourceTimeline, type Calendar } from '@event-calendar/core'
import '@event-calendar/core/index.css'
import { closedSpans, type OpenDay } from '../opening-hours'
import { openSheet } from '../sheet'
import { addMinutes, daysAround, minutesBetween, wallOf } from '../wall-time'

interface Machine {
  id: string
  title: string
  kind: string
  bookable: boolean
  open: OpenDay['open']
}

interface Entry {
  machine: string
  kind: string
  state: string
  starts_at: string
  ends_at: string
  mine: boolean
  booking: number | null
  member: { name: string } | null
}

interface Place {
  machine: string
  starts: string
  ends: string
}

const names: Record<string, string> = { hold: 'Held', outage: 'Out of service' }
const STEP_MIN = 15
// Only these can be moved; one under way can only end at another time, which its own page offers.
const MOVABLE = ['requested', 'confirmed']

/**
 * `<lab-timeline lab data-day data-machines>`: the machines of a lab under one another, a day from left to right. Drawing
 * over free time opens the machine's booking form in a sheet, dragging a booking its move form; both are filled in, and
 * what they say is decided by the server. Without the script there is a list.
 */
class LabTimeline extends HTMLElement {
  #calendar: Calendar | undefined
  #machines: Machine[] = []

  connectedCallback() {
    this.#machines = JSON.parse(this.dataset.machines ?? '[]') as Machine[]
    const phone = matchMedia('(max-width: 767.98px)').matches
    this.replaceChildren()
    this.#calendar = createCalendar(this, [ResourceTimeline, Interaction], {
      view: 'resourceTimelineDay',
      headerToolbar: { start: '', center: '', end: '' },
      date: this.dataset.day ?? '',
      locale: 'en-GB',
      resources: this.#machines.map(({ id, title, kind }) => ({ id, title, extendedProps: { kind } })),
      resourceLabelContent: ({ resource }) => ({ domNodes: [this.#label(resource.id, String(resource.title), resource.extendedProps.kind as string)] }),
      slotDuration: { minutes: STEP_MIN },
      slotLabelInterval: '01:00:00',
      slotLabelFormat: { hour: '2-digit', minute: '2-digit' },
      slotWidth: phone ? 14 : 18,
      eventTimeFormat: { hour: '2-digit', minute: '2-digit' },
      scrollTime: '08:00:00',
      snapDuration: { minutes: STEP_MIN },
      nowIndicator: this.dataset.offset === String(-new Date().getTimezoneOffset()),
      selectable: this.#machines.some((machine) => machine.bookable),
      unselectAuto: false,
      editable: true,
      eventResizableFromStart: false,
      // A finger scrolls; it draws after resting for a moment.
      longPressDelay: 400,
      eventSources: [{ events: (span: { startStr: string; endStr: string }) => this.#entries(span.startStr, span.endStr) }],
      select: ({ resource, startStr, endStr }) => this.#book({ machine: resource.id, starts: wallOf(startStr), ends: wallOf(endStr) }),
      eventClick: ({ event }) => this.#open(event.extendedProps.booking as number | null),
      eventDrop: ({ event, delta, newResource, revert }) => {
        const was = event.extendedProps.place as Place
        const shift = delta.days * 1440 + delta.seconds / 60
        const place = { machine: newResource?.id ?? was.machine, starts: addMinutes(was.starts, shift), ends: addMinutes(was.ends, shift) }
        this.#move(event.extendedProps.booking as number, place, revert)
      },
      eventResize: ({ event, endDelta, revert }) => {
        const was = event.extendedProps.place as Place
        const ends = addMinutes(was.ends, endDelta.days * 1440 + endDelta.seconds / 60)
        this.#move(event.extendedProps.booking as number, { ...was, ends }, revert)
      },
      eventDidMount: ({ el, event }) => {
        const place = event.extendedProps.place as Place | undefined
        if (!place) return
        el.tabIndex = 0
        el.setAttribute('aria-label', `${String(event.title)}, ${place.starts.slice(11)} to ${place.ends.slice(11)}`)
        el.addEventListener('keydown', (key) => this.#key(key, event))
      },
    })
    document.addEventListener('fablab:booking', this.#changed)
  }

  disconnectedCallback() {
    document.removeEventListener('fablab:booking', this.#changed)
    if (this.#calendar) void destroyCalendar(this.#calendar)
  }

  #changed = () => this.#calendar?.refetchEvents()

  #label(slug: string, title: string, kind: string): Node {
    const link = document.createElement('a')
    link.href = `/machines/${slug}`
    link.textContent = title
    link.title = kind
    return link
  }

  #open(booking: number | null) {
    if (booking) location.assign(`/bookings/${booking}`)
  }

  #book(place: Place) {
    const machine = this.#machines.find(({ id }) => id === place.machine)
    const unselect = () => void this.#calendar?.unselect()
    if (!machine?.bookable) return unselect()
    void openSheet(`/machines/${place.machine}?${this.#query(place)}`, `Book ${machine.title}`, unselect)
  }

  #move(booking: number, place: Place, revert: () => void) {
    const query = this.#query(place)
    query.set('machine', place.machine)
    void openSheet(`/bookings/${booking}/move?${query}`, 'Move the booking', revert)
  }

  #query(place: Place): URLSearchParams {
    return new URLSearchParams({
      day: place.starts.slice(0, 10),
      time: place.starts.slice(11),
      duration: String(minutesBetween(place.starts, place.ends)),
    })
  }

  /** Enter opens it; with Shift the arrows move it: left and right in time, up and down to another machine. */
  #key(key: KeyboardEvent, event: Calendar.Event) {
    const booking = event.extendedProps.booking as number | null
    if (key.key === 'Enter') return this.#open(booking)
    if (!booking || !key.shiftKey || event.startEditable === false) return
    const was = event.extendedProps.place as Place
    const row = this.#machines.findIndex(({ id }) => id === was.machine)
    const shift = { ArrowLeft: -STEP_MIN, ArrowRight: STEP_MIN }[key.key]
    const other = { ArrowUp: this.#machines[row - 1], ArrowDown: this.#machines[row + 1] }[key.key]
    if (shift === undefined && !other) return
    key.preventDefault()
    const place = {
      machine: other?.id ?? was.machine,
      starts: addMinutes(was.starts, shift ?? 0),
      ends: addMinutes(was.ends, shift ?? 0),
    }
    this.#move(booking, place, () => (key.target as HTMLElement).focus())
  }

  async #entries(from: string, to: string): Promise<Calendar.EventInput[]> {
    const lab = this.getAttribute('lab')
    const query = new URLSearchParams({ from: daysAround(from, -1), to: daysAround(to, 1) })
    const answer = await fetch(`/api/v1/labs/${lab}/calendar?${query}`, { headers: { accept: 'application/json' } })
    if (!answer.ok) return []
    const closed = this.#machines.flatMap((machine) =>
      closedSpans([machine], from, to).map((span) => ({
        ...span,
        resourceIds: [machine.id],
        display: 'background' as const,
        classNames: ['entry-closed'],
      })),
    )
    const { items } = (await answer.json()) as { items: Entry[] }
    return [...closed, ...items.map((entry) => this.#entry(entry))]
  }

  #entry(entry: Entry): Calendar.EventInput {
    const place = { machine: entry.machine, starts: wallOf(entry.starts_at), ends: wallOf(entry.ends_at) }
    const mayMove = entry.booking !== null && (entry.mine || 'movesAll' in this.dataset) && MOVABLE.includes(entry.state)
    const whose = entry.mine ? 'Your booking' : (entry.member?.name ?? 'Booked')
    return {
      start: place.starts,
      end: place.ends,
      resourceIds: [entry.machine],
      title: names[entry.kind] ?? whose,
      classNames: [entry.mine ? 'entry-mine' : `entry-${entry.kind}`, ...(entry.state === 'requested' ? ['entry-requested'] : [])],
      startEditable: mayMove,
      durationEditable: mayMove,
      extendedProps: { booking: entry.booking, place },
    }
  }
}

customElements.define('lab-timeline', LabTimeline)
