import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../node_modules/@fontsource', import.meta.url))
// Names are written in these alphabets: Latin with all its marks, Arabic, Tifinagh (which has no bold).
const files = [
  ['noto-sans', 'latin-400'], ['noto-sans', 'latin-700'], ['noto-sans', 'latin-ext-400'], ['noto-sans', 'latin-ext-700'],
  ['noto-sans-arabic', 'arabic-400'], ['noto-sans-arabic', 'arabic-700'], ['noto-sans-tifinagh', 'tifinagh-400'],
]

/** The letters of certificates (PDF), which the server writes and no browser loads. */
export function certificateFonts() {
  return {
    name: 'certificate-fonts',
    apply: 'build',
    generateBundle() {
      for (const [family, face] of files) {
        // Not woff2: unpacking that takes the server seconds, this some milliseconds.
        const source = readFileSync(`${folder}/${family}/files/${family}-${face}-normal.woff`)
        this.emitFile({ type: 'asset', name: `${family}-${face}.woff`, originalFileName: `certificate/${face}`, source })
      }
    },
  }
}
