import { defineConfig } from 'vite'
import { certificateFonts } from './build/certificate-fonts.js'
import { iconSprite } from './build/icon-sprite.js'
import { purgeStyles } from './build/purge-styles.js'

// Every name carries its content's hash, so a browser may keep a file for ever; Jinja finds it in manifest.json.
export default defineConfig({
  base: '/static/dist/',
  publicDir: false,
  plugins: [iconSprite(), certificateFonts(), purgeStyles()],
  build: {
    outDir: '../static/dist',
    emptyOutDir: true,
    manifest: 'manifest.json',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600,
    rollupOptions: {
      input: {
        main: 'src/main.ts',
        theme: 'src/theme.ts',
        apidocs: 'src/apidocs.ts',
      },
    },
  },
})
