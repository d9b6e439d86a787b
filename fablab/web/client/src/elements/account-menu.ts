/** `<account-menu>` around a `<details>`: closes it on Escape and on a click elsewhere. */
class AccountMenu extends HTMLElement {
  #close = (event: Event) => {
    const menu = this.querySelector('details')
    if (!menu?.open) return
    if (event instanceof KeyboardEvent) {
      if (event.key !== 'Escape') return
      menu.querySelector('summary')?.focus()
    } else if (this.contains(event.target as Node)) {
      return
    }
    menu.open = false
  }

  connectedCallback() {
    document.addEventListener('click', this.#close)
    document.addEventListener('keydown', this.#close)
  }

  disconnectedCallback() {
    document.removeEventListener('click', this.#close)
    document.removeEventListener('keydown', this.#close)
  }
}

customElements.define('account-menu', AccountMenu)
