// One request of the core to the server that the app came from.
//
// There is no limit on the whole time of a request, only on time without progress, as in the core's native
// transport; what arrived of an answer counts even when the rest did not.

/** How long a connection may stand still, milliseconds. */
const STALL_MS = 60_000
/** Bytes a millisecond of a link that is as good as none (4 kbit/s). */
const SLOWEST = 0.5
/** The largest answer taken, bytes. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024

export interface Answer {
  status: number
  headers: [string, string][]
  body: Uint8Array
  whole: boolean
}

/** Requests that are under way; a person or another call may stop them. */
const underway = new Set<AbortController>()
/** Whether the running call is to end: it is told so at its next request, too. */
let stopped = false

export function stopRequests(): void {
  stopped = true
  for (const request of underway) request.abort()
}

export function allowRequests(): void {
  stopped = false
}

/** Aborts when nothing moved for too long. */
class Patience {
  readonly #abort: AbortController
  #timer: ReturnType<typeof setTimeout> | undefined
  expired = false

  constructor(abort: AbortController) {
    this.#abort = abort
  }

  wait(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.expired = true
      this.#abort.abort()
    }, ms)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

async function readBody(response: Response, patience: Patience): Promise<{ body: Uint8Array; whole: boolean }> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  let whole = response.body === null
  const reader = response.body?.getReader()
  while (reader && !whole) {
    patience.wait(STALL_MS)
    try {
      const { done, value } = await reader.read()
      if (done) whole = true
      else {
        chunks.push(value)
        bytes += value.length
      }
    } catch {
      break
    }
    if (bytes > ANSWER_BYTES_MAX) throw 'too_large'
  }
  const body = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.length
  }
  return { body, whole }
}

/** Sends one request; rejects with the code of a failing link. */
export async function send(
  method: string,
  path: string,
  headers: [string, string][],
  body: Uint8Array<ArrayBuffer>,
): Promise<Answer> {
  if (stopped) throw 'cut'
  const abort = new AbortController()
  const patience = new Patience(abort)
  underway.add(abort)
  patience.wait(STALL_MS + body.length / SLOWEST)
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: method === 'GET' ? null : body,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: abort.signal,
    })
    const read = await readBody(response, patience)
    return { status: response.status, headers: [...response.headers], ...read }
  } catch (error) {
    if (error === 'too_large') throw error
    if (patience.expired) throw 'stalled'
    throw abort.signal.aborted ? 'cut' : 'unreachable'
  } finally {
    patience.end()
    underway.delete(abort)
  }
}
