/** Between the server's JSON and the browser's passkeys: their bytes travel as base64url. */

type Json = Record<string, any>

const bytes = (text: string) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))

const text = (buffer: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

const known = (list: Json[] = []) => list.map((each) => ({ ...each, id: bytes(each['id']) }))

export const creationOptions = (options: Json) =>
  ({
    ...options,
    challenge: bytes(options['challenge']),
    user: { ...options['user'], id: bytes(options['user'].id) },
    excludeCredentials: known(options['excludeCredentials']),
  }) as Json as unknown as PublicKeyCredentialCreationOptions

export const requestOptions = (options: Json) =>
  ({
    ...options,
    challenge: bytes(options['challenge']),
    allowCredentials: known(options['allowCredentials']),
  }) as Json as unknown as PublicKeyCredentialRequestOptions

/** What the server checks of a new or shown passkey. */
export function answered(credential: PublicKeyCredential): Json {
  const response = credential.response as AuthenticatorAttestationResponse & AuthenticatorAssertionResponse
  const said: Json = { clientDataJSON: text(response.clientDataJSON) }
  if (response.attestationObject) said['attestationObject'] = text(response.attestationObject)
  if (response.signature) {
    said['authenticatorData'] = text(response.authenticatorData)
    said['signature'] = text(response.signature)
    if (response.userHandle) said['userHandle'] = text(response.userHandle)
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: said }
}
