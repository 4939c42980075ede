// Loading what a screen shows, with the sentence for when it fails.

import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'

import { problemOf } from '../core/core'
import { sayProblem } from '../words'

export interface Loaded<T> {
  data: ShallowRef<T | null>
  said: Ref<string>
  load: () => Promise<void>
}

/** Loads while the screen is still being put together, and again when asked. */
export function useLoaded<T>(read: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null)
  const said = ref('')
  const load = async (): Promise<void> => {
    try {
      data.value = await read()
      said.value = ''
    } catch (error) {
      said.value = sayProblem(problemOf(error))
    }
  }
  void load()
  return { data, said, load }
}
