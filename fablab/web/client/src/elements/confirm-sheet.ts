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

  #open = async (event: MouseEvent) => {
    const link = (event.target as Element).closest('a')
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    const sheet = document.createElement('dialog')
    sheet.className = 'sheet'
    sheet.setAttribute('aria-label', link.textContent?.trim() ?? '')
    try {
      const answer = await fetch(link.href)
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const question = page.querySelector('[data-sheet]')
      if (!question) throw new Error('no question on that page')
      sheet.append(document.adoptNode(question))
    } catch {
      location.assign(link.href)
      return
    }
    sheet.addEventListener('click', (click) => {
      const target = click.target as Element
      if (target === sheet || target.closest('[data-close]')) {
        click.preventDefault()
        sheet.close()
      }
    })
    sheet.addEventListener('close', () => sheet.remove())
    document.body.append(sheet)
    sheet.showModal()
  }
}

customElements.define('confirm-sheet', ConfirmSheet)
