// The worker that holds the core: the private file system gives its files to a dedicated worker only.

import start_module, { start, type Core } from '../../core/ruhu.js'
import wasm from '../../core/ruhu_bg.wasm?url'
import { allowRequests, send, stopRequests } from './fetch'
import { problem, type Asked, type Told } from './protocol'
import type { PhotoProgress } from './photo-protocol'
import type { Problem, Progress, SyncResult } from './types'

/** Held as long as this worker lives: two tabs must not write one store. */
const LOCK = 'ruhu-core'
/** A tab that is reloaded lets go of the lock a moment later. */
const LOCK_WAIT_MS = 3_000

const tell = (told: Told): void => self.postMessage(told)

function heldLock(): Promise<boolean> {
  return new Promise((held) => {
    const request = navigator.locks.request(LOCK, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, () => {
      held(true)
      return new Promise<void>(() => {})
    })
    request.catch(() => held(false))
  })
}

/** A file for the core's names, opened; its handle may be a moment late after a reload. */
async function smallFile(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemSyncAccessHandle> {
  const file = await folder.getFileHandle(name, { create: true })
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await file.createSyncAccessHandle()
    } catch (error) {
      if (attempt === 10) throw error
      await new Promise((later) => setTimeout(later, 100))
    }
  }
}

async function open(): Promise<Core> {
  if (!(await heldLock())) throw problem('another_tab')
  if (!('createSyncAccessHandle' in FileSystemFileHandle.prototype)) throw problem('no_storage')
  await start_module({ module_or_path: wasm })
  const folder = await navigator.storage.getDirectory()
  const [first, second] = [await smallFile(folder, 'ruhu-names-1'), await smallFile(folder, 'ruhu-names-2')]
  const progress = (json: string): void => tell({ tell: 'progress', progress: JSON.parse(json) as Progress })
  return start(first, second, send, progress)
}

/** What the core threw, read. A trap of the module ends it: only a new worker helps. */
function understood(error: unknown): Problem {
  if (typeof error === 'string') return JSON.parse(error) as Problem
  if (error instanceof Error) return problem('crashed', error.message)
  return typeof error === 'object' && error !== null && 'code' in error ? (error as Problem) : problem('crashed')
}

const core = open()
core.then(
  () => tell({ tell: 'ready' }),
  (error: unknown) => tell({ tell: 'failed', problem: understood(error) }),
)

/** Calls wait for one another. */
let last: Promise<void> = Promise.resolve()
/** Whether a sync runs, or photos are sent. */
let syncing = false
/** Whether it makes room for another call; it goes on after that, where it was. */
let yielding = false

type Question = Exclude<Asked, { ask: 'stop' }>

/** Whether it may take long, and can be cut at any moment. */
const isLong = (asked: Question): boolean =>
  asked.ask === 'send_photos' || (asked.ask === 'call' && asked.call.call === 'sync')

async function answered(asked: Question): Promise<Told> {
  const { id } = asked
  const held = await core
  switch (asked.ask) {
    case 'call':
      return { tell: 'answer', id, answer: await held.call(JSON.stringify(asked.call)) }
    case 'photo_call': {
      const answer = held.photo_call(JSON.stringify(asked.call), asked.original, asked.thumbnail)
      return { tell: 'answer', id, answer }
    }
    case 'picture': {
      const bytes = await held.picture(JSON.stringify(asked.wanted))
      return { tell: 'picture', id, bytes: bytes ? new Uint8Array(bytes) : null }
    }
    case 'send_photos': {
      const progress = (json: string): void =>
        tell({ tell: 'photo_progress', progress: JSON.parse(json) as PhotoProgress })
      return { tell: 'answer', id, answer: await held.send_photos(progress) }
    }
  }
}

async function run(asked: Question): Promise<void> {
  syncing = isLong(asked)
  yielding = false
  allowRequests()
  try {
    const told = await answered(asked)
    const cut = syncing && told.tell === 'answer' && (JSON.parse(told.answer) as SyncResult).outcome !== 'complete'
    if (cut && yielding) enqueue(asked)
    else tell(told)
  } catch (error) {
    tell({ tell: 'problem', id: asked.id, problem: understood(error) })
  } finally {
    syncing = false
  }
}

function enqueue(asked: Question): void {
  last = last.then(() => run(asked))
}

self.onmessage = ({ data }: MessageEvent<Asked>): void => {
  if (data.ask === 'stop') return stopRequests()
  if (syncing && !isLong(data)) {
    // A person who works does not wait for a slow link.
    yielding = true
    stopRequests()
  }
  enqueue(data)
}
