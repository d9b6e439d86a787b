/** `<recovery-codes>` around a list `[data-codes]`: buttons that copy it and print the page. */
class RecoveryCodes extends HTMLElement {
  connectedCallback() {
    this.querySelector<HTMLElement>('[data-actions]')!.hidden = false
    this.addEventListener('click', this.#act)
  }

  disconnectedCallback() {
    this.removeEventListener('click', this.#act)
  }

  #act = async (event: Event) => {
    const button = (event.target as Element).closest('button')
    if (button?.matches('[data-print]')) print()
    if (!button?.matches('[data-copy]')) return
    const codes = [...this.querySelectorAll('[data-codes] code')].map((code) => code.textContent)
    const label = button.querySelector('span')!
    try {
      await navigator.clipboard.writeText(codes.join('\n'))
      label.textContent = 'Copied'
    } catch {
      // No clipboard without https: at least the codes are marked, ready to be copied by hand.
      getSelection()?.selectAllChildren(this.querySelector('[data-codes]')!)
      label.textContent = 'Marked: copy them now'
    }
  }
}

customElements.define('recovery-codes', RecoveryCodes)
