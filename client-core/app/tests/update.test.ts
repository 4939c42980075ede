// A newer app while a draft is open: the person is told, takes it when it suits, and finds every answer.

import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { Release } from './release'
import { World, type Phone } from './world'

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(6)
})

afterAll(() => world?.end())

const release = (): Promise<string | null> =>
  phone.page.evaluate(() => document.querySelector('meta[name="release"]')?.getAttribute('content') ?? null)

test('a newer app waits for the person, and the draft goes on under it', async () => {
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
  await phone.household(0)
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await phone.toPage('income/earned')
  await phone.type('wage_income', '26600.5')
  const before = await phone.page.evaluate(() => location.hash)
  await world.release(Release.copy(join(world.folder, 'newer-app')).withNewPage().folder)
  await phone.page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()))
  await phone.get('update').waitFor()
  expect(await release()).toBeNull()
  await phone.get('update').click()
  await phone.get('unlock').waitFor()
  expect(await release()).toBe('newer')
  await phone.unlock()
  await phone.get('step').waitFor()
  expect(await phone.page.evaluate(() => location.hash)).toBe(before)
  expect(await phone.question('wage_income').locator('input').inputValue()).toBe('26600.5')
  expect(phone.complaints).toEqual([])
})
