/**
 * The question of another page (its `[data-sheet]`) in a sheet over this one. Whatever goes wrong, that page itself is
 * opened instead. `closed` is told when the sheet goes without an answer.
 */
export async function openSheet(address: string, label: string, closed?: () => void): Promise<void> {
  const sheet = document.createElement('dialog')
  sheet.className = 'sheet'
  sheet.setAttribute('aria-label', label)
  try {
    const answer = await fetch(address)
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const question = page.querySelector('[data-sheet]')
    if (!question) throw new Error('no question on that page')
    sheet.append(document.adoptNode(question))
  } catch {
    location.assign(address)
    return
  }
  sheet.addEventListener('click', (click) => {
    const target = click.target as Element
    if (target === sheet || target.closest('[data-close]')) {
      click.preventDefault()
      sheet.close()
    }
  })
  sheet.addEventListener('close', () => {
    sheet.remove()
    closed?.()
  })
  document.body.append(sheet)
  sheet.showModal()
}
