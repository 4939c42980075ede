// Something that a person asks for: whether it runs, and the sentence for when it fails.

import { ref, type Ref } from 'vue'

import { problemOf } from '../core/core'
import { sayProblem } from '../words'

export interface Act {
  busy: Ref<boolean>
  said: Ref<string>
  act: (what: () => Promise<unknown>) => Promise<void>
}

/** `said` is the screen's own place for what went wrong, where it has one. */
export function useAct(said: Ref<string> = ref('')): Act {
  const busy = ref(false)
  async function act(what: () => Promise<unknown>): Promise<void> {
    busy.value = true
    said.value = ''
    try {
      await what()
    } catch (error) {
      said.value = sayProblem(problemOf(error))
    } finally {
      busy.value = false
    }
  }
  return { busy, said, act }
}
