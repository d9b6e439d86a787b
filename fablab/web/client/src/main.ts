import './styles/main.css'
import './page-swaps'
import './elements/account-menu'
import './elements/booking-span'
import './elements/confirm-sheet'
import './elements/live-lab'
import './elements/machine-tile'
import './elements/passkey-form'
import './elements/recovery-codes'
import './elements/time-ago'

// The large libraries come only to the page that shows them.
if (document.querySelector('lab-timeline')) void import('./elements/lab-timeline')
if (document.querySelector('machine-calendar')) void import('./elements/machine-calendar')
if (document.querySelector('utilisation-chart')) void import('./elements/utilisation-chart')
