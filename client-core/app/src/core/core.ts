// The page's side of the core: one typed function.

import { ref, shallowRef } from 'vue'

import { problem, type Answers, type Asked, type CallOf, type Name, type Told } from './protocol'
import type { PhotoProgress } from './photo-protocol'
import type { Problem, Progress } from './types'

/** Thrown by a call that did not do what it was asked. */
export class CoreProblem extends Error {
  readonly problem: Problem

  constructor(told: Problem) {
    super(`${told.code}: ${told.detail}`)
    this.problem = told
  }
}

/** What a caught error tells people about. */
export const problemOf = (error: unknown): Problem =>
  error instanceof CoreProblem ? error.problem : problem('failed', String(error))

interface Waiting {
  done: (answer: unknown) => void
  failed: (error: CoreProblem) => void
}

/** How far the running sync has come. */
export const progress = shallowRef<Progress | null>(null)
/** How far the running sending of photos has come. */
export const photoProgress = shallowRef<PhotoProgress | null>(null)
/** Why the core does not run; a new page is needed. */
export const broken = ref<Problem | null>(null)

const waiting = new Map<number, Waiting>()
let next = 1
let worker: Worker | null = null

function fail(told: Problem): void {
  broken.value = told
  for (const one of waiting.values()) one.failed(new CoreProblem(told))
  waiting.clear()
}

function hear(told: Told, ready: () => void): void {
  switch (told.tell) {
    case 'ready':
      return ready()
    case 'failed':
      return fail(told.problem)
    case 'progress':
      progress.value = told.progress
      return
    case 'photo_progress':
      photoProgress.value = told.progress
      return
    case 'picture':
      waiting.get(told.id)?.done(told.bytes)
      waiting.delete(told.id)
      return
    case 'answer':
      waiting.get(told.id)?.done(JSON.parse(told.answer))
      waiting.delete(told.id)
      return
    case 'problem':
      if (told.problem.code === 'crashed') return fail(told.problem)
      waiting.get(told.id)?.failed(new CoreProblem(told.problem))
      waiting.delete(told.id)
  }
}

/** Starts the worker; ends when the core can be asked, or never when `broken` says why. */
export function startCore(): Promise<void> {
  return new Promise((ready) => {
    worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<Told>) => hear(data, ready)
    worker.onerror = (event) => fail(problem('crashed', event.message))
  })
}

function post(asked: Asked): void {
  worker?.postMessage(asked)
}

/** Asks the worker something that it answers by this number. */
export function askWorker<T>(asked: (id: number) => Asked): Promise<T> {
  if (broken.value) return Promise.reject(new CoreProblem(broken.value))
  const id = next
  next += 1
  return new Promise<T>((done, failed) => {
    waiting.set(id, { done: (answer) => done(answer as T), failed })
    post(asked(id))
  })
}

/** Asks the core. Calls are answered in order. */
export const ask = <N extends Name>(call: CallOf<N>): Promise<Answers[N]> =>
  askWorker((id) => ({ ask: 'call', id, call: JSON.parse(JSON.stringify(call)) as CallOf<N> }))

/** Ends the running sync; what it has done is kept. */
export const stopSync = (): void => post({ ask: 'stop' })
