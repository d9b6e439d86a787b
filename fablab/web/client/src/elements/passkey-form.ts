import { answered, creationOptions, requestOptions } from '../passkey-json'

/**
 * `<passkey-form data-options="/address">` around a form with a hidden field `credential`: asks the address what
 * to sign, lets the browser make or show a passkey, and sends the form with its answer. Where the browser knows
 * no passkeys, the button stays hidden.
 */
class PasskeyForm extends HTMLElement {
  #form: HTMLFormElement | null = null

  connectedCallback() {
    this.#form = this.querySelector('form')
    if (!this.#form || !('PublicKeyCredential' in window)) return
    this.#form.querySelector('button')!.hidden = false
    this.querySelector<HTMLElement>('[data-unable]')?.remove()
    this.closest<HTMLElement>('[hidden]')?.removeAttribute('hidden')
    this.#form.addEventListener('submit', this.#ask)
  }

  disconnectedCallback() {
    this.#form?.removeEventListener('submit', this.#ask)
  }

  #ask = async (event: Event) => {
    event.preventDefault()
    const form = this.#form!
    const button = form.querySelector('button')!
    button.disabled = true
    this.#say('')
    try {
      const options = await this.#options(form)
      const credential = options.user
        ? await navigator.credentials.create({ publicKey: creationOptions(options) })
        : await navigator.credentials.get({ publicKey: requestOptions(options) })
      form.querySelector<HTMLInputElement>('[name="credential"]')!.value = JSON.stringify(
        answered(credential as PublicKeyCredential),
      )
      form.submit()
    } catch (error) {
      this.#say(reason(error))
    }
    button.disabled = false
  }

  async #options(form: HTMLFormElement) {
    const token = form.querySelector<HTMLInputElement>('[name="csrf_token"]')!.value
    const headers = { 'X-CSRFToken': token, Accept: 'application/json' }
    const answer = await fetch(this.dataset['options']!, { method: 'POST', headers })
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
    return answer.json()
  }

  #say(text: string) {
    const line = this.querySelector<HTMLElement>('[data-trouble]')!
    line.textContent = text
    line.hidden = !text
  }
}

function reason(error: unknown) {
  const name = error instanceof DOMException ? error.name : ''
  if (name === 'NotAllowedError' || name === 'AbortError') return 'No passkey was chosen. Try again when you are ready.'
  if (name === 'InvalidStateError') return 'This device has a passkey for you already.'
  return 'That did not work. Reload the page and try again.'
}

customElements.define('passkey-form', PasskeyForm)
