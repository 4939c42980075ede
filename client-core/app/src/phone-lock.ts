// The phone's own lock as a way into the store: the `prf` extension of Web Authentication, level 3. The phone makes a
// key that never leaves it, and answers 32 bytes to 32 bytes once its owner has shown a finger, a face or the code.
// No server takes part, so nothing here needs a network.

import { CoreProblem } from './core/core'
import { problem } from './core/protocol'
import type { PhoneLock } from './core/types'

const BYTES = 32
/** How long the phone waits for its owner, milliseconds. */
const PATIENCE_MS = 60_000
/** Signature algorithms that every phone has one of (COSE): ES256 and RS256. Nothing is signed for anybody. */
const ALGORITHMS = [-7, -257]

const toText = (bytes: ArrayBuffer | Uint8Array): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))

const fromText = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (one) => one.charCodeAt(0))

const random = (): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(BYTES))

/** Whether this phone has a lock that a page can ask. A page that came from a bare address may not. */
export async function hasPhoneLock(): Promise<boolean> {
  const isNamed = /[a-z]/i.test(location.hostname) && !location.hostname.startsWith('[')
  if (!isNamed || typeof PublicKeyCredential === 'undefined') return false
  return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable()
}

/** Ends without an answer: the person said no, waited too long, or the phone cannot do it. */
function refused(error: unknown): never {
  throw new CoreProblem(problem('phone_refused', String(error)))
}

function answerOf(credential: Credential | null): ArrayBuffer | undefined {
  if (!(credential instanceof PublicKeyCredential)) return undefined
  const first = credential.getClientExtensionResults().prf?.results?.first
  return first instanceof ArrayBuffer ? first : undefined
}

/** What the phone answers, in base64. */
export async function askPhone({ credential, input }: PhoneLock): Promise<string> {
  const publicKey: PublicKeyCredentialRequestOptions = {
    challenge: random(),
    allowCredentials: [{ type: 'public-key', id: fromText(credential) }],
    userVerification: 'required',
    timeout: PATIENCE_MS,
    extensions: { prf: { eval: { first: fromText(input) } } },
  }
  const answered = answerOf(await navigator.credentials.get({ publicKey }).catch(refused))
  return answered ? toText(answered) : refused('no answer')
}

/** Has the phone make a key for this store; what it is to be asked with. */
export async function makePhoneLock(label: string): Promise<PhoneLock> {
  const publicKey: PublicKeyCredentialCreationOptions = {
    challenge: random(),
    rp: { name: label },
    user: { id: random(), name: label, displayName: label },
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
    authenticatorSelection: { authenticatorAttachment: 'platform', userVerification: 'required' },
    timeout: PATIENCE_MS,
    extensions: { prf: {} },
  }
  const made = await navigator.credentials.create({ publicKey }).catch(refused)
  if (!(made instanceof PublicKeyCredential) || !made.getClientExtensionResults().prf?.enabled) {
    return refused('no such function')
  }
  return { credential: toText(made.rawId), input: toText(random()) }
}
