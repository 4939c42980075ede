// Where the person stands: starting, making a store, unlocking, enrolling, or at work.

import { computed, reactive } from 'vue'

import { ask, startCore } from './core/core'
import type { Attribution, Status, VillageLine } from './core/types'
import { recallPlace } from './place'
import { settings } from './settings'
import { say } from './words'

export type Phase = 'starting' | 'new' | 'locked' | 'enrol' | 'ready'

interface Session {
  phase: Phase
  /** For how long no passphrase is tried, milliseconds. */
  lockedMs: number
  status: Status | null
  villages: VillageLine[]
  /** Whether the browser promised to keep the storage; unknown before it was asked. */
  persisted: boolean | null
}

export const session = reactive<Session>({
  phase: 'starting',
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
  if (session.phase === 'starting') recallPlace(standing.place)
  if (!standing.there) session.phase = 'new'
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

export async function lock(): Promise<void> {
  await ask({ call: 'lock' })
  session.status = null
  await settle()
}

/** Which device wrote something: its label, or what is known of it when its certificate is not here. */
export function sayDevice({ device, device_name }: Pick<Attribution, 'device' | 'device_name'>): string {
  if (device_name) return device_name
  return say(device === session.status?.device?.device ? 'app_this_device' : 'app_server_or_unknown')
}

/** How many things the server has not receipted. */
export function unsentCount(status: Status | null): number {
  if (!status) return 0
  const { changes, queued, sent } = status.unsent
  return changes + queued + sent
}
