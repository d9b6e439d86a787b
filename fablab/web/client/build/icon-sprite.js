import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../node_modules/@tabler/icons/icons', import.meta.url))
const names = JSON.parse(readFileSync(new URL('../icons.json', import.meta.url), 'utf8'))

function symbol(name) {
  const [style, file] = name.endsWith('-filled') ? ['filled', name.slice(0, -7)] : ['outline', name]
  const source = readFileSync(join(folder, style, `${file}.svg`), 'utf8')
  const shapes = source.slice(source.indexOf('>', source.indexOf('<svg')) + 1, source.indexOf('</svg>')).trim()
  const paint =
    style === 'filled'
      ? 'fill="currentColor"'
      : 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
  return `<symbol id="${name}" viewBox="0 0 24 24" ${paint}>${shapes}</symbol>`
}

/** One file with the icons of icons.json, used by the Jinja macro `icon(name)`. */
export function iconSprite() {
  return {
    name: 'icon-sprite',
    apply: 'build',
    generateBundle() {
      const source = `<svg xmlns="http://www.w3.org/2000/svg">\n${names.map(symbol).join('\n')}\n</svg>\n`
      this.emitFile({ type: 'asset', name: 'icons.svg', originalFileName: 'icons.svg', source })
    },
  }
}
