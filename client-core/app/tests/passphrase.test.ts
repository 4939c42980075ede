// The lock: short passphrases, wrong ones, the growing wait, and a second tab.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { World, type Phone } from './world'

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(3)
  phone = await world.phone('李国强')
})

afterAll(() => world?.end())

test('a short passphrase is not taken', async () => {
  await phone.get('passphrase').fill('123456789')
  await phone.get('passphrase-again').fill('123456789')
  expect(await phone.get('unlock').isDisabled()).toBe(true)
})

test('a code typed by hand asks for the six words to be compared', async () => {
  const link = world.invite('李国强', 'work_team')
  const code = new URLSearchParams(link.slice(link.indexOf('?') + 1)).get('code') ?? ''
  await phone.choosePassphrase()
  await phone.get('enrol-link').fill(code.toLowerCase())
  await phone.get('device-name').fill('手机2')
  await phone.get('enrol').click()
  await phone.get('words').waitFor()
  expect((await phone.get('words').innerText()).split(' ')).toHaveLength(6)
  await phone.get('enrol').click()
  await phone.page.locator('.van-tabbar').waitFor()
})

test('a second tab says that the app is open', async () => {
  const second = await phone.tab()
  const said = second.locator('[data-test="broken"]')
  await said.waitFor()
  expect(await said.innerText()).toContain('另一个标签页')
  await second.close()
})

test('wrong passphrases lock the store for a growing time, also after a restart', async () => {
  await phone.page.reload()
  for (let wrong = 1; wrong <= 4; wrong += 1) {
    await phone.unlock(`wrong passphrase ${wrong}`)
    await phone.get('unlock-said').waitFor()
    await phone.page.waitForFunction(() => document.querySelector<HTMLInputElement>('[data-test="passphrase"]')?.value === '')
  }
  expect(await phone.get('unlock-said').innerText()).toMatch(/请等 \d+ 秒/)
  await phone.page.reload()
  await phone.get('unlock-said').waitFor()
  await phone.get('passphrase').fill('any passphrase')
  expect(await phone.get('unlock').isDisabled()).toBe(true)
})
