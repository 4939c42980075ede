// Where the person was, so that a phone that was closed opens on the same question. It names documents by id and
// questions by key, and holds no answer. The core keeps it: what a browser stores by itself is written some seconds
// later, and a killed one has lost it.

import { ask } from './core/core'

export interface Place {
  path: string
  /** The question that was touched last. */
  question: string
}

let place: Place | null = null

export const lastPlace = (): Place | null => place

export function rememberPlace(now: Place): void {
  if (place?.path === now.path && place.question === now.question) return
  place = now
  void ask({ call: 'remember', place: JSON.stringify(now) }).catch(() => {})
}

/** Takes over what the core has kept. */
export function recallPlace(text: string | null): void {
  try {
    const kept = JSON.parse(text ?? 'null') as Partial<Place> | null
    if (kept && typeof kept.path === 'string') place = { path: kept.path, question: kept.question ?? '' }
  } catch {
    place = null
  }
}
