import { BarChart } from 'echarts/charts'
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { init, use, type EChartsType } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([BarChart, GridComponent, LegendComponent, TooltipComponent, AriaComponent, CanvasRenderer])

const hours = (seconds: string | undefined) => Math.round(Number(seconds ?? 0) / 360) / 10

/** `<utilisation-chart table="id">`: draws the rows of a table on this page, so that both tell the same. */
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
    this.#chart = init(this)
    this.#chart.setOption({
      animation: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      aria: { enabled: true },
      textStyle: { fontFamily: style.fontFamily, color: quiet },
      grid: { left: 4, right: 4, top: 40, bottom: 4, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, icon: 'roundRect', textStyle: { color: quiet } },
      // Drawn on the canvas: an HTML tooltip would need inline styles, which our content policy forbids.
      tooltip: { trigger: 'axis', renderMode: 'richText', valueFormatter: (value: unknown) => `${value as number} h` },
      xAxis: [
        { type: 'category', data: rows.map((row) => row.dataset.label ?? ''), axisTick: { show: false }, axisLine: { lineStyle: { color: line } }, axisLabel: { color: quiet, hideOverlap: true } },
        { type: 'category', show: false, data: rows.map((row) => row.dataset.label ?? '') },
      ],
      yAxis: { type: 'value', axisLabel: { color: quiet, formatter: '{value} h' }, splitLine: { lineStyle: { color: line } } },
      series: [
        bars('Available', 'available', line, { xAxisIndex: 1, barCategoryGap: '18%', z: 1 }),
        bars('Booked', 'booked', colour('--app-chart-booked'), { z: 2, barGap: '10%', barCategoryGap: '38%' }),
        bars('Used', 'used', colour('--tblr-primary'), { z: 2 }),
      ],
    })
  }
}

customElements.define('utilisation-chart', UtilisationChart)
