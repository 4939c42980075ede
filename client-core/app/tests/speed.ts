// How long a person waits, on a processor slowed down four times: `npm run speed`. It prints and judges nothing.
// What is tapped often is tapped many times, and timed in the page: from the tap to the frame that shows what came of it.

import { join } from 'node:path'

import { test } from 'vitest'

import { Release } from './release'
import { World, type Phone } from './world'

const HOUSEHOLDS = 2_000
const SLOWER = 4
const TIMES = 25

/** One call of the core: what was asked, how long the page waited, and how long the answer was. */
interface Waited {
  call: string
  ms: number
  size: number
}

/** Notes in the page what each call of the core cost. */
function note(): void {
  const asked = new Map<number, { call: string; at: number }>()
  const waited: Waited[] = []
  Object.assign(window, { waited })
  const post = Worker.prototype.postMessage
  const heard = new WeakSet<Worker>()
  Worker.prototype.postMessage = function (this: Worker, message: { id?: number; call?: { call: string } }, ...rest: []) {
    if (!heard.has(this)) {
      heard.add(this)
      this.addEventListener('message', ({ data }: MessageEvent<{ id?: number; answer?: string }>) => {
        const one = asked.get(data.id ?? -1)
        if (one) waited.push({ call: one.call, ms: performance.now() - one.at, size: data.answer?.length ?? 0 })
      })
    }
    if (message.id !== undefined && message.call) asked.set(message.id, { call: message.call.call, at: performance.now() })
    post.call(this, message, ...rest)
  }
}

/** Taps, and waits in the page until something is there and painted. */
const tapTo = (phone: Phone, tap: string, seen: string): Promise<number> =>
  phone.page.evaluate(
    async ([tap, seen]) => {
      const painted = (): Promise<void> =>
        new Promise((done) => requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = () => done()
          port2.postMessage(null)
        }))
      const there = (): boolean => document.querySelector(seen!) !== null
      await painted()
      const before = performance.now()
      document.querySelector<HTMLElement>(tap!)!.click()
      if (!there()) {
        await new Promise<void>((found) => {
          const watch = new MutationObserver(() => {
            if (!there()) return
            watch.disconnect()
            found()
          })
          watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true })
        })
      }
      await painted()
      return performance.now() - before
    },
    [tap, seen] as const,
  )

/** The value below which so much of all lies. On a busy machine the first quarter says more than the middle. */
const below = (part: number, all: number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length * part)] ?? NaN
const middle = (all: number[]): number => below(0.5, all)

async function report(phone: Phone, what: string, times: number[]): Promise<void> {
  const [first = NaN, ...rest] = times
  const round = Math.round
  console.log(`${what}: first ${round(first)} ms, then first quarter ${round(below(0.25, rest))}, median ${round(middle(rest))}, longest ${round(Math.max(...rest))} of ${rest.length}`)
  const waited = await phone.page.evaluate(() => (window as unknown as { waited: Waited[] }).waited.splice(0))
  for (const call of new Set(waited.map((one) => one.call))) {
    const all = waited.filter((one) => one.call === call)
    const ms = middle(all.map((one) => one.ms)).toFixed(1)
    console.log(`  ${call}: ${all.length} calls, median ${ms} ms, ${middle(all.map((one) => one.size))} characters`)
  }
}

/**
 * The browser slows down a page and not its workers: in the worker, each call into the module takes as much longer. What
 * the module waits for its files is the storage's time, not the processor's.
 */
