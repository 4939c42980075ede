// The households of the chosen village, asked for in one place.

import { ask } from './core/core'
import type { ListedHousehold, HouseholdQuery } from './core/types'
import { settings } from './settings'

const EVERY: HouseholdQuery = {
  text: '', group: null, conflicts_only: false, unsent_only: false, by_due: false, skip: 0, limit: 100_000,
}

/** Those that a query asks for; all where it says nothing, none without a village. */
export async function households(query: Partial<HouseholdQuery> = {}): Promise<ListedHousehold[]> {
  if (!settings.village) return []
  return ask({ call: 'households', village: settings.village, query: { ...EVERY, ...query } })
}
