// Where the person stands: starting, making a store, unlocking, enrolling, or at work.

import { computed, reactive } from 'vue'

import { ask, startCore } from './core/core'
import type { Attribution, PhoneLock, Status, Village } from './core/types'
import { recallPlace } from './place'
import { settings } from './settings'
import { say } from './words'

export type Phase = 'starting' | 'new' | 'locked' | 'paused' | 'enrol' | 'ready'

interface Session {
  phase: Phase
  /** Whether a PIN opens the screen again while the store is open. */
  hasPin: boolean
  /** What the phone's own lock is asked with, where it opens the store. */
  phoneLock: PhoneLock | null
  /** Why the passphrase is asked for, where that needs a word. */
  said: string
  /** For how long no passphrase is tried, milliseconds. */
  lockedMs: number
  status: Status | null
  villages: Village[]
  /** Whether the browser promised to keep the storage; unknown before it was asked. */
  persisted: boolean | null
}

export const session = reactive<Session>({
  phase: 'starting',
  hasPin: false,
  phoneLock: null,
  said: '',
  lockedMs: 0,
  status: null,
  villages: [],
  persisted: null,
})

/** The village that is worked in; nothing before the first sync. */
export const village = computed(() => session.villages.find((one) => one.id === settings.village))

/** Reads where the store stands, and goes there. */
export async function settle(): Promise<void> {
  const standing = await ask({ call: 'standing' })
  session.lockedMs = standing.locked_ms
  session.phoneLock = standing.phone_lock
  if (standing.open) session.hasPin = standing.has_pin
  if (session.phase === 'starting') recallPlace(standing.place)
  if (!standing.there) session.phase = 'new'
  else if (standing.paused) session.phase = 'paused'
  else if (!standing.open) session.phase = 'locked'
  else if (!standing.enrolled) session.phase = 'enrol'
  else {
    await refresh()
    session.phase = 'ready'
  }
}

export async function begin(): Promise<void> {
  await startCore()
  session.persisted = (await navigator.storage?.persisted?.()) ?? false
  await settle()
}

/** Asks the browser to keep the storage; it may refuse, and then the person is told. */
export async function askToPersist(): Promise<void> {
  session.persisted = (await navigator.storage?.persist?.()) ?? false
}

/** Reads what every screen shows of the device. */
export async function refresh(): Promise<void> {
  session.status = await ask({ call: 'status' })
  session.villages = session.status.villages.filter((village) => village.granted)
  if (!session.villages.some((village) => village.id === settings.village)) {
    settings.village = session.villages[0]?.id ?? ''
  }
}

async function shut(call: 'lock' | 'pause'): Promise<void> {
  await ask({ call })
  session.status = null
  await settle()
}

export const lock = (): Promise<void> => shut('lock')
/** Shuts the screen; the PIN opens it again. */
export const pause = (): Promise<void> => shut('pause')

/** How long the app may be out of sight before the PIN is asked for, milliseconds. */
const AWAY_MS = 2 * 60 * 1_000

/** Shuts the screen when the person comes back after a while. */
export function shutWhenAway(): void {
  let left = 0
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) left = Date.now()
    else if (session.phase === 'ready' && session.hasPin && Date.now() - left > AWAY_MS) void pause()
  })
}

/** Which device wrote something: its label, or what is known of it when its certificate is not here. */
export function sayDevice({ device, device_name }: Pick<Attribution, 'device' | 'device_name'>): string {
  if (device_name) return device_name
  return say(device === session.status?.device?.device ? 'app_this_device' : 'app_server_or_unknown')
}

/** How many things the server has not receipted. */
export function unsentCount(status: Status | null): number {
  if (!status) return 0
  const { changes, queued, sent, turned_away, photos } = status.unsent
  return changes + queued + sent + turned_away + photos
}