function slowModule(slower: number): void {
  const OF_FILES = /_(flush|truncate|read|write|getSize)_/
  const { instantiateStreaming } = WebAssembly
  let depth = 0
  let ofFiles = 0
  type Call = (...all: unknown[]) => unknown
  const slowed = (call: Call): Call => (...all) => {
    const [before, files] = [performance.now(), ofFiles]
    depth += 1
    try {
      return call(...all)
    } finally {
      depth -= 1
      const took = performance.now() - before - (ofFiles - files)
      const until = performance.now() + (slower - 1) * took
      while (depth === 0 && performance.now() < until);
    }
  }
  const counted = (call: Call): Call => (...all) => {
    const before = performance.now()
    try {
      return call(...all)
    } finally {
      ofFiles += performance.now() - before
    }
  }
  const each = (all: object, which: (name: string) => boolean, change: (call: Call) => Call): WebAssembly.Exports =>
    Object.fromEntries(
      Object.entries(all).map(([name, one]) => [name, typeof one === 'function' && which(name) ? change(one as Call) : one]),
    ) as WebAssembly.Exports
  WebAssembly.instantiateStreaming = async (source, imports = {}) => {
    const told = Object.entries(imports).map(([from, all]) => [from, each(all, (name) => OF_FILES.test(name), counted)])
    const { module, instance } = await instantiateStreaming(source, Object.fromEntries(told) as WebAssembly.Imports)
    return { module, instance: { exports: each(instance.exports, () => true, slowed) } }
  }
}

/** The app with its worker slowed down. */
function slowApp(folder: string): string {
  const release = Release.copy(join(folder, 'slow-app'))
  release.rewrite(release.built('worker-'), (text) => `(${slowModule.toString()})(${SLOWER});${text}`)
  return release.folder
}

test('a person waits', { timeout: 600_000 }, async () => {
  const world = await World.make(HOUSEHOLDS, slowApp)
  try {
    const phone = await world.enrolled('张秀英', 'work_team', '手机1')
    await phone.go('/village')
    await phone.get('household').first().waitFor()
    const packed = await phone.page.evaluate(() =>
      performance.getEntriesByType('resource').reduce((sum, one) => sum + (one as PerformanceResourceTiming).encodedBodySize, 0),
    )
    console.log(`resources of this page load, as packed: ${packed} bytes`)
    await world.stop()
    await phone.page.addInitScript(note)
    const devtools = await phone.page.context().newCDPSession(phone.page)
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: SLOWER })
    const time = async (what: string, action: () => Promise<void>): Promise<void> => {
      const before = performance.now()
      await action()
      console.log(`${what}: ${Math.round(performance.now() - before)} ms`)
    }
    await time('cold, from reload to the question for the passphrase', async () => {
      await phone.page.reload()
      await phone.get('passphrase').waitFor()
    })
    await time('unlock, to the list where the person was', async () => {
      await phone.unlock()
      await phone.get('household').first().waitFor()
    })
    await time(`search among ${HOUSEHOLDS} as one types`, async () => {
      const before = await phone.get('household').first().innerText()
      await phone.page.locator('.van-search input').fill('zh')
      await phone.page.waitForFunction(
        (text) => document.querySelector<HTMLElement>('[data-test="household"]')?.innerText !== text, before,
      )
    })
    await phone.page.evaluate(() => void (window as unknown as { waited: Waited[] }).waited.splice(0))
    const opened: number[] = []
    for (let index = 0; index < TIMES; index += 1) {
      await phone.page.evaluate((index) => document.querySelectorAll('[data-test="household"]')[index]?.setAttribute('data-next', ''), index)
      opened.push(await tapTo(phone, '[data-next]', '[data-test="check"]'))
      await phone.page.goBack()
      await phone.get('household').nth(TIMES).waitFor()
    }
    await report(phone, 'open a household', opened)
    await phone.get('household').first().click()
    await phone.check()
    await phone.choose('visit_result', 'completed')
    await phone.toPage('water/supply')
    await phone.page.evaluate(() => void (window as unknown as { waited: Waited[] }).waited.splice(0))
    const saved: number[] = []
    const question = '[data-question="water_source"]'
    for (let index = 0; index < TIMES; index += 1) {
      const next = `${question} [data-choice][aria-pressed="false"]:nth-of-type(${1 + (index % 2)})`
      const chosen = `${question} [data-choice][aria-pressed="true"]:nth-of-type(${1 + (index % 2)})`
      saved.push(await tapTo(phone, next, chosen))
    }
    await report(phone, 'save an answer, from the tap to the choice that is shown as kept', saved)
  } finally {
    await world.end()
  }
})
