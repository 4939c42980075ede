// The sync of this session: all text, and then the photos. It outlives the screen that began it: whoever comes back
// sees how far it is, and stops it.

import { reactive } from 'vue'

import { ask, problemOf, progress, stopSync } from './core/core'
import { problem } from './core/protocol'
import type { PhotoResult } from './core/photo-protocol'
import { sendPhotos } from './core/photos'
import type { Problem, SyncResult } from './core/types'
import { refresh } from './session'

interface Syncing {
  busy: boolean
  result: SyncResult | null
  photos: PhotoResult | null
  failed: Problem | null
}

export const syncing = reactive<Syncing>({ busy: false, result: null, photos: null, failed: null })
let stopped = false

export async function sync(): Promise<void> {
  if (syncing.busy) return
  stopped = false
  Object.assign(syncing, { busy: true, result: null, photos: null, failed: null })
  progress.value = null
  try {
    do syncing.result = await ask({ call: 'sync' })
    while (syncing.result.outcome === 'paused' && !stopped)
    const { outcome } = syncing.result
    if (outcome === 'complete') syncing.photos = await sendPhotos()
    else if (!stopped) syncing.failed = problem(outcome)
  } catch (error) {
    syncing.failed = problemOf(error)
  } finally {
    syncing.busy = false
    await refresh().catch(() => {})
  }
}

/** What was done is kept; the next sync goes on from there. */
export function stop(): void {
  stopped = true
  stopSync()
}
