// A visit with no network: from the invitation to the receipt, through a cold start and a kill in between.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { World, type Phone } from './world'

const WAGE = 'answer/income/wage_income'
const COST = 'answer/income/business_cost'

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(30)
})

afterAll(() => world?.end())

test('a phone is enrolled by a pasted link and holds the village after its first sync', async () => {
  phone = await world.phone('张秀英')
  await phone.enrol(world.invite('张秀英', 'work_team'), '手机1')
  expect(await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => true))).toBe(true)
  await phone.sync()
  await phone.go('/village')
  await phone.get('household').first().waitFor()
  expect(await phone.get('household').count()).toBe(30)
  expect(phone.complaints).toEqual([])
})

test('with the server stopped and the network cut it opens cold', async () => {
  await world.stop()
  await phone.close()
  await phone.open().catch(() => {})
  await phone.offline(true)
  await phone.page.reload()
  await phone.unlock()
  await phone.go('/village')
  await phone.get('household').first().waitFor()
  expect(await phone.get('household').count()).toBe(30)
})

test('a check goes on with the same question after the browser was killed', async () => {
  await phone.household(0)
  await phone.get('check').click()
  await phone.get('step').waitFor()
  await phone.toStep('收入')
  await phone.question(WAGE).locator('input').fill('26600.5')
  await phone.question(WAGE).locator('[data-test="kept"]').waitFor()
  await phone.question(COST).locator('input').fill('1200')
  await phone.question(COST).locator('[data-test="kept"]').waitFor()
  const address = await phone.page.evaluate(() => location.hash)
  await phone.kill()
  await phone.open().catch(() => {})
  await phone.unlock()
  await phone.get('step').waitFor()
  expect(await phone.page.evaluate(() => location.hash)).toBe(address)
  expect(await phone.question(WAGE).locator('input').inputValue()).toBe('26600.5')
  expect(await phone.question(COST).locator('input').inputValue()).toBe('1200')
  await phone.page.locator(`[data-here][data-key="${COST}"]`).waitFor()
})

test('a number that is none is said to be none, and nothing is kept of it', async () => {
  const field = phone.question('answer/income/property_income')
  await field.locator('input').fill('many')
  await field.getByRole('alert').waitFor()
  expect(await field.locator('[data-test="kept"]').count()).toBe(0)
  await field.locator('input').fill('')
})

test('the whole check is filled, read back and submitted with no network', async () => {
  await phone.toStep('入户情况')
  const screens: string[] = []
  for (;;) {
    screens.push(await phone.get('step').innerText())
    await answerAll(phone)
    const last = (await phone.get('next').innerText()).includes('核对')
    await phone.get('next').click()
    if (last) break
    await phone.page.waitForFunction((before) => document.querySelector('[data-test="step"]')?.textContent !== before, screens.at(-1))
  }
  expect(new Set(screens).size).toBe(screens.length)
  await phone.get('read').first().waitFor()
  expect(await phone.get('read').count()).toBeGreaterThan(12)
  await phone.get('submit').click()
  await phone.get('check').waitFor()
  expect(await phone.page.locator(`[data-key="${WAGE}"]`).innerText()).toContain('26600.50')
})

test('what was written is received when there is a network again', async () => {
  await phone.go('/sync')
  await phone.get('sync').click()
  await phone.get('sync-failed').waitFor()
  expect(await phone.get('sync-failed').innerText()).toContain('连不上服务器')
  expect(Number(await phone.get('unsent').innerText())).toBeGreaterThan(0)
  await world.start()
  await phone.offline(false)
  await phone.sync()
  expect(await phone.get('unsent').innerText()).toBe('0')
  expect(world.operate(['verify'])).toContain('一致')
})

/** Answers every question of a screen with what fits it. */
async function answerAll(phone: Phone): Promise<void> {
  const cards = phone.page.locator('section[data-key]')
  for (let index = 0; index < (await cards.count()); index += 1) {
    const card = cards.nth(index)
    if (await card.locator('[data-test="kept"]').count()) continue
    const input = card.locator('input, textarea').first()
    const choice = card.locator('button.tap:not(.plain)').first()
    if (await input.count()) await input.fill(await valueFor(input))
    else {
      await choice.click()
      const listed = phone.page.locator('.choices:visible button').first()
      if (await card.locator('.wide').count()) await listed.click()
    }
    await card.locator('[data-test="kept"]').waitFor()
  }
}

async function valueFor(input: ReturnType<Phone['get']>): Promise<string> {
  const kind = await input.getAttribute('type')
  if (kind === 'month') return '2026-10'
  if (kind === 'date') return '2026-10-08'
  const mode = await input.getAttribute('inputmode')
  const key = await input.evaluate((node) => node.closest('[data-key]')?.getAttribute('data-key') ?? '')
  if (mode === null) return '村里人说的情况'
  return key.endsWith('year') ? '2008' : '5'
}
