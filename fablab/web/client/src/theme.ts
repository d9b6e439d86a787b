// Loaded before the first paint, so that nobody who works at night sees a white flash.
const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.setAttribute('data-bs-theme', dark.matches ? 'dark' : 'light')
follow()
dark.addEventListener('change', follow)
