// A server that was lost and came back without its key: the phone says what to do, keeps everything, and is enrolled
// again by the way that it shows.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { World, type Phone } from './world'

let world: World
let phone: Phone

beforeAll(async () => {
  // What wraps the keys of private values is kept elsewhere, or nothing could be restored.
  process.env['RUHU_WRAP_KEY'] = 'ab'.repeat(32)
  world = await World.make(6)
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
})

afterAll(async () => {
  delete process.env['RUHU_WRAP_KEY']
  await world?.end()
})

test('after a restore the sync says to enrol again, and how', async () => {
  await phone.household(0)
  await phone.editName('赵东疆', '户主自述')
  await world.restore('田永福')
  await phone.go('/sync')
  await phone.get('sync').click()
  await phone.get('sync-failed').waitFor()
  await phone.page.locator('[data-notice="app_error_new_epoch"] a').click()
  await phone.get('enrol-link').fill(world.inviteAgain('张秀英'))
  await phone.get('device-name').fill('手机1')
  await phone.get('enrol').click()
  await phone.get('sync').waitFor()
})

test('what was written before is received by the restored server', async () => {
  await phone.sync()
  expect(await phone.get('unsent').innerText()).toBe('0')
  await phone.go('/village')
  await phone.get('household').filter({ hasText: '赵东疆' }).waitFor()
  expect(world.operate(['verify'])).toContain('一致')
})
