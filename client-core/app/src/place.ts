// Where the person was, so that a phone that was closed opens on the same question. It names documents by id and
// questions by key, and holds no answer. The core keeps it: what a browser stores by itself is written some seconds
// later, and a killed one has lost it.

import { ask } from './core/core'

export interface Place {
  path: string
  /** The question that was touched last. */
  question: string
}

interface Kept extends Place {
  /** The drafts that are filled in by the short form, the latest last. */
  short: string[]
}

/** Of more drafts than these, the oldest open in the whole form again: the core keeps a kilobyte. */
const SHORT_MAX = 12

let kept: Kept = { path: '', question: '', short: [] }

export const lastPlace = (): Place | null => (kept.path ? kept : null)
export const isShort = (check: string): boolean => kept.short.includes(check)

/** Behind what the screen itself asks for in this moment: writing the place down takes the core longer than that. */
function keep(now: Kept): void {
  kept = now
  setTimeout(() => {
    if (kept === now) void ask({ call: 'remember', place: JSON.stringify(now) }).catch(() => {})
  })
}

export function rememberPlace(now: Place): void {
  if (kept.path === now.path && kept.question === now.question) return
  keep({ ...kept, ...now })
}

export function keepShort(check: string, short: boolean): void {
  const others = kept.short.filter((one) => one !== check)
  keep({ ...kept, short: short ? [...others, check].slice(-SHORT_MAX) : others })
}

/** Takes over what the core has kept. */
export function recallPlace(text: string | null): void {
  try {
    const found = JSON.parse(text ?? 'null') as Partial<Kept> | null
    if (typeof found?.path === 'string') kept = { path: found.path, question: found.question ?? '', short: found.short ?? [] }
  } catch {
    // It was cut off, or an older program wrote it: the first screen does.
  }
}
