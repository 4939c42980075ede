// A PIN opens a session that runs: it opens no closed store, and three wrong ones close it. And the backup file.

import { readFileSync } from 'node:fs'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { World, type Phone } from './world'

const PIN = '246813'

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(6)
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
})

afterAll(() => world?.end())

async function tryPin(pin: string): Promise<void> {
  await phone.get('pin').fill(pin)
  await phone.get('resume').click()
  // A second try while one is looked at would be passed over.
  await phone.page.locator('[data-test="resume"].van-button--loading').waitFor({ state: 'hidden' })
}

test('a PIN is chosen, shuts the screen, and opens it again', async () => {
  await phone.go('/settings')
  await phone.get('pin-new').fill(PIN)
  await phone.get('pin-again').fill(PIN)
  await phone.get('pin-save').click()
  await phone.get('pin-set').waitFor()
  await phone.get('pause').click()
  await phone.get('pin').waitFor()
  expect(await phone.page.locator('.van-tabbar').count()).toBe(0)
  await tryPin('000000')
  await phone.get('pin-said').waitFor()
  await tryPin(PIN)
  await phone.page.locator('.van-tabbar').waitFor()
})

test('after a reload only the passphrase opens the store, and the PIN is still known', async () => {
  await phone.page.reload()
  await phone.get('passphrase').waitFor()
  expect(await phone.get('pin').count()).toBe(0)
  await phone.unlock()
  await phone.page.locator('.van-tabbar').waitFor()
  await phone.go('/settings')
  await phone.get('pin-set').waitFor()
})

test('three wrong PINs close the store, and the next wrong passphrase waits', async () => {
  await phone.get('pause').click()
  for (const wrong of ['000000', '111111', '222222']) await tryPin(wrong)
  await phone.get('passphrase').waitFor()
  expect(await phone.get('unlock-said').innerText()).toContain('PIN 错了三次')
  await phone.unlock('不是这个口令啊不是这个')
  await phone.get('unlock-said').filter({ hasText: /等 \d+ 秒/ }).waitFor()
})

test('the backup is a sealed file that brings an unsent edit to another device of the village', async () => {
  const other = await world.enrolled('王建平', 'first_secretary', '手机2')
  await other.household(0)
  await other.editName('赵东疆', '户主自述')
  await other.go('/settings')
  const [download] = await Promise.all([other.page.waitForEvent('download'), other.get('bundle').click()])
  await other.get('bundle-done').waitFor()
  expect(download.suggestedFilename()).toMatch(/^.+-\d{4}-\d\d-\d\d\.ruhu$/)
  const path = await download.path()
  const file = readFileSync(path)
  expect(file.length).toBeGreaterThan(500)
  expect(file.includes(Buffer.from('赵东疆'))).toBe(false)
  world.ruhu('tablet', ['enrol', world.invite('李国强', 'work_team')])
  world.ruhu('tablet', ['sync'])
  expect(world.ruhu('tablet', ['list'])).not.toContain('赵东疆')
  world.ruhu('tablet', ['bundle', 'import', path])
  expect(world.ruhu('tablet', ['list'])).toContain('赵东疆')
})
