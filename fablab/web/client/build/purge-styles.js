import { PurgeCSS } from 'purgecss'

// Tabler ships every component it has; the pages use a tenth of it. What a name is built from at run time is kept here.
const kept = {
  standard: [/^ec/, /^htmx/, /^state-/, /^mark-/, /^notice-/, /^entry-/, /^verdict-/, /dark/, /rtl/],
  greedy: [/swagger/],
}

/** Drops the rules no template, script or view mentions from the main stylesheet. */
export function purgeStyles() {
  return {
    name: 'purge-styles',
    apply: 'build',
    enforce: 'post',
    async generateBundle(_options, bundle) {
      for (const asset of Object.values(bundle)) {
        if (!/assets\/main-.*\.css$/.test(asset.fileName)) continue
        const [purged] = await new PurgeCSS().purge({
          content: ['../templates/**/*.{html,svg}', '../pages/**/*.py', 'src/**/*.ts'],
          css: [{ raw: String(asset.source) }],
          safelist: kept,
          dynamicAttributes: ['open', 'data-state', 'aria-current', 'aria-invalid', 'dir', 'data-bs-theme'],
          variables: false,
          keyframes: true,
        })
        asset.source = purged.css
      }
    },
  }
}
