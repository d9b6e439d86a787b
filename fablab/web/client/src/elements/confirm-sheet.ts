import { openSheet } from '../sheet'

/**
 * `<confirm-sheet>` around a link to a page that asks for confirmation: shows its question in a sheet over
 * this page. Without the script the link simply opens that page.
 */
class ConfirmSheet extends HTMLElement {
  connectedCallback() {
    this.addEventListener('click', this.#open)
  }

  disconnectedCallback() {
    this.removeEventListener('click', this.#open)
  }

  #open = (event: MouseEvent) => {
    const link = (event.target as Element).closest('a')
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    void openSheet(link.href, link.textContent?.trim() ?? '')
  }
}

customElements.define('confirm-sheet', ConfirmSheet)
