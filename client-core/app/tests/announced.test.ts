// What is still on another phone: its link breaks inside a sync, and the first secretary sees what did not arrive.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { BreakingLink } from './breaking'
import { Phone, World } from './world'

let world: World
let link: BreakingLink
let phone: Phone
let secretary: Phone

beforeAll(async () => {
  world = await World.make(12)
  link = await BreakingLink.to(world.port)
  phone = await world.phone('手机1', link.url)
  await phone.enrol(world.invite('张秀英', 'work_team').replaceAll(world.url, link.url), '手机1')
  await phone.sync()
  secretary = await world.enrolled('王建平', 'first_secretary', '手机2')
})

afterAll(async () => {
  await world?.end()
  link?.listener.close()
})

/** The line of the other phone on the first secretary's screen of the village, out of the network. */
async function line(): Promise<string> {
  await secretary.sync()
  await secretary.offline(true)
  await secretary.go('/overview')
  const device = secretary.get('device').filter({ hasText: '手机1' })
  await device.waitFor()
  const text = await device.innerText()
  await secretary.offline(false)
  return text
}

test('a phone that synced whole has nothing missing', async () => {
  expect(await line()).toContain('写好的都送到了')
})

test('a request that is cut after it announced leaves what is missing on the screen of the first secretary', async () => {
  await phone.household(0)
  await phone.editName('赵东疆', '户主自述')
  await phone.household(1)
  await phone.check()
  await phone.choose('visit_result', 'refused')
  link.breakNext()
  await phone.go('/sync')
  await phone.get('sync').click()
  await expect.poll(() => link.isGone).toBe(true)
  await phone.get('sync').waitFor()
  const seen = await line()
  expect(seen).toContain('还有 1 批没收到')
  expect(seen).toContain('当时有 1 份排查没填完')
  expect(seen).not.toContain('写好的都送到了')
})

test('once it has arrived nothing is missing, and the draft is still there', async () => {
  link.mend()
  await phone.sync()
  const seen = await line()
  expect(seen).toContain('写好的都送到了')
  expect(seen).toContain('当时有 1 份排查没填完')
  expect(seen).not.toContain('没收到')
  expect(phone.complaints.filter((line) => !line.includes('Failed to load'))).toEqual([])
})
