// How long a person waits, on a processor slowed down four times: `npm run speed`. It prints and judges nothing.

import { test } from 'vitest'

import { World } from './world'

const HOUSEHOLDS = 2_000
const SLOWER = 4

test('a person waits', async () => {
  const world = await World.make(HOUSEHOLDS)
  try {
    const phone = await world.enrolled('张秀英', 'work_team', '手机1')
    await phone.go('/village')
    await phone.get('household').first().waitFor()
    const packed = await phone.page.evaluate(() =>
      performance.getEntriesByType('resource').reduce((sum, one) => sum + (one as PerformanceResourceTiming).encodedBodySize, 0),
    )
    console.log(`resources of this page load, as packed: ${packed} bytes`)
    await world.stop()
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
    await time('open a household', async () => {
      await phone.get('household').first().click()
      await phone.get('check').waitFor()
    })
    await phone.check()
    await phone.choose('visit_result', 'completed')
    await phone.toPage('water/supply')
    await time('save an answer, from the tap to the tick', () => phone.choose('water_source', null))
  } finally {
    await world.end()
  }
})
