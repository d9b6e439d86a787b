import { BarChart, LineChart } from 'echarts/charts'
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { init, use, type EChartsType } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([BarChart, LineChart, GridComponent, LegendComponent, TooltipComponent, AriaComponent, CanvasRenderer])

const hours = (seconds: string | undefined) => Math.round(Number(seconds ?? 0) / 360) / 10

/**
 * `<utilisation-chart table="id">`: draws the rows of a table on this page, so that both tell the same.
 * With `without-available` there is no line of available hours.
 */
class UtilisationChart extends HTMLElement {
  #chart: EChartsType | undefined
  #size = new ResizeObserver(() => this.#chart?.resize())
  #dark = matchMedia('(prefers-color-scheme: dark)')

  connectedCallback() {
    this.#draw()
    this.#size.observe(this)
    this.#dark.addEventListener('change', this.#draw)
  }

  disconnectedCallback() {
    this.#size.disconnect()
    this.#dark.removeEventListener('change', this.#draw)
    this.#chart?.dispose()
  }

  #draw = () => {
    this.#chart?.dispose()
    const rows = [...document.querySelectorAll<HTMLElement>(`#${this.getAttribute('table')} tr[data-label]`)]
    const style = getComputedStyle(this)
    const colour = (name: string) => style.getPropertyValue(name).trim()
    const quiet = colour('--app-quiet')
    const line = colour('--app-line')
    const bars = (name: string, key: string, paint: string, extra = {}) => ({
      name,
      type: 'bar' as const,
      data: rows.map((row) => hours(row.dataset[key])),
      itemStyle: { color: paint, borderRadius: [3, 3, 0, 0] },
      ...extra,
    })
    const available = {
      name: 'Available',
      type: 'line' as const,
      step: 'middle' as const,
      symbol: 'none',
      data: rows.map((row) => hours(row.dataset.available)),
      itemStyle: { color: quiet },
      lineStyle: { color: quiet, width: 1.5, type: 'dashed' as const },
      areaStyle: { color: quiet, opacity: 0.06 },
    }
    this.#chart = init(this)
    this.#chart.setOption({
      animation: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      aria: { enabled: true },
      textStyle: { fontFamily: style.fontFamily, color: quiet },
      grid: { left: 4, right: 4, top: 40, bottom: 4, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, icon: 'roundRect', textStyle: { color: quiet } },
      // Drawn on the canvas: an HTML tooltip would need inline styles, which our content policy forbids.
      tooltip: { trigger: 'axis', renderMode: 'richText', valueFormatter: (value: unknown) => `${value as number} h` },
      xAxis: {
        type: 'category',
        data: rows.map((row) => row.dataset.label ?? ''),
        axisTick: { show: false },
        axisLine: { lineStyle: { color: line } },
        axisLabel: { color: quiet, hideOverlap: true },
      },
      yAxis: { type: 'value', axisLabel: { color: quiet, formatter: '{value} h' }, splitLine: { lineStyle: { color: line } } },
      series: [
        ...(this.hasAttribute('without-available') ? [] : [available]),
        // Used stands inside booked: what is left of the wider bar was booked for nothing.
        bars('Booked', 'booked', colour('--app-chart-booked'), { barGap: '-77%', barWidth: '64%' }),
        bars('Used', 'used', colour('--tblr-primary'), { barWidth: '34%' }),
      ],
    })
  }
}

customElements.define('utilisation-chart', UtilisationChart)
